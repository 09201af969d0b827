"""Branches, conditional expressions and comprehensions in another form.

Two forms are missing on purpose: `if a and b` as nested conditions, and a branch after a `return` without its `else`.
The compiler makes the same code of them, so that no run can tell them apart.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from assay.core.alternatives.change import Change
from assay.core.alternatives.scopes import FRAMES, Scope, blocks_of, scopes_of
from assay.core.alternatives.source import Rewrite, Source
from assay.core.syntax import Function


def branches(source: Source, _: Change) -> Iterator[Rewrite]:
    """`if` statements of changed functions with their branches exchanged, or as conditional expressions."""
    for scope in scopes_of(source):
        for statement in (s for block in blocks_of(scope) for s in block):
            if isinstance(statement, ast.If) and source.touches(statement) and _is_plain_if(source, statement):
                yield from _swapped(source, scope, statement)
                yield from _as_expression(source, scope, statement)


def conditional_expressions(source: Source, _: Change) -> Iterator[Rewrite]:
    """`x = a if c else b` as an `if` statement."""
    for scope in scopes_of(source):
        for statement in (s for block in blocks_of(scope) for s in block):
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.IfExp() as value):
                    head = f"{name} = "
                case ast.Return(value=ast.IfExp() as value):
                    head = "return "
                case _:
                    continue
            if not source.touches(statement) or not source.is_alone(statement):
                continue
            indent, unit = source.indent(statement) or "", _unit(source)
            lines = [
                f"{indent}if {source.value(value.test)}:",
                f"{indent}{unit}{head}{source.value(value.body)}",
                f"{indent}else:",
                f"{indent}{unit}{head}{source.value(value.orelse)}",
            ]
            edits = (source.whole_lines(statement, statement, lines),)
            what = "a conditional expression became an if statement"
            place = (statement.lineno, statement.col_offset)
            yield Rewrite("conditional-expression", what, *place, edits, scope.dotted)


def comprehensions(source: Source, _: Change) -> Iterator[Rewrite]:
    """A list comprehension that is assigned or returned, as a loop that appends."""
    if FRAMES.search(source.text):
        return
    for scope in scopes_of(source):
        if scope.is_observed:
            continue
        for statement in (s for block in blocks_of(scope) for s in block):
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.ListComp() as value):
                    head = f"{name} = "
                case ast.Return(value=ast.ListComp() as value):
                    head = "return "
                case _:
                    continue
            if source.touches(statement) and source.is_alone(statement) and _can_be_unrolled(source, scope, value):
                yield from _unrolled(source, scope, statement, value, head)


def _can_be_unrolled(source: Source, scope: Scope, value: ast.ListComp) -> bool:
    """Whether the variables of a comprehension may live in the function: nothing there, and no closure, knows them."""
    if len(value.generators) != 1 or value.generators[0].is_async:
        return False
    inside = list(ast.walk(value))
    mentioned = {n for n in inside if isinstance(n, ast.Name)}
    own = {n.id for n in ast.walk(value.generators[0].target) if isinstance(n, ast.Name)}
    known = {name for name, uses in scope.uses.items() if any(use not in mentioned for use in uses)}
    in_head = {n.id for n in ast.walk(value.generators[0].iter) if isinstance(n, ast.Name)}
    strange = (ast.Lambda, ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp, ast.NamedExpr, ast.Await)
    if any(isinstance(n, strange) for n in inside if n is not value):
        return False
    plain = all(isinstance(n, ast.Name | ast.Tuple | ast.expr_context) for n in ast.walk(value.generators[0].target))
    return plain and not own & (known | scope.parameters | scope.bound_otherwise | in_head)


def _unrolled(source: Source, scope: Scope, statement: ast.stmt, value: ast.ListComp, head: str) -> Iterator[Rewrite]:
    part, name = value.generators[0], source.free_name("found", "collected", "gathered")
    indent, unit = source.indent(statement) or "", _unit(source)
    lines = [f"{indent}{name} = []", f"{indent}for {source.value(part.target)} in {source.value(part.iter)}:"]
    inner = indent + unit
    for condition in part.ifs:
        lines.append(f"{inner}if {source.value(condition)}:")
        inner += unit
    lines += [f"{inner}{name}.append({source.cut(value.elt)})", f"{indent}{head}{name}"]
    edits = (source.whole_lines(statement, statement, lines),)
    what = "a list comprehension became a loop"
    yield Rewrite("comprehension-loop", what, statement.lineno, statement.col_offset, edits, scope.dotted)


def _is_plain_if(source: Source, statement: ast.If) -> bool:
    """Whether a statement begins with `if`, alone in its lines, and has its blocks on lines of their own."""
    is_if = source.cut(statement).startswith("if") and source.is_alone(statement)
    block = source.block(statement.body) is not None
    other = not statement.orelse or _is_elif(source, statement) or source.block(statement.orelse) is not None
    return is_if and block and other


def _is_elif(source: Source, statement: ast.If) -> bool:
    match statement.orelse:
        case [ast.If() as inner]:
            return source.text.startswith("elif", source.start(inner))
    return False


def _swapped(source: Source, scope: Scope, statement: ast.If) -> Iterator[Rewrite]:
    if not statement.orelse or _is_elif(source, statement):
        return
    body, other, indent = source.block(statement.body), source.block(statement.orelse), source.indent(statement)
    match statement.test:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            head = f"if {source.value(inner)}:"
        case test:
            head = f"if not {source.atom(test)}:"
    lines = [f"{indent}{head}", *(other or ()), f"{indent}else:", *(body or ())]
    edits = (source.whole_lines(statement, statement, lines),)
    what = "the two branches changed places under the opposite condition"
    yield Rewrite("swap-branches", what, statement.lineno, statement.col_offset, edits, scope.dotted)


def _as_expression(source: Source, scope: Scope, statement: ast.If) -> Iterator[Rewrite]:
    match statement.body, statement.orelse:
        case [ast.Return(value=ast.expr() as one)], [ast.Return(value=ast.expr() as other)]:
            head = "return "
        case [ast.Assign(targets=[ast.Name(id=a)], value=one)], [ast.Assign(targets=[ast.Name(id=b)], value=other)]:
            if a != b:
                return
            head = f"{a} = "
        case _:
            return
    text = f"{source.atom(one)} if {source.atom(statement.test)} else {source.atom(other)}"
    lines = [f"{source.indent(statement)}{head}{text}"]
    edits = (source.whole_lines(statement, statement, lines),)
    what = "an if statement became a conditional expression"
    yield Rewrite("if-expression", what, statement.lineno, statement.col_offset, edits, scope.dotted)


def _unit(source: Source) -> str:
    """One step of indentation, as the file has it first."""
    for function in ast.walk(source.tree):
        if isinstance(function, Function | ast.ClassDef) and function.body:
            outer, inner = source.indent(function), source.indent(function.body[0])
            if outer is not None and inner and inner.startswith(outer) and inner != outer:
                return inner[len(outer) :]
    return "    "
