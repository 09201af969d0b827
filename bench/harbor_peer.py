"""One oracle trial of a Harbor task: assay beside Harbor's own local docker, in turn, in one run.

    python -m bench.harbor_peer TASK --harbor VENV/bin/harbor --image IMAGE [--rounds N] [--group CGROUP]

TASK is a mined task of a recipe with the Python that the image has. It is exported with `--self-contained` and given to
Harbor; assay judges the folder as it is, in bubblewrap. Beside it a task of another origin, whose script looks at a
file: assay imports it, builds its image and runs it with `--sandbox docker`. The first round is cold for images and
environments; the others find them.

Needs what `make bench` may not: docker with `docker compose` and buildx (Debian 13's packages, unpacked into
`$DOCKER_CONFIG/cli-plugins`, do with Debian 12's daemon), Harbor 0.24, and an image of Debian packages with `python`,
`pip`, `git` and the certificates of the index (`debootstrap --variant=minbase
--include=python3,python3-venv,python3-pip,git,ca-certificates`, `docker import`; without EXTERNALLY-MANAGED).

What is changed for Harbor, because of a machine without a registry: the image's first line, its `apt-get` line is left
out, its containers have the host's network (Harbor's way to have none needs an image of a registry). Harbor is told
not to fetch prices. Its own times are printed too: of a trial, some 10 s a container are docker's grace for a command
that does not hear SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assay import app
from bench.metering import Cost, metered, spread

HOST_NETWORK = "services:\n  main:\n    build:\n      network: host\n    network_mode: host\n"
QUIET = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
PHASES = ("environment_setup", "agent_execution", "verifier")
SHEET = """\
schema_version = "1.4"

[task]
name = "bench/word-count"

[environment]
network_mode = "public"
workdir = "/app"

[agent]
timeout_sec = 60.0

[verifier]
timeout_sec = 60.0
"""
SOLVE = """\
#!/bin/bash
tr -s ' \\n' '\\n\\n' < /app/text.txt | sort | uniq -c | sort -k1,1nr -k2 | head -10 \\
 | awk '{print $2, $1}' > /app/out.txt
"""
CHECK = """\
import collections, pathlib
words = collections.Counter(pathlib.Path("/app/text.txt").read_text().split())
wanted = [f"{w} {n}" for w, n in sorted(words.items(), key=lambda pair: (-pair[1], pair[0]))[:10]]
assert pathlib.Path("/app/out.txt").read_text().splitlines() == wanted
"""
TEST = """\
#!/bin/bash
mkdir -p /logs/verifier
if python3 /tests/check.py; then echo 1 > /logs/verifier/reward.txt; else echo 0 > /logs/verifier/reward.txt; fi
"""


@dataclass(frozen=True)
class Place:
    """Where the comparison happens, and with what."""

    folder: Path
    harbor: Path
    image: str
    group: Path | None

    @property
    def project(self) -> Path:
        """The project of assay's."""
        return self.folder / "project"


