"""Cases: the verifier calls the candidate only through a process boundary, and what it expects stays outside.

A driver inside the sandbox gets the inputs and tells what came back; the comparison happens here. There is no
outcome inside that could be forged, so these tests need no twins: whoever gives the right answers has solved them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.core.cases.comparing import Answer, difference
from assay.core.cases.spec import SUFFIX, Case, CaseFile, inputs, parse
from assay.errors import TaskDefinitionError
from assay.model.environment import REPO_ROOT, Environment
from assay.model.report import Problem, Status, TestOutcome, TestReport, Trouble
from assay.model.sandbox import Command, ExecResult, Mount
from assay.model.tree import Tree
from assay.ports.framework import Hidden, Plan, Selection

DRIVER = Path(__file__).parent / "driver"
DRIVER_ROOT = "/assay/cases"
OUT_ROOT = "/assay/out"
STOPS = {
    "start": (Status.ERROR, "could not be started"),
    "answer": (Status.FAILED, "gave no answer that is HTTP"),
    "output": (Status.FAILED, "gave back far more than was expected"),
    "time": (Status.TIMEOUT, "ran out of time"),
}


@dataclass(frozen=True, slots=True)
class _Withheld:
    """What the sandbox never sees."""

    files: Mapping[str, CaseFile]

    def ids(self) -> list[str]:
        return [f"{path}::{case.name}" for path, file in self.files.items() for case in file.case]

    def case(self, group: int, place: int) -> tuple[str, Case]:
        """Raises IndexError for numbers that the driver was not given."""
        if group < 0 or place < 0:
            raise IndexError(group, place)
        path = list(self.files)[group]
        case = self.files[path].case[place]
        return f"{path}::{case.name}", case


class CasesFramework:
    """The `cases` framework."""

    name = "cases"

    def is_test_file(self, path: str, tree: Tree) -> bool:
        """By its name."""
        return path.endswith(SUFFIX) and path in tree

    def is_support_file(self, path: str, tree: Tree) -> bool:
        """Cases hold all that they need."""
        return False

    def protected_patterns(self) -> Sequence[str]:
        """Nothing of the repository is loaded by the driver."""
        return (f"*{SUFFIX}",)

    def loaded_files(self, tree: Tree) -> Sequence[str]:
        """None."""
        return ()

    def inside(self, hidden: Hidden) -> Hidden:
        """Everything but the cases."""
        return {path: state for path, state in hidden.items() if not path.endswith(SUFFIX)}

    def requirements(self) -> Sequence[str]:
        """The driver needs the interpreter alone."""
        return ()

    def plan(self, environment: Environment, selection: Selection) -> Plan:
        """One driver for all files. Raises TaskDefinitionError for a file that is missing or broken."""
        files = {path: _read(path, selection.hidden) for path in selection.files or _files(selection.ids)}
        if selection.ids:
            files = _chosen(files, selection.ids)
        files = _ordered(files, selection.order)
        command = Command(
            argv=(environment.python, "-I", "-S", f"{DRIVER_ROOT}/assay_cases.py"),
            workdir=REPO_ROOT,
            stdin=json.dumps(inputs(files)).encode(),
            channel=True,
        )
        return Plan(
            command=command,
            mounts=(Mount(DRIVER_ROOT, (DRIVER,)), Mount(OUT_ROOT, writable=True)),
            report_target=OUT_ROOT,
            report_path="none",
            files=tuple(files),
            withheld=_Withheld(files),
        )

    def report(self, plan: Plan, result: ExecResult, structured: bytes | None) -> TestReport:
        """What the answers are worth. `structured` is not used: there is no second witness to a fact that is ours."""
        withheld = plan.withheld
        if not isinstance(withheld, _Withheld):
            raise TypeError("a plan of another framework")
        account = _Account(withheld)
        for line in result.channel.split(b"\n"):
            if line:
                account.take(line)
        problems = [*account.problems, *_ending(account, result)]
        return TestReport(
            outcomes=account.outcomes,
            complete=not problems,
            problems=tuple(problems),
            exit_status=result.exit_status,
        )


def _files(ids: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(test_id.partition("::")[0] for test_id in ids))


def _read(path: str, hidden: Hidden) -> CaseFile:
    state = hidden.get(path)
    if state is None:
        raise TaskDefinitionError(
            f"tests/files/{path}: found nothing, expected a file of cases",
            hint="correct metadata.assay.test_files in task.toml, or add the file",
            file=f"tests/files/{path}",
            key="",
            found="nothing",
            expected="a file of cases",
        )
    return parse(f"tests/files/{path}", state.data)


def _chosen(files: Mapping[str, CaseFile], ids: Sequence[str]) -> dict[str, CaseFile]:
    wanted = set(ids)
    kept = {
        path: file.model_copy(update={"case": tuple(c for c in file.case if f"{path}::{c.name}" in wanted)})
        for path, file in files.items()
    }
    return {path: file for path, file in kept.items() if file.case}


def _ordered(files: dict[str, CaseFile], order: str) -> dict[str, CaseFile]:
    """The files and the cases of each, as `Selection.order` asks for; a file is one conversation and stays together."""
    kind, _, seed = order.partition(":")

    def rank(place: int, name: str) -> tuple[int, bytes]:
        if kind == "random":
            return 0, hashlib.sha256(f"{seed} {name}".encode()).digest()
        return (-place if kind == "reversed" else place), b""

    def inner(path: str, file: CaseFile) -> CaseFile:
        places = sorted(range(len(file.case)), key=lambda place: rank(place, f"{path}::{file.case[place].name}"))
        return file.model_copy(update={"case": tuple(file.case[place] for place in places)})

    paths = [path for _, path in sorted(enumerate(files), key=lambda item: rank(*item))]
    return {path: inner(path, files[path]) for path in paths}


class _Account:
    """Reads the driver's lines. Nothing raises here: a candidate may have written some of them."""

    def __init__(self, withheld: _Withheld) -> None:
        self.withheld = withheld
        self.outcomes: dict[str, TestOutcome] = {}
        self.problems: list[Problem] = []
        self.started = self.finished = False

    def take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            kind = event["e"]
            if kind == "start" and not self.started:
                self.started = True
            elif kind == "case" and not self.finished:
                test_id, case = self.withheld.case(int(event["group"]), int(event["case"]))
                if test_id in self.outcomes:
                    self.problems.append(Problem(Trouble.DUPLICATE, f"{test_id} answered twice"))
                    return
                self.outcomes[test_id] = _outcome(case, event["results"], float(event["seconds"]))
            elif kind == "finish" and not self.finished:
                self.finished = True
                if int(event["count"]) != len(self.outcomes):
                    self.problems.append(Problem(Trouble.CHANNEL, "the channel lost or gained lines"))
            else:
                raise ValueError(kind)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, OverflowError):
            if not any(problem.kind is Trouble.CHANNEL for problem in self.problems):
                self.problems.append(Problem(Trouble.CHANNEL, "the channel holds what the driver does not write"))


