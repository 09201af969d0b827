"""What operators have in common: how a piece of source is put in another one's place."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from assay.core.variants.drafting import shown
from assay.core.variants.source import Edit, Module

ATOMS = (ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Call, ast.List, ast.Dict, ast.Set, ast.ListComp)
LOOSE = (ast.BoolOp, ast.IfExp, ast.Lambda, ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.Compare, ast.Tuple)
"""What needs parentheses almost anywhere but on its own."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A replaced piece of source."""

    edit: Edit
    kind: str
    what: str
    lines: frozenset[int] | None = None
    """Lines whose running counts, where they are not those of the place."""


def replaced(module: Module, node: ast.AST, text: str, kind: str, what: str = "") -> Mutation:
    """A node's source made another one."""
    return Mutation(Edit(*module.span(node), text), kind, what or f"{shown(module.of(node))} became {shown(text)}")


def operand(module: Module, node: ast.AST) -> str:
    """The source of an expression, in parentheses unless it holds together by itself."""
    source = module.of(node)
    return (
        source if isinstance(node, ATOMS) or (source.startswith("(") and isinstance(node, ast.Tuple)) else f"({source})"
    )


def plain(module: Module, node: ast.AST) -> str:
    """The source of an expression to stand where a larger one stood."""
    return operand(module, node) if isinstance(node, LOOSE) else module.of(node)


def token(module: Module, left: ast.AST, right: ast.AST, pattern: bytes) -> tuple[int, int] | None:
    """Where an operator stands between two operands."""
    start, end = module.span(left)[1], module.span(right)[0]
    found = re.search(pattern, module.between(start, end)) if start <= end else None
    return (start + found.start(), start + found.end()) if found else None


def is_text(node: ast.AST) -> bool:
    """Whether it is certainly text or bytes."""
    if isinstance(node, ast.BinOp):
        return is_text(node.left) or is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def is_sequence(node: ast.AST) -> bool:
    """Whether it is certainly text, bytes, a list or a tuple, which cannot be subtracted."""
    return is_text(node) or isinstance(node, ast.List | ast.Tuple | ast.ListComp)