def main() -> None:
    """Compare, and print a line a trial and one a task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=Path)
    parser.add_argument("--harbor", type=Path, required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--group", type=Path, help="bench/metering.py says what it is")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
        place = Place(Path(folder), given.harbor.absolute(), given.image, given.group)
        app.init_project(place.project)
        _compare("mined", place, given.rounds, _mined(place, given.task), ["--agent", "oracle"])
        _compare("script", place, given.rounds, _script(place), ["--agent", "oracle", "--sandbox", "docker"])


def _compare(name: str, place: Place, rounds: int, tasks: tuple[Path, Path], options: list[str]) -> None:
    """`tasks`: the folder that assay judges, and the one that Harbor runs."""
    found: dict[str, list[Cost]] = {"assay": [], "harbor": []}
    for number in range(rounds):
        done = _assay(place, "verify", str(tasks[0]), "--quiet", *options)
        _hold("assay", done, done.exit_status == 0)
        found["assay"].append(done)
        jobs = place.folder / f"jobs-{name}-{number}"
        argv = [
            str(place.harbor),
            "run",
            "-p",
            str(tasks[1]),
            "-a",
            "oracle",
            "-o",
            str(jobs),
            "-q",
            "-y",
        ]
        done = metered(argv, place.folder, QUIET, place.group)
        phases = _phases(jobs)
        _hold("harbor", done, phases.get("reward") == 1.0)
        found["harbor"].append(done)
        for tool, costs in found.items():
            own = f" {json.dumps(phases)}" if tool == "harbor" else ""
            print(f"{name} {number} {tool:7} {costs[-1].wall:6.1f} s wall {costs[-1].cpu:6.1f} s CPU{own}", flush=True)
    for kind, part in (("cold", slice(0, 1)), ("warm", slice(1, None))):
        pairs = list(zip(found["assay"][part], found["harbor"][part], strict=True))
        if pairs:
            times = spread([theirs.wall / ours.wall for ours, theirs in pairs])
            cpu = spread([theirs.cpu / ours.cpu for ours, theirs in pairs])
            print(f"{name}, {kind}: Harbor takes {times} times the wall time, {cpu} times the CPU; aim > 5", flush=True)


def _hold(tool: str, done: Cost, is_right: bool) -> None:
    if not is_right:
        raise SystemExit(f"{tool} did not resolve it (exit status {done.exit_status}):\n{done.said[-3000:]}")


def _assay(place: Place, *words: str) -> Cost:
    return metered([sys.executable, "-m", "assay", *words], place.project, {}, place.group)


def _phases(jobs: Path) -> dict[str, float]:
    """Seconds of Harbor's own phases of the one trial, and its reward; empty when there is no result."""
    for path in jobs.glob("*/*/result.json"):
        told = json.loads(path.read_text())
        found = {phase: _seconds(told[phase]) for phase in PHASES if told.get(phase)}
        rewards = (told.get("verifier_result") or {}).get("rewards") or {}
        return {"trial": _seconds(told), **found, **rewards}
    return {}


def _seconds(span: Mapping[str, str]) -> float:
    start, end = (datetime.fromisoformat(span[key]) for key in ("started_at", "finished_at"))
    return round((end - start).total_seconds(), 1)


def _mined(place: Place, task: Path) -> tuple[Path, Path]:
    out = place.folder / "exported"
    done = _assay(place, "export", "harbor", str(task.absolute()), "--self-contained", "--out", str(out))
    _hold("assay export", done, done.exit_status == 0)
    theirs = out / task.name
    dockerfile, sheet = theirs / "environment" / "Dockerfile", theirs / "task.toml"
    text = re.sub(r"(?m)^FROM .*$", f"FROM {place.image}", dockerfile.read_text())
    dockerfile.write_text(re.sub(r"(?m)^RUN apt-get .*\n", "", text))
    sheet.write_text(sheet.read_text().replace('"no-network"', '"public"'))
    (theirs / "environment" / "docker-compose.yaml").write_text(HOST_NETWORK)
    ours = place.project / "tasks" / task.name
    shutil.copytree(task, ours)
    return ours, theirs


def _script(place: Place) -> tuple[Path, Path]:
    chance = random.Random(3)
    text = " ".join(chance.choices([f"w{n}" for n in range(40)], weights=range(1, 41), k=5000))
    files = {
        "task.toml": SHEET,
        "instruction.md": "Write the ten most frequent words of /app/text.txt to /app/out.txt, each with its count.\n",
        "environment/Dockerfile": f"FROM {place.image}\nWORKDIR /app\nCOPY text.txt /app/text.txt\n",
        "environment/text.txt": text + "\n",
        "environment/docker-compose.yaml": HOST_NETWORK,
        "solution/solve.sh": SOLVE,
        "tests/test.sh": TEST,
        "tests/check.py": CHECK,
    }
    theirs = place.folder / "word-count"
    for path, content in files.items():
        (theirs / path).parent.mkdir(parents=True, exist_ok=True)
        (theirs / path).write_text(content)
    done = _assay(place, "import", "harbor", str(theirs))
    _hold("assay import", done, done.exit_status == 0)
    return place.project / "tasks" / "word-count", theirs


if __name__ == "__main__":
    main()
