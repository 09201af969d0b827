"""What `assay import` and `assay export` say: a line for each thing with a problem, and one table of losses.

Losses of many things are alike, so the table has a row a field and a reason; `--json` has them thing by thing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from assay.cli import errors, output
from assay.errors import InfrastructureError
from assay.model.event import Event
from assay.model.exchange import Converted

if TYPE_CHECKING:
    from assay.cli.progress import Display

NAMED = 3
"""Things that are named beside a loss; the others are counted."""


def teller(shown: Display, as_json: bool) -> Callable[[Event], None]:
    """Say each thing as soon as it is done; people hear only of problems, and the rest in the end."""

    def tell(event: Event) -> None:
        if not isinstance(event, Converted):
            shown.on_event(event)
        elif as_json:
            with shown.above():
                _emit(event)
        elif event.problem is not None:
            with shown.above():
                errors.report_item(event.problem, as_json=False)

    return tell


def _emit(converted: Converted) -> None:
    problem = converted.problem
    output.emit(
        "converted",
        subject=converted.subject,
        paths=[str(path) for path in converted.paths],
        losses=[{"field": loss.field, "reason": loss.reason} for loss in converted.losses],
        problem=errors.describe(problem) if problem else None,
    )


def show(done: Sequence[Converted], verb: str, where: str) -> None:
    """The end of a batch: how many, and what could not be carried."""
    good = [converted for converted in done if converted.problem is None]
    bad = len(done) - len(good)
    failed = f"; {bad} could not be" if bad else ""
    output.text_line(f"{output.count(len(good), 'item')} {verb}{where if good else ''}{failed}")
    for line in _table(done):
        output.text_line(line)


def _table(done: Sequence[Converted]) -> list[str]:
    losses: dict[tuple[str, str], list[str]] = {}
    for converted in done:
        for loss in converted.losses:
            losses.setdefault((loss.field, loss.reason), []).append(loss.subject)
    if not losses:
        return ["nothing was lost"] if any(converted.problem is None for converted in done) else []
    rows: list[tuple[str, ...]] = [("lost", "of", "because")]
    for (field, reason), subjects in sorted(losses.items(), key=lambda item: (-len(item[1]), item[0])):
        unique = list(dict.fromkeys(subjects))
        named = ", ".join(unique[:NAMED]) if len(unique) <= NAMED else output.count(len(unique), "item")
        rows.append((output.one_line(field), output.one_line(named), output.one_line(reason)))
    return output.columns(rows)


def grade(done: Sequence[Converted]) -> int:
    """The exit code: a thing that could not be converted is a no, unless only a fault of ours kept it."""
    worst = errors.OK
    for converted in done:
        if converted.problem is not None:
            ours = isinstance(converted.problem, InfrastructureError)
            worst = errors.worse(worst, errors.INCOMPLETE if ours else errors.NO)
    return worst
