"""Which variants are the same program: those whose compiled code is equal, but for positions and docstrings.

A file is compiled statement by statement of its top level, so that a variant costs only the statement that it edits.
"""

from __future__ import annotations
import __future__

import ast
import hashlib
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import CodeType

from assay.core.variants.source import (
    PARSE_ERRORS,
    Edit,
    Module,
    Scope,
    first_line,
    is_text,
    last_line,
    line_starts,
    parse_text,
    read_module,
)
from assay.model.tree import FileState, Tree
from assay.model.variant import Variant

Key = tuple[bytes, ...]
"""One digest for each statement at the top of a file that means something."""
NOTHING = b""
HEAD_LINES = 2
"""Where a file may say its encoding."""
FUTURE = b"__future__"
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""Fields of statements that hold statements, or what holds these."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Whole lines of a file that are compiled apart: a statement at the top, a class's header, or a member."""

    start: int
    end: int
    before: bytes = b""
    """What makes it a text of its own."""
    behind: bytes = b""
    is_member: bool = False


class Fingerprint:
    """The compiled code of one file, and of its variants."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._flags = future_flags(module.tree)
        self._known: dict[tuple[int, bytes], Key] = {}
        self._pieces = list(_pieces(module))
        self._ends = [piece.end for piece in self._pieces]
        self._keys = [self._of_piece(piece, module.text[piece.start : piece.end]) or () for piece in self._pieces]
        self.gold: Key = tuple(digest for key in self._keys for digest in key)

    def work_bytes(self, edit: Edit) -> int:
        """How much has to be compiled for the key of an edit."""
        at = bisect_left(self._ends, edit.end)
        if at == len(self._ends) or self._pieces[at].start > edit.start:
            return len(self._module.text)
        return self._pieces[at].end - self._pieces[at].start

    def of_edit(self, edit: Edit) -> Key | None:
        """The key of the file with an edit made; None when it does not compile."""
        at = bisect_left(self._ends, edit.end)
        text = self._module.text
        if at == len(self._ends) or self._pieces[at].start > edit.start:
            return self.of_text(edit.apply(text))
        piece = self._pieces[at]
        inner = text[piece.start : edit.start] + edit.text.encode() + text[edit.end : piece.end]
        own = self._of_piece(piece, inner)
        if own is None:
            return None
        keys = [*self._keys[:at], own, *self._keys[at + 1 :]]
        return tuple(digest for key in keys for digest in key)

    def of_file(self, state: FileState) -> Key | None:
        """The key of the file in another state; None when it does not compile. Lines that are equal at both ends are
        not compiled again, so that a long file costs no more than what differs in it.
        """
        old = self._module
        try:
            text = state.data.decode(old.encoding).encode()
        except UnicodeError:
            text = b""
        start, end, lines = _changed_lines(old, text)
        if start < HEAD_LINES or FUTURE in lines or FUTURE in old.text[old.starts[start] : old.starts[end]]:
            module = read_module(old.path, state)
            return self.of_text(module.text) if module else None
        edit = Edit(old.starts[start], old.starts[end], lines.decode())
        return self.of_edit(edit) or self.of_text(text)

    def of_text(self, text: bytes) -> Key | None:
        """The key of a whole other text; None when it does not compile."""
        tree = parse_text(text)
        if tree is None:
            return None
        flags, starts = future_flags(tree), line_starts(text)
        found: list[bytes] = []
        for statement in tree.body:
            source = text[starts[first_line(statement) - 1] : starts[last_line(statement)]]
            key = (flags, source) if not statement.col_offset and b";" not in source.splitlines()[-1] else None
            own = self._known.get(key) if key else None
            if own is None:
                own = _digests(ast.Module([statement], []), flags)
            if own is None:
                return None
            if key:
                self._known[key] = own
            found += own
        return tuple(found)

    def _of_piece(self, piece: _Piece, text: bytes) -> Key | None:
        tree = parse_text(piece.before + text + piece.behind)
        if tree is None or (piece.is_member and len(tree.body) != 1):
            return None
        return _digests(tree, self._flags, is_member=piece.is_member)


def distinct(variants: Iterable[Variant], gold: Tree) -> list[Variant]:
    """Variants that compile and differ from the reference change and from each other as programs, in their order."""
    seen: set[object] = set()
    kept = []
    prints: dict[str, Fingerprint | None] = {}
    for variant in variants:
        key = _key(variant.files, gold, prints)
        if key and key not in seen:
            seen.add(key)
            kept.append(variant)
    return kept


def _key(
    files: Mapping[str, FileState | None], gold: Tree, prints: dict[str, Fingerprint | None]
) -> tuple[tuple[str, object], ...] | None:
    """What makes a variant's program, file by file where it differs; None when a file does not compile."""
    found: list[tuple[str, object]] = []
    for path in sorted(files):
        if path not in prints:
            module = read_module(path, gold.get(path))
            prints[path] = Fingerprint(module) if module else None
        state, own = files[path], prints[path]
        if own is None or state is None:
            found += [(path, state)] if state != gold.get(path) else []
            continue
        key = own.of_file(state)
        if key is None:
            return None
        found += [(path, key)] if key != own.gold else []
    return tuple(found)


