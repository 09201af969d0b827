"""Composing a task: from what was proved to the content of its folder. Same input, same bytes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from assay.core.admission import Admission
from assay.core.task_scripts import COLLECT, JUDGE, SOLVE, TEST
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.sandbox import Limits
from assay.model.task import GOLD_PATCH, TEST_FILES, AssayMetadata, Provenance, Task
from assay.model.tree import FileState

SCHEMA_VERSION = "1.4"
ORGANISATION = "assay"
BUILD_SECONDS = 900.0
AGENT_SECONDS = 1800.0
EXPECTED, SELECTION = "tests/expected.json", "tests/selection.txt"


UNPACK = "ADD base.tar.gz /tmp/tree/\nRUN cp -a /tmp/tree/base/. /repo/ && rm -rf /tmp/tree"


def compose(  # noqa: PLR0913  a task has that many parts, each of its own type
    *,
    slug: str,
    source: SourceInfo,
    recipe: Recipe,
    framework: str,
    test_files: Sequence[str],
    hidden: Mapping[str, FileState | None],
    gold_patch: bytes,
    admission: Admission,
    protected: Sequence[str],
    limits: Limits,
    provenance: Provenance,
    instruction: str,
) -> Task:
    """A task. `hidden` is the layer of hidden tests, None for files that must be absent."""
    assay = AssayMetadata(
        source=source,
        environment=recipe,
        framework=framework,
        test_command=("python", "-m", "pytest", *test_files),
        test_files=tuple(test_files),
        deleted_tests=tuple(sorted(path for path, state in hidden.items() if state is None)),
        fail_to_pass=admission.fail_to_pass,
        pass_to_pass=admission.pass_to_pass,
        quarantined=admission.quarantined,
        uncounted=admission.uncounted,
        protected_paths=tuple(protected),
        limits=limits,
        provenance=provenance,
    )
    return Task(
        slug=slug,
        config=_config(slug, assay),
        assay=assay,
        instruction=instruction,
        files=_files(assay, hidden, gold_patch),
    )


def _config(slug: str, assay: AssayMetadata) -> dict[str, Any]:
    """`task.toml` as data: Harbor's tables, and ours."""
    source = assay.source
    return {
        "schema_version": SCHEMA_VERSION,
        "task": {
            "name": f"{ORGANISATION}/{slug}",
            "description": f"A change of {source.origin} after {source.base_revision}, made again and judged by "
            "the maintainers' tests.",
            "keywords": ["python", "software-engineering", source.kind],
        },
        "metadata": {"category": "software-engineering", "assay": _plain(assay.model_dump(mode="json"))},
        "environment": {
            "build_timeout_sec": BUILD_SECONDS,
            "memory_mb": assay.limits.memory_mib,
            "network_mode": "no-network",
            "workdir": "/repo",
        },
        "agent": {"timeout_sec": AGENT_SECONDS},
        "verifier": {
            "timeout_sec": float(assay.limits.wall_seconds),
            # The tests and what they expect never enter the agent's sandbox; only its patch crosses.
            "environment_mode": "separate",
            "network_mode": "no-network",
            "collect": [{"command": COLLECT}],
        },
    }


