"""Trials as lines: one as each ends, then the run in numbers, with everything in its denominator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.cli import errors, output
from assay.core.run_counts import RunCounts, by_task, causes, counts_of
from assay.core.trial_keys import SHOWN_DIGITS
from assay.model.trial_run import TrialEnd, TrialsRun

if TYPE_CHECKING:
    from assay.cli.progress import Display
    from assay.model.event import Event, OnEvent
    from assay.model.trial_record import TrialRecord

FEW = 30
"""Tasks that the table at the end shows, one a line."""


def teller(shown: Display, *, as_json: bool) -> OnEvent:
    """Say each trial as it ends, so that an interrupt loses none. What is wrong with a task is said once."""
    said: set[str] = set()

    def tell(event: Event) -> None:
        shown.on_event(event)
        if not isinstance(event, TrialEnd):
            return
        with shown.above():
            if as_json:
                output.emit("trial", **facts(event))
            elif event.problem is not None:
                if event.problem.message not in said:
                    said.add(event.problem.message)
                    errors.report_item(event.problem, as_json=False)
            elif event.record is not None and not event.held_back:
                _show(event, event.record)

    return tell


def facts(end: TrialEnd) -> dict[str, Any]:
    """A trial as data. `status`: `resolved`, `unresolved`, `void`, `unusable` (see `problem`), `held-back`."""
    record = end.record
    found: dict[str, Any] = {"task": end.task, "attempt": end.attempt, "status": status(end)}
    found["problem"] = errors.describe(end.problem) if end.problem else None
    found["held_back"], found["recalled"] = end.held_back, end.recalled
    names = (
        *("id", "task_digest", "entrant_digest", "agent", "model", "resolved", "reward", "reason", "usd", "tokens"),
        *("model_call_count", "wall_seconds", "started_at", "ended_at"),
    )
    found |= {name: getattr(record, name, None) for name in names}
    found["failure"] = _failure(record)
    return found


def _failure(record: TrialRecord | None) -> dict[str, str | None] | None:
    if record is None or record.boundary is None:
        return None
    return {"boundary": record.boundary, "kind": record.failure_kind, "message": record.message}


def status(end: TrialEnd) -> str:
    """In a word."""
    if end.resolved is not None:
        return "resolved" if end.resolved else "unresolved"
    if end.problem is not None:
        return "unusable"
    return "held-back" if end.held_back else "void"


def answer(record: TrialRecord) -> str:
    """What came of a trial, for people."""
    if record.boundary is not None:
        return f"void ({record.boundary}): {record.message}"
    if record.resolved is None:
        return "not judged yet"
    return "resolved" if record.resolved else f"not resolved ({record.reason})" if record.reason else "not resolved"


def _show(end: TrialEnd, record: TrialRecord) -> None:
    spent = [output.seconds(record.wall_seconds)] if record.wall_seconds is not None else []
    if record.usd:
        spent.append(output.dollars(record.usd))
    words = [record.id[:SHOWN_DIGITS], f"{end.task}#{end.attempt}", answer(record)]
    words += ["as before"] if end.recalled else spent
    tint: output.Tint = "good" if record.resolved else "warn" if record.boundary else ""
    output.tinted_line("  ".join(output.one_line(word) for word in words), tint)


def emit_run(run: TrialsRun) -> None:
    """The run as one object."""
    counts = counts_of(run.ends)
    output.emit(
        "run",
        entrant=run.entrant,
        entrant_digest=run.entrant_digest,
        **_numbers(counts),
        rate=counts.rate,
        recalled=sum(end.recalled for end in run.ends),
        causes=causes(run.ends),
        stopped=run.stopped,
        usd=run.usd,
        unpriced=run.unpriced_count,
        tasks=[{"task": task, **_numbers(found)} for task, found in by_task(run.ends).items()],
    )


def _numbers(counts: RunCounts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in RunCounts.__dataclass_fields__}


def show_run(run: TrialsRun) -> None:
    """The run for people: a line a task when there are several, then one for all."""
    tasks = by_task(run.ends)
    if 1 < len(tasks) <= FEW:
        output.text_line()
        for line in output.columns([_row(task, counts) for task, counts in tasks.items()], right=frozenset({1})):
            output.text_line(f"  {line}")
        output.text_line()
    output.text_line(sentence(run))


def _row(task: str, counts: RunCounts) -> tuple[str, str, str]:
    rest = [
        f"{number} {what}"
        for number, what in (
            (counts.void, "void"),
            (counts.unusable, "not tried"),
            (counts.held_back, "not begun"),
        )
        if number
    ]
    return task, f"{counts.resolved}/{counts.scored}", ", ".join(rest)


def sentence(run: TrialsRun) -> str:
    """The run in one line; what has no verdict stands beside the answers and never among them."""
    counts = counts_of(run.ends)
    rate = f" ({output.share(counts.rate)})" if counts.rate is not None else ""
    parts = [f"{counts.resolved} of {output.count(counts.scored, 'trial')} with a verdict resolved{rate}"]
    if counts.void:
        why = "; ".join(f"{boundary}: {output.one_line(text)}" for boundary, text in causes(run.ends).items())
        parts.append(f"{counts.void} void ({why}), which {'counts' if counts.void == 1 else 'count'} for nothing")
    if counts.unusable:
        parts.append(f"{counts.unusable} not tried, see above")
    if counts.held_back:
        parts.append(f"{counts.held_back} not begun ({run.stopped}): the same line goes on")
    if run.entrant.model:
        parts.append(output.dollars(run.usd))
    if run.entrant.model and run.unpriced_count:
        parts.append(f"{output.count(run.unpriced_count, 'try', 'tries')} of unknown cost")
    return "; ".join(parts)
