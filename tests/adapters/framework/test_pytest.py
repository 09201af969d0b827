"""pytest in a real sandbox: every way in which a test can end, and every way in which a run can lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from assay.adapters.framework.pytest import PytestFramework
from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox
from assay.adapters.store.layers import LayerStore
from assay.model.report import Status, TestReport
from assay.model.sandbox import Limits
from assay.model.tree import FileState
from assay.ports.framework import Selection
from assay.stages.running import NORMAL, Conditions, Runner
from assay.testing.interpreter import own_environment

pytestmark = pytest.mark.sandbox

LIMITS = Limits(wall_seconds=60)
CLOCK_LIBRARY = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


def run(
    tmp_path: Path,
    files: dict[str, str],
    *,
    seconds: float = 20,
    limits: Limits = LIMITS,
    conditions: Conditions = NORMAL,
) -> TestReport:
    """Run all of `files` that start with `test_` over a repository that holds them."""

    async def go() -> TestReport:
        layer = await LayerStore(tmp_path / "layers").put({p: FileState(t.encode()) for p, t in files.items()})
        runner = Runner(BubblewrapSandbox(tmp_path / "sandboxes"), LayerStore(tmp_path / "layers"), FRAMEWORK, "test")
        names = tuple(path for path in files if path.rpartition("/")[2].startswith("test_"))
        selection = Selection(files=names, test_seconds=seconds)
        return (await runner.test(own_environment(), [layer], selection, limits, conditions=conditions)).report

    return anyio.run(go)


FRAMEWORK = PytestFramework()


WAYS = """
import os, time, unittest, pytest

def test_passes(): pass
def test_fails(): assert 1 == 2, "one is not two"
def test_raises(): raise KeyError("k")
@pytest.mark.skip(reason="later")
def test_skips(): pass
@pytest.mark.xfail
def test_xfails(): assert False
@pytest.mark.xfail
def test_xpasses(): pass
@pytest.mark.xfail(strict=True)
def test_xpasses_strictly(): pass
@pytest.fixture
def broken(): raise ValueError("no set-up")
def test_setup_error(broken): pass
@pytest.fixture
def late():
    yield
    raise ValueError("no tear-down")
def test_teardown_error(late): pass
@pytest.mark.parametrize("value", ["a b", "a::b", "[x]", "\\u00e9", "a\\nb", "", "x/y.py"])
def test_parameters(value): pass
class TestGroup:
    class TestInner:
        def test_nested(self): pass
class Old(unittest.TestCase):
    def test_unit(self): self.assertEqual(1, 1)
    def test_sub(self):
        for i in range(3):
            with self.subTest(i=i):
                self.assertNotEqual(i, 1)
def test_hangs():
    try:
        time.sleep(60)
    except Exception:
        pass
"""

ENDS = {
    "test_passes": Status.PASSED,
    "test_fails": Status.FAILED,
    "test_raises": Status.FAILED,
    "test_skips": Status.SKIPPED,
    "test_xfails": Status.XFAILED,
    "test_xpasses": Status.XPASSED,
    "test_xpasses_strictly": Status.FAILED,
    "test_setup_error": Status.ERROR,
    "test_teardown_error": Status.ERROR,
    "TestGroup::TestInner::test_nested": Status.PASSED,
    "Old::test_unit": Status.PASSED,
    "Old::test_sub": Status.FAILED,
    "test_hangs": Status.TIMEOUT,
}


def test_every_way_to_end(tmp_path: Path) -> None:
    report = run(tmp_path, {"tests/test_ways.py": WAYS}, seconds=1.0)
    assert report.problems == ()
    assert report.complete
    assert {name: report.status(f"tests/test_ways.py::{name}") for name in ENDS} == ENDS
    parameters = [name for name in report.outcomes if "test_parameters" in name]
    assert len(parameters) == 7
    assert all(report.status(name) is Status.PASSED for name in parameters)
    failed = report.outcomes["tests/test_ways.py::test_fails"]
    assert (failed.error_type, failed.where.partition(":")[0]) == ("AssertionError", "tests/test_ways.py")
    assert "one is not two" in failed.message


def test_a_file_that_cannot_be_collected_is_told_by_its_cause(tmp_path: Path) -> None:
    files = {
        "test_a.py": "from thing import missing\ndef test_x(): pass\n",
        "thing.py": "",
        "test_b.py": "def test_y(): pass\n",
    }
    report = run(tmp_path, files)
    assert report.complete, report.problems
    assert report.uncollected["test_a.py"].error_type == "ImportError"
    assert "cannot import name 'missing'" in report.uncollected["test_a.py"].message
    assert report.status("test_b.py::test_y") is Status.PASSED


def test_a_conftest_that_cannot_be_imported_leaves_its_files_uncollected(tmp_path: Path) -> None:
    report = run(tmp_path, {"conftest.py": "import nowhere\n", "test_a.py": "def test_x(): pass\n"})
    assert not report.complete
    assert report.uncollected["test_a.py"].error_type == "ModuleNotFoundError"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("import os; os._exit(0)", "did not finish"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal 9"),
        ("import ctypes; ctypes.string_at(0)", "did not finish"),
    ],
)
def test_a_killed_interpreter_is_no_pass(tmp_path: Path, body: str, word: str) -> None:
    files = {"test_a.py": f"def test_ok(): pass\ndef test_dies():\n    {body}\ndef test_later(): pass\n"}
    report = run(tmp_path, files)
    assert not report.complete
    assert any(word in problem.text for problem in report.problems), report.problems
    assert report.status("test_a.py::test_ok") is Status.PASSED
    assert report.status("test_a.py::test_dies") is Status.CRASHED
    assert report.status("test_a.py::test_later") is Status.MISSING


def test_a_failure_that_cannot_be_written_out_is_a_failure_and_the_run_goes_on(tmp_path: Path) -> None:
    """pytest 6.0.0 and 6.0.1 make such ones of every message of several lines."""
    conftest = """
