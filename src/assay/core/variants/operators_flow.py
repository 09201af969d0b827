"""Mutation operators on the way through a function: exceptions, loops, branches."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from assay.core.variants.drafting import shown
from assay.core.variants.mutation import Mutation, operand, replaced
from assay.core.variants.places import Loop, Place
from assay.core.variants.source import Edit, Module, dotted, first_line, last_line

ENDS = (ast.Return, ast.Raise, ast.Break, ast.Continue)
ABSTRACT = "NotImplementedError"


def raised(module: Module, place: Place) -> Iterator[Mutation]:
    """Another exception, or none."""
    node = place.node
    if not isinstance(node, ast.Raise) or node.exc is None:
        return
    name = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    if dotted(name) == ABSTRACT:
        return
    yield replaced(module, node, "pass", "raise-dropped", f"{shown(module.of(node))} left out")
    # What is raised by a variable may be an instance: only what is spelled like a class is one.
    if isinstance(name, ast.Name | ast.Attribute) and dotted(name).rpartition(".")[2][:1].isupper():
        other = "ValueError" if dotted(name).endswith("RuntimeError") else "RuntimeError"
        yield replaced(module, name, other, "exception")


def handled(module: Module, place: Place) -> Iterator[Mutation]:
    """What is caught goes on its way."""
    node = place.node
    if not isinstance(node, ast.ExceptHandler) or isinstance(node.body[-1], ast.Raise):
        return
    edit = Edit(module.span(node.body[0])[0], module.span(node.body[-1])[1], "raise")
    name = f"except {module.of(node.type)}" if node.type else "except"
    lines = frozenset(range(node.body[0].lineno, last_line(node.body[-1]) + 1))
    yield Mutation(edit, "handler-raises", f"{shown(name)} raises again", lines)


def jump(module: Module, place: Place) -> Iterator[Mutation]:
    """`break` for `continue` and the other way round; never so that a loop may have no end."""
    node = place.node
    if isinstance(node, ast.Continue):
        yield replaced(module, node, "break", "jump")
    elif isinstance(node, ast.Break) and not isinstance(place.loop, ast.While):
        yield replaced(module, node, "continue", "jump")


def first_round(module: Module, place: Place) -> Iterator[Mutation]:
    """A loop that ends after its first iteration."""
    node = place.node
    if not isinstance(node, Loop) or isinstance(node.body[-1], ENDS):
        return
    first, last = node.body[0], node.body[-1]
    if first_line(first) == node.lineno or module.text[: module.span(last)[1]].endswith(b"\\"):
        return
    start = module.starts[first_line(first) - 1]
    line = module.text[start : module.starts[first_line(first)]]
    indent = line[: len(line) - len(line.lstrip())].decode()
    end = module.starts[last_line(last)]
    before = module.text[:end]
    newline = "\r\n" if b"\r\n" in module.text[:1000] else "\n"
    text = _break(before, indent, newline)
    lines = frozenset(range(last.lineno, last_line(last) + 1))
    head = (
        f"while {module.of(node.test)}"
        if isinstance(node, ast.While)
        else f"for {module.of(node.target)} in {module.of(node.iter)}"
    )
    yield Mutation(Edit(end, end, text), "loop-once", f"{shown(head)} ends after its first iteration", lines)


def _break(before: bytes, indent: str, newline: str) -> str:
    lead = "" if before.endswith(b"\n") else newline
    return f"{lead}{indent}break{newline if not lead else ''}"


def branches(module: Module, place: Place) -> Iterator[Mutation]:
    """The two sides of a conditional expression swapped."""
    node = place.node
    if not isinstance(node, ast.IfExp):
        return
    (start, middle_start), (middle_end, end) = module.span(node.body), module.span(node.orelse)
    between = module.text[middle_start:middle_end].decode()
    text = _side(module, node.orelse) + between + _side(module, node.body)
    yield Mutation(Edit(start, end, text), "branches-swapped", f"the sides of {shown(module.of(node))} swapped")


def _side(module: Module, node: ast.expr) -> str:
    return operand(module, node) if isinstance(node, ast.IfExp | ast.Lambda | ast.NamedExpr) else module.of(node)


OPERATORS = (raised, handled, jump, first_round, branches)
