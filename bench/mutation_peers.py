"""Mutants a second on the same file with the same tests: assay, mutmut and cosmic-ray, in one run. Needs the index.

    python -m bench.mutation_peers

Every tool makes its own mutants of `bench/shelf/shelf.py`, with its defaults, and what it needs before the first one
counts. assay and mutmut use two workers. cosmic-ray runs one after the other unless it is given servers, so what it
does is counted twice; it gets a minute. The peers are installed in pinned versions into a virtual environment of their
own: that is why this is not part of `make bench`. What could not be installed is told as "not measured".
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio

from assay import wiring
from assay.adapters.store.project import STATE
from assay.core.variants.changes import read_gold
from assay.core.variants.equivalence import distinct
from assay.core.variants.mutants import mutants
from assay.model.audit import AuditSettings
from assay.stages.audit.ground import Ground
from assay.stages.audit.warm import Trials
from assay.stages.judging import prepare
from bench.audit_wall import SHELF
from bench.project import mined
from bench.timing import Row, children_seconds

PEERS = ("mutmut==3.8.1", "cosmic-ray==8.7.0")
WORKERS = 2
ROUNDS = 2
COSMIC_SECONDS = 60.0
COUNTED = re.compile(r"(\d+)/(\d+)\s")
MUTMUT = "[mutmut]\nsource_paths=src\n[tool:pytest]\ntestpaths=tests\npythonpath=src\n"
COSMIC = """[cosmic-ray]
module-path = "shelf.py"
timeout = 30.0
excluded-modules = []
test-command = "{python} -m pytest -x -q test_shelf.py"

