"""What is said to a warm interpreter, and what its answers mean (`nursery/assay_nursery.py` is the other end).

A warm run has one witness, the channel: it serves audits of variants that assay made itself, and no verdict.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

from assay.adapters.framework import events
from assay.model.report import Problem, Status, TestOutcome, TestReport, Trouble
from assay.model.sandbox import ExecResult
from assay.model.tree import FileState
from assay.model.warm import Harvest, WarmJob, WarmRun

FEW = 10
"""Tests that are named one by one; of more, their files are."""
SCOUT_SECONDS = 30.0
"""To find out how far a session comes before anything is collected."""


def settings(
    jobs: Sequence[WarmJob], arguments: Sequence[str], modules: Sequence[str], repository: str, memory_mib: int
) -> bytes:
    """All that the interpreter is told, as JSON on its standard input."""
    return json.dumps(
        {
            "repository": repository,
            "tmpfs_mib": max(64, memory_mib // 4),
            "modules": list(modules),
            "arguments": list(arguments),
            "scout": _job(WarmJob("", wall_seconds=SCOUT_SECONDS, memory_mib=memory_mib), arguments),
            "jobs": [_job(job, arguments) for job in jobs],
        }
    ).encode()


def _job(job: WarmJob, arguments: Sequence[str]) -> dict[str, Any]:
    files = tuple(dict.fromkeys(test.partition("::")[0] for test in job.tests)) or job.test_files
    if 0 < len(job.tests) <= FEW:  # pytest collects no more than it is asked for
        files = job.tests
    options = [*(["--maxfail=1"] if job.stop_early else []), *(["--collect-only"] if job.collect_only else [])]
    return {
        "key": job.key,
        "files": {path: _file(state) for path, state in job.files.items()},
        "arguments": [*arguments, *options],
        "targets": list(files),
        "stop_early": job.stop_early,
        "in_place": job.collect_only,
        "tests": list(job.tests),
        "watch": job.watching,
        "watched": list(job.watched),
        "tell_modules": job.tell_modules,
        "wall_seconds": job.wall_seconds,
        "test_seconds": job.test_seconds,
        "memory_mib": job.memory_mib,
    }


def _file(state: FileState | None) -> dict[str, str] | None:
    return {"data": base64.b64encode(state.data).decode(), "mode": state.mode} if state else None


def harvest(result: ExecResult) -> Harvest:
    """The runs that were answered, and why others were not."""
    runs, cannot, begun, done = [], "", "", False
    for answer in _answers(result.channel):
        if "cannot" in answer:
            return Harvest((), str(answer["cannot"]))
        if "begin" in answer:
            begun = str(answer["begin"])
        elif "job" in answer:
            runs.append(_told(answer))
            begun = ""
        done = done or "done" in answer
    if not done:
        words = result.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"status {result.exit_status}"]
        cannot = f"the {result.stopped} limit" if result.stopped else words[0]
    return Harvest(tuple(runs), cannot, begun)


def _answers(channel: bytes) -> Iterator[dict[str, Any]]:
    for line in channel.split(b"\n")[:-1]:
        try:
            answer = json.loads(line)
        except ValueError:
            continue
        if isinstance(answer, dict):
            yield answer


def _told(answer: dict[str, Any]) -> WarmRun:
    """The run; tests that reach for the interpreter's own pipe can spoil it, and then nothing is known."""
    try:
        return _run(answer)
    except (ValueError, KeyError, TypeError, AttributeError):
        return WarmRun(str(answer["job"]), TestReport(outcomes={}, complete=False), 0.0, fault="its answer is spoilt")


def _run(answer: dict[str, Any]) -> WarmRun:
    how, seconds = str(answer["how"]), float(answer["seconds"])
    word, _, number = how.partition(" ")
    if word == "cannot" or not word:
        empty = TestReport(outcomes={}, complete=False)
        return WarmRun(str(answer["job"]), empty, seconds, fault=how or "the child said nothing")
    watch = answer.get("watch") or {}
    return WarmRun(
        key=str(answer["job"]),
        report=_report(str(answer["report"]).encode(), word, number),
        seconds=seconds,
        lines={t: {p: frozenset(ls) for p, ls in fs.items()} for t, fs in watch.get("lines", {}).items()},
        values=dict(watch.get("values", {})),
        modules=tuple(watch.get("modules", ())),
    )


def _report(channel: bytes, word: str, number: str) -> TestReport:
    account = events.read(channel)
    stopped = "wall" if word == "wall" else ""
    problems = list(account.problems)
    for test_id in account.running:
        status = Status.TIMEOUT if stopped else Status.CRASHED
        account.outcomes[test_id] = TestOutcome(status, message=f"{word} {number}".strip())
    if not account.started:
        problems.append(Problem(Trouble.NOT_STARTED, f"the framework did not start ({word} {number})"))
    elif account.finish_status is None:
        problems.append(Problem(Trouble.LIMIT if stopped else Trouble.EARLY_EXIT, f"ended by {word} {number}"))
    return TestReport(
        outcomes=account.outcomes,
        uncollected=account.uncollected,
        complete=not problems,
        problems=tuple(problems),
        exit_status=int(number) if word == "exit" else None,
        stopped=stopped,
    )
