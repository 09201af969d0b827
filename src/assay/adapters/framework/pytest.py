"""pytest: two witnesses for every test, an inherited pipe and JUnit XML, and no belief in either alone."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from assay.adapters.framework import events, junit, layout, warming
from assay.core.twins import weaving
from assay.core.twins.cases import Library
from assay.model.environment import REPO_ROOT, Environment
from assay.model.report import Problem, Status, TestOutcome, TestReport, Trouble
from assay.model.sandbox import Command, ExecResult, Mount
from assay.model.tree import Tree
from assay.model.twin import Edit, Frames, Woven
from assay.model.warm import Harvest, WarmJob
from assay.ports.framework import Hidden, Plan, Selection

INSIDE = Path(__file__).parent / "inside"
PLUGIN_ROOT = "/assay/pytest"
NURSERY = Path(__file__).parent / "nursery"
NURSERY_ROOT = "/assay/nursery"
"""What serves audits alone is in no sandbox in which a stranger's change is judged."""
OUT_ROOT = "/assay/out"
REPORT_FILE = "report.xml"
USAGE_ERROR = 4
NOTHING_COLLECTED = 5
TAIL_CHARACTERS = 600

OPTIONS_BY_PLUGIN = {
    "pytest-cov": ("--no-cov",),
    "pytest-xdist": ("-n0",),
    "pytest-randomly": ("-p", "no:randomly"),
    "pytest-timeout": ("--timeout=0",),
    "pytest-benchmark": ("--benchmark-disable",),
    "pytest-sugar": ("-p", "no:sugar"),
}
"""What keeps a project's own plug-ins from changing order, output or exit status."""

PROTECTED = (
    "conftest.py",  # loaded from every folder on the way to a test
    # pytest looks for its configuration beside the tests first, and goes up from there.
    "pytest.ini",
    ".pytest.ini",
    "pytest.toml",
    ".pytest.toml",
    "tox.ini",  # may hold [pytest]
    "setup.cfg",  # may hold [tool:pytest]
    "pyproject.toml",  # may hold [tool.pytest.ini_options]
    "/setup.py",  # runs at installation
    "sitecustomize.py",  # imported by the interpreter at its start
    "usercustomize.py",
    "*.pth",  # executed by the interpreter at its start
    "*.egg-info/",  # entry points of plug-ins
    "*.dist-info/",
    "/pytest.py",  # would stand in the framework's place on the path
    "/pytest/",
    "/_pytest/",
    "/pluggy/",
    "/assay_report.py",
    "*.pyc",
    "*.pyo",
    "*.so",  # compiled modules come from the build, never from a patch
    "*.pyd",
    "__pycache__/",
    "pyvenv.cfg",  # would move the interpreter's own folders
    "python*._pth",
    "/.env",  # read into the environment by plug-ins
    "/.coveragerc",  # names plug-ins that coverage loads
    "/.hypothesis/",  # examples that hypothesis plays again
)

KIND_OF: dict[Status, junit.Kind] = {
    Status.PASSED: "pass",
    Status.XPASSED: "pass",
    Status.SKIPPED: "skip",
    Status.XFAILED: "skip",
}


