"""The curve in a terminal: how tasks lie for an entrant, what the set is worth to a trainer, what is to be looked at.

Nothing here prints: lines are made. Words say all that the drawing says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assay.cli import output
from assay.core.calibration.curve import BINS, Curve, DifficultyReport, Placed, Review, curve_of
from assay.model.calibration_run import CalibrationRun, Monitored, Recheck
from assay.model.difficulty import GROUP, AuditState, Placing

WORDS: dict[Placing, str] = {
    "too-hard": "too hard",
    "in": "just right",
    "too-easy": "too easy",
    "undecided": "not yet known",
}
AUDITS: dict[AuditState, str] = {
    "sound": "",
    "unsound": "its audit found a gate that fails",
    "unknown": "its audit could not say",
    "none": "not audited",
}
BAR = 30
"""Columns of the widest bar of the distribution."""
AXIS = 31
"""Columns from rate 0 to rate 1 beside a task."""
TASKS = 40
"""Tasks of a curve that are listed unless all are asked for."""
REVIEWS = 10
FULL, HALF = "█", "▌"


def report_lines(report: DifficultyReport, *, everything: bool = False) -> Iterator[str]:
    """Everything, as lines."""
    if not report.curves:
        yield f"none of {output.count(report.task_count, 'task')} was calibrated"
        yield "type: assay calibrate TASK... --agent NAME --model NAME"
        return
    if len(report.curves) > 1:
        yield from _overview(report.curves)
    for curve in report.curves:
        if len(report.curves) > 1:
            yield ""
        yield from curve_lines(curve, everything=everything)
    if report.reviews:
        yield ""
        yield from review_lines(report.reviews, everything=everything)


def headline(curve: Curve) -> str:
    """A curve in a sentence."""
    counts = curve.counts
    total = sum(counts.values())
    return (
        f"{curve.entrant}, band {curve.band}: {counts['in']} of {output.count(total, 'task')} just right, "
        f"{counts['too-hard']} too hard, {counts['too-easy']} too easy, {counts['undecided']} not yet known"
    )


def curve_lines(curve: Curve, *, everything: bool = False) -> Iterator[str]:
    """One entrant's curve."""
    yield headline(curve)
    if curve.measured:
        yield ""
        yield from _distribution(curve)
        yield ""
        yield from _tasks(curve, everything)
    yield ""
    yield from worth_lines(curve)


def worth_lines(curve: Curve) -> Iterator[str]:
    """What the set gives a trainer, what it cost, and what more certainty would."""
    if curve.signal_all is not None:
        line = f"groups of {GROUP} rollouts with signal: {output.share(curve.signal_all)} over all measured tasks"
        if curve.signal_in is not None:
            line += f", {output.share(curve.signal_in)} over the just right ones"
        yield line
    void = f" and {curve.void_count} without a verdict, which count for nothing" if curve.void_count else ""
    price = "" if curve.usd is None else f", {output.dollars(curve.usd)}"
    yield f"spent: {output.count(curve.rollout_count, 'rollout')}{void}{price}"
    if curve.expected_error is not None:
        yield f"expected wrong placings: {output.share(curve.expected_error)} of those decided"
    for more in curve.more:
        cost = "" if more.usd is None else f", about {output.dollars(more.usd)}"
        yield (
            f"for {output.share(more.expected_error)} over all measured tasks: "
            f"about {more.mean_rollouts:.0f} more rollouts{cost}"
        )


def _overview(curves: Sequence[Curve]) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [("", *WORDS.values(), "rollouts", f"signal at {GROUP}")]
    for curve in curves:
        signal = "" if curve.signal_all is None else output.share(curve.signal_all)
        name = f"{curve.entrant}, {curve.band}"
        rows.append((name, *(str(curve.counts[key]) for key in WORDS), str(curve.rollout_count), signal))
    yield from output.columns(rows, right=frozenset(range(1, 7)))


