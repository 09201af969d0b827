"""A run of predictions graded by assay and by the `swebench` harness's own local docker: verdicts, CPU, wall, in turn.

    python -m bench.predictions_peer ROWS --repositories DIR --harness VENV/bin/python --image IMAGE --group CGROUP
                                     [--models N] [--rounds N] [--workers N]

ROWS are rows of SWE-bench with one repository each in DIR. They are imported and used once, so that their environments
are there. Then an image of each row is made of IMAGE (Debian packages with git, see `bench.harbor_peer`), the
repository at its base with all of its history, and the very bytes of assay's environment, under the name that the
harness looks for: both run the same interpreter and packages. The harness gets assay's own export of the row
(`assay export swe-bench-tree`: `eval.sh`), which is lighter than the published scripts: those also activate conda and
install the repository again. Making environments and images is in neither's time.

Predictions are the reference change as `gold`, a change that only adds a comment, and the reference change without one
of its added lines, spread over them. The harness takes one model a run, so that it starts once a model; what a
start costs is printed beside. Not part of `make bench`: it needs docker,
swebench 5.0.2 and a control group (bench/metering.py).
"""

from __future__ import annotations

import argparse
import difflib
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from assay import app, wiring
from assay.adapters.exchange.clones import Clones
from assay.adapters.store.project import STATE
from assay.core.exchange.swebench_export import image
from assay.core.paths import classify
from assay.model.environment import ENV_ROOT, REPO_ROOT
from assay.stages.judging import Prepared, prepare
from bench.metering import Cost, metered, spread

NOT_COPIED = shutil.ignore_patterns("*.a", "test")
"""Of an interpreter: what no test of a project uses, and half of its bytes."""

LABEL = "assay.bench"

Found = dict[tuple[str, str], bool | None]
"""Whether a model's prediction on an instance resolves it; None without a verdict."""


@dataclass(frozen=True)
class Place:
    """Where the comparison happens, and with what."""

    folder: Path
    harness: Path
    group: Path
    workers: int

    @property
    def project(self) -> Path:
        """The project of assay's."""
        return self.folder / "project"


@dataclass(frozen=True)
class Made:
    """What images and predictions are made of."""

    image: str
    clones: Clones
    models: int


def main() -> None:
    """Compare, and print sums a round, every disagreement, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--repositories", type=Path, required=True)
    parser.add_argument("--harness", type=Path, required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--group", type=Path, required=True)
    parser.add_argument("--models", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where tasks and environments are kept for the next time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
        place = Place((given.folder or Path(folder)).absolute(), given.harness.absolute(), given.group, given.workers)
        if not (place.project / "assay.toml").exists():
            app.init_project(place.project)
        rows = str(given.rows.absolute())
        assay(place, "import", "swe-bench", rows, "--repositories", str(given.repositories.absolute()))
        tasks = sorted((place.project / "tasks").iterdir())
        assay(place, "verify", *(str(task) for task in tasks), "--agent", "oracle")
        assay(place, "export", "swe-bench-tree", *(str(task) for task in tasks), "--out", str(place.folder / "tree"))
        models = anyio.run(_lay_out, place, tasks, Made(given.image, Clones(given.repositories), given.models))
        _compare(place, models, given.rounds)


def assay(place: Place, *words: str) -> Cost:
    """What a command line of assay cost. Whoever calls looks at its exit status, which a verdict of "no" sets, too."""
    return metered([sys.executable, "-m", "assay", *words], place.project, {}, place.group)


async def _lay_out(place: Place, tasks: Sequence[Path], made: Made) -> int:
    """Make the images, the harness's rows and the files of predictions; how many models there are."""
    rows: list[str] = []
    patches: dict[str, list[str]] = {}
    async with wiring.toolbox(place.project / STATE, place.project / "tasks", "bubblewrap", unsafe=False) as tools:
        for path in tasks:
            prepared = await prepare(tools.tasks.read(path), tools)
            clone = await made.clones.find(prepared.task.assay.source.origin)
            patches[path.name] = await _patches(prepared, made.models)
            await anyio.to_thread.run_sync(_build, place.folder / "image", prepared, clone.git_dir, made.image)
            rows.append(json.dumps(_row(place.folder / "tree" / "tasks" / path.name, prepared)) + "\n")
    (place.folder / "rows.jsonl").write_text("".join(rows))
    models = max(len(found) for found in patches.values())
    everything = ""
    for number in range(models):
        model = "gold" if number == 0 else f"model-{number}"
        lines = "".join(
            json.dumps({"instance_id": name, "model_name_or_path": model, "model_patch": found[number]}) + "\n"
            for name, found in patches.items()
            if number < len(found)
        )
        (place.folder / f"{number}.jsonl").write_text(lines)
        everything += lines
    (place.folder / "all.jsonl").write_text(everything)
    return models


