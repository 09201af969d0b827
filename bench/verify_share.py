"""Share of the wall time of judging that is not the tests themselves, for tests of 5 s. Needs the package index."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import anyio

from assay import app
from assay.model.event import Event
from assay.model.options import MineOptions, VerifyOptions
from bench.timing import Row

TEST_SECONDS = 5.0
TEST = """
import time
from slow import answer

def test_answer():
    time.sleep({seconds})
    assert answer() == {value}
"""


def run(folder: Path) -> list[Row]:
    repository, project = folder / "slow", folder / "share"
    _commit(repository, 41)
    _commit(repository, 42)
    app.init_project(project)
    summary = anyio.run(app.mine, MineOptions(f"git:{repository}", limit=1), project, _quiet)
    if summary.verified != 1:
        raise RuntimeError(f"the benchmark's own task was not verified: {summary.decisions}")
    task = project / "tasks" / (summary.decisions[0].slug or "")
    before = time.perf_counter()
    verdicts = anyio.run(app.verify, VerifyOptions(task, agent="oracle"), project, _quiet)
    taken = time.perf_counter() - before
    if not verdicts[0].resolved:
        raise RuntimeError(f"the oracle did not resolve: {verdicts[0]}")
    share = 100 * (taken - TEST_SECONDS) / taken
    return [{"name": "judging that is not the tests, of a 5 s run", "value": share, "unit": "%", "aim": "< 25"}]


def _commit(repository: Path, value: int) -> None:
    (repository / "tests").mkdir(parents=True, exist_ok=True)
    (repository / "slow.py").write_text(f"def answer() -> int:\n    return {value}\n")
    (repository / "tests" / "test_slow.py").write_text(TEST.format(seconds=TEST_SECONDS, value=value))
    (repository / "pyproject.toml").write_text('[project]\nname = "slow"\nversion = "1"\n')
    git = ["git", "-C", str(repository), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", f"Answer {value}\n\nThe answer must be {value}."], check=True)


def _quiet(event: Event) -> None:
    del event
