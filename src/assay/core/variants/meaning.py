"""What a file means to a program that runs it: its syntax tree without all that only people and type checkers read.

Two texts of equal meaning differ in comments, layout, docstrings, annotations, messages and the like; which of them
the reference change has is no concern of any test.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from assay.core.variants.harmless import (
    helps_of,
    is_about,
    is_for_checkers,
    is_harmless_decorator,
    is_log,
    is_main,
    is_overload,
    is_platform,
    is_typing_only,
    texts_of,
)
from assay.core.variants.source import PARSE_ERRORS, Scope, dotted, first_line, last_line, line_starts, parse_text

WORD = re.compile(r"[A-Za-z_]\w*")
TYPING_MODULES = ("typing", "typing_extensions", "collections.abc", "types", "_typeshed", "__future__")
ADVICE = ("wraps", "override", "final", "runtime_checkable", "no_type_check", "deprecated", "dataclass_transform")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A statement at the top of a file, as far as it means something."""

    dump: str
    imports: tuple[tuple[str, str, str], ...] = ()
    """If it is an import: the name that each alias binds, the module, and the dump of that alias alone."""
    used: frozenset[str] = frozenset()
    in_annotations: frozenset[str] = frozenset()


class Meanings:
    """The meanings of several versions of one file, whose equal statements are read once."""

    def __init__(self) -> None:
        self._pieces: dict[bytes, _Piece] = {}
        self._in_annotations: set[str] = set()

    def of(self, text: bytes) -> tuple[str, ...] | None:
        """Equal for texts of equal meaning; None for what does not parse, or is nested too deeply."""
        tree = parse_text(text)
        if tree is None:
            return None
        starts = line_starts(text)
        try:
            pieces = [self._piece(statement, text, starts) for statement in tree.body]
        except PARSE_ERRORS:
            return None
        used = {name for piece in pieces for name in piece.used}
        # What one version imports for its annotations another may import for nothing.
        self._in_annotations |= {name for piece in pieces for name in piece.in_annotations}
        unused = self._in_annotations - used
        return tuple(_in_order(pieces, used, unused))

    def _piece(self, statement: ast.stmt, text: bytes, starts: list[int]) -> _Piece:
        first = starts[first_line(statement) - 1]
        source = text[first : starts[last_line(statement)]]
        # Of statements that share a line each is read anew.
        key = b"" if statement.col_offset or b";" in source.splitlines()[-1] else source
        if key and key in self._pieces:
            return self._pieces[key]
        piece = self._pieces[key] = _read(statement)
        return piece