class PytestFramework:
    """The `pytest` framework."""

    name = "pytest"

    def __init__(self) -> None:
        self._folders: list[tuple[Tree, frozenset[str]]] = []

    def is_test_file(self, path: str, tree: Tree) -> bool:
        """Matched by name under the tree's configuration, and holding tests."""
        state = tree.get(path)
        return state is not None and layout.matches(path, layout.config_of(tree)) and layout.holds_tests(state.data)

    def is_support_file(self, path: str, tree: Tree) -> bool:
        """A conftest, or below a folder that is there for tests."""
        if path.rpartition("/")[2] == "conftest.py" or "/__snapshots__/" in f"/{path}":
            return True
        return any(path.startswith(folder) for folder in self._test_folders(tree))

    def _test_folders(self, tree: Tree) -> frozenset[str]:
        for known, folders in self._folders:
            if known is tree:
                return folders
        folders = layout.test_folders(tree, layout.config_of(tree))
        # Two trees, before and after, are asked about in turn; holding them keeps the comparison by identity true.
        self._folders = [*self._folders[-3:], (tree, folders)]
        return folders

    def protected_patterns(self) -> Sequence[str]:
        """What pytest and the interpreter load unasked."""
        return PROTECTED

    def inside(self, hidden: Hidden) -> Hidden:
        """All that pytest imports. Compiled tests stay out: they would tell a woven test from the original."""
        return {path: state for path, state in hidden.items() if not layout.is_compiled(path)}

    def loaded_files(self, tree: Tree) -> Sequence[str]:
        """Modules of the repository that its configuration or a conftest names as plug-ins."""
        return layout.plugin_files(tree)

    def design(
        self,
        read: Callable[[str], bytes | None],
        ids: Sequence[str],
        traces: Mapping[str, Frames],
        draw: random.Random,
    ) -> tuple[list[Woven], dict[str, str]]:
        """Twins of functions and methods, also of those that are inherited from another file of the tests."""
        return weaving.design(Library(read), ids, traces, draw)

    def weave(self, data: bytes, edits: Sequence[Edit]) -> bytes:
        """The edited file."""
        return weaving.write(data, edits)

    def requirements(self) -> Sequence[str]:
        """pytest itself."""
        return ("pytest",)

    def plan(self, environment: Environment, selection: Selection) -> Plan:
        """Run from the repository's root, with the project's configuration but not its reporting."""
        own, asked = _own_plugins(selection)
        targets = selection.ids or selection.files
        command = Command(
            argv=(
                environment.python,
                *("-m", "pytest", "-p", "assay_report", *own, "-p", "no:cacheprovider"),
                f"--junitxml={OUT_ROOT}/{REPORT_FILE}",
                *("-o", "junit_family=xunit1"),
                *_options(environment, selection.workers),
                *targets,
            ),
            env=(("PYTHONPATH", _path(environment)), ("ASSAY_TEST_SECONDS", f"{selection.test_seconds:g}"), *asked),
            workdir=REPO_ROOT,
            channel=True,
        )
        return Plan(
            command=command,
            mounts=(Mount(PLUGIN_ROOT, (INSIDE,)), Mount(OUT_ROOT, writable=True)),
            report_target=OUT_ROOT,
            report_path=REPORT_FILE,
            files=tuple(dict.fromkeys(target.partition("::")[0] for target in targets)),
        )

    def nursery(
        self, environment: Environment, jobs: Sequence[WarmJob], modules: Sequence[str], memory_mib: int
    ) -> Plan:
        """A warm interpreter; see the port."""
        plugins = ("assay_report", "assay_watch", "assay_hold", "no:cacheprovider")
        arguments = [*(word for name in plugins for word in ("-p", name)), *_options(environment)]
        settings = warming.settings(jobs, arguments, modules, REPO_ROOT, memory_mib)
        return Plan(
            command=Command(
                argv=(environment.python, "-m", "assay_nursery"),
                env=(("PYTHONPATH", f"{NURSERY_ROOT}:{_path(environment)}"),),
                workdir=REPO_ROOT,
                stdin=settings,
                channel=True,
            ),
            mounts=(Mount(PLUGIN_ROOT, (INSIDE,)), Mount(NURSERY_ROOT, (NURSERY,))),
            report_target="",
            report_path="",
        )

    def harvest(self, plan: Plan, result: ExecResult) -> Harvest:
        """The answers of a warm interpreter; see the port."""
        return warming.harvest(result)

    def report(self, plan: Plan, result: ExecResult, structured: bytes | None) -> TestReport:
        """The outcomes on which the witnesses agree, and every disagreement."""
        account = events.read(result.channel)
        if not account.started:
            return _did_not_start(plan, result)
        problems = list(account.problems)
        if result.truncated:
            problems.append(Problem(Trouble.TRUNCATED, f"truncated: {', '.join(sorted(result.truncated))}"))
        if result.stopped:
            problems.append(Problem(Trouble.LIMIT, f"stopped by the {result.stopped} limit"))
        for test_id in account.running:
            status = Status.TIMEOUT if result.stopped == "wall" else Status.CRASHED
            account.outcomes[test_id] = TestOutcome(status, message=_ending(result))
        problems += _absent(account)
        if account.finish_status is None:
            kind = Trouble.KILLED if result.signal is not None else Trouble.EARLY_EXIT
            problems.append(Problem(kind, f"the run did not finish: {_ending(result)}"))
        else:
            problems += _disagreements(account, junit.parse(structured))
            problems += _exit_problems(account, result)
        return TestReport(
            outcomes=account.outcomes,
            uncollected=account.uncollected,
            complete=not problems,
            problems=tuple(problems),
            exit_status=result.exit_status,
        )


def _options(environment: Environment, workers: int = 0) -> tuple[str, ...]:
    """The project's configuration holds, but not its reporting, nor what its plug-ins do to order and output."""
    locked = {re.split(r"[=<>!~ \[;@]", line, maxsplit=1)[0].lower() for line in environment.recipe.lock}
    by_plugin = OPTIONS_BY_PLUGIN | ({"pytest-xdist": (f"-n{workers}",)} if workers else {})
    return (
        # Rendering a traceback parses the whole file again: ten times the cost of a failing test itself.
        *("--color=no", "--tb=no", "--maxfail=0"),
        *("--continue-on-collection-errors", f"--rootdir={REPO_ROOT}"),
        *(option for name, options in by_plugin.items() if name in locked for option in options),
    )


