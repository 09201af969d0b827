"""Wrong changes that tell whether tests have become weaker, made apart from what the audit makes.

To delete an assertion is a defect only when something gets past the tests for it; where other tests assert the same,
nothing does, and no check could name what is not there. So a planting into tests counts when one of these wrong
changes is rejected by the tests as they were and accepted by the tests as they are. None of the audit's own rules is
used: returned values are wrong, functions are as before, and conditions always or never hold.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from assay.model.tree import FileState
from bench.soil import Edit, Soil, added_lines, edited, parsed

MOST = 30
Function = ast.FunctionDef | ast.AsyncFunctionDef
WRONG = b"""


def _planted_wrong(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str):
        return value + type(value)("?")
    if isinstance(value, bytes):
        return value + b"?"
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return value[:-1] if value else type(value)([None])
    if isinstance(value, dict):
        return {key: value[key] for key in list(value)[:-1]} if value else {"?": None}
    return value
"""


@dataclass(frozen=True, slots=True)
class Witness:
    """A wrong change: one file of the reference change is otherwise."""

    path: str
    state: FileState
    what: str


def witnesses(soil: Soil) -> list[Witness]:
    """At most MOST of them, drawn by lot."""
    made = [witness for path in soil.changed for witness in _of_file(soil, path)]
    soil.draw.shuffle(made)
    return made[:MOST]


def _of_file(soil: Soil, path: str) -> Iterator[Witness]:
    state, old = soil.gold[path], soil.base.get(path)
    tree, before = parsed(state.data), parsed(old.data) if old else None
    if tree is None:
        return
    lines = state.data.decode("utf-8", "replace").splitlines()
    new = set(added_lines(old, state))
    changed = {number for number, line in enumerate(lines, start=1) if line in new}
    same = {ast.dump(node) for node in ast.walk(before)} if before else set()
    named = dict(_functions(before)) if before else {}
    for name, function in _functions(tree):
        if ast.dump(function) in same and changed.isdisjoint(range(function.lineno, _last(function) + 1)):
            continue
        for edit, what in _edits(function, changed):
            data = edited(state.data, [edit])
            data += WRONG if "_planted_wrong" in edit.text else b""
            yield Witness(path, FileState(data, state.mode), f"{path}, {name}: {what}")
        if old and (was := named.get(name)) and ast.dump(was) != ast.dump(function):
            text = textwrap.dedent(" " * was.col_offset + (ast.get_source_segment(old.data.decode(), was) or ""))
            text = textwrap.indent(text, " " * function.col_offset).strip()
            if text:
                data = edited(state.data, [Edit(function, text)])
                yield Witness(path, FileState(data, state.mode), f"{path}, {name} as before")


def _functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    bodies = [("", tree.body), *((f"{node.name}.", node.body) for node in tree.body if isinstance(node, ast.ClassDef))]
    for owner, body in bodies:
        yield from ((owner + node.name, node) for node in body if isinstance(node, Function))


def _edits(function: Function, changed: set[int]) -> Iterator[tuple[Edit, str]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return | ast.Yield) and node.value and not isinstance(node.value, ast.Starred):
            yield (
                Edit(node.value, f"_planted_wrong({_one_line(node.value)})"),
                f"a wrong value in line {node.lineno}",
            )
        elif isinstance(node, ast.If | ast.While) and node.test.lineno in changed:
            yield Edit(node.test, "False"), f"line {node.lineno} never holds"
            if isinstance(node, ast.If):
                yield Edit(node.test, "True"), f"line {node.lineno} always holds"


def _one_line(node: ast.expr) -> str:
    return ast.unparse(node)


def _last(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno
