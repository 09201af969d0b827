"""The folder that is composed: deterministic, and its scripts judge for real."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from assay.adapters.format.harbor import HarborFormat
from assay.core.admission import Admission
from assay.core.hashing import task_digest
from assay.core.task_files import compose, dockerfile
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.sandbox import Limits
from assay.model.task import Provenance, Task
from assay.model.tree import FileState

SOURCE = SourceInfo(kind="git", origin="https://x.test/p.git", base_revision="a" * 40, gold_revision="b" * 40)
PATCH = b"--- a/p.py\n+++ b/p.py\n@@ -1,2 +1,2 @@\n def f():\n-    return 1\n+    return 2\n"
TEST = b"import pytest\nfrom p import f\n\n@pytest.mark.parametrize('x', ['a b'])\ndef test_f(x): assert f() == 2\n"


def a_task() -> Task:
    return compose(
        slug="p-1",
        source=SOURCE,
        recipe=Recipe(python="3.11", lock=("pytest==8.3.0",)),
        framework="pytest",
        test_files=("tests/test_p.py",),
        hidden={"tests/test_p.py": FileState(TEST), "tests/test_old.py": None},
        gold_patch=PATCH,
        admission=Admission(fail_to_pass=("tests/test_p.py::test_f[a b]",)),
        protected=("conftest.py",),
        limits=Limits(),
        provenance=Provenance(instruction="x", tests="y", gold="z"),
        instruction="Make f return two.\n",
    )


def test_the_same_parts_give_the_same_bytes_and_survive_the_disk(tmp_path: Path) -> None:
    task = a_task()
    assert task == a_task()
    assert tomllib.loads(tomli_w.dumps(task.config)) == task.config
    read = HarborFormat().read(HarborFormat().write(task, tmp_path))
    assert read == task
    assert task_digest(read) == task_digest(task)
    assert read.hidden_tests == {"tests/test_p.py": FileState(TEST), "tests/test_old.py": None}


@pytest.mark.parametrize(("solved", "reward"), [(True, "1\n"), (False, "0\n")])
def test_the_scripts_judge(tmp_path: Path, solved: bool, reward: str) -> None:
    folder, repository, logs = HarborFormat().write(a_task(), tmp_path), tmp_path / "repo", tmp_path / "logs"
    repository.mkdir()
    (repository / "p.py").write_text("def f():\n    return 1\n")
    (repository / "tests").mkdir()
    (repository / "tests/test_old.py").write_text("raise SystemExit(3)\n")
    env = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ASSAY_REPO": str(repository),
        "ASSAY_TESTS": str(folder / "tests"),
        "ASSAY_SOLUTION": str(folder / "solution"),
        "ASSAY_LOGS": str(logs),
    }
    if solved:
        subprocess.run(["bash", str(folder / "solution/solve.sh")], check=True, env=env)
    subprocess.run(["bash", str(folder / "tests/test.sh")], check=True, env=env, capture_output=True)
    assert (logs / "verifier/reward.txt").read_text() == reward
    assert not (repository / "tests/test_old.py").exists()


def test_without_a_framework_there_is_no_reward(tmp_path: Path) -> None:
    folder, repository, programs = HarborFormat().write(a_task(), tmp_path), tmp_path / "repo", tmp_path / "bin"
    repository.mkdir()
    programs.mkdir()
    (programs / "python").write_text(f'#!/bin/sh\n[ "$1" = -m ] && exit 1\nexec {sys.executable} "$@"\n')
    (programs / "python").chmod(0o755)
    env = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "ASSAY_REPO": str(repository),
        "ASSAY_TESTS": str(folder / "tests"),
        "ASSAY_LOGS": str(tmp_path / "logs"),
    }
    subprocess.run(["bash", str(folder / "tests/test.sh")], check=False, env=env, capture_output=True)
    assert not (tmp_path / "logs/verifier/reward.txt").exists()


@given(st.text(), st.text(), st.text())
def test_no_name_from_outside_adds_an_instruction_to_the_dockerfile(origin: str, revision: str, value: str) -> None:
    source = SOURCE.model_copy(update={"origin": origin, "base_revision": revision})
    recipe = Recipe(python="3.11", variables={"X": value})
    words = {line.split(" ")[0] for line in dockerfile(source, recipe).splitlines() if line[:1].isupper()}
    assert words <= {"FROM", "RUN", "ENV", "WORKDIR", "COPY", "USER"}
    plain = dockerfile(SOURCE, Recipe(python="3.11", variables={"X": "y"}))
    assert len(dockerfile(source, recipe).split("\n")) == len(plain.split("\n"))