def _outcome(case: Case, results: Any, seconds: float) -> TestOutcome:
    wanted = [request.expect for request in case.request] or [case.expect]
    for number, (expect, result) in enumerate(zip(wanted, results, strict=False), 1):
        place = f"request {number}: " if len(wanted) > 1 else ""
        stop = str(result["stop"])
        if stop:
            status, text = STOPS.get(stop, (Status.FAILED, "ended oddly"))
            why = str(result.get("why", ""))[:500]
            return TestOutcome(status, seconds, message=f"{place}the program {text}{f': {why}' if why else ''}")
        problem = difference(expect, _answer(result, http=bool(case.request)))
        if problem:
            return TestOutcome(Status.FAILED, seconds, "Difference", f"{place}{problem}"[:2000])
    if len(results) != len(wanted):
        return TestOutcome(Status.FAILED, seconds, message=f"{len(results)} answers to {len(wanted)} calls")
    return TestOutcome(Status.PASSED, seconds)


def _answer(result: Any, *, http: bool) -> Answer:
    return Answer(
        status=int(result["status"]),
        output=base64.b64decode(result["out"], validate=True),
        errors=base64.b64decode(result.get("err", ""), validate=True),
        headers={str(name).lower(): str(value) for name, value in result.get("headers", ())},
        http=http,
    )


def _ending(account: _Account, result: ExecResult) -> Iterator[Problem]:
    if result.truncated:
        yield Problem(Trouble.TRUNCATED, f"truncated: {', '.join(sorted(result.truncated))}")
    if result.stopped:
        yield Problem(Trouble.LIMIT, f"stopped by the {result.stopped} limit")
    how = f"signal {result.signal}" if result.signal is not None else f"exit status {result.exit_status}"
    if not account.started:
        tail = result.stderr.decode("utf-8", "replace").strip()[-600:]
        yield Problem(Trouble.NOT_STARTED, f"the driver did not start ({how}): {tail}")
    elif not account.finished:
        kind = Trouble.KILLED if result.signal is not None else Trouble.EARLY_EXIT
        yield Problem(kind, f"the driver did not finish: {how}")
    elif result.exit_status != 0:
        yield Problem(Trouble.EXIT_STATUS, f"the driver ended with {how}")
    missing = [test_id for test_id in account.withheld.ids() if test_id not in account.outcomes]
    if missing:
        yield Problem(Trouble.MISSING, f"not answered: {len(missing)}, first {missing[0]}")
