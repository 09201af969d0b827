"""What the checks of one task come to: whether it is fit to train on, in a word and in a sentence.

Unknown is not pass: a gate that was asked for and has no answer keeps the whole from being a yes.
"""

from __future__ import annotations

from collections.abc import Iterable

from assay.core.audit.table import TABLE
from assay.model.audit import CHECK_IDS, AuditRun, CheckId, CheckStatus

GATES: tuple[CheckId, ...] = tuple(d.check for d in TABLE if d.severity == "gate")


def open_gates(run: AuditRun, asked: Iterable[CheckId] = CHECK_IDS) -> tuple[CheckId, ...]:
    """The gates that were asked for and are neither passed nor failed, those without a result included."""
    closed = {result.check for result in run.checks if result.status != "unknown"}
    return tuple(check for check in asked if check in GATES and check not in closed)


def answer(run: AuditRun, asked: Iterable[CheckId] = CHECK_IDS) -> CheckStatus:
    """Whether the task holds as far as was asked. A failed gate weighs more than an unknown one."""
    if run.failure is not None:
        return "unknown"
    if run.complaint or run.failed_gates:
        return "fail"
    return "unknown" if open_gates(run, asked) else "pass"


def sentence(run: AuditRun, asked: Iterable[CheckId] = CHECK_IDS) -> str:
    """The conclusion for people, without the task's name."""
    if run.failure is not None:
        return f"nobody knows: {run.failure.message} ({run.failure.boundary})"
    if run.complaint:
        return f"not audited: {run.complaint}"
    asked = tuple(asked)
    failed, unknown = tuple(r.check for r in run.failed_gates), open_gates(run, asked)
    warnings = tuple(r.check for r in run.checks if r.severity == "warning" and r.status == "fail")
    some = _counted(len(warnings), "warning", "warnings", warnings)
    if failed:
        said = f"not fit to train on: {_counted(len(failed), 'gate fails', 'gates fail', failed)}"
        more = _counted(len(unknown), "gate is unknown", "gates are unknown", unknown)
        return "; ".join(part for part in (said, more, some) if part)
    if unknown:
        said = f"nobody knows: {_counted(len(unknown), 'gate is unknown', 'gates are unknown', unknown)}"
        return "; ".join(part for part in (said, some) if part)
    if set(GATES) <= set(asked):
        return "fit to train on" + (f", with {some}" if some else "")
    gates = tuple(check for check in asked if check in GATES)
    said = f"no gate fails of those asked for ({', '.join(gates)})" if gates else "no gate was asked for"
    return "; ".join(part for part in (said, some) if part)


def _counted(number: int, one: str, many: str, checks: tuple[CheckId, ...]) -> str:
    return f"{number} {one if number == 1 else many} ({', '.join(checks)})" if number else ""
