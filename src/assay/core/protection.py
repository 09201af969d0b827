"""Which paths of a candidate's patch are restored before it is judged.

Protected are: what the task's patterns name (everything that the framework or the interpreter loads by itself),
the task's own hidden tests, and every file that is a test or supports tests. Dropping a hunk is never a punishment:
the rest of the patch is judged, and what was dropped is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from pathspec import GitIgnoreSpec

from assay.model.tree import Tree

PathInTree = Callable[[str, Tree], bool]


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
