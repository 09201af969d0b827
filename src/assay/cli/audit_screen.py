"""An audit on one screen: a line for each check, the findings that matter most, and what it comes to.

Nothing here prints: lines are made, so that `assay audit` and `assay show` say the same in the same way. A finding gets
as much room as a screen leaves; what does not fit is counted, never silently gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from assay.cli import audit_words as words
from assay.cli import output
from assay.cli.output import Tint
from assay.core.audit.conclusion import answer, sentence
from assay.core.audit.pooled import pool
from assay.model.audit import CHECK_IDS, AuditRun, CheckId, CheckResult, Finding, Proposal

SCREEN_LINES = 40
FINDINGS = 10
"""Findings on a screen at most."""

FINDINGS_A_CHECK = 3
EVIDENCE = (2, 4, 6)
"""Lines of evidence a finding: every one gets the first number before one gets the second."""

ID_WIDTH = max(map(len, CHECK_IDS))
HEAD = 2 + ID_WIDTH + 2
"""Columns before what is said about a check: mark and name."""

SEVERITIES = ("gate", "warning", "note")


@dataclass(frozen=True, slots=True)
class Line:
    """A line for people; its first `upto` characters (None: all) have the tint."""

    text: str = ""
    tint: Tint = ""
    upto: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding that is shown, and with how much evidence."""

    result: CheckResult
    finding: Finding
    evidence: int


@dataclass(frozen=True, slots=True)
class Room:
    """What a screen offers. `lines` None: as many as it takes, nothing cut."""

    columns: int = output.WIDTH
    lines: int | None = SCREEN_LINES

    def without(self, lines: int) -> Room:
        """What is left."""
        return replace(self, lines=None if self.lines is None else max(self.lines - lines, 0))

    def most(self, lines: int) -> int | None:
        """So many lines, or any number."""
        return None if self.lines is None else lines


def screen(run: AuditRun, asked: Iterable[CheckId] = CHECK_IDS, room: Room | None = None) -> list[Line]:
    """All that is said about one task."""
    room, asked = room or Room(), tuple(asked)
    last = conclusion(run, asked, room)
    if run.failure is not None or run.complaint:
        return last
    doubts = _doubts(run.checks, room)
    taken = 1 + 2 + len(last) + (len(doubts) + 1 if doubts else 0)  # the task's name and blank lines
    table = check_lines(run.checks, room)
    found = finding_lines(run.checks, room.without(taken + len(table)))
    longer = check_lines(run.checks, room, rows=2)
    if len(finding_lines(run.checks, room.without(taken + len(longer)))) == len(found):
        table = longer  # findings leave the room
    title = Line(output.cut(output.one_line(run.task), room.columns), "strong")
    blocks = [[title, *table], found, doubts, *proposal_lines(run.proposals), last]
    return [line for block in blocks if block for line in (*block, Line())][:-1]


def check_lines(checks: Sequence[CheckResult], room: Room, rows: int = 1) -> list[Line]:
    """One row a check, of so many lines; what fails or is unknown may take two in any case."""
    spent = [words.seconds(result) for result in checks]
    word_width = max((len(words.FATES[words.fate(r)][1]) for r in checks), default=0)
    head = HEAD + word_width + 2
    columns = room.columns - head - max(map(len, spent), default=0) - 2
    lines = []
    for result, took in zip(checks, spent, strict=True):
        mark, word, tint = words.FATES[words.fate(result)]
        text = output.wrapped(
            words.summary_of(result), columns, room.most(rows if words.fate(result) in ("pass", "note") else 2)
        )
        start = f"{mark} {result.check:<{ID_WIDTH}}  {word:<{word_width}}  "
        filled = start + text[0] + " " * max(room.columns - len(start) - _cells(text[0]) - len(took), 2) + took
        lines.append(Line(filled, tint, head - 2))
        lines += [Line(" " * head + more) for more in text[1:]]
    return lines


def finding_lines(checks: Sequence[CheckResult], room: Room) -> list[Line]:
    """The findings that matter most, by check, each check with its advice."""
    failed = sorted((r for r in checks if r.status == "fail"), key=lambda r: SEVERITIES.index(r.severity))
    if room.lines is None:
        others = [r for r in checks if r.status != "fail" and r.findings]
        picked = [Shown(r, f, len(words.evidence_lines(f))) for r in (*failed, *others) for f in r.findings]
    else:
        picked = _picked(failed, room)
    lines: list[Line] = []
    for result in dict.fromkeys(shown.result.check for shown in picked):
        lines += _group([shown for shown in picked if shown.result.check == result], room)
    return lines


def _picked(failed: Sequence[CheckResult], room: Room) -> list[Shown]:
    """What fits, in the order in which it matters: a finding of every gate and warning, then what shows it, then notes,
    then more findings, then more of what shows them.
    """
    found = [r for r in failed if r.findings]
    urgent = [Shown(r, r.findings[0], 0) for r in found if r.severity != "note"]
    notes = [Shown(r, r.findings[0], 0) for r in found if r.severity == "note"]
    others = [Shown(r, f, 0) for r in found for f in r.findings[1:FINDINGS_A_CHECK]]
    picked: list[Shown] = []
    for more in (urgent, notes, others):
        for one in more:
            if len(picked) < FINDINGS and _height([*picked, one], room) <= (room.lines or 0):
                picked.append(one)
        picked = _with_evidence(picked, room, EVIDENCE[:1])
    return _with_evidence(picked, room, EVIDENCE)