def future_flags(tree: ast.Module) -> int:
    """The compiler's flags that a file sets for itself."""
    names = [
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    ]
    flags = 0
    for name in names:
        feature = getattr(__future__, name, None)
        flags |= getattr(feature, "compiler_flag", 0)
    return flags


def _changed_lines(module: Module, text: bytes) -> tuple[int, int, bytes]:
    """The lines of a module, from one to before another (counted from 0), that another text has otherwise; and what
    it has there.
    """
    old, new, starts = module.text, line_starts(text), module.starts
    start = max(0, bisect_right(starts, _common(old, text)) - 1)
    tail = _common(old[starts[start] :][::-1], text[starts[start] :][::-1])
    end = bisect_left(starts, len(old) - tail)
    upto = len(text) - (len(old) - starts[end])
    if new[bisect_left(new, upto)] != upto:  # the other text has joined two lines there
        end, upto = len(starts) - 1, len(text)
    return start, end, text[starts[start] : upto]


def _common(one: bytes, other: bytes) -> int:
    """How many bytes two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def _pieces(module: Module) -> Iterator[_Piece]:
    """The pieces of a file in their order; statements that share a line are one piece."""
    made: list[_Piece] = []
    for statement in module.tree.body:
        start, end = module.starts[first_line(statement) - 1], module.starts[last_line(statement)]
        if made and start < made[-1].end:
            shared = [piece for piece in made if piece.end > start or piece.is_member or piece.behind]
            start = min(piece.start for piece in (shared or made[-1:]))
            made = [piece for piece in made if piece.start < start]
            made.append(_Piece(start, end))
        elif isinstance(statement, ast.ClassDef):
            made += _class_pieces(module, statement)
        else:
            made.append(_Piece(start, end))
    yield from made


def _class_pieces(module: Module, node: ast.ClassDef) -> Iterator[_Piece]:
    start, end = module.starts[first_line(node) - 1], module.starts[last_line(node)]
    lines = [(module.starts[first_line(s) - 1], module.starts[last_line(s)]) for s in node.body]
    apart = all(one[1] <= two[0] for one, two in pairwise(lines))
    inner = module.text[lines[0][0] : module.offset(first_line(node.body[0]), node.body[0].col_offset)]
    if first_line(node.body[0]) <= node.lineno or not apart or inner.strip(b" \t@"):
        yield _Piece(start, end)
        return
    indent = inner.replace(b"@", b"")
    filler = indent + b"pass\n"
    header = module.text[start : lines[0][0]]
    yield _Piece(start, lines[0][0], behind=filler if header.endswith(b"\n") else b"\n" + filler)
    for first, last in lines:
        yield _Piece(first, last, before=b"class " + node.name.encode() + b":\n" + filler, is_member=True)


def _digests(tree: ast.Module, flags: int, *, is_member: bool = False) -> Key | None:
    found = []
    for statement in tree.body:
        for unit in _units(statement, is_member=is_member):
            digest = _digest(unit, flags)
            if digest is None:
                return None
            found += [digest] if digest != NOTHING else []
    return tuple(found)


def _units(statement: ast.stmt, *, is_member: bool) -> Iterator[ast.stmt]:
    """What is compiled at once: a class member by member, each in a class of the same name."""
    if not isinstance(statement, ast.ClassDef):
        yield statement
        return
    members = [member for member in statement.body if not isinstance(member, ast.Pass) and not is_text(member)]
    if not is_member:
        statement.body = [ast.copy_location(ast.Pass(), statement)]
        yield statement
    for member in members:
        node = ast.ClassDef(statement.name, [], [], [member], [])
        yield ast.copy_location(node, statement)


def _digest(statement: ast.stmt, flags: int) -> bytes | None:
    """Of one statement's code; `NOTHING` for one that does nothing."""
    if isinstance(statement, ast.Pass) or is_text(statement):
        return NOTHING
    try:
        _forget_docstrings(statement)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(ast.Module([statement], []), "x", "exec", flags=flags, dont_inherit=True)
        return hashlib.blake2b(repr(_shape(code)).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    except PARSE_ERRORS:
        return None


def _forget_docstrings(statement: ast.stmt) -> None:
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Scope) and is_text(node.body[0]):
            node.body = node.body[1:] or [ast.copy_location(ast.Pass(), node.body[0])]
        for field in BLOCKS:
            waiting += getattr(node, field, ())


def _shape(code: CodeType) -> tuple[object, ...]:
    """All of a code object that runs, without lines, positions and file name."""
    return (
        code.co_code,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags),
        code.co_name,
        code.co_exceptiontable,
        tuple(_constant(value) for value in code.co_consts),
    )


def _constant(value: object) -> object:
    """A constant with its type, so that 1, 1.0 and True are three."""
    if isinstance(value, CodeType):
        return _shape(value)
    if isinstance(value, tuple | frozenset):
        items: Sequence[object] = [_constant(item) for item in value]
        return type(value).__name__, items if isinstance(value, tuple) else sorted(items, key=repr)
    return type(value).__name__, hex(value) if isinstance(value, int) else repr(value)
