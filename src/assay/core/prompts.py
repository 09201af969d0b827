"""`instruction.md` without a model: the maintainers' own words, cleaned, with the names that the tests need.

Nothing of the reference change gets in: every piece is held against it (`core.leaks`), and a piece that tells
something is left out. When the maintainers wrote nothing usable, the names of the tests say what should hold.
The same input gives the same text.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from assay.core.drafts import problem
from assay.core.interface import InterfaceItem
from assay.core.leaks import Reference
from assay.core.prose import SENTENCE, clean, entries, is_chore, without_the_how
from assay.core.syntax import decode, module_name, parse
from assay.model.candidate import Note
from assay.model.tree import FileChange, FileState

MAX_CHARACTERS = 4000
MAX_POINTS = 12
MANY_POINTS = 5
"""From this many points on, only those are kept that have a word in common with the change or its tests."""
MAX_NAMES = 30
SHORT_WORDS = 15
"""A prompt of fewer words says where the change shows, unless that is more than MAX_CONCERNS places."""
MAX_CONCERNS = 3
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
INTERFACE = "## Interface"
INTERFACE_LEAD = "These do not exist yet, or not in this form. Call them exactly so:"
JUDGED = "Your work is judged by tests that you do not see."
HEADING = re.compile(r"#{1,6}\s")
INTERFACE_HEADING = re.compile(r"#{1,6}\s+Interface\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prompt:
    """The text, who wrote it, and, when it cannot serve, why."""

    text: str
    provenance: str
    unusable: str = ""
    leaks: bool = False
    """Whether it cannot serve because it would give the change away."""


def compose(
    notes: Sequence[Note],
    interface: Sequence[InterfaceItem],
    *,
    project: str,
    revision: str,
    changes: Sequence[FileChange],
    fail_to_pass: Sequence[str],
    tests_text: str = "",
    draft: tuple[str, str] = ("", ""),
) -> Prompt:
    """The prompt of a task. Never raises; an unusable one says why.

    `draft` is what a model wrote and the model's name; it takes the place of the points when nothing speaks against it.
    """
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
    concerns = _concerns(changes, told, tests_text)
    drafted, model = draft
    if drafted and not problem(drafted, reference, shown):
        provenance = f"maintainers' words, put by the model {model}; checked by assay"
        told, concerns = [], f"{drafted.strip()}\n\n{concerns}".strip()
    text = _layout(project, revision, told[:MAX_POINTS], interface, provenance, concerns)
    remaining = reference.leaks(text, shown)
    if remaining:
        why = f"the prompt would give the change away: {remaining[0].excerpt[:120]}"
        return Prompt("", provenance, why, leaks=True)
    return Prompt(text, provenance)


def _told(
    notes: Sequence[Note], changes: Sequence[FileChange], tests: Sequence[str], reference: Reference
) -> tuple[list[str], str]:
    """What the maintainers wrote, point by point, and in what."""
    names = {name.rpartition(".")[2] for change in changes for name in _definitions(change.old)}
    for kind, source in (("changelog", "the changelog"), ("commit", "the commit message")):
        points = [without_the_how(p) for note in notes if note.kind == kind for p in _points(note, kind)]
        points = [_without_code(p, reference) for p in points]
        points = [_as_named(p, names) for p in dict.fromkeys(points) if p and not reference.leaks(p)]
        if len(points) >= MANY_POINTS:
            points = _relevant(points, changes, tests) or points
        if points:
            return points, f"maintainers, from {source}; arranged by assay"
    return [], ""


def _without_code(point: str, reference: Reference) -> str:
    """A point without the sentences that quote code of the change."""
    prose, mark, block = point.partition("\n")
    kept = [sentence for sentence in SENTENCE.split(prose) if not reference.shows_code(sentence)]
    return " ".join(kept) + mark + block if kept else ""


def _as_named(point: str, names: Collection[str]) -> str:
    """A point that begins with the name of a function begins with its own letters."""
    first = re.match(r"\w+", point)
    name = first.group()[0].lower() + first.group()[1:] if first else ""
    return name + point[len(name) :] if name in names else point


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


def _concerns(changes: Sequence[FileChange], told: Sequence[str], tests_text: str) -> str:
    """Which public functions a short prompt is about, when it does not say: those that change and that tests name."""
    said = " ".join(told)
    if len(said.split()) > SHORT_WORDS:
        return ""
    found = []
    for change in changes:
        module = module_name(change.path, {}) or ""
        old, new = _definitions(change.old), _definitions(change.new)
        for name, text in old.items():
            last = name.rpartition(".")[2]
            public = not any(part.startswith("_") for part in name.split("."))
            if public and new.get(name, text) != text and re.search(rf"\b{re.escape(last)}\b", tests_text):
                found.append(f"{module}.{name}")
    inner = [name for name in found if not any(other.startswith(f"{name}.") for other in found)]
    unsaid = [name for name in inner if name.rpartition(".")[2] not in said]
    if not unsaid or len(inner) > MAX_CONCERNS:
        return ""
    return "This concerns " + ", ".join(f"`{name}`" for name in inner) + "."


def _definitions(state: FileState | None) -> dict[str, str]:
    """Functions and classes of a file by dotted name, each with its source."""
    tree = parse(state)
    lines = (decode(state.data) or "").splitlines() if state else []
    found: dict[str, str] = {}

    def walk(body: Sequence[ast.stmt], above: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[above + node.name] = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                if isinstance(node, ast.ClassDef):
                    walk(node.body, f"{above}{node.name}.")

    walk(tree.body if tree else [], "")
    return found


def _layout(
    project: str, revision: str, told: Sequence[str], interface: Sequence[InterfaceItem], provenance: str, concerns: str
) -> str:
    name = project.rstrip("/").rpartition("/")[2].removesuffix(".git") or project
    where = f"at commit {revision[:10]}" if re.fullmatch(r"[0-9a-f]{40}", revision) else f"as of version {revision}"
    said = "maintainers" in provenance
    if not told:
        lead = f"This is the source of `{name}`, {where}."
    elif said and len(told) == 1:
        lead = f"This is the source of `{name}`, {where}. Please make this change:"
    elif said:
        lead = f"This is the source of `{name}`, {where}. Please make these changes:"
    else:
        lead = (
            f"This is the source of `{name}`, {where}. It does not yet do what the following says; each line names "
            "a behaviour that should hold once you are done:"
        )
    parts = [f"# Work on {name}", lead, *filter(None, ["\n".join(_bullet(point) for point in told), concerns])]
    if interface:
        names = "\n".join(interface_line(item) for item in interface[:MAX_NAMES])
        parts.append(f"{INTERFACE}\n\n{INTERFACE_LEAD}\n\n{names}")
    parts.append(f"{JUDGED} They check what is described here, and that what works today goes on working.")
    text = "\n\n".join(parts) + "\n"
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS].rsplit("\n", 1)[0] + "\n"


def _bullet(point: str) -> str:
    prose, mark, block = point.rstrip().partition("\n")
    return f"- {prose}\n\n" + textwrap.indent(textwrap.dedent(block), " " * 6) + "\n" if mark else f"- {prose}"


def interface_line(item: InterfaceItem) -> str:
    """A name as the Interface section of a prompt lists it."""
    article = "" if item.kind in ("option", "message") else f" ({item.kind})"
    prefix = {"option": "option ", "message": "message "}.get(item.kind, "")
    detail = f": {item.detail}" if item.detail else ""
    return f"- {prefix}`{item.shown}`{article}{detail}"


def with_interface_lines(text: str, lines: Sequence[str]) -> str:
    """A prompt with these lines (`- ...`) at the end of its Interface section; without one, it gets one before the
    words on how the work is judged, or at its end. Lines that it has already are not said twice.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    rows = text.rstrip("\r\n").split(end)
    fresh = [line for line in dict.fromkeys(lines) if line not in rows]
    if not fresh:
        return text
    heading = next((number for number, row in enumerate(rows) if INTERFACE_HEADING.match(row)), None)
    if heading is None:
        judged = next((number for number, row in enumerate(rows) if row.startswith(JUDGED)), None)
        section = [INTERFACE, "", INTERFACE_LEAD, "", *fresh]
        rows = [*rows, "", *section] if judged is None else [*rows[:judged], *section, "", *rows[judged:]]
    else:
        place = _interface_end(rows, heading)
        gap = [] if rows[place - 1].startswith(("-", "*", " ", "\t")) else [""]
        rows = [*rows[:place], *gap, *fresh, *rows[place:]]
    return end.join(rows) + end


def _interface_end(rows: Sequence[str], heading: int) -> int:
    """The row before which further lines of the section go: behind its list, or else behind its first paragraph."""
    behind = range(heading + 1, len(rows))
    stop = next((n for n in behind if HEADING.match(rows[n]) or rows[n].startswith(JUDGED)), len(rows))
    points = [n for n in range(heading + 1, stop) if rows[n].startswith(("- ", "* "))]
    begin = points[-1] + 1 if points else next((n for n in range(heading + 1, stop) if rows[n].strip()), heading + 1)
    if not points:
        return next((n for n in range(begin, stop) if not rows[n].strip()), stop) if begin < stop else heading + 1
    return next((n for n in range(begin, stop) if not rows[n].startswith((" ", "\t"))), stop)
