"""The environment for training loops, in real sandboxes: tools over the base, the reward a cold verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assay import app
from assay.environment import TaskEnvironment, environment_factory
from assay.errors import InputError
from assay.testing.puzzle import INSTRUCTION, SOLVED, puzzle

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskEnvironment]:
    project = app.init_project(tmp_path_factory.mktemp("project")).parent
    for name in ("double", "twice"):
        puzzle(project / "tasks" / name)
    with environment_factory(project / "tasks", project=project)() as made:
        yield made


def test_an_attempt_from_prompt_to_reward(environment: TaskEnvironment) -> None:
    assert environment.reset(task="double", other="column") == INSTRUCTION
    assert environment.get_reward() == 0.0
    assert environment.verdict is not None and environment.verdict.reason == "tests-failed"
    assert environment.run_command("ls -A; cat") == "double.py\n[exit status 0]"  # no hidden tests, no input
    assert environment.write_file("double.py", SOLVED) == "[exit status 0]"
    assert environment.verdict is None  # what was judged is not what is there now
    assert environment.run_command("python double.py 4; mkdir __pycache__; touch __pycache__/x.pyc; false") == (
        "8\n[exit status 1]"
    )
    assert b"__pycache__" not in environment.patch
    assert environment.get_reward() == 1.0
    assert environment.reset(task="double", prompt=[{"role": "user"}]) is None  # the row brings it already
    assert environment.patch == b""


def test_steps_of_a_plain_loop(environment: TaskEnvironment) -> None:
    environment.reset(task="twice")
    assert environment.step("echo hello >&2; exit 3") == ("hello\n[exit status 3]", None, False, {})
    writing = {"name": "write_file", "arguments": {"path": "double.py", "content": SOLVED}}
    assert environment.step(writing).observation == "[exit status 0]"
    assert environment.step(None) == ("", 1.0, True, {"reason": "", "failure": ""})
    leaving = {"name": "write_file", "arguments": {"path": "../x", "content": ""}}
    assert environment.step(leaving).observation == "[not done: '../x' is no path of the repository]"
    assert environment.step({"name": "sudo", "arguments": {}}).observation.startswith("[no such tool")
    assert environment.step({"name": "run_command", "arguments": {"q": 1}}).observation.startswith("[wrong arguments")
    long = environment.step(f"echo {'x' * 200_000}").observation
    assert "characters left out" in long
    assert len(long) < 20_000


def test_what_is_not_there_is_told(environment: TaskEnvironment, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no task 'absent'"):
        environment.reset(task="absent")
    with pytest.raises(InputError, match="none was named"):
        environment.reset()
    with pytest.raises(InputError, match="no attempt yet"):
        environment.get_reward()
    with pytest.raises(InputError, match="found no task"):
        environment_factory(tmp_path)