def _plain(value: Any) -> Any:
    """JSON-able data without nulls, which TOML does not have."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _files(assay: AssayMetadata, hidden: Mapping[str, FileState | None], gold_patch: bytes) -> dict[str, FileState]:
    files = {
        **environment_files(assay),
        GOLD_PATCH: FileState(gold_patch),
        "solution/solve.sh": FileState(SOLVE.encode(), "100755"),
        "tests/test.sh": FileState(TEST.encode(), "100755"),
        "tests/judge.py": FileState(JUDGE.encode()),
        **_derived(assay),
        "tests/deleted.txt": FileState(_lines(assay.deleted_tests)),
    }
    return files | {TEST_FILES + path: state for path, state in hidden.items() if state is not None}


def environment_files(assay: AssayMetadata) -> dict[str, FileState]:
    """What a container is built from."""
    return {
        "environment/Dockerfile": FileState(dockerfile(assay.source, assay.environment).encode()),
        "environment/requirements.txt": FileState(_lines(assay.environment.lock)),
    }


def _derived(assay: AssayMetadata) -> dict[str, FileState]:
    """What other harnesses read instead of the lists in `task.toml`."""
    expected = {"fail_to_pass": assay.fail_to_pass, "pass_to_pass": assay.pass_to_pass}
    return {
        EXPECTED: FileState(json.dumps(expected, indent=1).encode() + b"\n"),
        SELECTION: FileState(_lines(assay.test_files)),
    }


def amended(task: Task, **facts: Any) -> Task:
    """The task with other values in [metadata.assay], wherever they are written. What else is in `task.toml` stays;
    a folder without the files for other harnesses does not get them.
    """
    assay = task.assay.model_copy(update=facts)
    config = deepcopy(dict(task.config))
    config["metadata"]["assay"].update(_plain(assay.model_dump(mode="json", include=set(facts))))
    derived = {path: state for path, state in _derived(assay).items() if path in task.files}
    changed = {path: state for path, state in derived.items() if state != _derived(task.assay)[path]}
    return replace(task, config=config, assay=assay, files={**task.files, **changed})


def _lines(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def dockerfile(source: SourceInfo, recipe: Recipe, *, packed: bool = False) -> str:
    """How a container gets the same base and the same packages. Needs the network while it builds: for the packages,
    and for the base unless it is `packed` beside the file.
    """
    install = {
        "editable": "pip install --no-deps -e .",
        "plain": "pip install --no-deps .",
        "path": "true",
        "none": "true",
        "inferred": "pip install pytest && pip install -e .",
    }[recipe.install]
    variables = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", **recipe.variables}
    if recipe.python_path:
        variables["PYTHONPATH"] = ":".join("/repo" if p == "." else f"/repo/{p}" for p in recipe.python_path)
    environment = " ".join(f"{name}={json.dumps(value)}" for name, value in sorted(variables.items()))
    packages = (
        "exactly the packages of its lock" if recipe.python else "whatever packages are new: no lock is known yet"
    )
    return f"""\
# Made by assay. The base of the task as one commit without history, and {packages}.
FROM python:{recipe.python or "3"}-slim
RUN apt-get update && apt-get install -y --no-install-recommends git gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 agent && mkdir -p /repo /logs/verifier /logs/artifacts \\
 && chown -R agent /repo /logs
ENV {environment}
WORKDIR /repo
COPY requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --no-deps -r /tmp/requirements.txt && rm /tmp/requirements.txt
{UNPACK if packed else _fetch(source)}
RUN {install}
RUN rm -rf .git && git init -q . \\
 && git -c user.name=assay -c user.email=assay@localhost add -A \\
 && git -c user.name=assay -c user.email=assay@localhost commit -q -m base && chown -R agent /repo
USER agent
"""


def _quoted(text: str) -> str:
    """One word for the shell; what could end a line of the Dockerfile cannot be part of an honest name."""
    return shlex.quote("".join(c if c.isprintable() else "?" for c in text))


def _fetch(source: SourceInfo) -> str:
    """The lines that put the base into /repo."""
    revision = _quoted(source.base_revision)
    if source.base_url:
        digest = (
            f" && echo {_quoted(f'{source.base_sha256}  /tmp/base')} | sha256sum -c -" if source.base_sha256 else ""
        )
        unpack = "python -c \"import shutil, sys; shutil.unpack_archive('/tmp/base', '/tmp/tree', sys.argv[1])\" " + (
            "zip" if source.base_url.endswith(".zip") else "gztar"
        )
        return (
            f"RUN python -c \"import sys, urllib.request as r; r.urlretrieve(sys.argv[1], '/tmp/base')\" "
            f"{_quoted(source.base_url)}{digest} \\\n && {unpack} \\\n"
            " && cp -a /tmp/tree/*/. /repo/ && rm -rf /tmp/base /tmp/tree"
        )
    return (
        f"RUN git clone -q {_quoted(source.origin)} /repo && git -C /repo checkout -q {revision} && rm -rf /repo/.git"
    )
