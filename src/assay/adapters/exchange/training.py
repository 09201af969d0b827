"""Files of trials in other forms: ATIF documents, chat messages, a data set of training rows. One call a format."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from assay.adapters.exchange.rows import Layout, write_data_set
from assay.adapters.exchange.trials import read_trajectories, read_trials, write_trials
from assay.adapters.files import file_error, write_atomic
from assay.adapters.format.harbor import CONFIG, HarborFormat
from assay.core.exchange.atif import atif_bytes
from assay.core.exchange.chat import Style, chat_of
from assay.core.exchange.shapes import SHAPES, Shape, TaskFacts, rows
from assay.core.hashing import task_digest
from assay.errors import AssayError, InputError
from assay.model.carried import TrialReading
from assay.model.event import OnEvent
from assay.model.exchange import Converted, ExportOptions, ImportOptions
from assay.model.loss import Loss
from assay.model.trial import Trial

TRAJECTORIES = "trajectories"
"""What trajectories of any known kind are imported as."""
ATIF = "atif"
CHATS: dict[str, Style] = {"chat": "trl", "openai-chat": "openai"}
TRIAL_FORMATS: tuple[str, ...] = (ATIF, *CHATS, *SHAPES)
"""What files of trials can be exported to."""
BESIDE = (
    *("task_digest", "agent", "agent_version", "model", "attempt", "started_at", "patch", "ended"),
    *("resolved", "reward", "failure", "reason", "verdict", "cost", "extra"),
)
"""What a document of ATIF has no place for."""


def export_trials(options: ExportOptions, tasks: Path | None, emit: OnEvent) -> list[Converted]:
    """Write the trials of files (`trials.jsonl`, or trajectories) in one of TRIAL_FORMATS below `options.out`, which
    must not be there. One value a trial for documents and messages; for rows one for the data set, and one for each
    trial that could not be read. `tasks` is where the trials' tasks are, for prompts and licences.

    Raises InputError for an unknown format, when `out` is there, or nothing came out; DiskFullError, StoreError,
    PrerequisiteError.
    """
    name, out = options.format, options.out
    if name not in TRIAL_FORMATS:
        raise InputError(f"there is no format {name!r} for trials", hint=f"known are: {', '.join(TRIAL_FORMATS)}")
    if os.path.lexists(out):
        raise InputError(f"{out} is there already", hint="give a folder that is not there, or remove it")
    for path in options.what:
        if path.is_dir() and (path / CONFIG).exists():
            raise InputError(f"{path} is a task; {name} is made of trials", hint="give a trials.jsonl, or trajectories")
    readings = (reading for path in options.what for reading in _read(path))
    done = _exported(name, readings, out, _facts(tasks), options.layout)
    for converted in done:
        emit(converted)
    return done


def _exported(
    name: str, readings: Iterator[TrialReading], out: Path, facts: Mapping[str, TaskFacts], layout: Layout
) -> list[Converted]:
    if name == ATIF:
        return [_document(reading, number, out) for number, reading in enumerate(readings, 1)]
    if name in CHATS:
        return _chats(readings, out, CHATS[name])
    broken: list[Converted] = []
    losses: list[Loss] = []
    shape: Shape = next(one for one in SHAPES if one == name)
    made = rows(shape, _trials(readings, broken, losses), facts, None)
    written = write_data_set(out, {shape: made}, layout=layout)
    return [*broken, Converted(out.name, (out,), (*losses, *written.losses))]


def _facts(folder: Path | None) -> dict[str, TaskFacts]:
    """What tasks say of themselves; one that cannot be read says nothing."""
    found = {}
    for place in sorted(folder.iterdir()) if folder is not None and folder.is_dir() else ():
        try:
            task = HarborFormat().read(place)
        except AssayError:
            continue
        licence = task.assay.source.licence or ""
        found[task.slug] = TaskFacts(task.slug, task_digest(task), licence, task.instruction)
    return found


def import_trajectories(options: ImportOptions, folder: Path, emit: OnEvent) -> list[Converted]:
    """Read trajectories of others (ATIF, mini-swe-agent) into a file of trials for each path below `folder`; nobody has
    judged them. A broken one is told and passed over. Raises DiskFullError and StoreError.
    """
    done: list[Converted] = []
    for path in options.paths:
        trials: list[Trial] = []
        place = folder / f"{path.resolve().name.removesuffix('.json').removesuffix('.traj')}.jsonl"
        try:
            for reading in _read(path):
                if options.only and reading.subject not in options.only:
                    continue
                if options.limit is not None and len(done) >= options.limit:
                    break
                if reading.trial is not None:
                    trials.append(reading.trial)
                paths = (place,) if reading.trial else ()
                done.append(Converted(reading.subject, paths, reading.losses, reading.problem))
                emit(done[-1])
        except InputError as error:
            done.append(Converted(str(path), problem=error))
            emit(done[-1])
        if trials:
            folder.mkdir(parents=True, exist_ok=True)
            write_trials(place, trials)
    return done


def _read(path: Path) -> Iterator[TrialReading]:
    return read_trials(path) if path.suffix == ".jsonl" else read_trajectories(path)


def _trials(readings: Iterable[TrialReading], broken: list[Converted], losses: list[Loss]) -> Iterator[Trial]:
    for reading in readings:
        losses += reading.losses
        if reading.trial is not None:
            yield reading.trial
        else:
            broken.append(Converted(reading.subject, problem=reading.problem))


def _document(reading: TrialReading, number: int, out: Path) -> Converted:
    trial = reading.trial
    if trial is None or trial.trajectory is None:
        return Converted(reading.subject, problem=reading.problem or _no_trajectory(reading))
    words = re.sub(r"[^\w.-]+", "-", f"{trial.task}-{trial.model or trial.agent}-{trial.attempt}").strip("-.")
    place = out / f"{number:05d}-{words[:100]}.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomic(place, atif_bytes(trial.trajectory))
    except OSError as error:
        raise file_error("write", place, error) from error
    reason = "the format holds what the agent did, not at which task nor what came of it"
    own = {"agent": trial.trajectory.agent.name, "agent_version": trial.trajectory.agent.version, "attempt": 1}
    own["model"] = trial.trajectory.agent.model_name or ""
    lost = [name for name in BESIDE if getattr(trial, name) not in (None, "", {}, own.get(name))]
    losses = [Loss(subject=trial.name, field=name, reason=reason) for name in ("task", *lost)]
    return Converted(reading.subject, (place,), (*reading.losses, *losses))


def _no_trajectory(reading: TrialReading) -> InputError:
    return InputError(f"{reading.subject}: the trial has no trajectory", hint="only trials with one can be exported")


def _chats(readings: Iterable[TrialReading], out: Path, style: Style) -> list[Converted]:
    done: list[Converted] = []
    lines: list[bytes] = []
    place = out / "chats.jsonl"
    for reading in readings:
        trial = reading.trial
        if trial is None or trial.trajectory is None:
            done.append(Converted(reading.subject, problem=reading.problem or _no_trajectory(reading)))
            continue
        carried = chat_of(trial.trajectory, trial.name, style)
        row = {"messages": list(carried.value.messages), "tools": carried.value.tools}
        lines.append(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        done.append(Converted(reading.subject, (place,), (*reading.losses, *carried.losses)))
    if lines:
        out.mkdir(parents=True)
        write_atomic(place, b"".join(lines))
    return done