import pytest

class Broken:
    def __str__(self):
        raise AssertionError("Unexpected failure lines between source lines")

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if outcome.get_result().failed:
        outcome.get_result().longrepr = Broken()
"""
    text = "def test_x(): raise ValueError('one\\ntwo')\ndef test_y(): pass\n"
    report = run(tmp_path, {"conftest.py": conftest, "test_a.py": text})
    assert report.complete, report.problems
    assert (report.status("test_a.py::test_x"), report.status("test_a.py::test_y")) == (Status.FAILED, Status.PASSED)
    assert report.outcomes["test_a.py::test_x"].message == "one\ntwo"


def test_an_exit_at_import_is_no_pass(tmp_path: Path) -> None:
    report = run(tmp_path, {"test_a.py": "import os; os._exit(0)\ndef test_x(): pass\n"})
    assert not report.complete
    assert report.passed() == frozenset()


def test_tests_that_print_a_gigabyte_or_hang_are_stopped_and_said(tmp_path: Path) -> None:
    flood = "import os\ndef test_x():\n    while True: os.write(2, b'x' * 65536)\n"
    report = run(tmp_path, {"test_a.py": flood, "pytest.ini": "[pytest]\naddopts = -s\n"})
    assert (report.stopped, report.complete) == ("output", False)
    block = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])"
    hang = f"import signal, time\ndef test_x():\n    {block}\n    time.sleep(60)\n"
    report = run(tmp_path, {"test_a.py": hang}, seconds=0.5, limits=replace_wall(3.0))
    assert report.stopped == "wall"
    assert report.status("test_a.py::test_x") is Status.TIMEOUT


def replace_wall(seconds: float) -> Limits:
    return LIMITS.model_copy(update={"wall_seconds": seconds})


def test_a_forged_structured_report_disagrees_with_the_channel(tmp_path: Path) -> None:
    conftest = """
def pytest_unconfigure(config):
    path = "/assay/out/report.xml"
    text = open(path).read().replace("<failure", "<system-out").replace("</failure", "</system-out")
    open(path, "w").write(text)
