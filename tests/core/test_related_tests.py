"""Which tests a change can reach."""

from __future__ import annotations

from assay.core.related_tests import related
from assay.model.tree import FileState

FILES = {
    "src/pack/__init__.py": "",
    "src/pack/a.py": "x = 1\n",
    "src/pack/b.py": "from . import a\n",
    "src/pack/c.py": "import json\n",
    "tests/conftest.py": "",
    "tests/slow/conftest.py": "from pack.c import json\n",
    "tests/test_a.py": "import pack.a\n",
    "tests/test_b.py": "def test():\n    from pack.b import a\n",
    "tests/test_c.py": "from pack import c\n",
    "tests/slow/test_d.py": "",
    "tests/test_old.py": "print 'two'\n",
}
TREE = {path: FileState(text.encode()) for path, text in FILES.items()}
TESTS = tuple(sorted(path for path in FILES if "/test_" in path))


def test_tests_reach_what_they_import_and_what_that_imports() -> None:
    assert related(TREE, ["src/pack/a.py"], TESTS) == ("tests/test_a.py", "tests/test_b.py")
    assert related(TREE, ["src/pack/c.py"], TESTS) == ("tests/slow/test_d.py", "tests/test_c.py")
    assert related(TREE, ["src/pack/b.py"], TESTS) == ("tests/test_b.py",)


def test_a_package_is_run_by_whoever_imports_from_it() -> None:
    assert related(TREE, ["src/pack/__init__.py"], TESTS) == (
        "tests/slow/test_d.py",
        "tests/test_a.py",
        "tests/test_b.py",
        "tests/test_c.py",
    )


def test_changed_tests_are_always_among_them() -> None:
    assert related(TREE, ["tests/test_old.py"], TESTS) == ("tests/test_old.py",)
    assert related(TREE, ["tests/conftest.py"], TESTS) == TESTS
