"""How the parts of an audit are put into words: the same on the screen, in `assay show` and on the page."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from assay.cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.cli.output import Tint
    from assay.core.audit.pooled import Pooled
    from assay.model.audit import AuditRun, CheckResult, Finding, Measure

TAB = 4
SHARES = ("share", "rate", "bound", "upper")
"""How names of measures end that run from 0 to 1."""

LOOKED_AT = 500
"""Lines of evidence among which the telling ones are looked for."""

FATES: dict[str, tuple[str, str, Tint]] = {
    "pass": ("✓", "pass", "good"),
    "gate": ("✗", "gate fails", "bad"),
    "warning": ("!", "warning", "warn"),
    "note": ("•", "note", "soft"),
    "unknown": ("?", "unknown", "warn"),
}
"""By status, or by severity of what fails: mark, word, tint. The words tell it without the marks."""

ENDS = (("pass", "with no failed gate"), ("fail", "not fit"), ("unknown", "unknown"))
"""How many tasks came to each answer, in words."""

ANSWERS: dict[str, tuple[str, Tint]] = {"pass": ("✓", "good"), "fail": ("✗", "bad"), "unknown": ("?", "warn")}


def fate(result: CheckResult) -> str:
    """The key of `FATES` for a result."""
    return result.severity if result.status == "fail" else result.status


def seconds(result: CheckResult) -> str:
    """What a check took, short enough for a column; `earlier` when it took nothing now."""
    if result.remembered:
        return "earlier"
    return f"{result.wall_seconds:.{0 if result.wall_seconds >= 10 else 1}f} s"


def value_of(measure: Measure) -> str:
    """A measured value in the unit that the end of its name says."""
    return _amount(measure.name, measure.value)


def _amount(name: str, value: float) -> str:
    unit = name.rpartition("_")[2]
    if unit == "seconds":
        return output.seconds(value)
    if unit == "bytes":
        return output.size(round(value))
    if unit == "mib":
        return f"{value:,.0f} MiB"
    return output.share(value) if unit in SHARES else f"{value:g}"


def interval_of(measure: Measure) -> str:
    """`55 to 80 %`, `at most 2.5 %`; empty when no interval was given."""
    if measure.low is None and measure.high is None:
        return ""
    share = measure.name.endswith(SHARES) or (measure.high is not None and measure.high <= 1)
    name = "share" if share else measure.name
    if measure.low is None or measure.high is None:
        return f"at most {_amount(name, measure.high)}" if measure.high is not None else _least(name, measure.low)
    return between(measure.low, measure.high) if share else f"{measure.low:g} to {measure.high:g}"


def _least(name: str, low: float | None) -> str:
    return "" if low is None else f"at least {_amount(name, low)}"


def between(low: float, high: float) -> str:
    """Two shares: `55 to 80 %`."""
    return f"{output.share(low).removesuffix(' %')} to {output.share(high)}"


def name_of(measure: Measure) -> str:
    """A measure's name for people: `kill rate`."""
    return measure.name.removesuffix("_share").replace("_", " ")


def summary_of(result: CheckResult) -> str:
    """What was measured, with the interval of the first measure that has one unless the summary says it already."""
    said = output.one_line(result.summary)
    for measure in result.measures:
        interval = interval_of(measure)
        if interval:
            return said if _says(said, measure) else f"{said} ({name_of(measure)} {interval})"
    return said


def _says(summary: str, measure: Measure) -> bool:
    end = measure.high if measure.high is not None else measure.low
    close = summary.replace(" ", "")
    return end is not None and any(f"{100 * end:.{digits}f}%" in close for digits in (0, 1, 2))


def place_of(finding: Finding) -> str:
    """`path:line`, or what the finding is about; empty when its sentence says that already."""
    place = f"{finding.path}:{finding.line}" if finding.path and finding.line else finding.path or finding.subject
    return "" if place in finding.what else output.one_line(place)


def evidence_lines(finding: Finding, most: int | None = None) -> list[str]:
    """The evidence line by line, nothing in it invisible and tabs of a width that is known."""
    lines = (line for text in finding.evidence for line in text.splitlines())
    return [output.visible(line.expandtabs(TAB)).rstrip() for line in islice(lines, most)]


def is_diff(lines: Sequence[str]) -> bool:
    """Whether lines are (also) those of a diff."""
    added, removed = (any(line.startswith(sign) for line in lines) for sign in "+-")
    return any(line.startswith("@@ ") for line in lines) or (added and removed)


def sign_of(lines: Sequence[str], number: int) -> str:
    """What a line of a diff is: `+`, `-`, `@` for a head, or empty for what is around."""
    line = lines[number]
    if line.startswith("@@ ") or _is_head(lines, number):
        return "@"
    return line[:1] if line[:1] in ("+", "-") else ""


def _is_head(lines: Sequence[str], number: int) -> bool:
    """Whether this is one of the two lines that name a file; a change may look like either of them alone."""
    pairs = ((number, number + 1), (number - 1, number))
    return lines[number].startswith(("diff --git ", "index ")) or any(
        one >= 0 and other < len(lines) and lines[one].startswith("--- ") and lines[other].startswith("+++ ")
        for one, other in pairs
    )


def telling_lines(finding: Finding, most: int) -> list[str]:
    """The few lines of the evidence that tell most: what a diff changes, or the beginning of everything else."""
    lines = [line for line in evidence_lines(finding, LOOKED_AT) if line.strip()]
    if is_diff(lines):
        lines = _outdented([line for number, line in enumerate(lines) if sign_of(lines, number) in ("+", "-")])
        removed, added = ([line for line in lines if line.startswith(sign)] for sign in "-+")
        if len(lines) > most and removed and added:  # a little of both sides tells more than much of one
            return [*_first(removed, most // 2), *_first(added, most - most // 2)]
    return _first(lines, most)


def _outdented(changed: list[str]) -> list[str]:
    """Changed lines of a diff without the indentation that they share, which a screen has no room for."""
    indent = min((len(line) - len(line[1:].lstrip()) - 1 for line in changed), default=0)
    return [f"{line[0]} {line[1 + indent :]}" for line in changed]


def _first(lines: list[str], most: int) -> list[str]:
    """The first ones; … says that there are more."""
    few = lines[:most]
    return [*few[:-1], f"{few[-1]} …"] if few and len(lines) > most else few


def spent_of(run: AuditRun) -> str:
    """`412 runs of tests in 1 min 12 s; 3 of 11 checks kept from an earlier audit`."""
    runs = output.count(run_count(run), "run")
    said = f"{runs} of tests in {output.seconds(run.wall_seconds)}"
    kept = sum(result.remembered for result in run.checks)
    return f"{said}; {kept} of {len(run.checks)} checks kept from an earlier audit" if kept else said


def run_count(run: AuditRun) -> int:
    """Runs that were made now, not those of checks that are remembered."""
    return sum(result.run_count for result in run.checks if not result.remembered)


def pooled_cells(row: Pooled) -> tuple[str, str, str, str]:
    """What, how many of how many, the interval, and of how many nobody knows."""
    low, high = row.interval
    unit = output.count(row.known, row.unit)
    bound = "" if not row.known else f"at most {output.share(high)}" if row.unit == "run" else between(low, high)
    share = f" = {output.share(row.share)}" if row.share is not None else ""
    return row.what, f"{row.hits} of {unit}{share}", bound, f"{row.unknown} unknown" if row.unknown else ""
