"""Which paths of a candidate's patch are restored before it is judged, and why.

Protected are: what the task's patterns name (everything that the framework or the interpreter loads by itself), the
task's own hidden tests, every file that is a test or supports tests, data that the tests name, and new files that would
be imported in the place of the standard library or of an installed package. Dropping a hunk is never a punishment: the
rest of the patch is judged, and what was dropped is recorded.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

from assay.core.syntax import parse
from assay.model.tree import FileState, Tree

PathInTree = Callable[[str, Tree], bool]

OLDER_STANDARD = frozenset(
    {"asynchat", "asyncore", "binhex", "distutils", "formatter", "imp", "macpath", "parser", "smtpd", "symbol"}
)
"""Of Pythons before the one that runs assay; what came later shadows nothing where it is not there yet."""
MAX_NAME = 300
"""Characters of a literal that may name a file."""
USUAL_ROOTS = ("", "src", "lib")
"""Folders that stand on the module search path without anybody saying so."""


def protection(
    patterns: Iterable[str], hidden: Container[str], base: Tree, *, is_test: PathInTree, is_support: PathInTree
) -> Callable[[str], str]:
    """Why a path of the repository is protected; empty when it is not. Patterns are gitignore's."""
    spec = GitIgnoreSpec.from_lines(patterns)

    def why(path: str) -> str:
        if path in hidden:
            return "one of the task's own tests"
        if spec.match_file(path):
            return "loaded or consulted without being imported by the tests"
        if is_test(path, base):
            return "a test"
        return "support of the tests" if is_support(path, base) else ""

    return why


@dataclass(frozen=True, slots=True)
class Shadows:
    """Finds new files that would be imported instead of something that every program trusts."""

    base: Tree
    roots: Sequence[str]
    """Folders on the module search path, `` for the repository itself."""
    installed: Collection[str]
    """Top-level names of the environment's packages."""

    def __call__(self, path: str) -> str:
        """Why a path is refused; empty when it shadows nothing."""
        for root in self.roots:
            prefix = f"{root}/" if root else ""
            if not path.startswith(prefix):
                continue
            first = path[len(prefix) :].split("/", maxsplit=1)[0]
            name = first.split(".")[0]
            if name in self._standard or name in self.installed:
                there = any(known == prefix + first or known.startswith(f"{prefix}{name}/") for known in self.base)
                if not there and (first == name or first.endswith((".py", ".so", ".pyd", ".pyc"))):
                    return f"would be imported in the place of {name!r}"
        return ""

    @property
    def _standard(self) -> frozenset[str]:
        return sys.stdlib_module_names | OLDER_STANDARD


def consulted(tests: Tree, base: Tree) -> frozenset[str]:
    """Files of the base that are no Python and that the tests name in a literal, whole or by the end of their path: an
    expected result may lie there, wherever that is.
    """
    named = {literal for path, state in tests.items() if path.endswith(".py") for literal in _literals(state)}
    ends = {literal.removeprefix("./") for literal in named if "." in literal.strip("./")}
    others = (path for path in base if not path.endswith((".py", ".pyi")))
    return frozenset(path for path in others if not ends.isdisjoint(_ends(path)))


def _literals(state: FileState) -> Iterator[str]:
    module = parse(state)
    for node in ast.walk(module) if module is not None else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) <= MAX_NAME:
            yield node.value


def _ends(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[place:]) for place in range(len(parts)))


def search_roots(python_path: Iterable[str], test_files: Iterable[str], base: Tree) -> tuple[str, ...]:
    """Folders that are on the module search path while tests run: the usual ones, those of the recipe, and those that
    pytest puts first for each test file (the first folder upwards that is no package).
    """
    roots = [*USUAL_ROOTS, *("" if p == "." else p.strip("/") for p in python_path)]
    for path in test_files:
        folder = path.rpartition("/")[0]
        while folder and f"{folder}/__init__.py" in base:
            folder = folder.rpartition("/")[0]
        roots.append(folder)
    return tuple(dict.fromkeys(roots))
