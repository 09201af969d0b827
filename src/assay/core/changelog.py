"""What maintainers wrote about a change: the entries that it added to changelogs and documentation.

A changelog is cut at its version headings (Markdown, reStructuredText, or a bare line such as `1.2.0 (2024-05-01)`).
Wanted are the sections of the new release alone; of a section that was there before, only the added lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from assay.core.paths import classify, is_changelog, is_generated_metadata
from assay.model.candidate import Note
from assay.model.tree import FileState, Tree

MAX_NOTE_CHARS = 8000
MAX_NOTES = 12
MAX_LINES = 20_000

_ADORNMENT = re.compile(r"^([=\-~^\"'`#*+:.<>_])\1{2,}\s*$")
_MARKDOWN = re.compile(r"^(#{1,6})\s+(?P<title>.+?)\s*#*\s*$")
_UNRELEASED = re.compile(
    r"(?i)^\W*(?:unreleased|next(?: release| version)?|upcoming|in development|develop|main|master)\b"
)
_VERSION = re.compile(
    r"""(?ix)^[\s\[*`_(<~]*                      # links and emphasis
        (?:(?:version|release[d]?|ver\.?|changes\ in|new\ in|what's\ new\ in|[\w.-]{2,40})\s+){0,3}
        [\[(*`_]*v?\.?(?P<version>\d+(?:\.\d+)+(?:[.\-_]?(?:a|b|rc|alpha|beta|dev|post|final)[.\-_]?\d*)*)
        (?P<rest>.*)$"""
)
_PLAIN_REST = re.compile(
    r"(?ix)^[\])*`_:>]*\s*(?:\([^()]*\)\s*)?(?:[-–—:,(/|@]?\s*\[?(?:released?\s*(?:on)?:?\s*)?"
    r"(?:\d{1,4}[-/.]\d\d?[-/.]\d{1,4}|\w+\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4}|\d{1,2}\w*\s+\w+,?\s+\d{4}"
    r"|unreleased|tba|tbd|n/a|\?+)?.{0,3})?$"
)
_RELEASED = re.compile(
    r"(?i)^[\s*_:(]*(?:(?:released?|release date|date)\b[\s:]*(?:on\s+)?[\w,. /-]{4,30}"
    r"|\w{3,9}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4}|\d{4}-\d\d-\d\d)[*_)]*$"
)
_CHANGES_HEADING = re.compile(
    r"(?i)^\W*(?:change\s?log|changes|history|release history|release notes|what'?s new|news)\W*$"
)


@dataclass(frozen=True, slots=True)
class _Heading:
    start: int
    """First line, the overline included."""
    body: int
    """First line after it."""
    style: str
    title: str


@dataclass(frozen=True, slots=True)
class _Section:
    version: str
    """`unreleased`, a version, or empty for what stands before all of them."""
    lines: tuple[str, ...]
    """Without the heading."""


def added_entries(old: str, new: str, version: str | None = None) -> str:
    """What was added between two states of a changelog, without release headings; empty when there is nothing.

    With `version`, the section of that release alone when the new text has one.
    """
    before, after = old.splitlines(), new.splitlines()
    if before == after or len(after) > MAX_LINES or len(before) > MAX_LINES:
        return ""
    old_sections = {section.version: section for section in _sections(before)}
    new_sections = _sections(after)
    if not any(section.version for section in new_sections):
        return _bounded(_added_lines(before, after))
    chosen = [s for s in new_sections if s.version and _same_version(s.version, version)]
    if not chosen:
        chosen = [s for s in new_sections if s.version and s != old_sections.get(s.version)]
    blocks = []
    for section in chosen:
        known = old_sections.get(section.version)
        lines = _added_lines(known.lines, section.lines) if known else section.lines
        blocks.append("\n".join(lines).strip("\n"))
    return _bounded("\n\n".join(filter(None, blocks)).splitlines())


def readme_changes(text: str) -> str:
    """The part of a README under a heading such as `Changelog`; empty when it has none."""
    lines = text.splitlines()
    headings = list(_headings(lines))
    for number, heading in enumerate(headings):
        if _CHANGES_HEADING.match(heading.title):
            following = [h.start for h in headings[number + 1 :] if _is_peer(h, heading)]
            return "\n".join(lines[heading.body : following[0] if following else len(lines)])
    return ""


def change_notes(base: Tree, gold: Tree, version: str | None = None) -> tuple[Note, ...]:
    """Changelog entries first, then added documentation; bounded in number and size."""
    changelogs: list[Note] = []
    documentation: list[Note] = []
    for path in sorted(gold, key=lambda p: (p.count("/"), p)):
        old, new = base.get(path), gold[path]
        if old == new or new.mode == "120000" or is_generated_metadata(path):
            continue
        before, after = _decoded(old), _decoded(new)
        if is_changelog(path):
            text = added_entries(before, after, version)
            if text and all(text != note.text for note in changelogs):
                changelogs.append(Note("changelog", text, path))
        elif classify(path) == "documentation" and _is_prose(path):
            if "readme" in path.lower():
                entries = added_entries(readme_changes(before), readme_changes(after), version)
                changelogs += [Note("changelog", entries, path)] if entries else []
            text = _bounded(_added_lines(before.splitlines(), after.splitlines()))
            documentation += [Note("documentation", text, path)] if text else []
    return tuple((changelogs + documentation)[:MAX_NOTES])


def _is_prose(path: str) -> bool:
    """Whether it tells users about the program: a README, or a text below `docs/` that is not for a build tool."""
    folder, _, name = path.lower().rpartition("/")
    readable = name.endswith((".md", ".rst", ".txt")) and not re.search(r"requirements|constraints|licen[cs]e", name)
    return readable and (bool(folder) or name.startswith("readme"))


def _decoded(state: FileState | None) -> str:
    return state.data.decode("utf-8", "replace") if state is not None and state.mode != "120000" else ""


def _sections(lines: Sequence[str]) -> list[_Section]:
    """Cut at the version headings of the style that the first of them has."""
    found = [(heading, v) for heading in _headings(lines) if (v := _heading_version(heading))]
    if not found:
        return [_Section("", tuple(lines))]
    style = found[0][0].style
    cuts = [(heading, v) for heading, v in found if heading.style == style]
    sections = [_Section("", tuple(lines[: cuts[0][0].start]))]
    for number, (heading, version) in enumerate(cuts):
        end = cuts[number + 1][0].start if number + 1 < len(cuts) else len(lines)
        sections.append(_Section(version, _trimmed(lines[heading.body : end])))
    return sections


def _trimmed(lines: Sequence[str]) -> tuple[str, ...]:
    """Without blank lines around and without a line that only says when it was released."""
    text = "\n".join(lines).strip("\n").splitlines()
    if text and _RELEASED.match(text[0]):
        text = "\n".join(text[1:]).strip("\n").splitlines()
    return tuple(text)


def _headings(lines: Sequence[str]) -> Iterator[_Heading]:
    number = 0
    while number < len(lines):
        heading = _heading_at(lines, number)
        if heading:
            yield heading
        number = heading.body if heading else number + 1


def _heading_at(lines: Sequence[str], number: int) -> _Heading | None:
    line = lines[number].rstrip()
    if markdown := _MARKDOWN.match(line):
        return _Heading(number, number + 1, markdown[1], markdown["title"])
    following = lines[number + 1].rstrip() if number + 1 < len(lines) else ""
    overlined = _ADORNMENT.match(line)
    if overlined and number + 2 < len(lines) and following and lines[number + 2].rstrip() == line:
        return _Heading(number, number + 3, line[0] * 2, following.strip())
    if line and not overlined and line[0] not in " \t" and _ADORNMENT.match(following):
        return _Heading(number, number + 2, following[0], line)
    version = _VERSION.match(line) if line and line[0] not in " \t-+#" else None
    if version and len(line) <= 80 and _PLAIN_REST.match(version["rest"]):
        return _Heading(number, number + 1, "plain", line)
    return None


def _heading_version(heading: _Heading) -> str | None:
    if _UNRELEASED.match(heading.title):
        return "unreleased"
    match = _VERSION.match(heading.title)
    if match and (heading.style == "plain" or len(re.sub(r"\([^()]*\)", "", match["rest"])) <= 60):
        return match["version"].casefold()
    return None


def _is_peer(heading: _Heading, other: _Heading) -> bool:
    """Whether it ends the section that `other` opened."""
    if heading.style.startswith("#") and other.style.startswith("#"):
        return len(heading.style) <= len(other.style)
    return heading.style == other.style


def _same_version(one: str, other: str | None) -> bool:
    def trimmed(version: str) -> str:
        return re.sub(r"(?:\.0)+$", "", version.casefold())

    return other is not None and trimmed(one) == trimmed(other)


def _added_lines(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Added lines; blocks that are apart in the text are separated by a blank line."""
    if max(len(before), len(after)) > MAX_LINES:
        return []
    known = set(before)
    if not known:
        return list(after)
    out: list[str] = []
    for tag, _, _, c, d in SequenceMatcher(None, before, after, autojunk=len(after) > 3000).get_opcodes():
        if tag in ("insert", "replace"):
            block = [line for line in after[c:d] if not line.strip() or line not in known]
            out += ["", *block] if out and any(line.strip() for line in block) else block
    return out


def _bounded(lines: Sequence[str]) -> str:
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip("\n")
    if len(text) <= MAX_NOTE_CHARS:
        return text
    return text[:MAX_NOTE_CHARS].rpartition("\n")[0] + "\n…"
