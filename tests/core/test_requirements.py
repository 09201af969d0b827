"""What metadata files say, in every dialect, and what a resolver's complaint costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.requirements import (
    declared,
    from_file,
    names_of,
    only_later,
    requirement,
    setup_arguments,
    without,
)
from assay.model.tree import FileState, Tree


def of(path: str, text: str) -> Tree:
    return {path: FileState(text.encode())}


def test_a_standard_project() -> None:
    found = declared(
        of(
            "pyproject.toml",
            '[build-system]\nbuild-backend="flit_core.buildapi"\n[project]\nname="x"\nrequires-python=">=3.9"\n'
            'dependencies=["attrs>=20"]\n[project.optional-dependencies]\ntest=["mock"]\n[dependency-groups]\ndev=["tox"]\n',
        )
    )
    assert (found.requires_python, found.dependencies, found.extras) == (">=3.9", ("attrs>=20",), {"test": ("mock",)})
    assert (found.groups, found.installable, found.backend) == (("dev",), True, "flit_core.buildapi")


def test_poetry_counts_neither_the_interpreter_nor_what_lies_elsewhere() -> None:
    found = declared(
        of(
            "pyproject.toml",
            '[tool.poetry]\nname="x"\n[tool.poetry.dependencies]\npython="^3.7"\nsix="*"\nlocal={path="x"}\n'
            '[tool.poetry.dev-dependencies]\nmock="*"\n[tool.poetry.group.test.dependencies]\nfreezegun="^1"\n',
        )
    )
    assert found.requires_python == ">=3.7"
    assert found.dependencies == ("six",)
    assert found.poetry == ("mock", "freezegun")


def test_setup_cfg() -> None:
    found = declared(
        of(
            "setup.cfg",
            "[metadata]\nname = x\n[options]\npython_requires = >=3.6\ninstall_requires =\n    six\n    attrs\n"
            "[options.extras_require]\ntest =\n    mock\n",
        )
    )
    assert (found.requires_python, found.dependencies, found.extras) == (">=3.6", ("six", "attrs"), {"test": ("mock",)})


def test_setup_py_is_read_and_never_run() -> None:
    found = declared(
        of(
            "setup.py",
            "import setuptools\nNEEDS = ['six']\nTEST = ['mock']\n"
            "setuptools.setup(install_requires=NEEDS + ['attrs'], extras_require={'test': TEST}, "
            "tests_require=TEST, python_requires='>=3.5', version=open('x').read())\nraise SystemExit(1)\n",
        )
    )
    assert found.dependencies == ("six", "attrs")
    assert (found.extras, found.tested_with, found.requires_python) == ({"test": ("mock",)}, ("mock",), ">=3.5")


def test_tox() -> None:
    found = declared(of("tox.ini", "[testenv]\ndeps =\n    pytest\n    py36: mock\n    {[base]deps}\n    -rx.txt\n"))
    assert found.tested_with == ("pytest", "mock")


def test_nested_files_once_and_what_no_index_has() -> None:
    base = {
        "requirements/test.txt": FileState(b"-r base.txt\npytest==5.0 --hash=sha256:0 # why\ngit+https://x.org/y\n"),
        "requirements/base.txt": FileState(b"six\n-r test.txt\n-e .\n"),
    }
    assert from_file(base, "requirements/test.txt") == (["six", "pytest==5.0"], ["-e .", "git+https://x.org/y"])


@pytest.mark.parametrize(
    ("message", "left", "lost"),
    [
        ("× No solution found:\n ╰─▶ Because there is no version of\n     mock==9.9", ["six", "mock"], "mock==9.9"),
        ("Because mock was not found in the package registry and you require mock==9.9", ["six"], "mock==9.9"),
        ("Because there are no versions of pytest and you require pytest", ["six", "mock==9.9"], ""),
        ("Because all versions of mock have a non-PEP 625-compliant source", ["six", "mock"], "mock==9.9"),
        ("And because mock==0.1.3 was yanked (reason: gone) and x depends on mock, we", ["six", "mock"], "mock==9.9"),
        ("something else broke", ["six", "mock==9.9"], ""),
    ],
)  # fmt: skip
def test_a_complaint_costs_one_requirement(message: str, left: list[str], lost: str) -> None:
    assert without(["six", "mock==9.9"], message) == (left, lost)


HINT = "hint: `{}` was filtered by `exclude-newer` to only include packages uploaded before 2019-05-17T21:57:09Z."


@pytest.mark.parametrize(
    ("message", "name", "found"),
    [
        ("Because there are no versions of a and b depends on a>=1,", "a", {"a"}),
        ("Because there are no versions\n   of Foo_Bar and b depends on Foo_Bar>=1,", "foo-bar", {"foo-bar"}),
        ("Because there is no version of a==1.4.1 and you require a==1.4.1,", "a", {"a"}),
        ("Because only a<2 is available and b depends on a>=2,", "a", set()),
        ("Because there are no versions of a>=2 and b depends on a>=2,", "a", set()),
        ("Because there are no versions of a and b depends on a>=1,", "c", set()),
    ],
)
def test_only_what_the_index_has_nothing_old_of_may_be_newer(message: str, name: str, found: set[str]) -> None:
    assert only_later(f"{message} we can conclude\n\n{HINT.format(name)}") == found
    assert only_later(message) == set()


def test_names_are_normalised() -> None:
    assert names_of(["Foo_Bar[x]>=1", "six; python_version<'3'", "-e ."]) == {"foo-bar", "six"}
    assert requirement("x @ https://example.org/x.zip") is None


@given(st.text(max_size=200))
def test_broken_files_count_as_empty_and_raise_nothing(text: str) -> None:
    for path in ("pyproject.toml", "setup.cfg", "setup.py", "tox.ini"):
        declared(of(path, text))
    setup_arguments(text)
    from_file(of("requirements.txt", text), "requirements.txt")
    without(["six"], text)
    only_later(text)


def test_what_nox_and_automation_install_for_tests() -> None:
    nox = """
import nox

@nox.session
def tests(session):
    session.install("-e", ".[x]", "pytest", "freezegun>=1", "-r", "more.txt", "dist/demo-1.0.tar.gz")
    session.install(*MORE)
    session.run("pytest")

@nox.session
def docs(session):
    session.install("sphinx-thing")
"""
    step = "python -m pip install -U pip tox 'responses<1' -r dev.txt -Ur test.in --requirement x.txt && pytest"
    base = {
        **of("noxfile.py", nox),
        **of(".github/workflows/ci.yml", f"jobs:\n  test:\n    steps:\n    - run: {step}\n"),
        **of(".travis.yml", "a: pip install six"),
    }
    assert declared(base).tested_with == ("pytest", "freezegun>=1", "responses<1")
    assert declared(of("noxfile.py", "def (")).tested_with == ()
