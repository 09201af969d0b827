"""Does a text give the reference change away?

Quality check 14 (prompt leak) asks for the longest token run that prompt and reference share, for reference lines
that stand in the prompt verbatim, and whether a reader could copy the fix; a third of one benchmark's successes came
from that. It names no thresholds. Ours are chosen so that naming what is wanted is no leak and copying it is:

- a line counts when it holds MIN_LINE_NAMES names or literals that are no keywords of the language: `return None`
  says nothing, `return self.cache.get(key, default)` is the fix;
- a run counts when MIN_RUN_TOKENS tokens in a row are equal and MIN_RUN_OPERATORS of them are operators, so that
  ordinary words, which code comments share with prose, do not count;
- imports and the heads of definitions are interface, which the tests need and a prompt may show;
- comments and docstrings are prose; documents are not code at all.
"""

from __future__ import annotations

import ast
import io
import keyword
import re
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assay.core.syntax import decode, parse
from assay.model.tree import FileChange, FileState

MIN_LINE_NAMES = 4
MIN_RUN_TOKENS = 8
MIN_RUN_OPERATORS = 3
PROSE_SUFFIXES = (".md", ".rst", ".txt", ".adoc")
TOKEN = re.compile(r"\w+|[^\w\s]")
WORD = re.compile(r"\w+")
HEAD = re.compile(r"(async\s+def|def|class|import|from|@)\b|@")
FILE_AND_LINE = re.compile(r"[\w/.-]+\.(?:pyi?|c|h|js|ts|rs|go|java):\d+\b|[\w/.-]+\.py\S*,? lines? \d+")
DIFF = re.compile(r"^(?:diff --git .*|@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@.*|(?:---|\+\+\+) [ab]/.*)$", re.MULTILINE)
BACKTICKS = re.compile(r"`([^`]+)`")
QUIET_OPERATORS = frozenset(",.'\"`:")
MAX_LEAKS = 50


@dataclass(frozen=True, slots=True)
class Leak:
    """One piece of the reference that a text contains."""

    kind: str
    """`line`, `run`, `position` (a file with line numbers), `diff`."""
    excerpt: str
    """As the text has it, whitespace collapsed."""
    path: str = ""
    """Where the reference has it."""


class Reference:
    """The added code of a change, prepared once for many questions."""

    def __init__(self, changes: Sequence[FileChange]) -> None:
        self._lines: dict[str, str] = {}
        self._runs: dict[tuple[str, ...], str] = {}
        self._all: list[str] = []
        """Every added line of code that is not a head."""
        for change in changes:
            if change.path.endswith(PROSE_SUFFIXES) or change.new is None:
                continue
            for block in added_blocks(change):
                self._learn(block, change.path)

    def _learn(self, block: list[str], path: str) -> None:
        tokens: list[str] = []
        for line in block:
            if HEAD.match(line):
                tokens.append("\n")  # a run does not continue across what may be shown
                continue
            self._all.append(line)
            if is_informative(line):
                self._lines.setdefault(line, path)
            tokens += TOKEN.findall(line)
        for run in _windows(tokens):
            if "\n" not in run and _is_code(run):
                self._runs.setdefault(run, path)

    def shows_code(self, text: str) -> bool:
        """Whether a piece of code that the text sets in backticks stands in the added lines, and is more than names:
        a condition or a call with what it is given.
        """
        spans = (_squeeze(span) for span in BACKTICKS.findall(text))
        pieces = [span for span in spans if len(WORD.findall(span)) >= 2 and re.search(r"[(\[=<>+*/%]", span)]
        return any(piece in line for piece in pieces for line in self._all)

    def leaks(self, text: str, allowed: Sequence[str] = ()) -> list[Leak]:
        """What `text` gives away, at most MAX_LEAKS; `allowed` pieces (rendered signatures) are no leaks."""
        for piece in sorted(allowed, key=len, reverse=True):
            text = text.replace(piece, " … ") if piece else text
        found = [Leak("diff", _squeeze(m.group())) for m in DIFF.finditer(text)]
        found += [Leak("position", _squeeze(m.group())) for m in FILE_AND_LINE.finditer(text)]
        flat = _squeeze(text)
        found += [Leak("line", line, path) for line, path in self._lines.items() if line in flat]
        if not any(leak.kind == "line" for leak in found):
            runs = dict.fromkeys(run for run in _windows(TOKEN.findall(text)) if run in self._runs)
            found += [Leak("run", " ".join(run), self._runs[run]) for run in runs]
        return found[:MAX_LEAKS]


def leaks(text: str, gold_changes: Sequence[FileChange], allowed: Sequence[str] = ()) -> list[Leak]:
    """What a text gives away of a change. Never raises, whatever the bytes are."""
    return Reference(gold_changes).leaks(text, allowed)


def is_informative(line: str) -> bool:
    """Whether a line says enough to be a piece of a solution."""
    names = [word for word in WORD.findall(line) if not keyword.iskeyword(word) and word not in ("self", "cls")]
    return len(names) >= MIN_LINE_NAMES and not HEAD.match(line)


def added_blocks(change: FileChange) -> Iterator[list[str]]:
    """Runs of neighbouring lines that only the new side has, whitespace collapsed, prose inside code left out."""
    left = Counter(_squeeze(line) for line in _code_lines(change.old))
    block: list[str] = []
    for raw in _code_lines(change.new):
        line = _squeeze(raw)
        if not line:
            continue
        if left[line] > 0:
            left[line] -= 1
            if block:
                yield block
                block = []
        else:
            block.append(line)
    if block:
        yield block


def _code_lines(state: FileState | None) -> list[str]:
    if state is None:
        return []
    text = decode(state.data)
    if text is None:
        text = state.data.decode("utf-8", "replace") if b"\0" not in state.data[:8000] else ""
    lines = text.splitlines()
    for number in _prose_lines(state, text):
        if number <= len(lines):
            lines[number - 1] = ""
    return lines


def _prose_lines(state: FileState, text: str) -> set[int]:
    """Numbers of lines that are docstrings or nothing but comments; empty when the file is not Python."""
    tree = parse(state)
    if tree is None:
        return set()
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and token.line.lstrip().startswith("#"):
                found.add(token.start[0])
    except (tokenize.TokenError, SyntaxError):
        pass
    return found


def _windows(tokens: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for start in range(len(tokens) - MIN_RUN_TOKENS + 1):
        yield tuple(tokens[start : start + MIN_RUN_TOKENS])


def _is_code(run: tuple[str, ...]) -> bool:
    operators = [token for token in run if not WORD.fullmatch(token) and token not in QUIET_OPERATORS]
    names = [token for token in run if WORD.fullmatch(token) and not keyword.iskeyword(token)]
    return len(operators) >= MIN_RUN_OPERATORS and len(names) >= 2


def _squeeze(text: str) -> str:
    return " ".join(text.split())
