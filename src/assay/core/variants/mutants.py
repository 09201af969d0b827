"""Mutants of the lines that a reference change changes, and of the functions that these call in the same file."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from assay.core.variants import operators, operators_flow, operators_values
from assay.core.variants.changes import Gold, GoldFile
from assay.core.variants.drafting import Draft, Press
from assay.core.variants.mutation import Mutation
from assay.core.variants.places import Place, lines_of, places
from assay.core.variants.source import Function, body_lines, dotted, scopes
from assay.model.variant import Variant

OPERATORS = (*operators.OPERATORS, *operators_values.OPERATORS, *operators_flow.OPERATORS)
CALLED, SHOWN_ONLY = 1, 1
"""Ranks of what changed lines call, and of what only shows an object to people."""
FOR_PEOPLE = frozenset({"__repr__", "__str__", "__rich__", "__format__"})


def mutants(gold: Gold) -> list[Variant]:
    """All of them that compile and are programs of their own, the changed lines' first."""
    found = [variant for file in gold.files for variant in Press(file, "mutant").variants(_drafts(file))]
    return sorted(found, key=lambda variant: variant.rank)


def _drafts(file: GoldFile) -> Iterator[Draft]:
    module = file.module
    called = called_lines(file)
    for place in places(module.tree, file.closed):
        if place.statement is None:
            continue
        for operator in OPERATORS:
            for mutation in operator(module, place):
                rank = _rank(file, place, mutation, called)
                if rank is not None:
                    lines = lines_of(place) if mutation.lines is None else mutation.lines
                    yield Draft(mutation.edit, mutation.kind, mutation.what, lines, place.function, rank)


def _rank(file: GoldFile, place: Place, mutation: Mutation, called: frozenset[int]) -> int | None:
    """How close a mutation is to the change; None when it is elsewhere."""
    edit, module = mutation.edit, file.module
    last = module.line_at(max(edit.start, edit.end - 1))
    site = set(range(module.line_at(edit.start), last + 1))
    if edit.start == edit.end:  # a line is put in: it belongs to the loop's header
        site = {place.node.lineno}  # type: ignore[attr-defined]
    if not site.isdisjoint(file.changed):
        return SHOWN_ONLY if place.name in FOR_PEOPLE else 0
    return CALLED if not site.isdisjoint(called) and place.name not in FOR_PEOPLE else None


def called_lines(file: GoldFile) -> frozenset[int]:
    """Lines of the functions of the file that changed lines call by name, through `self`, or through their class."""
    named = dict(scopes(file.module.tree))
    if file.changed.issuperset(range(1, file.module.line_count + 1)):
        return frozenset()
    lines: set[int] = set()
    for place in places(file.module.tree, file.closed):
        node = place.node
        if isinstance(node, ast.Call) and node.lineno in file.changed:
            target = _target(dotted(node.func), place, named)
            if isinstance(target, Function):
                lines |= body_lines(target)
    return frozenset(lines - file.changed)


def _target(
    name: str, place: Place, named: dict[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]
) -> ast.AST:
    first, _, rest = name.partition(".")
    if first in ("self", "cls") and rest:
        outer = place.function
        while outer:
            outer = outer.rpartition(".")[0]
            if f"{outer}.{rest}" in named:
                return named[f"{outer}.{rest}"]
    found = named.get(f"{place.function}.{name}") or named.get(name)
    if isinstance(found, ast.ClassDef):
        return named.get(f"{name}.__init__", found)
    return found or place.node