def _with_evidence(picked: list[Shown], room: Room, limits: Sequence[int]) -> list[Shown]:
    """The same, with as much evidence as fits, shared out fairly."""
    for limit in limits:
        for number in sorted(range(len(picked)), key=lambda n: not _shows_code(picked[n])):
            one = picked[number]
            richer = [*picked[:number], replace(one, evidence=limit), *picked[number + 1 :]]
            if one.evidence < limit and _height(richer, room) <= (room.lines or 0):
                picked = richer
    return picked


def _shows_code(shown: Shown) -> bool:
    """A changed line says what no sentence does, so it goes before messages and names."""
    return words.is_diff(words.evidence_lines(shown.finding, words.LOOKED_AT))


def _height(picked: Sequence[Shown], room: Room) -> int:
    checks = dict.fromkeys(shown.result.check for shown in picked)
    return sum(len(_group([s for s in picked if s.result.check == check], room)) for check in checks)


def _group(shown: Sequence[Shown], room: Room) -> list[Line]:
    """The findings of one check: mark and name before the first, advice after the last."""
    result = shown[0].result
    mark, _, tint = words.FATES[words.fate(result)]
    columns = room.columns - HEAD
    body: list[Line] = []
    for one in shown:
        body += _one(one, columns, room)
    advice = output.one_line(result.advice)
    hidden = len(result.findings) - len(shown)
    closing = " ".join(part for part in (advice, f"({hidden} more)" if hidden else "") if part)
    if closing and not (hidden == 0 and all(one.finding.advice for one in shown)):
        body += [Line(text) for text in _hanging("→ ", closing, columns, room.most(2))]
    lines = [Line(" " * HEAD + line.text, line.tint) for line in body]
    first = f"{mark} {result.check:<{ID_WIDTH}}  "
    return [Line(first + body[0].text, tint, len(first)), *lines[1:]]


def _one(shown: Shown, columns: int, room: Room) -> list[Line]:
    finding = shown.finding
    text = ": ".join(part for part in (words.place_of(finding), output.one_line(finding.what)) if part)
    lines = [Line(part) for part in output.wrapped(text, columns, room.most(2))]
    for part in (
        words.telling_lines(finding, shown.evidence) if room.lines is not None else words.evidence_lines(finding)
    ):
        lines.append(Line(output.cut(f"    {part}", columns), "soft"))
    if finding.advice:
        lines += [Line(part) for part in _hanging("→ ", finding.advice, columns, room.most(2))]
    return lines


def _hanging(start: str, text: str, columns: int, most: int | None) -> list[str]:
    lines = output.wrapped(output.one_line(text), columns - len(start), most)
    return [(start if number == 0 else " " * len(start)) + line for number, line in enumerate(lines)]


def _doubts(checks: Sequence[CheckResult], room: Room) -> list[Line]:
    """What could not be looked at, beside what the table says already."""
    doubts = [f"{r.check}: {output.one_line(why)}" for r in checks for why in r.unknown if why not in r.summary]
    if not doubts:
        return []
    rows = 1 if any(result.status == "fail" for result in checks) else 2  # findings need the room
    return [
        Line(text, "soft") for text in _hanging("not looked at: ", "; ".join(doubts), room.columns, room.most(rows))
    ]


def proposal_lines(proposals: Sequence[Proposal]) -> list[list[Line]]:
    """What could be done by rule, each as a block; a patch is shown whole, for it is meant to be applied."""
    blocks = []
    for number, proposal in enumerate(proposals, 1):
        head = Line(f"proposal {number} of {len(proposals)}: {output.one_line(proposal.title)}", "strong")
        why = [Line(f"  why: {output.one_line(proposal.why)}")] if proposal.why else []
        proof = [Line(f"  verified: {output.one_line(proposal.verified)}")] if proposal.verified else []
        blocks.append([head, *why, *proof, *(Line(f"    {line}") for line in proposal.patch.rstrip("\n").split("\n"))])
    return blocks


def conclusion(run: AuditRun, asked: Iterable[CheckId], room: Room) -> list[Line]:
    """What it comes to, in a sentence, and what it took."""
    asked = tuple(asked)
    mark, tint = words.ANSWERS[answer(run, asked)]
    lines = [
        Line(text, tint)
        for text in _hanging(f"{mark} ", f"{run.task}: {sentence(run, asked)}", room.columns, room.most(3))
    ]
    if run.failure is not None or run.complaint:
        hint = run.failure.hint if run.failure else ""
        return [*lines, *([Line(f"  → {output.one_line(hint)}")] if hint else [])]
    more = room.lines is not None and any(result.findings or result.unknown for result in run.checks)
    shown = "; --all shows everything" if more else ""
    spent = _hanging("  ", f"{words.spent_of(run)}{shown}", room.columns, None)
    return [*lines, *(Line(text, "soft") for text in spent)]


def pooled_lines(runs: Sequence[AuditRun], asked: Iterable[CheckId]) -> list[Line]:
    """What the audits of several tasks say together."""
    asked = tuple(asked)
    ends = [str(answer(run, asked)) for run in runs]
    ended = ", ".join(f"{ends.count(end)} {said}" for end, said in words.ENDS)
    rows = [words.pooled_cells(row) for row in pool(runs, asked)]
    head = Line(f"all {output.count(len(runs), 'task')}: {ended}", "strong")
    return [head, *(Line(f"  {line}".rstrip()) for line in output.columns(rows))]


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)
