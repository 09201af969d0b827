"""Predictions and reports in SWE-bench's shapes: records in, records and `report.json` out, and the counts of a run.

A run has a denominator, and everything that was asked for is in one place of it: a fault around the work is no answer
and is never counted as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import InputError
from assay.model.prediction import Graded, Prediction
from assay.model.report import Status
from assay.model.verdict import Verdict

HINT = "a prediction has 'instance_id', 'model_name_or_path' and 'model_patch' (or 'patch')"
PATCHES = ("model_patch", "patch")
EMPTY = "empty-patch"
"""The reason of a verdict on a prediction that changes nothing."""
UNAPPLIED = frozenset({"patch-does-not-apply", "patch-too-large", EMPTY})


def read_prediction(value: object, where: str, key: str = "") -> Prediction:
    """One record; `key` is what it stood under in a keyed file. Raises InputError naming what was found."""
    if not isinstance(value, dict):
        raise InputError(f"{where} is not a prediction: found {type(value).__name__}, expected an object", hint=HINT)
    name = value.get("instance_id", key or None)
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"{where}, 'instance_id': found {name!r:.60}, expected text", hint=HINT)
    column = next((column for column in PATCHES if column in value), None)
    if column is None:
        raise InputError(f"{where} ({name:.80}) has no 'model_patch'", hint=HINT)
    patch = value[column]
    if patch is not None and not isinstance(patch, str):
        raise InputError(f"{where} ({name:.80}), {column!r}: found {type(patch).__name__}, expected text", hint=HINT)
    model = value.get("model_name_or_path", value.get("prefix"))
    return Prediction(name.strip(), model if isinstance(model, str) else "", _bytes(patch or ""))


def _bytes(text: str) -> bytes:
    """Git wants the last line ended; a patch that was stripped on its way is still the same patch."""
    if not text.strip():
        return b""
    return (text if text.endswith("\n") else text + "\n").encode("utf-8", "surrogatepass")


def record_of(prediction: Prediction) -> dict[str, str]:
    """As harnesses read it."""
    patch = prediction.patch.decode("utf-8", "replace")
    return {
        "instance_id": prediction.instance_id, "model_name_or_path": prediction.model, "model_patch": patch
    }  # fmt: skip


def report_of(graded: Iterable[Graded]) -> dict[str, dict[str, Any]]:
    """`report.json`: one entry an instance. A verdict that was not reached says `infra_failure`."""
    return {one.instance_id: _entry(one, one.verdict) for one in graded if one.verdict is not None}


def _entry(one: Graded, verdict: Verdict) -> dict[str, Any]:
    applied = verdict.failure is None and verdict.reason not in UNAPPLIED
    entry: dict[str, Any] = {
        "patch_is_None": False,
        "patch_exists": bool(one.patch),
        "patch_successfully_applied": applied,
        "resolved": verdict.resolved is True,
        "infra_failure": verdict.failure is not None,
    }
    if verdict.failure is not None:
        entry["infra_failure_reason"] = f"{verdict.failure.boundary}: {verdict.failure.message}"
    elif applied:
        entry["tests_status"] = {
            **{
                column: {
                    "success": [t.id for t in verdict.tests if t.expected == kind and t.status is Status.PASSED],
                    "failure": [t.id for t in verdict.tests if t.expected == kind and t.status is not Status.PASSED],
                }
                for kind, column in (("fail_to_pass", "FAIL_TO_PASS"), ("pass_to_pass", "PASS_TO_PASS"))
            },
            "FAIL_TO_FAIL": {"success": [], "failure": []},
            "PASS_TO_FAIL": {"success": [], "failure": []},
        }
    return entry


@dataclass(frozen=True, slots=True)
class Counts:
    """A run in numbers; the parts add up to `asked`, and `rate` is over those with an answer."""

    asked: int
    """Predictions in the file."""
    resolved: int
    unresolved: int
    """With an empty patch among them."""
    empty: int
    without_verdict: int
    """Because something around the work broke: neither resolved nor not."""
    without_task: int
    """Of tasks that are not here, or that could not be read."""
    unpredicted: int
    """Tasks that no prediction is for."""

    @property
    def rate(self) -> float | None:
        """Share of resolved among those with an answer; None when there is none."""
        answered = self.resolved + self.unresolved
        return self.resolved / answered if answered else None


def counts_of(graded: Sequence[Graded], tasks: Iterable[str]) -> Counts:
    """The numbers of a run over tasks with these names."""
    verdicts = [one.verdict for one in graded if one.verdict is not None]
    predicted = {one.instance_id for one in graded}
    return Counts(
        asked=len(graded),
        resolved=sum(v.resolved is True for v in verdicts),
        unresolved=sum(v.resolved is False for v in verdicts),
        empty=sum(v.reason == EMPTY for v in verdicts),
        without_verdict=sum(v.failure is not None for v in verdicts),
        without_task=len(graded) - len(verdicts),
        unpredicted=len(set(tasks) - predicted),
    )


def run_report(graded: Sequence[Graded], tasks: Iterable[str]) -> dict[str, Any]:
    """The summary of a run as SWE-bench's harness writes it, `schema_version` 2."""
    by: dict[str, list[str]] = {name: [] for name in ("completed", "resolved", "unresolved", "empty_patch", "error")}
    for one in graded:
        verdict = one.verdict
        if not one.instance_id:
            continue
        if verdict is None or verdict.failure is not None:
            by["error"].append(one.instance_id)
        elif verdict.reason == EMPTY:
            by["empty_patch"].append(one.instance_id)
        else:
            by["completed"].append(one.instance_id)
            by["resolved" if verdict.resolved else "unresolved"].append(one.instance_id)
    submitted = sorted({one.instance_id for one in graded if one.instance_id})
    names = sorted({*tasks, *submitted})
    lists = {f"{name}_ids": sorted(set(ids)) for name, ids in by.items()}
    lists |= {"submitted_ids": submitted, "incomplete_ids": [name for name in names if name not in set(submitted)]}
    numbers = {f"{name}_instances": len(lists[f"{name}_ids"]) for name in (*by, "submitted")}
    return {"total_instances": len(names), **numbers, **lists, "schema_version": 2}
