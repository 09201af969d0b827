"""Every change is gold, test or noise, and in one part only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.core.protection import protection
from assay.core.splitting import changed_line_count, split
from assay.model.tree import FileState, Tree, changes_between

PATHS = st.sampled_from(["a.py", "pkg/b.py", "tests/test_a.py", "tests/data.json", "README.md", "CHANGES"])
TREES = st.dictionaries(PATHS, st.builds(FileState, st.sampled_from([b"1\n", b"2\n", b"1\n2\n"])))


def is_test(path: str, tree: Tree) -> bool:
    return path in tree and path.startswith("tests/test_")


def is_support(path: str, tree: Tree) -> bool:
    return path in tree and path.startswith("tests/")


@given(TREES, TREES)
def test_parts_are_a_partition(base: Tree, gold: Tree) -> None:
    changes = changes_between(base, gold)
    parts = split(
        changes, base, gold, is_test=is_test, is_support=is_support, is_source=lambda path: path.endswith(".py")
    )
    assert sorted(c.path for c in (*parts.gold, *parts.tests, *parts.noise)) == [c.path for c in changes]
    assert all(c.path.startswith("tests/") for c in parts.tests)
    assert set(parts.collected) <= {path for path, state in parts.hidden.items() if state is not None}
    assert changed_line_count(changes) >= 0


def test_protection_covers_patterns_tests_and_hidden_files() -> None:
    base = {"tests/test_a.py": FileState(b""), "pkg/a.py": FileState(b"")}
    is_protected = protection(
        ("conftest.py", "/setup.cfg"), {"tests/new.py"}, base, is_test=is_test, is_support=is_support
    )
    for path in ("conftest.py", "pkg/conftest.py", "setup.cfg", "tests/new.py", "tests/test_a.py"):
        assert is_protected(path)
    for path in ("pkg/a.py", "pkg/setup.cfg", "pkg/new.py"):
        assert not is_protected(path)