async def _patches(prepared: Prepared, count: int) -> list[str]:
    """The reference change, a comment alone, and the reference change without one of its added lines."""
    task, stand = prepared.task, prepared.stand
    applied = await stand.runner.apply(task.gold_patch, stand.base_layer, prepared.is_protected)
    files = {
        change.path: (change.old.data.decode() if change.old else "", change.new.data.decode())
        for change in applied.kept
        if change.new is not None and classify(change.path) == "source" and change.path.endswith(".py")
    }
    path, (old, _) = next(iter(files.items()))
    found = [task.gold_patch.decode(), _patch({path: (old, old + "# nothing\n")})]
    added = [(path, number) for path, (old, new) in files.items() for number in _added(old, new)]
    step = max(1.0, len(added) / (count - 2))
    for n in range(min(count - 2, len(added))):
        path, number = added[int(n * step)]
        old, new = files[path]
        lines = new.splitlines(keepends=True)
        found.append(_patch(files | {path: (old, "".join(lines[:number] + lines[number + 1 :]))}))
    return found


def _added(old: str, new: str) -> list[int]:
    """Numbers of the lines of `new` that are not of `old` and say something."""
    one, two = old.splitlines(), new.splitlines()
    spans = difflib.SequenceMatcher(None, one, two, autojunk=False).get_opcodes()
    return [n for kind, _, _, start, end in spans if kind != "equal" for n in range(start, end) if two[n].strip()]


def _patch(files: Mapping[str, tuple[str, str]]) -> str:
    text = ""
    for path, (old, new) in sorted(files.items()):
        lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), f"a/{path}", f"b/{path}")
        text += f"diff --git a/{path} b/{path}\n" + "".join(lines)
    return text


def _build(context: Path, prepared: Prepared, git_dir: Path, base: str) -> None:
    """The image of a row: what a sandbox of assay's shows of its environment, in the same places."""
    environment, name = prepared.stand.environment, image(prepared.task.slug)
    for mount in environment.host_mounts:
        hidden = [Path(place).relative_to(mount) for place in environment.hidden if Path(place).is_relative_to(mount)]
        base = _with_interpreter(context, mount, hidden, base)
    made_of = f"{environment.digest} {base}"
    if _made_of(name) == made_of:
        return
    _clean(context)
    testbed = context / "testbed"
    _run("git", "clone", "-q", str(git_dir), str(testbed))
    _run("git", "-C", str(testbed), "checkout", "-q", prepared.task.assay.source.base_revision)
    for layers, target in ((environment.repo_layers, testbed), (environment.env_layers, context / "env")):
        for layer in reversed(layers):
            shutil.copytree(layer, target, symlinks=True, dirs_exist_ok=True, copy_function=_put)
    lines = [f"FROM {base}", f"COPY env {ENV_ROOT}", "COPY testbed /testbed", f"RUN ln -s /testbed {REPO_ROOT}"]
    lines += ["WORKDIR /testbed", *(f"ENV {name}={json.dumps(value)}" for name, value in environment.variables)]
    _image(context, lines, name, made_of)


def _with_interpreter(context: Path, mount: Path, hidden: Sequence[Path], base: str) -> str:
    """The name of an image with the interpreter where the host has it, made when it is not there."""
    name = f"assay-bench-interpreter:{mount.name}"
    if _made_of(name) != base:
        _clean(context)
        shutil.copytree(mount, context / "mount", symlinks=True, ignore=NOT_COPIED, copy_function=_put)
        for place in hidden:
            shutil.rmtree(context / "mount" / place)
        _image(context, [f"FROM {base}", f"COPY mount {mount}"], name, base)
    return name


def _clean(context: Path) -> None:
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir()


