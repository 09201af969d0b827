"""When two changes are the same change, although they come from other repositories, at other places, in other clothes.

Benchmarks, forks and cherry-picks repeat a change with other line numbers, other context, another indentation, in a
folder of another name. What stays is which lines went and which came. So a change is identified by that: of each
file, by its base name, the lines that are there more or less often than before, without any whitespace. Counting
them, instead of taking them in the patch's order, gives the same for every diff algorithm, because the count depends
on the two files alone. Where nothing is left to count, because lines were only moved or re-indented, their order is
all there is, and is taken.

Only source counts: a benchmark keeps documentation and changelogs in its patch, and we do not; what a path's words
call a test is left out on both sides, for the same cause.

A change of fewer than `MIN_LINES` lines that say something, or of fewer than `MIN_CHARACTERS` characters in them, is
too small to be told from another by its content: many projects once turned a `>` into a `>=`. It is never called the
same as a change of another repository; within one repository it is.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from assay.core.paths import classify

MIN_LINES = 2
MIN_CHARACTERS = 20

_HUNK = re.compile(r"@@ -\d+(?:,(\d{1,9}))? \+\d+(?:,(\d{1,9}))? @@")
_WORDS = re.compile(r"[ _/.]")
_TEST_WORDS = {"test", "tests", "testing", "e2e", "conftest"}
"""Words of paths that benchmarks leave out of their reference changes."""
_OCTAL = re.compile(r"\\([0-3][0-7]{2})")


@dataclass(frozen=True, slots=True)
class ChangeIdentity:
    """What makes a change this one and no other."""

    digest: str
    telling: bool
    """Whether the content alone says so; if not, the repository must be the same too."""

    def key(self, repository: str) -> str:
        """What equal changes have in common."""
        return self.digest if self.telling else f"{self.digest} {repository}"


@dataclass(slots=True)
class _File:
    """The lines of one file of a patch, each with its sign and without whitespace, in order."""

    path: str = ""
    lines: list[str] = field(default_factory=list)


def identify(patch: str | bytes) -> ChangeIdentity | None:
    """The identity of a patch in unified format; None when no line of text in it changes.

    Never raises: what is no patch has no lines. Bytes that are not UTF-8 count as replacement characters, because that
    is what a benchmark's JSON has in their place.
    """
    text = patch.decode("utf-8", "replace") if isinstance(patch, bytes) else patch
    files = [file for file in _files(text) if file.lines]
    files = [file for file in files if _counts(file.path)] or files
    lines = sorted(_net(files).elements())
    if _is_small(lines):
        in_order = sorted((file.path.rpartition("/")[2], file.lines) for file in files)
        moved = [f"{name}\n{line}" for name, own in in_order for line in own]
        lines = lines if _is_small(moved) else moved
    if not lines:
        return None
    digest = hashlib.sha256("\n\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
    return ChangeIdentity(digest, telling=not _is_small(lines))


def _net(files: list[_File]) -> Counter[str]:
    """How often a line came more often than it went, or the other way round; with its file's base name and its sign.

    A file that moved is deleted in one folder and new in the other: by base name, the two cancel out.
    """
    signed: Counter[tuple[str, str]] = Counter()
    for file in files:
        name = file.path.rpartition("/")[2]
        for line in file.lines:
            signed[name, line[1:]] += 1 if line[0] == "+" else -1
    return Counter({f"{name}\n{'+' if n > 0 else '-'}{line}": abs(n) for (name, line), n in signed.items() if n})


def _is_small(lines: list[str]) -> bool:
    """Whether so few lines say so little; brackets alone and the like say nothing."""
    texts = [line.partition("\n")[2][1:] for line in lines]
    said = [text for text in texts if sum(character.isalnum() for character in text) > 1]
    return len(said) < MIN_LINES or sum(map(len, said)) < MIN_CHARACTERS


def _counts(path: str) -> bool:
    return classify(path) == "source" and not _TEST_WORDS & set(_WORDS.split(path.casefold()))


def _files(text: str) -> Iterator[_File]:
    """The files of a patch. A hunk's own counts say where it ends: `--- x` in it is a removed line `-- x`."""
    file, old, new = _File(), 0, 0
    for line in text.split("\n"):
        sign = line[:1]
        if (old > 0 or new > 0) and not line.startswith("diff --git "):
            old -= sign not in ("+", "\\")
            new -= sign not in ("-", "\\")
            if sign in ("+", "-") and (content := "".join(line[1:].split())):
                file.lines.append(f"{sign}{content}")
        elif hunk := _HUNK.match(line):
            old, new = (int(count or 1) for count in hunk.groups())
        elif line.startswith(("diff --git ", "--- ", "+++ ")):
            old = new = 0
            if not line.startswith("+++ "):
                yield file
                file = _File()
            if not line.startswith("diff"):
                file.path = _path(line[4:]) or file.path
    yield file


def _path(name: str) -> str:
    """The path in a header line; empty for `/dev/null`."""
    name = name.partition("\t")[0].strip()
    if name.startswith('"'):
        quoted = _OCTAL.sub(lambda match: chr(int(match[1], 8)), name.strip('"'))
        name = quoted.encode("latin-1", "replace").decode("utf-8", "replace")
    return "" if name == "/dev/null" else re.sub(r"^[ab]/", "", name)
