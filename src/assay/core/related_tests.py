"""Which test files a change can reach, by what imports what: for projects whose whole suite takes too long.

Read from syntax alone, so imports that are computed are not seen. Importing a module runs the packages around it,
and a test takes the conftest files above it with it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from assay.core.syntax import Program, absolute, module_name, parse
from assay.model.tree import Tree


def related(tree: Tree, changed: Collection[str], tests: Sequence[str]) -> tuple[str, ...]:
    """The test files that import a changed file, directly or through others, or are changed themselves; in order."""
    program = Program(tree)
    importers: dict[str, set[str]] = {}
    for path in tree:
        if path.endswith(".py"):
            for target in _imported(path, tree, program):
                importers.setdefault(target, set()).add(path)
    reached, todo = set(changed), list(changed)
    while todo:
        fresh = importers.get(todo.pop(), set()) - reached
        reached |= fresh
        todo += fresh
    return tuple(path for path in tests if path in reached)


def _imported(path: str, tree: Tree, program: Program) -> Iterator[str]:
    parents = path.split("/")[:-1]
    for depth in range(len(parents) + 1):
        conftest = "/".join([*parents[:depth], "conftest.py"])
        if conftest in tree and conftest != path:
            yield conftest
    module = parse(tree[path])
    if module is None:
        return
    own = module_name(path, tree) or ""
    package = own if path.endswith("__init__.py") else own.rpartition(".")[0]
    for node in ast.walk(module):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = absolute(node, package)
            names = [source, *(f"{source}.{alias.name}" for alias in node.names)]
        for name in names:
            yield from _with_packages(name, program)


def _with_packages(dotted: str, program: Program) -> Iterator[str]:
    parts = dotted.split(".")
    for end in range(1, len(parts) + 1):
        found = program.path_of(".".join(parts[:end]))
        if found:
            yield found