def _put(source: str, target: str) -> None:
    """The same file at another place; what is there already (of a lower layer) gives way. Contexts are only read."""
    Path(target).unlink(missing_ok=True)
    try:
        Path(target).hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def _made_of(name: str) -> str:
    """The label of an image that is there; else an empty text."""
    asked = ("docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', name)
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _image(context: Path, lines: Sequence[str], name: str, made_of: str) -> None:
    (context / "Dockerfile").write_text("\n".join(lines) + "\n")
    _run("docker", "build", "-q", "--network", "none", "--label", f"{LABEL}={made_of}", "-t", name, str(context))


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{argv[:2]}: {done.stderr[-2000:]}")


def _row(exported: Path, prepared: Prepared) -> dict[str, Any]:
    """A row for the harness, of the exported tree; its sheet has one key a line, as JSON."""
    sheet = dict(line.split(": ", 1) for line in (exported / "task.yaml").read_text().splitlines())
    return {
        **{key: json.loads(value) for key, value in sheet.items()},
        **json.loads((exported / "tests.json").read_text()),
        "patch": prepared.task.gold_patch.decode(),
        "eval_script": (exported / "eval.sh").read_text(),
    }


def _compare(place: Place, models: int, rounds: int) -> None:
    start = metered((str(place.harness), "-c", "import swebench.harness.run_evaluation"), place.folder, {}, place.group)
    print(f"a start of swebench: {start.wall:.1f} s wall, {start.cpu:.1f} s CPU; {models} of them a round")
    ratios: list[tuple[float, float]] = []
    for number in range(rounds):
        ours, cost = _ours(place, number)
        theirs, their_cost = _theirs(place, number, models)
        for name, found, spent in (("assay", ours, cost), ("swebench", theirs, their_cost)):
            print(
                f"{number} {name:9} {len(found)} predictions {spent[0]:7.1f} s wall {spent[1]:7.1f} s CPU", flush=True
            )
        ratios.append((their_cost[0] / cost[0], their_cost[1] / cost[1]))
        _agree(ours, theirs)
    walls, cpus = zip(*ratios, strict=True)
    print(f"the harness takes {spread(walls)} times the wall time, {spread(cpus)} times the CPU; aim > 5 (CPU)")


def _agree(ours: Found, theirs: Found) -> None:
    """Print every disagreement, and the sums."""
    sums: Counter[str] = Counter()
    for key in sorted(ours.keys() | theirs.keys()):
        one, two = ours.get(key), theirs.get(key)
        sums["no verdict of one" if one is None or two is None else "equal" if one is two else "unequal"] += 1
        if one is not two:
            print(f"    {' '.join(key)}: assay {one}, swebench {two}")
    print("    " + ", ".join(f"{count} {name}" for name, count in sorted(sums.items())), flush=True)


def _ours(place: Place, number: int) -> tuple[Found, tuple[float, float]]:
    report = place.folder / f"report-{number}"
    words = ("verify", "--predictions", str(place.folder / "all.jsonl"), "--report", str(report), "--fresh", "--quiet")
    cost = assay(place, *words, "--jobs", str(place.workers))
    if cost.exit_status not in (0, 1, 4):
        raise SystemExit(f"assay: {cost.said[-3000:]}")
    return _reports(place, report), (cost.wall, cost.cpu)


def _theirs(place: Place, number: int, models: int) -> tuple[Found, tuple[float, float]]:
    folder = place.folder / f"harness-{number}"
    folder.mkdir()
    wall = cpu = 0.0
    for model in range(models):
        words = ("-d", str(place.folder / "rows.jsonl"), "-p", str(place.folder / f"{model}.jsonl"), "-id", "peer")
        argv = (str(place.harness), "-m", "swebench.harness.run_evaluation", *words)
        cost = metered((*argv, "--max_workers", str(place.workers)), folder, {}, place.group)
        if cost.exit_status:
            raise SystemExit(f"swebench: {cost.said[-3000:]}")
        wall, cpu = wall + cost.wall, cpu + cost.cpu
    return _reports(place, folder / "logs" / "run_evaluation" / "peer"), (wall, cpu)


def _reports(place: Place, folder: Path) -> Found:
    """What each prediction got; None where there is no report of it."""
    found: Found = {}
    for line in (place.folder / "all.jsonl").read_text().splitlines():
        asked = json.loads(line)
        name, model = asked["instance_id"], asked["model_name_or_path"]
        found[name, model] = None
        for path in (folder / model / name / "report.json", folder / model / "report.json"):
            if path.is_file():
                told = json.loads(path.read_text()).get(name, {})
                found[name, model] = None if told.get("infra_failure") else told.get("resolved")
    return found


if __name__ == "__main__":
    main()
