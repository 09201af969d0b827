"""Trials and trajectories from files, one by one: a broken one is told with its place, and the next one is read.

Files come from strangers: no links are followed, nothing is read that is larger than a trajectory can be, and nothing
of what is read is run.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from assay.adapters.files import file_error
from assay.core.exchange.atif import is_atif, read_atif
from assay.core.exchange.mini_swe_agent import is_mini, read_mini, read_predictions
from assay.core.exchange.reading import parse_json, wrong
from assay.core.exchange.trials import read_trial, trial_line
from assay.errors import InputError
from assay.model.carried import TrialReading
from assay.model.loss import Loss
from assay.model.trial import Trial

MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_LINE_BYTES = 256 * 1024 * 1024
PREDICTIONS = "preds.json"
ENDINGS = (".traj.json", ".json")
MAX_LEVELS_UP = 3
"""How far above a trajectory its preds.json may be."""


def read_trials(path: Path) -> Iterator[TrialReading]:
    """Trials of a `trials.jsonl`, one a line. Raises InputError when the file cannot be opened at all."""
    with _opened(path) as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            place = f"{path.name}, line {number}"
            if len(line) > MAX_LINE_BYTES:
                yield TrialReading(place, problem=_too_large(place, f"more than {MAX_LINE_BYTES} bytes"))
                while line and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE_BYTES)
            elif line.strip():
                yield _reading(line, place)


def _reading(line: bytes, place: str) -> TrialReading:
    try:
        carried = read_trial(parse_json(line, place), place)
    except InputError as error:
        return TrialReading(place, problem=error)
    return TrialReading(place, carried.value, carried.losses)


def write_trials(path: Path, trials: Iterable[Trial]) -> int:
    """Write a `trials.jsonl` whole or not at all; how many. Raises DiskFullError or StoreError."""
    temporary = path.with_name(f".writing-{path.name}")
    count = 0
    try:
        with temporary.open("wb") as file:
            for trial in trials:
                file.write(trial_line(trial))
                count += 1
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise file_error("write", path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return count


def read_trajectories(path: Path) -> Iterator[TrialReading]:
    """Trajectories (ATIF, mini-swe-agent) as trials that nobody has judged: of a file, or of all such files below a
    folder, other JSON passed over. Raises InputError when there is none.
    """
    if path.is_file() or path.is_symlink():
        yield _trajectory(path, path.parent, path.name) or TrialReading(path.name, problem=_neither(path.name))
        return
    found = False
    for place in _files(path):
        reading = _trajectory(place, path, str(place.relative_to(path)))
        if reading is not None:
            found = True
            yield reading
    if not found:
        raise InputError(
            f"{path}: found no trajectory in it, expected files of ATIF or mini-swe-agent (.json)",
            hint="name the folder of a run, or one file",
        )


def _files(folder: Path) -> Iterator[Path]:
    for above, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(ENDINGS) and name != PREDICTIONS:
                yield Path(above) / name


def _trajectory(path: Path, root: Path, name: str) -> TrialReading | None:
    """None for JSON of another kind; what cannot be read is told all the same, since nobody knows what it was."""
    try:
        with _opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                raise _too_large(name, f"{size} bytes")
            data = parse_json(file.read(MAX_FILE_BYTES), name)
        if is_mini(data):
            return _mini(data, path, root, name)
        if not is_atif(data):
            return None
        carried = read_atif(data, name)
    except InputError as error:
        return TrialReading(name, problem=error)
    agent = carried.value.agent
    task = _stem(path)
    trial = Trial(
        task=task,
        agent=agent.name,
        agent_version=agent.version,
        model=agent.model_name or "",
        trajectory=carried.value,
    )
    reason = f"the format does not name the task; taken from the file's name: {task}"
    return TrialReading(name, trial, (Loss(subject=name, field="task", reason=reason), *carried.losses))


def _mini(data: Any, path: Path, root: Path, name: str) -> TrialReading:
    task = str(data.get("instance_id") or _stem(path))
    patches, problem = _predictions(path, root)
    carried = read_mini(data, name, task=task, patch=patches.get(task))
    told = (Loss(subject=name, field=PREDICTIONS, reason=problem),) if problem else ()
    return TrialReading(name, carried.value, (*told, *carried.losses))


def _predictions(path: Path, root: Path) -> tuple[dict[str, str], str]:
    """Of the nearest preds.json, not above the folder that was asked for; and why it could not be read."""
    folder = path.parent
    for _ in range(MAX_LEVELS_UP):
        place = folder / PREDICTIONS
        if os.path.lexists(place):
            try:
                with _opened(place) as file:
                    return read_predictions(parse_json(file.read(MAX_FILE_BYTES), PREDICTIONS), PREDICTIONS), ""
            except InputError as error:
                return {}, error.message
        if folder == root:
            break
        folder = folder.parent
    return {}, ""


def _stem(path: Path) -> str:
    """A name for the task: `x` of `x.traj.json`, the trial's folder for the names that every trial has."""
    stem = path.name.removesuffix(".json").removesuffix(".traj")
    if stem not in ("trajectory", "traj", ""):
        return stem
    return next((p for p in reversed(path.absolute().parent.parts) if p not in ("agent", "logs", "/")), stem)


def _opened(path: Path) -> BinaryIO:
    """A regular file, opened for reading. Raises InputError for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise wrong(path.name, "", error.strerror or str(error), "a regular file that can be read") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise wrong(path.name, "", "no regular file", "a regular file that can be read")
    return os.fdopen(descriptor, "rb")


def _too_large(place: str, found: str) -> InputError:
    return wrong(place, "", found, f"no more than {MAX_FILE_BYTES} bytes for one trajectory")


def _neither(name: str) -> InputError:
    expected = "a trajectory of ATIF (`schema_version`) or of mini-swe-agent (`trajectory_format`)"
    return wrong(name, "", "JSON of another kind", expected)