def _path(environment: Environment) -> str:
    return ":".join(filter(None, (PLUGIN_ROOT, dict(environment.variables).get("PYTHONPATH", ""))))


def _own_plugins(selection: Selection) -> tuple[list[str], list[tuple[str, str]]]:
    """Options and variables for what verdicts never ask for: their runs stay what they are."""
    names = {
        "assay_clock": selection.shifted_clock,
        "assay_order": bool(selection.order),
        "assay_workers": bool(selection.workers),
    }
    options = [word for name, wanted in names.items() if wanted for word in ("-p", name)]
    return options, [("ASSAY_ORDER", selection.order)] if selection.order else []


def _did_not_start(plan: Plan, result: ExecResult) -> TestReport:
    """No session: a conftest that cannot be imported, a broken configuration, an interpreter that dies at once.

    A conftest that needs what the change adds is an honest way to fail, so the files count as uncollected.
    """
    text = (result.stderr + result.stdout).decode("utf-8", "replace")
    found = re.findall(r"^E?\s*([A-Za-z_][\w.]*(?:Error|Exception)): (.*)$", text, re.MULTILINE)
    kind, message = found[-1] if found else ("", text.strip()[-TAIL_CHARACTERS:])
    outcome = TestOutcome(Status.ERROR, error_type=kind.rpartition(".")[2], message=message[:2000])
    usage = result.exit_status == USAGE_ERROR and bool(found)
    return TestReport(
        outcomes={},
        uncollected=dict.fromkeys(plan.files, outcome) if usage else {},
        complete=False,
        problems=(
            Problem(
                Trouble.NOT_STARTED,
                f"the framework did not start ({_ending(result)}): {kind} {message[:TAIL_CHARACTERS]}",
            ),
        ),
        exit_status=result.exit_status,
    )


def _absent(account: events.Account) -> list[Problem]:
    problems = []
    twice = [test_id for test_id, count in Counter(account.collected).items() if count > 1]
    if twice:
        problems.append(Problem(Trouble.DUPLICATE, f"collected twice: {twice[0]}"))
    strangers = account.outcomes.keys() - set(account.collected)
    if strangers:
        problems.append(Problem(Trouble.UNEXPECTED, f"reported but not collected: {min(strangers)}"))
    missing = [test_id for test_id in account.collected if test_id not in account.outcomes]
    if missing:
        text = f"collected but not reported: {len(missing)}, first {missing[0]}"
        problems.append(Problem(Trouble.MISSING, text))
    return problems


def _disagreements(account: events.Account, cases: junit.Cases) -> list[Problem]:
    if cases.problem:
        return [Problem(Trouble.DISAGREEMENT, cases.problem)]
    told: dict[junit.Key, junit.Kind] = {}
    names: dict[junit.Key, str] = {}
    for test_id, outcome in (account.outcomes | account.uncollected).items():
        key = junit.key_of(test_id)
        kind = KIND_OF.get(outcome.status, "bad")
        told[key] = max(told.get(key, "pass"), kind, key=junit.WORSE.__getitem__)
        names[key] = test_id
    problems = [f"only in the structured report: {'::'.join(key)}" for key in cases.kinds.keys() - told.keys()]
    problems += [f"only on the channel: {names[key]}" for key in told.keys() - cases.kinds.keys()]
    problems += [
        f"the witnesses disagree on {names[key]}: channel {kind}, report {cases.kinds[key]}"
        for key, kind in told.items()
        if key in cases.kinds and cases.kinds[key] != kind
    ]
    return [Problem(Trouble.DISAGREEMENT, text) for text in sorted(problems)[: events.MAX_PROBLEMS]]


def _exit_problems(account: events.Account, result: ExecResult) -> list[Problem]:
    bad = bool(account.uncollected) or any(o.status not in KIND_OF for o in account.outcomes.values())
    expected = 1 if bad else 0 if account.outcomes else NOTHING_COLLECTED
    texts = []
    if result.exit_status != account.finish_status:
        texts.append(f"ended with {_ending(result)}, but the framework said {account.finish_status}")
    if account.finish_status != expected:
        texts.append(f"the framework ended with status {account.finish_status}, the tests say {expected}")
    return [Problem(Trouble.EXIT_STATUS, text) for text in texts]


def _ending(result: ExecResult) -> str:
    if result.stopped:
        return f"the {result.stopped} limit"
    return f"signal {result.signal}" if result.signal is not None else f"exit status {result.exit_status}"
