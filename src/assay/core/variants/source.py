"""A parsed file and its text by position: what is edited in it, the rest stays as its author wrote it.

The text is kept as UTF-8, because columns of the syntax tree count its bytes, whatever the file's own encoding is.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from assay.core.syntax import MAX_SOURCE_BYTES
from assay.model.tree import FileState

LINK = "120000"
COMMENT = re.compile(rb"#[^\r\n]*")
Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
PARSE_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What the parser and the compiler raise on text that they do not take."""


@dataclass(slots=True)
class Module:
    """One file of Python."""

    path: str
    state: FileState
    text: bytes
    """As UTF-8, without a byte order mark."""
    tree: ast.Module
    encoding: str
    starts: list[int]
    """Offset of each line, and the end of the text."""

    @property
    def line_count(self) -> int:
        """Lines of the file."""
        return len(self.starts) - 1

    def offset(self, line: int, column: int) -> int:
        """Offset of a place as the syntax tree gives it."""
        return self.starts[line - 1] + column

    def span(self, node: ast.AST) -> tuple[int, int]:
        """First and last offset of a node that has a position; decorators are not part of it."""
        return (
            self.offset(node.lineno, node.col_offset),  # type: ignore[attr-defined]
            self.offset(node.end_lineno, node.end_col_offset),  # type: ignore[attr-defined]
        )

    def of(self, node: ast.AST) -> str:
        """The source of a node."""
        start, end = self.span(node)
        return self.text[start:end].decode()

    def line_at(self, offset: int) -> int:
        """The line, counted from 1, that holds an offset; the last one for the end of the text."""
        return min(bisect_right(self.starts, offset), max(1, self.line_count))

    def between(self, start: int, end: int) -> bytes:
        """The text between two nodes with blanks for comments, so that what is found in it is code."""
        return COMMENT.sub(lambda match: b" " * len(match[0]), self.text[start:end])

    def state_of(self, text: bytes) -> FileState | None:
        """The file with another text; None when its encoding has no bytes for it."""
        try:
            return FileState(text.decode().encode(self.encoding), self.state.mode)
        except UnicodeError:
            return None


@dataclass(frozen=True, slots=True)
class Edit:
    """One replaced piece of a module's text, by offset."""

    start: int
    end: int
    text: str

    def apply(self, text: bytes) -> bytes:
        """The text with the edit made."""
        return text[: self.start] + self.text.encode() + text[self.end :]


class Edited(Mapping[str, FileState | None]):
    """The files of a variant that is one edit of one file, made when they are asked for: there may be thousands."""

    def __init__(self, module: Module, edit: Edit) -> None:
        self._module, self._edit = module, edit

    def __getitem__(self, path: str) -> FileState | None:
        if path != self._module.path:
            raise KeyError(path)
        return self._module.state_of(self._edit.apply(self._module.text))

    def __iter__(self) -> Iterator[str]:
        return iter((self._module.path,))

    def __len__(self) -> int:
        return 1


def read_module(path: str, state: FileState | None) -> Module | None:
    """A file's module; None for what is no Python, does not parse, or cannot be written back byte for byte."""
    if state is None or state.mode == LINK or not path.endswith(".py") or len(state.data) > MAX_SOURCE_BYTES:
        return None
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(state.data).readline)
        text = state.data.decode(encoding)
        same = text.encode(encoding) == state.data
        data = text.encode()
    except (SyntaxError, UnicodeError, LookupError, ValueError):
        return None
    if not same or b"\r" in data.replace(b"\r\n", b""):
        return None
    tree = parse_text(data)
    return None if tree is None else Module(path, state, data, tree, encoding, line_starts(data))


def parse_text(text: bytes) -> ast.Module | None:
    """The tree of a text in UTF-8, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other people's odd escapes are not our news
            return ast.parse(text.decode())
    except PARSE_ERRORS:
        return None


def line_starts(text: bytes) -> list[int]:
    """Offset of each line, and the end of the text."""
    return [0, *accumulate(map(len, text.splitlines(keepends=True)))]


def first_line(node: ast.AST) -> int:
    """The first line of a statement, with its decorators."""
    decorators = node.decorator_list if isinstance(node, Scope) else []
    line: int = node.lineno  # type: ignore[attr-defined]
    return min([line, *(d.lineno for d in decorators)])


def last_line(node: ast.AST) -> int:
    """The last line of a node that has a position."""
    line: int = node.end_lineno  # type: ignore[attr-defined]
    return line


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or a chain of attributes; the chain alone, with a dot before it, behind anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    root = node.id if isinstance(node, ast.Name) else ""
    return ".".join([root, *reversed(parts)])


def scopes(tree: ast.Module) -> Iterator[tuple[str, Scope]]:
    """Functions and classes with their dotted names, those around before those inside."""
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        name, node = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Scope):
                full = f"{name}.{child.name}" if name else child.name
                yield full, child
                waiting.append((full, child))
            elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
                waiting.append((name, child))


def body_lines(node: Scope) -> frozenset[int]:
    """Lines that run when a function is called: its own, without the header, docstring, and text around."""
    body = node.body[1:] if len(node.body) > 1 and is_text(node.body[0]) else node.body
    return frozenset(range(first_line(body[0]), last_line(body[-1]) + 1))


def words(text: str) -> frozenset[str]:
    """The words of a text, for tables of names."""
    return frozenset(text.split())


def is_text(statement: ast.stmt) -> bool:
    """Whether a statement is only a constant: a docstring, `...`."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
