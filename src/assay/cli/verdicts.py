"""Verdicts on the terminal and in files: printing them, and reading them back to reach them again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from assay.cli import output
from assay.errors import InputError

if TYPE_CHECKING:
    from assay.model.verdict import TwinTally, Verdict


SHOWN_CHARACTERS = 160


def recorded(path: Path, slug: str) -> Verdict:
    """The verdict on this task in a file of JSON lines. Raises InputError."""
    from assay.model.verdict import Verdict  # pydantic is not for those who only ask for help

    try:
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        mine = [v for v in found if v.get("kind", "verdict") == "verdict" and v.get("task") == slug]
        if len(mine) == 1:
            return Verdict.model_validate({key: mine[0][key] for key in mine[0] if key not in ("schema", "kind")})
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} does not hold a verdict: {str(error).splitlines()[0]}",
            hint="give what `assay verify --json` printed",
        ) from error
    raise InputError(
        f"{path} holds {len(mine)} verdicts on {slug}, not one",
        hint="keep the line of the verdict that you want to see again",
    )


def emit(verdict: Verdict) -> None:
    """As one JSON object."""
    output.emit("verdict", **verdict.model_dump(mode="json"))


def _twins(tally: TwinTally) -> str:
    ran = output.count(tally.run_count, "twin")
    covered = f"{tally.covered_share:.0%} of the tests had one"
    sealed = f"; {output.count(tally.sealed_count, 'test')} compared outside" if tally.sealed_count else ""
    return f"{ran} that must fail: {tally.caught_count} failed, {tally.green_count} passed; {covered}{sealed}"


def _guess(bound: float) -> str:
    if bound == 0.0:
        return ""
    if bound == 1.0:
        return "no twin guards the tests at stake: only changes that cannot but compute are rewarded"
    return f"a blind guess gets through once in {round(1 / bound):,} times"


def show(verdict: Verdict) -> None:
    """For people: the answer, the twins, what was restored, what failed."""
    if verdict.failure is not None:
        answer = f"no verdict ({verdict.failure.boundary}): {verdict.failure.message}"
    elif verdict.resolved:
        answer = "resolved"
    else:
        answer = f"not resolved{f' ({verdict.reason})' if verdict.reason else ''}"
    counts = f"{verdict.passed_count}/{verdict.total_count} tests" if verdict.total_count else ""
    spent = output.seconds(verdict.wall_seconds)
    output.text_line(f"{verdict.task}  {verdict.agent:<6}  {answer}  {counts}  {spent}")
    _details(verdict)
    if verdict.agent != "nop" and verdict.resolved is False:
        failed = [test for test in verdict.tests if test.status != "passed"]
        for test in failed[:10]:
            why = f": {test.message.splitlines()[0][:SHOWN_CHARACTERS]}" if test.message.strip() else ""
            output.text_line(f"    {test.status:<8}  {test.id}{why}")
        if len(failed) > 10:
            output.text_line(f"    and {len(failed) - 10} more; --json has them all")


def _details(verdict: Verdict) -> None:
    if verdict.failure is not None and verdict.failure.hint:
        output.text_line(f"    → {verdict.failure.hint}")
    if verdict.twins is not None:
        output.text_line("; ".join(filter(None, (f"    {_twins(verdict.twins)}", _guess(verdict.twins.guess_bound)))))
    if verdict.oracle == "out-of-process":
        output.text_line("    judged from outside the candidate's process")
    for sign in (*verdict.tamper[:5], *verdict.problems[:5]):
        output.text_line(f"    ! {sign}")
    for one in verdict.dropped[:5]:
        output.text_line(f"    restored: {one.path} ({one.why})")
    if len(verdict.dropped) > 5:
        output.text_line(f"    and {len(verdict.dropped) - 5} more paths; --json has them all")
