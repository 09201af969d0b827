"""The check `hidden-names`: what the tests need and nobody can know. Read from the files; nothing is run."""

from __future__ import annotations

from anyio import to_thread

from assay.core.audit.hidden_names import Question, hidden_names, unread
from assay.core.audit.table import conclude
from assay.model.audit import CheckResult, Measure
from assay.stages.audit.ground import Ground

MAX_UNREAD = 5


async def check(ground: Ground) -> CheckResult:
    """Hold the tests at stake against base and prompt."""
    task = ground.task
    question = Question(ground.base, ground.gold, task.hidden_tests, task.instruction, task.assay.fail_to_pass)
    return await to_thread.run_sync(answer, question)


def answer(question: Question) -> CheckResult:
    """What is hidden, and which tests could not be read; without any that could, nobody knows."""
    findings, missed = hidden_names(question), unread(question)
    total = len(question.fail_to_pass)
    unknown = [f"the code of {test} was not found" for test in missed[:MAX_UNREAD]]
    if len(missed) > MAX_UNREAD:
        unknown.append(f"nor was that of {len(missed) - MAX_UNREAD} more tests")
    what = f"{len(findings)} names or texts" if len(findings) != 1 else "one name or text"
    summary = f"{what} that {total} tests need {'are' if len(findings) != 1 else 'is'} in neither base nor prompt"
    return conclude(
        "hidden-names",
        failed=bool(findings),
        known=len(missed) < total,
        summary=summary if findings else f"what {total} tests need is in the base or in the prompt",
        findings=findings,
        measures=[Measure(name="hidden_count", value=len(findings), count=total)],
        unknown=unknown,
    )
