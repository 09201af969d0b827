"""The ladder: which Python, which extras and files, which plugins, in which order."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from assay.core.recipes import (
    FAR,
    GRACE,
    LATER,
    builders_until,
    choose,
    cutoffs,
    exempt,
    infer,
    plugins,
    requirement_files,
    versions,
)
from assay.core.requirements import Declared
from assay.errors import Rejection
from assay.model.environment import Interpreter
from assay.model.reason import Reason
from assay.model.tree import FileState, Tree

HAVE = [
    Interpreter(f"3.{minor}.1", Path(f"/py/3.{minor}"), Path(f"/py/3.{minor}/bin/python")) for minor in range(13, 5, -1)
]
THEN = datetime(2020, 5, 1, tzinfo=UTC)


def files(**named: str) -> Tree:
    return {path: FileState(text.encode()) for path, text in named.items()}


def test_the_year_guesses_and_the_classifiers_overrule() -> None:
    assert choose(Declared(), THEN, HAVE)[0] == "3.8"
    assert choose(Declared(classifiers=("Programming Language :: Python :: 3.6",)), THEN, HAVE)[0] == "3.6"
    assert choose(Declared(requires_python=">=3.10"), THEN, HAVE)[0] == "3.10"
    assert choose(Declared(), None, HAVE)[0] == "3.13"
    assert choose(Declared(requires_python="nonsense"), THEN, HAVE)[0] == "3.8"


def test_no_interpreter_is_the_candidates_reason() -> None:
    with pytest.raises(Rejection, match=r"this machine has 3\.6, 3\.7") as raised:
        choose(Declared(requires_python=">=3.99"), THEN, HAVE)
    assert raised.value.reason == Reason.NO_INTERPRETER


def test_the_first_rung_has_all_and_later_ones_less() -> None:
    base = files(
        **{
            "pyproject.toml": '[project]\nname="demo"\n[project.optional-dependencies]\ntest=["a"]\ndocs=["b"]\n',
            "requirements-dev.txt": "tox\n",
            "tests/test_x.py": "import mock, demo\ndef test_x(mocker): pass\n",
            "src/demo/__init__.py": "",
        }
    )
    ladder = infer(base, THEN, HAVE, "demo")
    assert ladder[0].extras == ("test",)
    assert ladder[0].requirement_files == ("requirements-dev.txt",)
    assert ladder[0].requirements == ("pytest", "mock", "pytest-mock")
    assert ladder[0].exclude_newer == THEN + GRACE
    assert ladder[-2].exclude_newer == THEN + GRACE + LATER
    assert (ladder[-1].install, ladder[-1].python_path, ladder[-1].extras) == ("path", ("src", "."), ())
    assert len({r.model_dump_json() for r in ladder}) == len(ladder)


def test_files_that_downgrade_are_left_alone() -> None:
    names = ("requirements.txt", "test-requirements.txt", "requirements-min.txt", "docs/requirements.txt", "notes.txt")
    assert requirement_files(files(**dict.fromkeys(names, ""))) == ["requirements.txt", "test-requirements.txt"]


def test_options_need_their_plugins() -> None:
    assert plugins(files(**{"setup.cfg": "[tool:pytest]\naddopts = --cov=x -n auto\n"})) == [
        "pytest-cov",
        "pytest-xdist",
    ]
    assert plugins(files(**{"pyproject.toml": '[tool.pytest.ini_options]\naddopts=["--timeout=3"]\n'})) == [
        "pytest-timeout"
    ]


def test_versions_without_history() -> None:
    base = files(**{"setup.py": "setup(use_scm_version=True)", "PKG-INFO": "Name: x\nVersion: 1.2\n"})
    assert versions(base)["SETUPTOOLS_SCM_PRETEND_VERSION"] == "1.2"
    assert versions(files(**{"setup.py": "setup()"})) == {}
    asks_git = files(**{"setup.py": "setup(use_scm_version=True)"})
    assert versions(asks_git, "3.1")["SETUPTOOLS_SCM_PRETEND_VERSION"] == "3.1"
    assert versions(asks_git)["SETUPTOOLS_SCM_PRETEND_VERSION"] == "0.0.1"


def test_pytest_may_be_newer_than_the_change_only_where_it_must() -> None:
    assert exempt("3.8", THEN) == {}
    assert exempt("3.11", THEN)["pytest"] == datetime(2022, 11, 1, tzinfo=UTC)
    assert exempt("3.99", THEN) == {}
    assert exempt("3.8", THEN, "more.itertools")["pytest"].year == 2023
    assert exempt("3.13", THEN, "attrs")["pytest"].year == 2024
    assert exempt("3.8", THEN, "pytest") == {}
    old = datetime(2016, 1, 1, tzinfo=UTC)
    assert builders_until("3.7", old).year == 2019
    assert builders_until("3.12", old).year == 2023
    assert builders_until("3.7", THEN) == THEN


def test_what_builds_the_project_alone_may_be_new_with_what_it_needs() -> None:
    assert "packaging" not in cutoffs("3.8", THEN)
    assert cutoffs("3.11", THEN)["packaging"] < FAR
    assert cutoffs("3.11", THEN, alone=True)["packaging"] == cutoffs("3.8", THEN, alone=True)["packaging"] == FAR
