"""ATIF, the Agent Trajectory Interchange Format: versions 1.0 to 1.8 in, 1.8 out.

Our own value of a trajectory has ATIF's words, so that writing carries everything. Reading mends what other programs
are known to write against the rules, and tells it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from assay.core.exchange.reading import shown, validated, wrong
from assay.model.carried import Carried
from assay.model.loss import Loss
from assay.model.trajectory import Trajectory

VERSION = "ATIF-v1.8"
NEWEST = (1, 8)
_VERSION = re.compile(r"ATIF-v(\d{1,4})\.(\d{1,4})(?:\.\d{1,4})?")
AUDIO_NAMES = {
    "audio/mp3": "audio/mpeg",
    "audio/mpga": "audio/mpeg",
    "audio/x-mpeg": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "audio/x-aac": "audio/aac",
    "audio/x-flac": "audio/flac",
    "audio/x-aiff": "audio/aiff",
}
"""Other names of the same types; the format calls them equal."""


def is_atif(data: object) -> bool:
    """Whether parsed JSON says that it is a trajectory of this format, of whatever version."""
    return isinstance(data, dict) and str(data.get("schema_version", "")).startswith("ATIF")


def read_atif(data: object, file: str) -> Carried[Trajectory]:
    """A trajectory from parsed JSON. A version above 1.8 is read as far as it goes.

    Raises InputError naming file, key, found and expected.
    """
    if not isinstance(data, dict):
        raise wrong(file, "", shown(data), "a JSON object with `schema_version`, `agent` and `steps`")
    table = deepcopy(data)
    version = _version(table.pop("schema_version", None), file)
    losses: list[Loss] = []
    if version > NEWEST:
        reason = f"version {version[0]}.{version[1]} is newer than {NEWEST[0]}.{NEWEST[1]}: read as far as it goes"
        losses.append(Loss(subject=file, field="schema_version", reason=reason))
    for prefix, document in _documents(table):
        losses += [Loss(subject=file, field=prefix + field, reason=why) for field, why in _mend(document)]
    carried = validated(Trajectory, table, file, subject=file)
    return Carried(carried.value, (*losses, *carried.losses))


def write_atif(trajectory: Trajectory) -> dict[str, Any]:
    """The trajectory as plain data of ATIF 1.8. Nothing is lost."""
    data: dict[str, Any] = trajectory.model_dump(mode="json", exclude_none=True)
    for _, document in _documents(data):
        body = dict(document)
        document.clear()
        document.update({"schema_version": VERSION, **body})
    return data


def atif_bytes(trajectory: Trajectory) -> bytes:
    """The file's content."""
    return json.dumps(write_atif(trajectory), ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n"


def _version(value: object, file: str) -> tuple[int, int]:
    found = _VERSION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise wrong(
            file, "schema_version", "nothing" if value is None else shown(value), f"a version such as {VERSION!r}"
        )
    version = (int(found[1]), int(found[2]))
    if version[0] != NEWEST[0]:
        raise wrong(file, "schema_version", repr(value), f"version {NEWEST[0]} of the format, such as {VERSION!r}")
    return version


def _documents(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The trajectory and all those inside it."""
    yield prefix, table
    inner = table.get("subagent_trajectories")
    for number, one in enumerate(inner if isinstance(inner, list) else ()):
        if isinstance(one, dict):
            yield from _documents(one, f"{prefix}subagent_trajectories[{number}].")


def _mend(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Put right in place what is known to be written against the rules; each with its field and what happened to it."""
    document.pop("schema_version", None)  # of one inside another
    steps = document.get("steps")
    steps = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    for number, step in enumerate(steps):
        place = f"steps[{number}]."
        for owner in (step, *_results(step)):
            _rename_audio(owner.get("message"))
            _rename_audio(owner.get("content"))
        yield from ((place + field, why) for field, why in _mend_results(step))
    final = document.get("final_metrics")
    total = final.get("total_steps") if isinstance(final, dict) else None
    if isinstance(total, int) and total != len(steps) and not document.get("notes"):
        del document["final_metrics"]["total_steps"]
        yield "final_metrics.total_steps", f"it says {total}, there are {len(steps)}, and no notes say why"


def _results(step: dict[str, Any]) -> list[dict[str, Any]]:
    observation = step.get("observation")
    results = observation.get("results") if isinstance(observation, dict) else None
    return [one for one in results if isinstance(one, dict)] if isinstance(results, list) else []


def _mend_results(step: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for number, result in enumerate(_results(step)):
        place = f"observation.results[{number}]."
        if step.get("tool_calls") is None and result.get("source_call_id") is not None:
            yield (
                f"{place}source_call_id",
                f"{shown(result.pop('source_call_id'))} names a call, and the step makes none",
            )
        refs = result.get("subagent_trajectory_ref")
        if isinstance(refs, dict):  # before 1.7 some wrote the reference itself
            result["subagent_trajectory_ref"] = refs = [refs]
        for index, ref in enumerate(refs if isinstance(refs, list) else ()):
            if _is_named_by_session(ref):
                ref["trajectory_id"] = ref["session_id"]
                where = f"{place}subagent_trajectory_ref[{index}].session_id"
                yield where, "before 1.7 it named the sub-agent's trajectory; kept as trajectory_id as well"


def _is_named_by_session(ref: object) -> bool:
    return (
        isinstance(ref, dict)
        and ref.get("trajectory_id") is None
        and ref.get("trajectory_path") is None
        and isinstance(ref.get("session_id"), str)
    )


def _rename_audio(content: object) -> None:
    for part in content if isinstance(content, list) else ():
        source = part.get("source") if isinstance(part, dict) else None
        if isinstance(source, dict) and isinstance(kind := source.get("media_type"), str):
            source["media_type"] = AUDIO_NAMES.get(kind.strip().lower(), kind.strip().lower())
