"""Keys, flags, numbers, file names and orders that tests spell out and that the code of the change has as constants.

Only where a constant works as a name: as a key that is looked up, as what an assertion compares with, as the value of
a keyword argument. What a test hands in and gets back, or defines itself, is its own; what it passes by position is
mostly data.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from assay.core.audit.expected_texts import Expected
from assay.core.audit.reached import Piece
from assay.core.interface import changed_code
from assay.core.syntax import Function, is_test_path, parse
from assay.model.tree import Tree

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[.:/-][A-Za-z0-9_]+)*")
DUNDER = re.compile(r"__\w+__")
"""Names of the language."""
MIN_CHARACTERS = 4
MIN_NUMBER = 100
"""Smaller numbers are met by luck."""
MIN_SEQUENCE = 3
LOOKUPS = frozenset({"get", "pop", "getattr", "hasattr", "setattr", "setdefault"})

Spelled = tuple[str, str, Expected]
"""What a text works as, the text, and where a test has it."""


def spelled(base: Tree, gold: Tree, strings: Collection[str], code: Iterable[Piece]) -> Iterator[Spelled]:
    """Names and numbers that only the change and the tests spell out; `strings` are the constants of the change."""
    new = {t for t in strings if len(t) >= MIN_CHARACTERS and NAME.fullmatch(t) and not DUNDER.fullmatch(t)}
    numbers = _new_numbers(base, gold)
    for piece in code:
        if piece.imported or not (new or numbers):
            continue
        own = _own(piece.node)
        for kind, node in _in_places(piece.node):
            if isinstance(node.value, str) and node.value in new and (kind == "flag" or node.value not in own):
                yield kind, node.value, _expected(piece, node)
            elif kind == "text" and _is_distinctive(node.value) and node.value in numbers:
                yield "number", str(node.value), _expected(piece, node)


def new_files(base: Tree, gold: Tree, code: Iterable[Piece]) -> Iterator[Spelled]:
    """Names of files that the change adds and that tests spell out."""
    added = {p.rpartition("/")[2] for p in gold if p not in base and not is_test_path(p)}
    names = {name for name in added if not name.endswith(".py") and "." in name}
    for piece in code if names else ():
        for node in ast.walk(piece.node):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and not piece.imported:
                name = node.value.rpartition("/")[2]
                if name in names:
                    yield "file", name, _expected(piece, node)


def orders(base: Tree, gold: Tree, code: Iterable[Piece]) -> Iterator[tuple[tuple[str, ...], Expected]]:
    """Sequences of at least MIN_SEQUENCE names that only the change and assertions of the tests have in this order."""
    paths = changed_code(base, gold)
    new = {s for p in paths for s in _sequences(parse(gold.get(p)))}
    new -= {s for p in paths for s in _sequences(parse(base.get(p)))}
    for piece in code if new else ():
        for node in () if piece.imported else ast.walk(piece.node):
            if isinstance(node, ast.Assert):
                yield from ((s, _expected(piece, node)) for s in _sequences(node.test) if s in new)


def _expected(piece: Piece, node: ast.expr | ast.stmt) -> Expected:
    text = str(node.value) if isinstance(node, ast.Constant) else ""
    return Expected(text, piece.path, node.lineno, piece.test, False)


def _sequences(tree: ast.AST | None) -> Iterator[tuple[str, ...]]:
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.List | ast.Tuple | ast.Dict):
            elements = node.keys if isinstance(node, ast.Dict) else node.elts
            texts = tuple(str(e.value) for e in elements if isinstance(e, ast.Constant) and isinstance(e.value, str))
            if len(texts) == len(elements) >= MIN_SEQUENCE and len(set(texts)) == len(texts):
                yield texts


def _new_numbers(base: Tree, gold: Tree) -> set[float]:
    paths = changed_code(base, gold)
    old = {n for p in paths for n in _numbers(parse(base.get(p)))}
    return {n for p in paths for n in _numbers(parse(gold.get(p)))} - old


def _numbers(tree: ast.AST | None) -> Iterator[float]:
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Constant) and _is_distinctive(node.value) and isinstance(node.value, int | float):
            yield node.value


def _is_distinctive(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) >= MIN_NUMBER or (isinstance(value, float) and len(str(value)) > MIN_CHARACTERS)


def _in_places(node: ast.AST) -> Iterator[tuple[str, ast.Constant]]:
    for inner in ast.walk(node):
        for kind, candidate in _places(inner):
            if isinstance(candidate, ast.Constant):
                yield kind, candidate


def _places(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    """The places of a node where a constant works as a name."""
    if isinstance(node, ast.Subscript):
        yield "key", node.slice
    elif isinstance(node, ast.Assert):
        for inner in ast.walk(node.test):
            if isinstance(inner, ast.Compare):
                for side in (inner.left, *inner.comparators):
                    yield from _compared(side)
    elif isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        yield from (("flag", keyword.value) for keyword in node.keywords)
        if name in LOOKUPS:
            yield from (("key", argument) for argument in node.args[:2])
        elif name.startswith("assert"):
            for argument in node.args:
                yield from _compared(argument)


def _compared(side: ast.expr) -> Iterator[tuple[str, ast.AST | None]]:
    yield "text", side
    for inner in ast.walk(side):
        if isinstance(inner, ast.Dict):
            yield from (("key", key) for key in inner.keys)
        elif isinstance(inner, ast.List | ast.Tuple | ast.Set):
            yield from (("text", element) for element in inner.elts)


def _own(node: ast.AST) -> set[str]:
    """Texts that a test passes to what it calls, assertions and look-ups aside; that stand in what it builds; that
    are names of what it defines.
    """
    found: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            name = getattr(inner.func, "attr", getattr(inner.func, "id", ""))
            arguments: Sequence[ast.expr] = [*inner.args, *(k.value for k in inner.keywords)]
            if not name.startswith("assert"):
                for argument in arguments[2:] if name in LOOKUPS else arguments:
                    found |= _texts(argument)
        elif isinstance(inner, ast.Assign):
            found |= _texts(inner.value)
        elif isinstance(inner, Function | ast.ClassDef):
            found.add(inner.name)
        elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            found.add(inner.id)
    return found


def _texts(node: ast.AST) -> set[str]:
    words: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            words |= {inner.value, *NAME.findall(inner.value)}
    return words
