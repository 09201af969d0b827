"""Which files are tests, which support them, which are product: by layout."""

from __future__ import annotations

import pytest

from assay.adapters.framework.pytest import PytestFramework
from assay.model.tree import FileState

TEST = "def test_x(): pass\n"


def of(files: dict[str, str]) -> dict[str, FileState]:
    return {path: FileState(text.encode()) for path, text in files.items()}


@pytest.mark.parametrize(
    ("files", "tests", "support"),
    [
        ({"tests/test_a.py": TEST, "tests/__init__.py": "", "a.py": ""}, {"tests/test_a.py"}, {"tests/__init__.py"}),
        ({"src/p/tests/test_a.py": TEST, "src/p/a.py": ""}, {"src/p/tests/test_a.py"}, set()),
        ({"p/test_a.py": TEST, "p/a.py": ""}, {"p/test_a.py"}, set()),
        ({"a_test.py": TEST, "a.py": ""}, {"a_test.py"}, set()),
        ({"p/testing/test_tools.py": "def helper(): pass\n", "p/testing/x.py": ""}, set(), set()),
        ({"test.py": TEST, "p.py": ""}, {"test.py"}, set()),
        ({"tests.py": "import unittest\nclass A(unittest.TestCase):\n    def testB(self): 0\n"}, {"tests.py"}, set()),
        ({"tests/test_a.py": TEST, "tests/data/x.json": "{}"}, {"tests/test_a.py"}, {"tests/data/x.json"}),
        ({"conftest.py": "", "p/conftest.py": ""}, set(), {"conftest.py", "p/conftest.py"}),
        ({"p/test/client.py": "", "tests/test_a.py": TEST}, {"tests/test_a.py"}, set()),
        ({"tests/test_old.py": "print 'two'\ndef test_x(): pass\n"}, {"tests/test_old.py"}, set()),
        ({"pytest.ini": "[pytest]\npython_files = check_*.py\n", "tests/check_a.py": TEST, "tests/test_b.py": TEST},
         {"tests/check_a.py"}, {"tests/test_b.py"}),
        ({"pyproject.toml": '[tool.pytest.ini_options]\ntestpaths = ["tests"]\n', "tests/test_a.py": TEST,
          "examples/test_b.py": TEST}, {"tests/test_a.py"}, set()),
        ({"setup.cfg": "[tool:pytest]\npython_files = *.py\n", "tests/a.py": TEST, "b.py": ""}, {"tests/a.py"}, set()),
        ({"pytest.ini": "broken", "tests/test_a.py": TEST}, {"tests/test_a.py"}, set()),
    ],
)  # fmt: skip
def test_layouts(files: dict[str, str], tests: set[str], support: set[str]) -> None:
    framework, found = PytestFramework(), of(files)
    assert {path for path in found if framework.is_test_file(path, found)} == tests
    assert {p for p in found if framework.is_support_file(p, found) and not framework.is_test_file(p, found)} == support


def test_two_trees_do_not_mix() -> None:
    framework = PytestFramework()
    before, after = of({"tests/x.json": ""}), of({"tests/x.json": "", "tests/test_a.py": TEST})
    assert not framework.is_support_file("tests/x.json", before)
    assert framework.is_support_file("tests/x.json", after)
    assert not framework.is_support_file("tests/x.json", before)
