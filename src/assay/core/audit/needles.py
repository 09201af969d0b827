"""What of a reference change can be recognised wherever it lies: lines, hunks with their surroundings, new names.

Whitespace is collapsed everywhere, and what the base has is left out: it is there for everybody to read. A line alone
says something when it is long or full of names; a hunk when it stands between the lines that it stands between in the
change; a name when nobody would call something so by chance. Compiled code has no lines, but names and instructions.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from assay.core.leaks import PROSE_SUFFIXES, added_blocks, is_informative
from assay.core.syntax import SOURCE_ROOTS, Function, decode, is_test_path, parse
from assay.model.tree import FileChange, FileState, Tree

MAX_LINES = 150
MAX_WINDOWS = 60
MAX_TOKENS = 40
CONTEXT_LINES = 2
MAX_BLOCK_LINES = 8
MIN_WINDOW_CHARACTERS = 80
MIN_WINDOW_NAMES = 6
MIN_LONGEST = 15
"""Characters of the longest line of a window, by which it is looked for first."""
MIN_TOKEN_CHARACTERS = 7
MIN_WHOLE_LINES = 5
MAX_SOURCE_CHARACTERS = 400_000
NAME = re.compile(r"[A-Za-z_]\w*")
DUNDER = re.compile(r"__\w+__")
IMPORT = re.compile(r"(?:from|import)\b")


@dataclass(frozen=True, slots=True)
class Needles:
    """What is searched for. All lines have their whitespace collapsed."""

    key: str
    """Which change this is of."""
    lines: tuple[str, ...] = ()
    """Added lines that say enough and that the base does not have."""
    windows: tuple[tuple[str, ...], ...] = ()
    """Neighbouring lines around what was changed, as the change leaves them; one of them is new to the base."""
    tokens: tuple[str, ...] = ()
    """Names and texts that only the change has."""
    modules: tuple[str, ...] = ()
    """The changed files by the last two parts of their paths, or the last where nothing is above, without suffix."""
    wholes: tuple[str, ...] = ()
    """SHA-256 of the changed files as they are after the change, their lines collapsed."""
    sources: tuple[tuple[str, str], ...] = ()
    """Changed Python files, before and after: the program compiles them, and so knows their functions again."""

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    def __bool__(self) -> bool:
        return bool(self.lines or self.wholes)


def needles(key: str, changes: Sequence[FileChange], base: Tree) -> Needles:
    """What can be searched for of a change. Tests and documents are left out."""
    code = [
        c for c in changes if c.new is not None and not c.path.endswith(PROSE_SUFFIXES) and not is_test_path(c.path)
    ]
    known, words = _base_lines(base.values())
    lines = dict.fromkeys(
        line for change in code for block in added_blocks(change) for line in block if is_informative(line)
    )
    windows = dict.fromkeys(window for change in code for window in _windows(change, known))
    sources = [(_text(c.old), _text(c.new)) for c in code if c.path.endswith(".py")]
    return Needles(
        key=key,
        lines=tuple(sorted((line for line in lines if line not in known), key=len, reverse=True)[:MAX_LINES]),
        windows=tuple(windows)[:MAX_WINDOWS],
        tokens=tuple(_tokens(code, words)[:MAX_TOKENS]),
        modules=tuple(dict.fromkeys(_module(change.path) for change in code)),
        wholes=tuple(sorted({whole for change in code if (whole := _whole(change))})),
        sources=tuple((old, new) for old, new in sources if len(new) <= MAX_SOURCE_CHARACTERS),
    )


def squeezed(text: str) -> list[str]:
    """The lines of a text that are not empty, whitespace collapsed."""
    return [line for raw in text.splitlines() if (line := " ".join(raw.split()))]


def _windows(change: FileChange, known: Mapping[str, object]) -> Iterable[tuple[str, ...]]:
    old, new = squeezed(_text(change.old)), squeezed(_text(change.new))
    before = "\n".join(old)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, _, _, start, end in matcher.get_opcodes():
        if tag == "equal":
            continue
        window = tuple(new[max(0, start - CONTEXT_LINES) : min(end, start + MAX_BLOCK_LINES) + CONTEXT_LINES])
        brings = any(line not in known and not IMPORT.match(line) for line in new[start:end])
        if brings and _tells(window) and f"\n{chr(10).join(window)}\n" not in f"\n{before}\n":
            yield window


def _tells(window: Sequence[str]) -> bool:
    """Whether nobody else would write these lines one below the other."""
    own = [line for line in window if not IMPORT.match(line) and not line.startswith("#")]
    names = {name for line in own for name in NAME.findall(line) if len(name) > 2}
    if max(map(len, own), default=0) < MIN_LONGEST:
        return False
    return len(own) >= 3 and sum(map(len, own)) >= MIN_WINDOW_CHARACTERS and len(names) >= MIN_WINDOW_NAMES


def _tokens(changes: Sequence[FileChange], words: frozenset[str]) -> list[str]:
    """New names and texts, the longest first."""
    found: set[str] = set()
    for change in changes:
        tree = parse(change.new)
        for node in ast.walk(tree) if tree is not None and change.path.endswith(".py") else ():
            found |= set(_names(node))
    own = {t for t in found if not (set(NAME.findall(t)) <= words)}
    return sorted((t for t in own if _is_distinctive(t)), key=lambda t: (-len(t), t))


def _names(node: ast.AST) -> Iterable[str]:
    """What a node defines, and the text that it is. What it only uses comes from somewhere else."""
    if isinstance(node, Function | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value:
        yield node.value.strip()


def _is_distinctive(token: str) -> bool:
    if len(token) < MIN_TOKEN_CHARACTERS or len(token) > 200 or not token.isprintable() or DUNDER.fullmatch(token):
        return False
    return "_" in token.strip("_") or " " in token or len(token) >= 12 or not (token.islower() or token.isupper())


def _base_lines(states: Iterable[FileState]) -> tuple[dict[str, None], frozenset[str]]:
    lines: dict[str, None] = {}
    words: set[str] = set()
    for state in states:
        text = _text(state)
        lines.update(dict.fromkeys(squeezed(text)))
        words.update(NAME.findall(text))
    return lines, frozenset(words)


def _text(state: FileState | None) -> str:
    if state is None or b"\0" in state.data[:8000]:
        return ""
    return decode(state.data) or state.data.decode("utf-8", "replace")


def _module(path: str) -> str:
    *folders, name = path.split("/")
    stem = name.partition(".")[0]
    return f"{folders[-1]}/{stem}" if folders and f"{folders[-1]}/" not in SOURCE_ROOTS else stem


def _whole(change: FileChange) -> str:
    """What the file is known by when nothing of it is new, as when lines were only taken away; empty for a file of a
    few lines, which may be alike by chance, and for one in which nothing changed but spaces.
    """
    lines = squeezed(_text(change.new))
    if len(lines) < MIN_WHOLE_LINES or lines == squeezed(_text(change.old)):
        return ""
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()
