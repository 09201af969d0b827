"""One changed file as text and syntax tree together, so that a rewrite replaces characters and leaves the rest alone.

Nothing is printed from a tree: comments, quotes and line ends stay as the maintainers have them, and what the running
interpreter would print differently cannot come in.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import io
import re
import tokenize
import warnings
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from types import CodeType

from assay.core.syntax import decode, parse
from assay.model.tree import FileState

ATOMS = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.List, ast.Dict, ast.Set, ast.ListComp)
Compound = (
    ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.If | ast.For | ast.AsyncFor | ast.While | ast.With
    | ast.AsyncWith | ast.Try | ast.Match
)  # fmt: skip


def listed(text: str) -> frozenset[str]:
    """A set of words, written as a text."""
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters from `start` to before `end` become `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One way to put one place otherwise."""

    kind: str
    what: str
    line: int
    """1-based; with `column`, where the place is."""
    column: int
    edits: tuple[Edit, ...]
    function: str = ""
    """Dotted name of the function that holds the place."""


class Source:
    """A Python file as the reference change leaves it. Positions are offsets in `text`, whose line ends are `\\n`."""

    def __init__(self, path: str, text: str, tree: ast.Module, added: frozenset[int]) -> None:
        self.path, self.text, self.tree = path, text, tree
        self.added = added
        """Lines that the base does not have, 1-based."""
        self.lines = text.split("\n")
        self._starts = [0]
        for line in self.lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    @cached_property
    def bound_names(self) -> frozenset[str]:
        """All names that the file gives a value anywhere; after a star import nobody knows, so that builtin functions
        are among them.
        """
        names = set[str]()
        for node in ast.walk(self.tree):
            match node:
                case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                    names.add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    names.add(name)
                case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                    names |= {alias.asname or alias.name for alias in aliases}
                    names |= set(dir(builtins)) if any(alias.name == "*" for alias in aliases) else set()
        return frozenset(names)

    def offset(self, line: int, column: int) -> int:
        """A place of the syntax tree, which counts bytes, as an offset."""
        text = self.lines[line - 1]
        if not text.isascii():
            column = len(text.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "replace"))
        return self._starts[line - 1] + column

    def start(self, node: ast.expr | ast.stmt | ast.arg) -> int:
        """Where a node begins."""
        return self.offset(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt | ast.arg) -> int:
        """Where it ends."""
        return self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def cut(self, node: ast.expr | ast.stmt | ast.arg) -> str:
        """A node as it is written, without brackets around it."""
        return self.text[self.start(node) : self.end(node)]

    def atom(self, node: ast.expr) -> str:
        """An expression as it is written, in brackets unless it can stand anywhere without."""
        text = self.cut(node)
        plain = isinstance(node, ATOMS) or (isinstance(node, ast.Constant) and not isinstance(node.value, int | float))
        return text if plain and "\n" not in text else f"({text})"

    def value(self, node: ast.expr) -> str:
        """An expression as it is written, fit to be assigned or returned."""
        text = self.cut(node)
        loose = isinstance(node, ast.NamedExpr | ast.Yield | ast.YieldFrom | ast.Tuple | ast.Starred)
        return f"({text})" if "\n" in text or (loose and not text.startswith("(")) else text

    def line_at(self, offset: int) -> int:
        """The 1-based line of an offset."""
        return bisect_right(self._starts, offset)

    def line_start(self, line: int) -> int:
        """The offset at which a 1-based line begins."""
        return self._starts[line - 1]

    def line_end(self, line: int) -> int:
        """The offset of a line's end, its line feed left out."""
        return self._starts[line] - 1

    def indent(self, statement: ast.stmt) -> str | None:
        """The white space before a statement that begins its line, None for any other one."""
        first = first_line(statement)
        before = self.lines[first - 1][: len(self.lines[first - 1]) - len(self.lines[first - 1].lstrip(" \t"))]
        same = first != statement.lineno or self.text[self._starts[first - 1] : self.start(statement)] == before
        return before if same else None

    def is_alone(self, statement: ast.stmt) -> bool:
        """Whether a statement shares its lines with none but a comment."""
        rest = self.text[self.end(statement) : self.line_end(statement.end_lineno or statement.lineno)].strip()
        return self.indent(statement) is not None and (not rest or rest.startswith("#"))

    def touches(self, node: ast.stmt | ast.expr) -> bool:
        """Whether the reference change brings a line of this; of a compound statement, one of its head."""
        last = node.end_lineno or node.lineno
        if isinstance(node, Compound):
            last = max(node.lineno, _head_end(node))
        return any(line in self.added for line in range(node.lineno, last + 1))

    def holds_changes(self, node: ast.stmt) -> bool:
        """Whether any line of a statement is new."""
        return any(line in self.added for line in range(first_line(node), (node.end_lineno or 0) + 1))

    def is_new(self, node: ast.stmt) -> bool:
        """Whether all lines of a statement are new that are not blank."""
        span = range(first_line(node), (node.end_lineno or node.lineno) + 1)
        return all(line in self.added or not self.lines[line - 1].strip() for line in span)

    def block(self, body: list[ast.stmt]) -> list[str] | None:
        """The whole lines of a block, None when it shares a line with something else."""
        if not all(self.is_alone(statement) for statement in body):
            return None
        return self.lines[first_line(body[0]) - 1 : body[-1].end_lineno]

    def whole_lines(self, first: ast.stmt, last: ast.stmt, lines: Iterable[str]) -> Edit:
        """The edit that puts lines in the place of all lines from one statement to another."""
        start = self._starts[first_line(first) - 1]
        return Edit(start, self.line_end(last.end_lineno or last.lineno), "\n".join(lines))

    def edited(self, edits: Iterable[Edit]) -> str:
        """The text after edits that do not overlap."""
        parts, place = [], 0
        for edit in sorted(edits, key=lambda e: (e.start, e.end)):
            parts += [self.text[place : edit.start], edit.text]
            place = edit.end
        return "".join([*parts, self.text[place:]])

    def touched_lines(self, edits: Iterable[Edit]) -> frozenset[int]:
        """The lines that edits change."""
        return frozenset(n for e in edits for n in range(self.line_at(e.start), self.line_at(e.end) + 1))

    @cached_property
    def words(self) -> frozenset[str]:
        """All names and words of the text, those of comments and strings too."""
        return frozenset(re.findall(r"\w+", self.text))

    def free_name(self, *wishes: str) -> str:
        """The first name among wishes, then with numbers, that stands nowhere in the file."""
        names = (*wishes, *(f"{wishes[-1]}_{number}" for number in range(2, 1000)))
        return next(name for name in names if name not in self.words)


