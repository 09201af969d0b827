"""Texts that tests expect, each with the place where it is expected and whether it is a message.

A message is what an exception, a warning or a log says, or what goes to the terminal: its words are free as long as
nobody has said them. Other texts are values, which may follow from what the prompt asks for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from assay.core.audit.reached import Piece

REGEX_CALLS = {
    "assertRaisesRegex": 1,
    "assertRaisesRegexp": 1,
    "assertWarnsRegex": 1,
    "assertRegex": 1,
    "assertRegexpMatches": 1,
    "assertNotRegex": 1,
}
"""Methods that take a pattern, and where."""
RE_FUNCTIONS = frozenset({"match", "search", "fullmatch", "findall"})
SPEAKS = re.compile(
    r"\bstr\(|\brepr\(|\.value\b|\.args\b|\.messages?\b|\bexc|\berr|\be\b|\bout\b|\boutput\b|stderr|stdout|caplog|"
    r"records?\b|\bmsg|\bwarn|message|getvalue\(|readouterr"
)
"""What the other side of a comparison looks like when the text is a message."""
WILD = re.compile(r"(?<!\\)(?:\.[*+?]+|\\[dwsSDWbB][*+?]*|\[[^\]]*\][*+?]*|\([^)]*\)[*+?]*|[$^|])")
"""What in a pattern stands for more than itself."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One text in a test."""

    text: str
    path: str
    line: int
    test: str
    is_message: bool


def expected_texts(code: Iterable[Piece]) -> Iterator[Expected]:
    """The strings of code that tests run, in order; docstrings are left out."""
    for piece in code:
        if piece.imported:
            continue
        messages, by_name = _messages(piece.node)
        documents = {id(n.value) for n in ast.walk(piece.node) if isinstance(n, ast.Expr)}
        for node in ast.walk(piece.node):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and id(node) not in documents:
                whole = node.value if isinstance(node.value, str) else node.value.decode("utf-8", "replace")
                for text in literal_pieces(whole) if messages.get(id(node)) else [whole]:
                    yield Expected(text, piece.path, node.lineno, piece.test, by_name or id(node) in messages)


def literal_pieces(pattern: str) -> list[str]:
    """What a regular expression asks for letter by letter, between what stands for more than itself."""
    return [text for part in WILD.split(pattern) if (text := re.sub(r"\\(\W)", r"\1", part).strip())]


def _messages(node: ast.AST) -> tuple[dict[int, bool], bool]:
    """Constants that are compared with messages, by identity, each with whether it is a pattern; and whether some
    message is compared with what only has a name here, so that any constant may be it.
    """
    found: dict[int, bool] = {}
    by_name = False
    for inner in ast.walk(node):
        for operand, is_pattern in _operands(inner):
            constants = [n for n in ast.walk(operand) if isinstance(n, ast.Constant)]
            found.update({id(n): is_pattern for n in constants})
            by_name = by_name or (not constants and isinstance(operand, ast.Name | ast.Call))
    return found, by_name


def _operands(node: ast.AST) -> Iterator[tuple[ast.expr, bool]]:
    """What a node compares with messages, each with whether it is a pattern."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for side in sides:
            others = " ".join(ast.unparse(other) for other in sides if other is not side)
            if not isinstance(side, ast.Attribute) and SPEAKS.search(others):
                yield side, False
    elif isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        yield from ((keyword.value, True) for keyword in node.keywords if keyword.arg == "match")
        if name in REGEX_CALLS and len(node.args) > REGEX_CALLS[name]:
            yield node.args[REGEX_CALLS[name]], True
        elif name in RE_FUNCTIONS and node.args and len(node.args) > 1 and SPEAKS.search(ast.unparse(node.args[1])):
            yield node.args[0], True
        elif name.startswith("assert") or name in ("startswith", "endswith"):
            owner = node.func.value if isinstance(node.func, ast.Attribute) else node.func
            if SPEAKS.search(" ".join(ast.unparse(part) for part in (owner, *node.args))):
                yield from ((argument, False) for argument in node.args if isinstance(argument, ast.Constant))
