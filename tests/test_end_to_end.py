"""The whole way on a repository of our own: mined, proved, judged, broken and mined again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.sandbox, pytest.mark.network, pytest.mark.slow]

BASE = {
    "pyproject.toml": '[project]\nname = "temper"\nversion = "1.0"\n',
    "temper.py": "def to_kelvin(celsius):\n    return celsius + 273\n\n\ndef twice(x):\n    return 2 * x\n",
    "tests/test_temper.py": "from temper import twice\n\n\ndef test_twice():\n    assert twice(2) == 4\n",
    "LICENSE": "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\n",
}
FIX = {
    "temper.py": BASE["temper.py"].replace("celsius + 273", "round(celsius + 273.15, 2)"),
    "tests/test_temper.py": "from temper import to_kelvin, twice\n\n\ndef test_twice():\n    assert twice(2) == 4\n\n\n"
    "def test_kelvin():\n    assert to_kelvin(0) == 273.15\n",
}
NOTES = {"README.md": "Temperatures.\n"}
MESSAGE = (
    "Fix the offset of kelvin\n\nto_kelvin dropped the fraction of the zero point. It must be exact to two digits."
)


def git(repository: Path, *words: str) -> None:
    settings = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(repository), *settings, *words], check=True, capture_output=True)


def commit(repository: Path, files: dict[str, str], message: str) -> None:
    for path, text in files.items():
        place = repository / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", message)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project beside a repository with one fix in its history."""
    folder = tmp_path_factory.mktemp("a project")
    repository = folder / "temper"
    repository.mkdir()
    git(repository, "init", "-q")
    commit(repository, BASE, "First")
    commit(repository, FIX, MESSAGE)
    commit(repository, NOTES, "Say what this is")
    return folder


def assay(project: Path, *words: str, check: Sequence[int] = (0,)) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "assay", *words], check=False, cwd=project, capture_output=True, text=True, timeout=300
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode in check, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def mine(project: Path) -> list[dict[str, Any]]:
    return assay(project, "mine", "git:temper", "--json")


def test_from_history_to_verdicts(project: Path) -> None:
    *tasks, summary = mine(project)
    assert (summary["verified"], summary["failed"]) == (1, 0), tasks
    assert summary["candidates"] == summary["verified"] + sum(summary["rejected"].values()) + summary["failed"]
    task = next(line for line in tasks if line["status"] == "verified")
    folder = project / task["path"] if not Path(task["path"]).is_absolute() else Path(task["path"])

    prompt = (folder / "instruction.md").read_text()
    assert "exact to two digits" in prompt
    assert "273.15" not in prompt
    expected = json.loads((folder / "tests/expected.json").read_text())
    assert expected["pass_to_pass"] == ["tests/test_temper.py::test_twice"]
    assert expected["fail_to_pass"] == ["tests/test_temper.py::test_kelvin"]

    verdicts = {v["agent"]: v for v in assay(project, "verify", str(folder), "--json")}
    assert (verdicts["oracle"]["resolved"], verdicts["oracle"]["reward"]) == (True, 1)
    assert (verdicts["nop"]["resolved"], verdicts["nop"]["reward"]) == (False, 0)
    assert all(v["failure"] is None for v in verdicts.values())

    again = mine(project)
    assert again[-1]["verified"] == 1
    assert [t["slug"] for t in again[:-1] if t["status"] == "verified"] == [task["slug"]]


def judge(project: Path, patch: str) -> dict[str, Any]:
    (project / "candidate.patch").write_text(patch)
    folder = next((project / "tasks").iterdir())
    return assay(project, "verify", str(folder), "--patch", "candidate.patch", "--json", check=(0, 1))[0]


def diff(path: str, old: str, new: str) -> str:
    head = f"--- a/{path}\n+++ b/{path}\n@@ -1,5 +1,5 @@\n def to_kelvin(celsius):\n"
    return f"{head}-    {old}\n+    {new}\n \n \n def twice(x):\n"


def test_candidates_are_judged_by_what_they_do(project: Path) -> None:
    mine(project)
    other = judge(project, diff("temper.py", "return celsius + 273", "return (celsius * 100 + 27315) / 100"))
    assert (other["resolved"], other["reward"]) == (True, 1)
    wrong = judge(project, diff("temper.py", "return celsius + 273", "return celsius + 273.2"))
    assert (wrong["resolved"], wrong["reason"]) == (False, "tests-failed")
    nonsense = judge(project, "this is no patch\n")
    assert (nonsense["resolved"], nonsense["reason"]) == (False, "patch-does-not-apply")
    outside = judge(project, "--- a/../x\n+++ b/../x\n@@ -0,0 +1 @@\n+x\n")
    assert outside["resolved"] is False


def test_what_a_candidate_writes_over_the_tests_does_not_count(project: Path) -> None:
    mine(project)
    conftest = (
        "--- /dev/null\n+++ b/conftest.py\n@@ -0,0 +1,4 @@\n+import pytest\n+@pytest.hookimpl(tryfirst=True)\n"
        "+def pytest_pyfunc_call(pyfuncitem):\n+    return True\n"
    )
    verdict = judge(project, conftest)
    assert verdict["resolved"] is False
    assert "conftest.py" in verdict["dropped_paths"]


def test_killed_at_any_moment_it_ends_with_the_same_tasks(project: Path, tmp_path: Path) -> None:
    mine(project)
    wanted = contents(project / "tasks")
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    origin = f"git:{project / 'temper'}"
    for lines in (1, 3, 5):
        run = subprocess.Popen(
            [sys.executable, "-m", "assay", "mine", origin, "--json"],
            cwd=fresh,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert run.stderr is not None
        for _ in range(lines):
            run.stderr.readline()
        os.kill(run.pid, signal.SIGKILL)
        run.stderr.close()
        run.wait()
        assert not [p for p in (fresh / "tasks").glob("*") if not (p / "task.toml").exists()]
    assay(fresh, "mine", origin, "--json")
    assert contents(fresh / "tasks").keys() == wanted.keys()
    assert list((fresh / ".assay" / "sandboxes").iterdir()) == []


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_task_edited_into_nonsense_is_one_clear_error(project: Path, tmp_path: Path) -> None:
    mine(project)
    folder = next((project / "tasks").iterdir())
    broken = tmp_path / folder.name
    subprocess.run(["cp", "-a", str(folder), str(broken)], check=True)
    config = (broken / "task.toml").read_text()
    (broken / "task.toml").write_text(config.replace("fail_to_pass = [", "fail_to_pass = [3, "))
    error = assay(project, "verify", str(broken), "--json", check=(1,))[-1]
    assert error["kind"] == "error"
    assert "fail_to_pass" in error["message"]
    assert "task.toml" in error["message"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mine", "pypi:there-is-no-such-package-as-this-one"), "there-is-no-such-package"),
        (("mine", "git:/nowhere/at/all"), "nowhere"),
        (("mine", "nonsense"), "pypi:NAME"),
        (("verify", "nowhere"), "nowhere"),
        (("show", "nowhere"), "nowhere"),
    ],
)
def test_wrong_input_is_told_and_ends_with_1(project: Path, words: tuple[str, ...], said: str) -> None:
    error = assay(project, *words, "--json", check=(1,))[-1]
    assert error["kind"] == "error"
    assert said in f"{error['message']} {error.get('hint')}"
