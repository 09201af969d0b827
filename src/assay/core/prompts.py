"""`instruction.md` without a model: the maintainers' own words, cleaned, with the names that the tests need.

Nothing of the reference change gets in: every piece is held against it (`core.leaks`), and a piece that tells
something is left out. When the maintainers wrote nothing usable, the names of the tests say what should hold.
The same input gives the same text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assay.core.interface import InterfaceItem
from assay.core.leaks import Reference
from assay.core.prose import clean, entries, is_chore
from assay.model.candidate import Note
from assay.model.tree import FileChange

MAX_CHARACTERS = 4000
MAX_POINTS = 12
MANY_POINTS = 5
"""From this many points on, only those are kept that have a word in common with the change or its tests."""
MAX_NAMES = 30
MIN_WORDS = 3
"""A test whose name has fewer words says nothing to a reader; at least half of the names must say something."""
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{3,}")
COMMON_WORDS = (
    "that this with from when which should have does into only also more than then them they their "
    "there where what some been will would could using used uses make made makes test tests self none "
    "true false return value values function method class module import fixed fixes added adds "
    "support instead error errors bug"
)
COMMON = frozenset(COMMON_WORDS.split())


@dataclass(frozen=True, slots=True)
class Prompt:
    """The text, who wrote it, and, when it cannot serve, why."""

    text: str
    provenance: str
    unusable: str = ""


def compose(
    notes: Sequence[Note],
    interface: Sequence[InterfaceItem],
    *,
    project: str,
    revision: str,
    changes: Sequence[FileChange],
    fail_to_pass: Sequence[str],
) -> Prompt:
    """The prompt of a task. Never raises; an unusable one says why."""
    reference = Reference(changes)
    shown = tuple(item.shown for item in interface)
    told, provenance = _told(notes, changes, fail_to_pass, reference)
    if not told:
        told = [point for point in _from_tests(fail_to_pass) if not reference.leaks(point, shown)]
        # Names such as "Natural size" say which function, and not what should hold.
        if sum(len(point.split()) >= MIN_WORDS for point in told) * 2 < len(told):
            told = []
        provenance = "assay, from the names of the tests"
    if not told:
        return Prompt("", provenance, "neither the maintainers nor the names of the tests say what is wanted")
    text = _layout(project, revision, told[:MAX_POINTS], interface, provenance)
    remaining = reference.leaks(text, shown)
    if remaining:
        return Prompt("", provenance, f"the prompt would give the change away: {remaining[0].excerpt[:120]}")
    return Prompt(text, provenance)


def _told(
    notes: Sequence[Note], changes: Sequence[FileChange], tests: Sequence[str], reference: Reference
) -> tuple[list[str], str]:
    """What the maintainers wrote, point by point, and in what."""
    for kind, source in (("changelog", "the changelog"), ("commit", "the commit message")):
        points = [p for note in notes if note.kind == kind for p in _points(note, kind)]
        points = [p for p in dict.fromkeys(points) if not reference.leaks(p)]
        if len(points) >= MANY_POINTS:
            points = _relevant(points, changes, tests) or points
        if points:
            return points, f"maintainers, from {source}; arranged by assay"
    return [], ""


def _points(note: Note, kind: str) -> list[str]:
    if kind != "commit":
        return entries(note.text)
    subject, _, body = note.text.strip().partition("\n")
    subject = clean(
        re.sub(r"^(?:\w+(?:\([^)]*\))?!?:|merge (?:branch|pull request).*|\[[^\]]*\])\s*", "", subject, flags=re.I)
    )
    found = [subject] if subject and not is_chore(subject) else []
    return found + entries(body)


def _relevant(points: list[str], changes: Sequence[FileChange], tests: Sequence[str]) -> list[str]:
    vocabulary = {word.casefold() for test in tests for word in re.split(r"[\W_]+", test) if len(word) > 3}
    for change in changes:
        vocabulary |= {part.casefold() for part in WORD.findall(change.path)}
        old = set(change.old.data.splitlines()) if change.old else set()
        for line in change.new.data.splitlines() if change.new else ():
            if line not in old:
                vocabulary |= {word.casefold() for word in WORD.findall(line.decode("utf-8", "replace"))}
    vocabulary -= COMMON
    return [p for p in points if {word.casefold() for word in WORD.findall(p)} & vocabulary]


def _from_tests(tests: Sequence[str]) -> list[str]:
    """`tests/test_x.py::TestSlugs::test_keeps_underscores[a]` reads as "Slugs: keeps underscores"."""
    points = []
    for test_id in tests:
        names = test_id.partition("[")[0].split("::")
        words = re.sub(r"^test_?", "", names[-1]).replace("_", " ").strip()
        group = (
            re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"^Tests?|Tests?(?:Case)?$", "", names[1]))
            if len(names) > 2
            else ""
        )
        if re.search(r"[A-Za-z]{3}", words):
            points.append(f"{group}: {words}" if group else words[0].upper() + words[1:])
    return list(dict.fromkeys(points))


def _layout(
    project: str, revision: str, told: Sequence[str], interface: Sequence[InterfaceItem], provenance: str
) -> str:
    name = project.rstrip("/").rpartition("/")[2].removesuffix(".git") or project
    where = f"at commit {revision[:10]}" if re.fullmatch(r"[0-9a-f]{40}", revision) else f"as of version {revision}"
    said = "maintainers" in provenance
    if said and len(told) == 1:
        lead = f"This is the source of `{name}`, {where}. Please make this change:"
    elif said:
        lead = f"This is the source of `{name}`, {where}. Please make these changes:"
    else:
        lead = (
            f"This is the source of `{name}`, {where}. It does not yet do what the following says; each line names "
            "a behaviour that should hold once you are done:"
        )
    parts = [f"# Work on {name}", lead, "\n".join(f"- {point.rstrip()}" for point in told)]
    if interface:
        names = "\n".join(_interface_line(item) for item in interface[:MAX_NAMES])
        parts.append(f"## Interface\n\nThese do not exist yet, or not in this form. Call them exactly so:\n\n{names}")
    parts.append(
        "Your work is judged by tests that you do not see. They check what is described here, and that what works "
        "today goes on working."
    )
    text = "\n\n".join(parts) + "\n"
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS].rsplit("\n", 1)[0] + "\n"


def _interface_line(item: InterfaceItem) -> str:
    article = "" if item.kind in ("option", "message") else f" ({item.kind})"
    prefix = {"option": "option ", "message": "message "}.get(item.kind, "")
    detail = f": {item.detail}" if item.detail else ""
    return f"- {prefix}`{item.shown}`{article}{detail}"
