"""Harbor tasks of other origins: all is kept, what is not acted on is told, and what cannot be run is refused."""

from __future__ import annotations

from typing import Any

import pytest

from assay.core.exchange.harbor_tasks import SOLVE, TEST, adopted, from_terminal_bench, image_name, variables, workdir
from assay.errors import InputError
from assay.model.task import REWARD
from assay.model.tree import FileState

FILES = {
    "environment/Dockerfile": FileState(b"FROM debian\nWORKDIR /app\nWORKDIR sub\n"),
    TEST: FileState(b"echo 1 > /logs/verifier/reward.txt\n", "100755"),
    SOLVE: FileState(b"true\n", "100755"),
}
CONFIG: dict[str, Any] = {
    "schema_version": "1.4",
    "task": {"name": "acme/hello"},
    "metadata": {"difficulty": "easy", "theirs": {"a": [1]}},
    "environment": {"memory_mb": 512, "network_mode": "no-network", "unknown_key": 3},
    "verifier": {"timeout_sec": 20.0},
}


def lost(config: dict[str, Any], **files: FileState) -> dict[str, str]:
    _, losses = adopted("hello", config, "Say hello.\n", {**FILES, **files})
    return {loss.field: loss.reason for loss in losses}


def test_everything_is_kept_and_what_nothing_acts_on_is_told() -> None:
    task, losses = adopted("hello", CONFIG, "Say hello.\n", FILES)
    ours = task.config["metadata"].pop("assay")
    assert task.config == CONFIG
    assert ours["framework"] == "script"
    assert (task.files, task.instruction) == (FILES, "Say hello.\n")
    assert task.is_scripted
    assert task.assay.fail_to_pass == (REWARD,)
    assert (task.assay.limits.wall_seconds, task.assay.limits.memory_mib) == (20, 512)
    assert [loss.field for loss in losses] == [TEST, "environment.unknown_key"]


def test_the_config_that_was_given_stays_as_it_was() -> None:
    before = repr(CONFIG)
    adopted("hello", CONFIG, "", FILES)
    assert repr(CONFIG) == before


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("environment", "gpus", 1),
        ("environment", "network_mode", "public"),
        ("environment", "mcp_servers", [{"name": "x"}]),
        ("agent", "network_mode", "allowlist"),
        ("agent", "user", "joe"),
        ("verifier", "environment_mode", "separate"),
        ("verifier", "collect", [{"command": "x"}]),
    ],
)
def test_a_key_that_nothing_acts_on_is_told(table: str, key: str, value: object) -> None:
    assert f"{table}.{key}" in lost({**CONFIG, table: {**CONFIG.get(table, {}), key: value}})


def test_files_and_variables_that_nothing_acts_on_are_told() -> None:
    env = {"A": "1", "B": "${HOST_B:-two}", "C": "${HOST_C}"}
    config = {**CONFIG, "verifier": {"env": env}}
    assert variables(config, "verifier") == {"A": "1", "B": "two"}
    assert "verifier.env.C" in lost(config)
    assert "environment/docker-compose.yaml" in lost(CONFIG, **{"environment/docker-compose.yaml": FileState(b"")})
    without = {path: state for path, state in FILES.items() if path != SOLVE}
    assert SOLVE in {loss.field for loss in adopted("x", CONFIG, "", without)[1]}


@pytest.mark.parametrize(
    ("config", "files", "why"),
    [
        ({**CONFIG, "environment": {"os": "Windows"}}, FILES, "Windows"),
        ({**CONFIG, "steps": [{"name": "a"}]}, FILES, "several steps"),
        (CONFIG, {"environment/Dockerfile": FILES["environment/Dockerfile"]}, TEST),
        (CONFIG, {TEST: FILES[TEST]}, "environment/Dockerfile"),
    ],
)
def test_what_cannot_be_run_is_refused(config: dict[str, Any], files: dict[str, FileState], why: str) -> None:
    with pytest.raises(InputError, match=why):
        adopted("hello", config, "", files)


def test_where_commands_start() -> None:
    assert workdir(CONFIG, FILES) == "/app/sub"
    assert workdir({"environment": {"workdir": "/repo"}}, FILES) == "/repo"
    assert workdir({}, {"environment/Dockerfile": FileState(b"FROM a\nWORKDIR /x\nFROM b\nWORKDIR $Y\n")}) == "/"
    assert image_name({"environment": {"docker_image": "a/b:1"}}) == "a/b:1"


def test_a_terminal_bench_folder_becomes_one_of_harbor() -> None:
    sheet = {"instruction": "Do it.", "difficulty": "hard", "parser_name": "pytest", "max_test_timeout_sec": 90}
    files = {
        "task.yaml": FileState(b""),
        "Dockerfile": FileState(b"FROM x\n"),
        "run-tests.sh": FileState(b"pytest $TEST_DIR\n"),
        "tests/test_outputs.py": FileState(b""),
        "solution.sh": FileState(b"true\n"),
        "data.csv": FileState(b"1"),
    }
    config, instruction, moved = from_terminal_bench("do-it", sheet, files)
    task, _ = adopted("do-it", config, instruction, moved)
    assert instruction == "Do it."
    assert set(moved) == {
        *("environment/Dockerfile", "environment/data.csv", SOLVE),
        *("tests/run-tests.sh", "tests/test_outputs.py", TEST),
    }
    assert task.config["metadata"]["terminal_bench"]["difficulty"] == "hard"
    assert task.assay.limits.wall_seconds == 90


@pytest.mark.parametrize(("version", "told"), [("1.0", False), ("1.4", False), ("9.7", True), (2, True), ([], True)])
@pytest.mark.parametrize("key", ["schema_version", "version"])
def test_a_version_that_nobody_here_knows_is_told(key: str, version: object, told: bool) -> None:
    config = {name: value for name, value in CONFIG.items() if name != "schema_version"}
    assert ("schema_version" in lost({**config, key: version})) is told
