"""Another data structure where nobody can tell: literals that are only gone through, or asked for members."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from assay.core.alternatives.change import Change
from assay.core.alternatives.renaming import PRIVATE
from assay.core.alternatives.scopes import own_nodes, scopes_of
from assay.core.alternatives.source import Edit, Rewrite, Source


def containers(source: Source, _: Change) -> Iterator[Rewrite]:
    """A list as a tuple, and a tuple as a list, where it is the only value of a local variable. Those that are used on
    the spot the compiler exchanges itself.
    """
    for scope in scopes_of(source):
        quiet = _quiet_places(scope.node)
        for node in own_nodes(scope):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.List() | ast.Tuple() as value):
                    uses = [use for use in scope.uses[name] if isinstance(use.ctx, ast.Load)]
                case _:
                    continue
            is_quiet = bool(uses) and all(id(use) in quiet for use in uses)
            if is_quiet and scope.is_local(name) and len(scope.uses[name]) == len(uses) + 1 and source.touches(value):
                yield _exchanged(source, value, "container", scope.dotted)


def constants(source: Source, change: Change) -> Iterator[Rewrite]:
    """The same for a new private constant of a module; one that is only asked for members may be a set of its kin."""
    quiet, asked = _quiet_places(source.tree), _asked_places(source.tree)
    for statement in source.tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case _:
                continue
        if not source.touches(statement) or not PRIVATE.fullmatch(name) or not change.is_only_in(name, source.path):
            continue
        uses = [n for n in ast.walk(source.tree) if isinstance(n, ast.Name) and n.id == name]
        loads = [use for use in uses if isinstance(use.ctx, ast.Load)]
        if len(uses) != len(loads) + 1 or not loads or _is_met_otherwise(source, name):
            continue
        if isinstance(value, ast.List | ast.Tuple) and all(id(use) in quiet for use in loads):
            yield _exchanged(source, value, "constant-container", "")
        elif all(id(use) in asked for use in loads) and (new := _other_set(source, value)):
            edits = (Edit(source.start(value), source.end(value), new),)
            what = f"the private constant {name} is another kind of set"
            yield Rewrite("constant-container", what, value.lineno, value.col_offset, edits)


def _other_set(source: Source, value: ast.expr) -> str:
    """A set as a frozenset and the reverse; empty when it is neither."""
    if {"set", "frozenset"} & source.bound_names:
        return ""
    match value:
        case ast.Set():
            return f"frozenset({source.cut(value)})"
        case ast.Call(func=ast.Name(id="frozenset"), args=[inner], keywords=[]):
            return f"set({source.value(inner)})"
    return ""


def _is_met_otherwise(source: Source, name: str) -> bool:
    """Whether a constant is declared global, imported, or mentioned in a text."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Global(names=names) if name in names:
                return True
            case ast.alias(name=imported) if imported == name:
                return True
            case ast.Constant(value=str(text)) if name in text:
                return True
            case ast.Attribute(attr=attribute) if attribute == name:
                return True
    return False


def _quiet_places(root: ast.AST) -> Collection[int]:
    """Expressions that a loop goes through, or that are asked for a member."""
    found = set(_asked_places(root))
    for node in ast.walk(root):
        if isinstance(node, ast.For | ast.comprehension) and not getattr(node, "is_async", 0):
            found.add(id(node.iter))
    return found


def _asked_places(root: ast.AST) -> Collection[int]:
    return {
        id(node.comparators[0])
        for node in ast.walk(root)
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn)
    }


def _exchanged(source: Source, value: ast.List | ast.Tuple, kind: str, function: str) -> Rewrite:
    parts = ", ".join(f"*{source.atom(e.value)}" if isinstance(e, ast.Starred) else source.value(e) for e in value.elts)
    if isinstance(value, ast.List):
        text = f"({parts},)" if value.elts else "()"
        what = "a list became a tuple"
    else:
        text, what = f"[{parts}]", "a tuple became a list"
    edits = (Edit(source.start(value), source.end(value), text),)
    return Rewrite(kind, what, value.lineno, value.col_offset, edits, function)