"""
    report = run(tmp_path, {"conftest.py": conftest, "test_a.py": "def test_x(): assert False\n"})
    assert not report.complete
    assert any("disagree" in problem.text for problem in report.problems)


def test_an_exit_status_that_says_otherwise_is_a_problem(tmp_path: Path) -> None:
    conftest = "import atexit, os\natexit.register(lambda: os._exit(0))\n"
    report = run(tmp_path, {"conftest.py": conftest, "test_a.py": "def test_x(): assert False\n"})
    assert any("exit status 0" in problem.text for problem in report.problems)


def test_a_projects_own_options_do_not_hide_tests(tmp_path: Path) -> None:
    ini = "[pytest]\naddopts = -x -q --strict-markers -p no:doctest\nfilterwarnings = error\n"
    report = run(tmp_path, {"pytest.ini": ini, "test_a.py": "def test_x(): assert False\ndef test_y(): pass\n"})
    assert report.complete, report.problems
    assert report.status("test_a.py::test_y") is Status.PASSED


def test_doctests_count(tmp_path: Path) -> None:
    text = '"""\n>>> 1 + 1\n2\n"""\ndef test_x():\n    """\n    >>> 1\n    2\n    """\n'
    report = run(tmp_path, {"pytest.ini": "[pytest]\naddopts = --doctest-modules\n", "test_a.py": text})
    assert report.complete, report.problems
    assert report.status("test_a.py::test_a") is Status.PASSED
    assert report.status("test_a.py::test_a.test_x") is Status.FAILED


def test_single_tests_can_be_selected() -> None:
    plan = FRAMEWORK.plan(own_environment(), Selection(files=("a.py",), ids=("a.py::test_x",)))
    assert plan.command.argv[-1] == "a.py::test_x"
    assert "a.py" not in plan.command.argv
    assert plan.files == ("a.py",)


def test_a_projects_reporting_plugins_are_kept_quiet() -> None:
    environment = own_environment()
    recipe = environment.recipe.model_copy(update={"lock": ("pytest-cov==4", "pytest-xdist==3", "pytest==8")})
    argv = FRAMEWORK.plan(replace(environment, recipe=recipe), Selection()).command.argv
    assert {"--no-cov", "-n0"} <= set(argv)
    assert "--timeout=0" not in argv


ORDERED = {
    "test_a.py": "import pytest\n@pytest.mark.parametrize('n', [1, 2])\ndef test_p(n): pass\ndef test_q(): pass\n",
    "test_b.py": "def test_r(): pass\ndef test_s(): pass\n",
}


def test_tests_run_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    plain = list(run(tmp_path / "0", ORDERED).outcomes)
    assert list(run(tmp_path / "1", ORDERED, conditions=Conditions(order="reversed")).outcomes) == plain[::-1]
    drawn = [
        list(run(tmp_path / f"{i}{seed}", ORDERED, conditions=Conditions(order=f"random:{seed}")).outcomes)
        for i, seed in enumerate((1, 1, 2, 3))
    ]
    assert drawn[0] == drawn[1]
    assert len({tuple(order) for order in drawn}) > 1
    assert all(sorted(order) == sorted(plain) for order in drawn)


@pytest.mark.skipif(not CLOCK_LIBRARY, reason="libfaketime is not installed: apt-get install libfaketime")
def test_a_shifted_clock_leaves_durations_and_sleep_alone(tmp_path: Path) -> None:
    files = {
        "test_clock.py": "import datetime, queue, subprocess, time\n"
        "def test_date(): assert datetime.date.today() == datetime.date(2031, 5, 6)\n"
        "def test_sleep():\n"
        "    began = time.monotonic()\n"
        "    time.sleep(0.1)\n"
        "    assert 0.05 < time.monotonic() - began < 10\n"
        "def test_queue():\n"
        "    try: queue.Queue().get(timeout=0.1)\n"
        "    except queue.Empty: pass\n"
        "def test_child(): subprocess.Popen(['true']).wait(timeout=20)\n"
        "def test_hangs(): time.sleep(60)\n"
    }
    variables = (
        ("LD_PRELOAD", str(CLOCK_LIBRARY[0])),
        ("FAKETIME", "@2031-05-06 07:08:09"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    )
    conditions = Conditions(variables=variables, shifted_clock=True)
    report = run(tmp_path, files, seconds=3, conditions=conditions)
    statuses = {name.partition("::")[2]: outcome.status for name, outcome in report.outcomes.items()}
    assert statuses.pop("test_hangs") is Status.TIMEOUT
    assert set(statuses.values()) == {Status.PASSED}, report
    assert all(outcome.seconds < 20 for outcome in report.outcomes.values())


def test_verdicts_load_none_of_the_plug_ins_for_audits() -> None:
    plan = FRAMEWORK.plan(own_environment(), Selection(files=("test_a.py",)))
    assert [word for word in plan.command.argv if word.startswith("assay_")] == ["assay_report"]
    assert {name for name, _ in plan.command.env} == {"PYTHONPATH", "ASSAY_TEST_SECONDS"}
    asked = FRAMEWORK.plan(own_environment(), Selection(files=("test_a.py",), order="reversed", shifted_clock=True))
    assert {"assay_order", "assay_clock"} <= set(asked.command.argv)
