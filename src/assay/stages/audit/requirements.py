"""The check `requirements`: sentences without a test and assertions without a sentence. A work list, never a gate."""

from __future__ import annotations

from anyio import to_thread

from assay.core.audit.hidden_names import Question, unread
from assay.core.audit.requirements import requirements, sentences
from assay.core.audit.table import conclude
from assay.model.audit import CheckResult, Measure
from assay.stages.audit.ground import Ground


async def check(ground: Ground) -> CheckResult:
    """Hold the sentences of the prompt against the tests that fail on the base."""
    task = ground.task
    question = Question(ground.base, ground.gold, task.hidden_tests, task.instruction, task.assay.fail_to_pass)
    return await to_thread.run_sync(answer, question)


def answer(question: Question) -> CheckResult:
    """The pairs that a reviewer should read."""
    findings = requirements(question)
    count = len(sentences(question.prompt))
    untested = sum(finding.kind == "untested-sentence" for finding in findings)
    missed = unread(question)
    readable = count > 0 and len(missed) < len(question.fail_to_pass)
    summary = f"{untested} of {count} sentences without a test, {len(findings) - untested} tests without a sentence"
    return conclude(
        "requirements",
        failed=False,
        known=readable,
        summary=summary if readable else "the prompt or the tests could not be read",
        findings=findings,
        measures=[Measure(name="sentence_count", value=count), Measure(name="untested_count", value=untested)],
        unknown=[f"the code of {len(missed)} tests was not found"] if missed else [],
    )