def _read(statement: ast.stmt) -> _Piece:
    """Takes the statement apart, in place."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return _Piece("", tuple(_names(statement)))
    bare = _Bare()
    body = bare.block([statement])
    used = {n.id for node in body for n in ast.walk(node) if isinstance(n, ast.Name)} | bare.exported
    body = _Imports(bare.in_annotations - used, used).block(body)
    return _Piece("".join(map(ast.dump, body)), (), frozenset(used), frozenset(bare.in_annotations))


def _names(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str, str]]:
    for alias in node.names:
        name = alias.asname or alias.name.partition(".")[0]
        if isinstance(node, ast.ImportFrom):
            yield name, node.module or "", ast.dump(ast.ImportFrom(node.module, [alias], node.level))
        else:
            yield name, alias.name, ast.dump(ast.Import([alias]))


def _is_needless(name: str, module: str, used: Set[str], unused: Set[str]) -> bool:
    """Whether an import is for annotations alone."""
    return name in unused or (module in TYPING_MODULES and name not in used)


def _in_order(pieces: Sequence[_Piece], used: Set[str], unused: Set[str]) -> Iterator[str]:
    """The dumps of statements; what is imported in a row is sorted, and left out where only annotations use it."""
    row: list[str] = []
    for piece in pieces:
        row += [dump for name, module, dump in piece.imports if not _is_needless(name, module, used, unused)]
        if not piece.imports and piece.dump:
            yield from sorted(row)
            row = []
            yield piece.dump
    yield from sorted(row)


def statement_meaning(statement: ast.stmt) -> str:
    """The meaning of one statement; empty when it means nothing to a program. Raises nothing: what is nested too
    deeply is like no other one.
    """
    try:
        body = _Bare().block([copy.deepcopy(statement)])
        return "".join(ast.dump(node) for node in body)
    except PARSE_ERRORS:
        return f"too deep, at {id(statement)}"


class _Bare(ast.NodeTransformer):
    """Takes out of a tree, in place, what does not matter."""

    def __init__(self) -> None:
        self.in_annotations: set[str] = set()
        self.exported: set[str] = set()
        self._in_class = False

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """A list of statements without those that mean nothing."""
        made: list[ast.stmt] = []
        for statement in body:
            if self._means_nothing(statement):
                continue
            if isinstance(statement, ast.If) and is_typing_only(statement.test):
                self._read(ast.Module(statement.body, []))
                made += self.block(statement.orelse)
                continue
            result = self.visit(statement)
            made += [result] if isinstance(result, ast.stmt) else []
        return made

    def _means_nothing(self, node: ast.stmt) -> bool:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return True
        if (
            isinstance(node, ast.If)
            and not is_typing_only(node.test)
            and (is_main(node.test) or is_platform(node.test))
        ):
            return True
        if is_about(node):
            self.exported |= {
                n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)
            }
            return True
        if is_overload(node):
            self._read(node)
            return True
        return is_log(node) or is_for_checkers(node) or isinstance(node, ast.Pass)

    def _read(self, annotation: ast.AST | None) -> None:
        for node in ast.walk(annotation) if annotation else ():
            if isinstance(node, ast.Name):
                self.in_annotations.add(node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.in_annotations.update(WORD.findall(node.value))

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Visit what is in a node, blocks of statements as blocks."""
        for name, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                setattr(node, name, self.block(value) or ([ast.Pass()] if name == "body" else []))
            elif isinstance(value, list):
                setattr(node, name, [self.visit(item) if isinstance(item, ast.AST) else item for item in value])
            elif isinstance(value, ast.AST):
                setattr(node, name, self.visit(value))
        return node

    def visit(self, node: ast.AST) -> ast.AST | None:
        """One node, or what stands for it; None when nothing does."""
        if isinstance(node, Scope):
            return self._scope(node)
        if isinstance(node, ast.AnnAssign):
            return self._annotated(node)
        if isinstance(node, ast.Raise | ast.Call):
            self._hush(node)
            if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "cast" and len(node.args) == 2:
                self._read(node.args[0])
                return self.visit(node.args[1])
        elif isinstance(node, ast.arg):
            self._read(node.annotation)
            node.annotation = None
        elif isinstance(node, ast.Assert):
            node.msg = None
        elif isinstance(node, ast.Constant):
            node.kind = None
        return self.generic_visit(node)

    def _scope(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.AST:
        before, self._in_class = self._in_class, isinstance(node, ast.ClassDef)
        node.decorator_list = [d for d in node.decorator_list if not (is_harmless_decorator(d) and _last(d) in ADVICE)]
        if isinstance(node, ast.ClassDef):
            node.bases = [base for base in node.bases if dotted(base) != "object"]
        else:
            self._read(node.returns)
            node.returns = None
        self.generic_visit(node)
        self._in_class = before
        return node

    def _annotated(self, node: ast.AnnAssign) -> ast.AST | None:
        self._read(node.annotation)
        if self._in_class:  # a field of a dataclass, whatever its type
            node.annotation = ast.Constant(None)
            return self.generic_visit(node)
        if node.value is None:
            return None
        return self.generic_visit(ast.Assign([node.target], node.value, lineno=node.lineno))

    @staticmethod
    def _hush(node: ast.Raise | ast.Call) -> None:
        texts = {id(text) for text in texts_of(node)}
        call = node.exc if isinstance(node, ast.Raise) else node
        if isinstance(call, ast.Call):
            helps = {id(word) for word in helps_of(call)}
            call.keywords = [word for word in call.keywords if id(word) not in helps]
        if texts and isinstance(call, ast.Call):
            call.args = [ast.Constant("") if id(a) in texts else a for a in call.args]
            for word in call.keywords:
                word.value = ast.Constant("") if id(word.value) in texts else word.value


def _last(decorator: ast.expr) -> str:
    return dotted(decorator.func if isinstance(decorator, ast.Call) else decorator).rpartition(".")[2]


class _Imports:
    """Sorts what is imported in a row inside of functions, and leaves out what only annotations use."""

    def __init__(self, unused: Set[str], used: Set[str]) -> None:
        self._unused, self._used = unused, used

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """A list of statements with their imports one by one."""
        made: list[ast.stmt] = []
        row: list[ast.stmt] = []
        for statement in body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                row += self._single(statement)
                continue
            made += [*sorted(row, key=ast.dump), self._inside(statement)]
            row = []
        return [*made, *sorted(row, key=ast.dump)]

    def _inside(self, node: ast.stmt) -> ast.stmt:
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                setattr(node, name, self.block(block) or [ast.Pass()])
        return node

    def _single(self, node: ast.Import | ast.ImportFrom) -> Iterator[ast.stmt]:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            if isinstance(node, ast.ImportFrom):
                if not _is_needless(name, node.module or "", self._used, self._unused):
                    yield ast.ImportFrom(node.module, [alias], node.level)
            elif not _is_needless(name, alias.name, self._used, self._unused):
                yield ast.Import([alias])