[cosmic-ray.distributor]
name = "local"
"""


@dataclass(frozen=True)
class Done:
    """What one tool did. `share` is how many of its kind could work at a time."""

    count: int
    wall: float
    cpu: float
    share: int = 1

    @property
    def rate(self) -> float:
        """Mutants a second."""
        return self.share * self.count / self.wall


def run(folder: Path) -> list[Row]:
    """Mutants a second and CPU a mutant of each tool, and how many times as fast assay is as the faster peer."""
    project, task, pytest_version = _task(folder)
    problem = _install(folder / "peers", [*PEERS, pytest_version])
    if problem:
        return [{"name": f"not measured: {problem}", "value": 0.0, "unit": "-", "aim": "-"}]
    tools: dict[str, Callable[[Path], Done]] = {
        "assay": lambda place: anyio.run(_assay, project, task),
        "mutmut": lambda place: _mutmut(place, folder / "peers"),
        "cosmic-ray": lambda place: _cosmic_ray(place, folder / "peers"),
    }
    found: dict[str, list[Done]] = {name: [] for name in tools}
    for number in range(ROUNDS):  # in turn, so that a busy machine slows all of them alike
        for name, tool in tools.items():
            place = folder / f"{name}-{number}"
            place.mkdir()
            found[name].append(tool(place))
    best = {name: max(done, key=lambda d: d.rate) for name, done in found.items()}
    rows: list[Row] = []
    for name, done in best.items():
        rows.append({"name": f"{name}, {done.count} mutants", "value": done.rate, "unit": "a second", "aim": "-"})
        rows.append({"name": f"{name}, CPU a mutant", "value": 1000 * done.cpu / done.count, "unit": "ms", "aim": "-"})
    faster = max(best["mutmut"].rate, best["cosmic-ray"].rate)
    ratio = best["assay"].rate / faster
    return [*rows, {"name": "mutants a second over the faster peer", "value": ratio, "unit": "times", "aim": "> 3"}]


def _task(folder: Path) -> tuple[Path, Path, str]:
    """A task whose change is the whole file, so that all of it is mutated."""
    code, tests = ((SHELF / name).read_text() for name in ("shelf.py", "test_shelf.py"))
    base = {"shelf.py": '"""Nothing yet."""\n', "test_shelf.py": "def test_nothing() -> None:\n    pass\n"}
    project, task = mined(folder, "shelf", base, {"shelf.py": code, "test_shelf.py": tests})
    lock = (task / "environment" / "requirements.txt").read_text().split()
    return project, task, next((line for line in lock if line.startswith("pytest==")), "pytest")


def _install(place: Path, requirements: list[str]) -> str:
    """Why it could not be done; empty when it was."""
    uv = shutil.which("uv")
    if uv is None:
        return "uv is not installed"
    python = ("--python", str(place / "bin" / "python"))
    for argv in ((uv, "venv", "-q", str(place)), (uv, "pip", "install", "-q", *python, *requirements)):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{argv[1]}: {(done.stderr.strip().splitlines() or ['?'])[-1]}"
    return ""


async def _assay(project: Path, folder: Path) -> Done:
    async with wiring.toolbox(project / STATE, folder.parent, "bubblewrap", unsafe=False) as tools:
        task = tools.tasks.read(folder)
        prepared = await prepare(task, tools)
        applied = await prepared.stand.runner.apply(task.gold_patch, prepared.stand.base_layer, prepared.is_protected)
        ground = Ground(prepared, applied, tools, AuditSettings(), lambda event: None)
        before, cpu = time.perf_counter(), time.process_time()
        made = distinct(mutants(read_gold(ground.base, ground.changed)), ground.gold)
        trials = Trials(ground)
        tried = await trials.try_all(made)
        known = await trials.known()
        wall, own = time.perf_counter() - before, time.process_time() - cpu
    if known.cannot or any(trial.fate == "unknown" for trial in tried):
        raise RuntimeError(f"the benchmark's own mutants could not be tried warm: {known.cannot}")
    killed = sum(trial.fate == "rejected" for trial in tried)
    sys.stderr.write(f"assay: {killed} of {len(tried)} killed\n")
    return Done(len(tried), wall, ground.tally.usage.cpu_seconds + own)


def _mutmut(place: Path, peers: Path) -> Done:
    for name, file in (("src", "shelf.py"), ("tests", "test_shelf.py")):
        (place / name).mkdir()
        shutil.copy(SHELF / file, place / name / file)
    (place / "setup.cfg").write_text(MUTMUT)
    argv = [str(peers / "bin" / "mutmut"), "run", "--max-children", str(WORKERS)]
    before, cpu = time.perf_counter(), children_seconds()
    done = subprocess.run(argv, cwd=place, capture_output=True, text=True, check=False)
    wall, spent = time.perf_counter() - before, children_seconds() - cpu
    counts = COUNTED.findall(done.stdout)
    if not counts or counts[-1][0] != counts[-1][1]:
        raise RuntimeError(f"mutmut did not end: {done.stdout[-500:]}{done.stderr[-500:]}")
    return Done(int(counts[-1][0]), wall, spent)


def _cosmic_ray(place: Path, peers: Path) -> Done:
    for file in ("shelf.py", "test_shelf.py"):
        shutil.copy(SHELF / file, place / file)
    (place / "peer.toml").write_text(COSMIC.format(python=peers / "bin" / "python"))
    program = str(peers / "bin" / "cosmic-ray")
    before, cpu = time.perf_counter(), children_seconds()
    subprocess.run([program, "init", "peer.toml", "session.sqlite"], cwd=place, check=True, capture_output=True)
    process = subprocess.Popen(
        [program, "exec", "peer.toml", "session.sqlite"],
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(COSMIC_SECONDS)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
    wall, spent = time.perf_counter() - before, children_seconds() - cpu
    with sqlite3.connect(place / "session.sqlite") as session:
        count = session.execute("SELECT count(*) FROM work_results").fetchone()[0]
    return Done(count, wall, spent, share=WORKERS)


def main() -> None:
    """Print the rows, then JSON."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
        rows = run(Path(folder))
    for row in rows:
        print(f"{row['name']:<45} {row['value']:>10.2f} {row['unit']:<9} aim {row['aim']}")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
