"""Harbor tasks of other origins: their own script says what a try is worth, and no list of tests does.

Everything of the folder is kept as it is, keys that we do not know included; [metadata.assay] is added. What is kept
and not acted on is told as a loss, because a verdict of ours is reached without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any

from assay.errors import InputError
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.loss import Loss
from assay.model.sandbox import Limits
from assay.model.task import REWARD, SCRIPT, AssayMetadata, Provenance, Task
from assay.model.tree import FileState, Tree

TEST, SOLVE = "tests/test.sh", "solution/solve.sh"
VERIFIER_SECONDS = 600.0
HOST_VARIABLE = re.compile(r"\$\{\w+(?::-(?P<default>.*))?\}")
ONE_REWARD = "a script gives a reward and no tests: nothing tells which behaviour is missing"
NOT_DONE: Mapping[tuple[str, str], str] = {
    ("environment", "gpus"): "assay gives no GPU",
    ("environment", "gpu_types"): "assay gives no GPU",
    ("environment", "tpu"): "assay gives no TPU",
    ("environment", "mcp_servers"): "assay starts no servers beside the task",
    ("environment", "skills_dir"): "assay's agents `oracle` and `nop` have no skills",
    ("environment", "healthcheck"): "assay runs the scripts as soon as the container is there",
    ("environment", "allowed_hosts"): "there is no network in a verdict",
    ("agent", "user"): "commands run as the image's root without capabilities",
    ("agent", "allowed_hosts"): "there is no network in a verdict",
    ("verifier", "user"): "commands run as the image's root without capabilities",
    ("verifier", "allowed_hosts"): "there is no network in a verdict",
    ("verifier", "collect"): "tests run in the container of the try, where everything is still there",
    ("verifier", "environment"): "tests run in the container of the try",
}
"""Tables and keys that a verdict does without, and why."""
DONE: Mapping[str, frozenset[str]] = {
    "environment": frozenset({"docker_image", "os", "memory_mb", "env", "workdir", "network_mode"}),
    "agent": frozenset({"timeout_sec", "network_mode"}),
    "verifier": frozenset({"timeout_sec", "env", "environment_mode", "network_mode"}),
    "solution": frozenset({"env"}),
}
"""Keys that a verdict acts on, or whose values `_of_phases` looks at."""
KNOWN = ("1.0", "1.1", "1.2", "1.3", "1.4")
NEWEST = KNOWN[-1]
TOP = frozenset({"schema_version", "version", "task", "metadata", "source", *DONE})
"""Tables and keys of the root that only describe, or are looked at one by one."""


def adopted(slug: str, config: Mapping[str, Any], instruction: str, files: Tree) -> tuple[Task, tuple[Loss, ...]]:
    """The task, and what is kept and not acted on. Raises InputError for one that cannot be run at all."""
    if problem := _hopeless(config, files):
        raise InputError(f"{slug}: {problem}", hint="docs/exchange.md says which tasks of other origins can be run")
    assay = _facts(slug, config)
    whole = deepcopy(dict(config))
    whole.setdefault("schema_version", whole.pop("version", NEWEST))
    metadata = dict(whole.get("metadata") or {})
    metadata["assay"] = assay.model_dump(mode="json", exclude_none=True, exclude_defaults=True) | {"format": 1}
    whole["metadata"] = metadata
    losses = tuple(Loss(subject=slug, field=field, reason=reason) for field, reason in _losses(config, files))
    return Task(slug, whole, AssayMetadata.model_validate(metadata["assay"]), instruction, files), losses


def _hopeless(config: Mapping[str, Any], files: Tree) -> str:
    environment = config.get("environment") or {}
    if str(environment.get("os", "linux")).lower() != "linux":
        return "it is made for Windows"
    if config.get("steps"):
        return "it has several steps; assay judges tasks of one"
    if TEST not in files:
        return f"found no {TEST}, expected the script that writes the reward"
    if "environment/Dockerfile" not in files and not environment.get("docker_image"):
        return "found neither environment/Dockerfile nor environment.docker_image, expected one of them"
    return ""


def _facts(slug: str, config: Mapping[str, Any]) -> AssayMetadata:
    named = (config.get("task") or {}).get("name") or slug
    verifier, environment = config.get("verifier") or {}, config.get("environment") or {}
    limits = Limits(
        wall_seconds=float(verifier.get("timeout_sec") or VERIFIER_SECONDS),
        cpu_seconds=2 * float(verifier.get("timeout_sec") or VERIFIER_SECONDS),
        memory_mib=int(environment.get("memory_mb") or Limits().memory_mib),
    )
    return AssayMetadata(
        source=SourceInfo(kind=SCRIPT, origin=str(named), base_revision="image", gold_revision=SOLVE),
        environment=Recipe(language="image", python="", install="none"),
        framework=SCRIPT,
        test_files=(TEST,),
        fail_to_pass=(REWARD,),
        pass_to_pass=(),
        limits=limits,
        provenance=Provenance(instruction="its authors", tests="its authors", gold="its authors"),
    )


def _losses(config: Mapping[str, Any], files: Tree) -> Iterator[tuple[str, str]]:
    yield TEST, ONE_REWARD
    version = config.get("schema_version", config.get("version", NEWEST))
    if str(version) not in KNOWN:
        yield "schema_version", f"{version!r} is none of {KNOWN[0]} to {NEWEST}: read as {NEWEST}, as far as it goes"
    for table in ("environment", "agent", "verifier", "solution"):
        for key, value in (config.get(table) or {}).items():
            if key not in DONE[table] and value not in (None, [], {}, ""):
                yield f"{table}.{key}", NOT_DONE.get((table, key), "kept, and nothing here acts on it")
    for key, value in config.items():
        if key not in TOP and value not in (None, [], {}, ""):
            yield key, "kept, and nothing here acts on it"
    yield from _of_phases(config)
    for name in ("environment/docker-compose.yaml", "environment/singularity-compose.yaml", "tests/Dockerfile"):
        if name in files:
            yield name, "assay starts one container, made by environment/Dockerfile"
    if SOLVE not in files:
        yield SOLVE, "there is none, so that nothing shows that the task can be solved"


def _of_phases(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for table in ("environment", "agent", "verifier"):
        mode = (config.get(table) or {}).get("network_mode", "public" if table == "environment" else None)
        if mode not in (None, "no-network"):
            yield f"{table}.network_mode", "there is no network in a verdict"
    if (config.get("verifier") or {}).get("environment_mode") == "separate":
        yield "verifier.environment_mode", "tests run in the container of the try, which they then share"
    for table in ("environment", "verifier", "solution"):
        wanted = (config.get(table) or {}).get("env") or {}
        for name in wanted if isinstance(wanted, Mapping) else ():
            if name not in variables(config, table):
                yield f"{table}.env.{name}", "nothing of the host's environment comes into a sandbox"


def image_name(config: Mapping[str, Any]) -> str:
    """The image that a task is made for, when it is not built from its folder; else an empty text."""
    return str((config.get("environment") or {}).get("docker_image") or "")


def workdir(config: Mapping[str, Any], files: Tree) -> str:
    """Where commands start: what the task says, or the last WORKDIR of its Dockerfile, or the root."""
    told = (config.get("environment") or {}).get("workdir")
    if told:
        return str(told)
    place = PurePosixPath("/")
    state = files.get("environment/Dockerfile")
    for line in state.data.decode("utf-8", "replace").splitlines() if state else ():
        word, _, rest = line.strip().partition(" ")
        if word.upper() == "FROM":
            place = PurePosixPath("/")
        elif word.upper() == "WORKDIR" and rest.strip() and "$" not in rest:
            place = place / rest.strip().strip("\"'")
    return str(place)


def variables(config: Mapping[str, Any], table: str) -> dict[str, str]:
    """The variables of a phase; of those that the host should fill, only the ones with a default."""
    found = {}
    given = (config.get(table) or {}).get("env")
    for name, value in given.items() if isinstance(given, Mapping) else ():
        text = str(value)
        if inner := HOST_VARIABLE.fullmatch(text):
            if inner["default"] is None:
                continue
            text = inner["default"]
        found[str(name)] = text
    return found


def from_terminal_bench(slug: str, sheet: Mapping[str, Any], files: Tree) -> tuple[dict[str, Any], str, Tree]:
    """A legacy Terminal-Bench folder (`task.yaml`) as Harbor's tables, prompt and files."""
    times = {
        "agent": {"timeout_sec": float(sheet.get("max_agent_timeout_sec") or 360)},
        "verifier": {"timeout_sec": float(sheet.get("max_test_timeout_sec") or 60), "environment_mode": "shared"},
    }
    kept = {key: value for key, value in sheet.items() if key != "instruction" and value is not None}
    config = {
        "schema_version": NEWEST,
        "task": {"name": f"terminal-bench/{slug}"},
        "metadata": {"terminal_bench": kept},
        "environment": {"network_mode": "no-network"},
        **times,
    }
    moved: dict[str, FileState] = {}
    for path, state in files.items():
        if path == "solution.sh":
            moved[SOLVE] = FileState(state.data, "100755")
        elif path == "run-tests.sh" or path.startswith("tests/"):
            moved["tests/" + path.removeprefix("tests/")] = state
        elif path != "task.yaml":
            moved["environment/" + path] = state
    if "run-tests.sh" in files:
        moved[TEST] = FileState(RUN_TESTS.encode(), "100755")
    return config, str(sheet.get("instruction") or ""), moved


RUN_TESTS = """\
#!/bin/bash
# Runs the tests of a Terminal-Bench task; they passed when their script ends with 0.
export TEST_DIR=/tests
mkdir -p /logs/verifier
if bash /tests/run-tests.sh; then reward=1; else reward=0; fi
echo "$reward" > /logs/verifier/reward.txt
"""
