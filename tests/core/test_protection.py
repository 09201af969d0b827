"""What is restored before judging, and what an honest candidate may do."""

from __future__ import annotations

import pytest

from assay.adapters.framework.pytest import PytestFramework
from assay.core.patches import changed_paths
from assay.core.protection import Shadows, consulted, protection, search_roots
from assay.model.tree import FileState

BASE = {
    path: FileState(b"def test_x(): pass\n" if "test_" in path else b"")
    for path in (
        "src/pack/__init__.py",
        "src/pack/core.py",
        "json.py",
        "tests/test_a.py",
        "tests/data/a.json",
        "setup.py",
    )
}
FRAMEWORK = PytestFramework()
WHY = protection(
    FRAMEWORK.protected_patterns(),
    {"tests/test_hidden.py"},
    BASE,
    is_test=FRAMEWORK.is_test_file,
    is_support=FRAMEWORK.is_support_file,
)


@pytest.mark.parametrize(
    "path",
    [
        "conftest.py", "src/pack/conftest.py", "pytest.ini", "tests/pytest.ini", "src/pack/tox.ini", ".pytest.ini",
        "pyproject.toml", "tests/pyproject.toml", "setup.cfg", "setup.py", "sitecustomize.py", "src/usercustomize.py",
        "a.pth", "src/deep/b.pth", "gilt.egg-info/entry_points.txt", "x-1.dist-info/METADATA", "pytest.py",
        "_pytest/__init__.py", "pluggy/__init__.py", "assay_report.py", "src/pack/__pycache__/core.cpython-312.pyc",
        "src/pack/fast.so", "pyvenv.cfg", "python312._pth", ".env", ".coveragerc", ".hypothesis/examples/x",
        "tests/test_hidden.py", "tests/test_a.py", "tests/data/a.json", "tests/__snapshots__/x.ambr",
    ],
)  # fmt: skip
def test_what_is_loaded_unasked_and_the_tests_are_restored(path: str) -> None:
    assert WHY(path)


@pytest.mark.parametrize(
    "path",
    ["src/pack/core.py", "src/pack/new.py", "README.md", "docs/setup.rst", "src/pack/pytest_like.py", "Makefile",
     "src/pack/inifile.ini", "src/pack/conftest.pyi"],
)  # fmt: skip
def test_the_rest_is_judged(path: str) -> None:
    assert WHY(path) == ""


SHADOWS = Shadows(BASE, ("", "src", "tests"), frozenset({"requests", "attr"}))


@pytest.mark.parametrize(
    "path",
    ["argparse.py", "src/argparse.py", "tests/tempfile.py", "unittest/__init__.py", "requests.py", "src/attr/core.py",
     "imp.py", "json/__init__.py", "re.cpython-312-x86_64-linux-gnu.so"],
)  # fmt: skip
def test_new_files_in_the_place_of_trusted_ones(path: str) -> None:
    assert "in the place of" in SHADOWS(path)


@pytest.mark.parametrize(
    "path",
    ["json.py", "src/pack/json.py", "src/pack/argparse.py", "argparse.txt", "other.py", "tests/helpers.py",
     "src/mine/re.py"],
)  # fmt: skip
def test_what_shadows_nothing(path: str) -> None:
    assert SHADOWS(path) == ""


def test_where_modules_are_looked_for() -> None:
    base = {**BASE, "checks/unit/__init__.py": FileState(b""), "checks/unit/test_b.py": FileState(b"")}
    roots = search_roots((".", "vendor/"), ("tests/test_a.py", "checks/unit/test_b.py"), base)
    assert roots == ("", "src", "lib", "vendor", "tests", "checks")


def test_data_that_the_tests_name_is_restored_wherever_it_lies() -> None:
    text = (
        b"import json\nA = open('docs/expected.json')\nB = root / 'golden.txt'\nC = 'a.b'\nD = './README.md'\nE = '.'\n"
    )
    base = {path: FileState(b"") for path in ("docs/expected.json", "x/y/golden.txt", "README.md", "a.b.c", "m/a.py")}
    assert consulted({"tests/test_a.py": FileState(text)}, base) == {
        "docs/expected.json",
        "x/y/golden.txt",
        "README.md",
    }
    assert consulted({"tests/test_a.py": FileState(b"def ("), "tests/x.json": FileState(b"'README.md'")}, base) == set()


def test_paths_that_a_patch_names() -> None:
    patch = (
        b"diff --git a/old.py b/new.py\nsimilarity index 90%\nrename from old.py\nrename to new.py\n"
        b"diff --git a/mode.sh b/mode.sh\nold mode 100644\nnew mode 100755\n"
        b"diff --git a/gone.py b/gone.py\ndeleted file mode 100644\n--- a/gone.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        b"diff --git a/with space.py b/with space.py\n--- a/with space.py\t\n+++ b/with space.py\t\n"
        b"@@ -1 +1 @@\n-a\n+b\n"
    )
    assert set(changed_paths(patch)) == {"old.py", "new.py", "mode.sh", "gone.py", "with space.py"}


def test_modules_that_a_repository_names_as_plug_ins() -> None:
    tree = {
        path: FileState(text.encode())
        for path, text in {
            "pytest.ini": "[pytest]\naddopts = -q -p pack.plugin -p no:cacheprovider\n",
            "tests/conftest.py": 'pytest_plugins = [\n    "helpers.fixtures",\n    "absent",\n]\n',
            "src/pack/plugin.py": "",
            "helpers/fixtures/__init__.py": "",
            "no.py": "",
        }.items()
    }
    assert set(FRAMEWORK.loaded_files(tree)) == {"src/pack/plugin.py", "helpers/fixtures/__init__.py"}