def first_line(statement: ast.stmt) -> int:
    """The line at which a statement begins, its decorators included."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _head_end(node: ast.stmt) -> int:
    if isinstance(node, ast.Match):
        return node.subject.end_lineno or node.lineno
    body: list[ast.stmt] = getattr(node, "body", [])
    return first_line(body[0]) - 1 if body else node.lineno


def read_source(path: str, old: FileState | None, new: FileState | None) -> Source | None:
    """A changed file; None for what does not parse, or ends its lines in two ways."""
    tree = parse(new)
    text = decode(new.data) if new else None
    if tree is None or text is None:
        return None
    plain = text.replace("\r\n", "\n")
    if "\r" in plain or "\f" in plain or (plain != text and plain.count("\n") != text.count("\r\n")):
        return None
    before = (decode(old.data) or "").replace("\r\n", "\n") if old else ""
    if plain != text:
        tree = ast.parse(plain)
    return Source(path, plain, tree, added_lines(before, plain))


def write_source(text: str, like: FileState) -> FileState | None:
    """An edited text with line ends, encoding and mode of the file it was read from."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(like.data).readline)
    if b"\r\n" in like.data:
        text = text.replace("\n", "\r\n")
    try:
        return FileState(text.encode(encoding), like.mode)
    except UnicodeError:
        return None


def added_lines(old: str, new: str) -> frozenset[int]:
    """Numbers (1-based) of the lines of `new` that a line diff calls added or changed."""
    before, after = old.split("\n"), new.split("\n")
    top = 0
    while top < min(len(before), len(after)) and before[top] == after[top]:
        top += 1
    tail = 0
    while tail < min(len(before), len(after)) - top and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    before, after = before[top : len(before) - tail], after[top : len(after) - tail]
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    return frozenset(
        top + line
        for tag, _, _, first, last in matcher.get_opcodes()
        if tag in ("insert", "replace")
        for line in range(first + 1, last + 1)
    )


def compiled(text: str, path: str) -> CodeType | None:
    """The code of a module's text, None when it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(text, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def same_code(one: CodeType, other: CodeType) -> bool:
    """Whether two pieces of code are the same but for line numbers."""
    plain = ("co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_flags", "co_argcount", "co_name")
    if any(getattr(one, name) != getattr(other, name) for name in plain):
        return False
    if getattr(one, "co_exceptiontable", b"") != getattr(other, "co_exceptiontable", b""):
        return False
    if len(one.co_consts) != len(other.co_consts):
        return False
    return all(_same_constant(a, b) for a, b in zip(one.co_consts, other.co_consts, strict=True))


def _same_constant(one: object, other: object) -> bool:
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        return same_code(one, other)
    return type(one) is type(other) and repr(one) == repr(other)