def _distribution(curve: Curve) -> Iterator[str]:
    most = max(*curve.bins, 1e-9)
    yield "tasks by the rate at which they are solved, each spread over what its rate may be"
    for number, expected in enumerate(curve.bins):
        low, high = number / BINS, (number + 1) / BINS
        halves = round(2 * BAR * expected / most)
        bar = FULL * (halves // 2) + HALF * (halves % 2)
        inside = low < curve.band.high - 1e-9 and high > curve.band.low + 1e-9
        mark = "│" if inside else " "
        yield f"  {100 * low:3.0f} to {100 * high:3.0f} %  {mark} {bar} {expected:.1f}"


def _tasks(curve: Curve, everything: bool) -> Iterator[str]:
    shown = curve.tasks if everything else curve.tasks[:TASKS]
    rows: list[tuple[str, ...]] = [("task", "0" + "rate".center(AXIS - 2) + "1", "solved", "", "may be wrong", "")]
    rows += [_row(one) for one in shown]
    yield from output.columns(rows, right=frozenset({2, 4}))
    if len(shown) < len(curve.tasks):
        yield f"and {output.count(len(curve.tasks) - len(shown), 'task')} more; --all lists them"


def _row(one: Placed) -> tuple[str, ...]:
    found = one.difficulty
    name = output.cut(output.one_line(one.task), 36)
    if found is None:
        return name, "", "", WORDS["undecided"], "", ""
    tally = found.tally
    solved = f"{tally.resolved_count}/{tally.scored_count}"
    if one.stale:
        return name, "", solved, WORDS["undecided"], "", stale_because(one)
    notes = [AUDITS[found.audit]]
    if tally.void_count:
        notes.append(f"{tally.void_count} without a verdict")
    if found.rechecked is not None:
        notes.append("rechecked" if found.rechecked else "fresh rollouts disagree")
    wrong = output.share(found.expected_error)
    return name, _axis(one), solved, WORDS[one.placing], wrong, "; ".join(filter(None, notes))


def stale_because(one: Placed) -> str:
    """Why what was measured does not hold any more; empty when it does."""
    if one.is_changed:
        return "the task has changed since"
    return "its trials count otherwise now: calibrate again" if one.is_recounted else ""


def _axis(one: Placed) -> str:
    """The interval as a line, the mean as a point, between the edges of the band."""
    found = one.difficulty
    if found is None:
        return ""
    cells = ["·"] * AXIS
    for edge in (found.band.low, found.band.high):
        cells[_column(edge)] = "┊"
    for column in range(_column(found.posterior.low), _column(found.posterior.high) + 1):
        cells[column] = "─"
    cells[_column(found.posterior.mean)] = "●"
    return "".join(cells)


def _column(rate: float) -> int:
    return round(rate * (AXIS - 1))


def review_lines(reviews: Sequence[Review], *, everything: bool = False) -> Iterator[str]:
    """Tasks that nobody solved, with the attempts that came nearest."""
    yield "to be looked at: never solved, which a broken task is as well"
    shown = reviews if everything else reviews[:REVIEWS]
    for review in shown:
        audit = AUDITS[review.audit]
        name = output.one_line(review.task)
        yield f"  {name}: 0 of {review.scored_count} by {review.entrant}{f'; {audit}' if audit else ''}"
        for near in review.best:
            tests = f"{near.passed_count} of {near.total_count} tests passed" if near.total_count else near.reason
            yield f"    assay show {near.trial_id}  ({tests or 'no test was reached'})"
    if len(shown) < len(reviews):
        yield f"  and {output.count(len(reviews) - len(shown), 'task')} more; --all lists them"


def run_lines(run: CalibrationRun) -> Iterator[str]:
    """The end of a calibration: the curve of what it was asked for, what it cost, and what kept tasks from a place."""
    band = next((one.difficulty.band for one in run.tasks if one.difficulty), None)
    if band is not None:
        placed = [Placed(one.task, one.difficulty) for one in run.tasks]
        yield from curve_lines(curve_of(run.entrant, band, placed, with_costs=False), everything=True)
    void = f" and {run.new_void} without a verdict" if run.new_void else ""
    yield f"this run: {output.count(run.new_rollouts, 'rollout')}{void}, {output.dollars(run.usd)}; prior: {run.prior}"
    if run.recheck is not None:
        yield from _recheck(run.recheck)
    for one in run.tasks:
        if one.problem:
            yield f"{output.one_line(one.task)}: {output.one_line(one.problem)}"
    if run.stopped:
        yield f"stopped: {run.stopped}; the same line goes on"


def _recheck(found: Recheck) -> Iterator[str]:
    tried, differ = found.task_count, len(found.disagreeing)
    if not tried:
        yield "no placed task could be tried again"
        return
    yield (
        f"tried again: {differ} of {output.count(tried, 'placed task')} disagree "
        f"(at most {output.share(found.upper)} with 95 % confidence; expected: {output.share(found.predicted)})"
    )


def monitor_lines(found: Monitored) -> Iterator[str]:
    """Whether a set still teaches."""
    if not found.task_count:
        yield f"{found.entrant}: no task has two rollouts with a verdict"
    else:
        yield (
            f"{found.entrant}: two rollouts of a task differ in {output.share(found.signal)} of "
            f"{output.count(found.task_count, 'task')} (at most {output.share(found.upper)} with 95 % confidence)"
        )
        least = output.share(found.retired_below)
        yield (
            f"the set is saturated: below {least}, it has little left to teach"
            if found.is_saturated
            else f"the set still teaches, or may: it is saturated when that bound is below {least}"
        )
    for name in found.outgrown:
        yield f"outgrown: {output.one_line(name)}, solved more than nine times in ten"
    if found.unknown:
        yield f"{output.count(len(found.unknown), 'task')} without two rollouts: {', '.join(found.unknown[:5])}"
    yield f"this run: {output.count(found.new_rollouts, 'rollout')}, {output.dollars(found.usd)}"
    if found.stopped:
        yield f"stopped: {found.stopped}; the same line goes on"
