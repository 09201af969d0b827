"""Warm runs: many variants of one repository in children of one interpreter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.adapters.framework import warming
from assay.adapters.framework.pytest import PytestFramework
from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox
from assay.adapters.store.layers import LayerStore
from assay.model.report import Status
from assay.model.sandbox import ExecResult, Limits
from assay.model.tree import FileState
from assay.model.warm import Harvest, WarmJob
from assay.stages.running import Runner
from assay.testing.interpreter import own_environment

SOURCE = "def half(n):\n    if n < 0:\n        return None\n    return n // 2\n"
TESTS = """
import os, time
from halves import half

def test_half():
    assert half(4) == 2

def test_negative():
    assert half(-1) is None

def test_writes_where_it_stands():
    assert not os.path.exists("trace") and "trace" not in os.listdir("/tmp")
    for place in ("trace", "/tmp/trace", os.path.expanduser("~/trace")):
        open(place, "w").close()

def test_has_no_powers():
    told = open("/proc/self/status").read()
    assert "CapEff:\\t0000000000000000" in told and "CapAmb:\\t0000000000000000" in told
"""
FILES = {"halves.py": SOURCE, "test_halves.py": TESTS}


def state(text: str) -> FileState:
    return FileState(text.encode())


def warm(
    tmp_path: Path, *jobs: WarmJob, modules: tuple[str, ...] = ("decimal",), files: Mapping[str, str] = FILES
) -> Harvest:
    async def go() -> Harvest:
        layers = LayerStore(tmp_path / "layers")
        layer = await layers.put({path: state(text) for path, text in files.items()})
        runner = Runner(BubblewrapSandbox(tmp_path / "sandboxes"), layers, PytestFramework(), "test")
        return (await runner.warm(own_environment(), [layer], jobs, modules, Limits()))[0]

    return anyio.run(go)


def job(key: str, source: str = SOURCE, **wishes: Any) -> WarmJob:
    return WarmJob(key, files={"halves.py": state(source)}, test_files=("test_halves.py",), **wishes)


@pytest.mark.sandbox
def test_every_variant_has_a_repository_of_its_own(tmp_path: Path) -> None:
    wrong = SOURCE.replace("n // 2", "n // 3")
    found = warm(tmp_path, job("gold"), job("wrong", wrong), job("gold again"))
    failing = {
        run.key: [i for i, o in run.report.outcomes.items() if o.status is not Status.PASSED] for run in found.runs
    }
    assert failing == {"gold": [], "wrong": ["test_halves.py::test_half"], "gold again": []}
    assert (found.cannot, found.begun) == ("", "")


@pytest.mark.sandbox
def test_a_variant_that_does_not_end_is_ended_and_the_next_one_runs(tmp_path: Path) -> None:
    endless = SOURCE.replace("return n // 2", "\n    while True: pass")
    dying = SOURCE.replace("return n // 2", "import os; os.kill(os.getpid(), 9)")
    found = warm(tmp_path, job("endless", endless, wall_seconds=6.0), job("dying", dying), job("gold"))
    by_key = {run.key: run.report for run in found.runs}
    assert by_key["endless"].stopped == "wall"
    assert by_key["endless"].status("test_halves.py::test_half") is Status.TIMEOUT
    assert by_key["dying"].status("test_halves.py::test_half") is Status.CRASHED
    assert len(by_key["gold"].passed()) == 4


@pytest.mark.sandbox
def test_tests_run_in_the_order_asked_for_and_stop_when_told(tmp_path: Path) -> None:
    wanted = ("test_halves.py::test_negative", "test_halves.py::test_half")
    wrong = SOURCE.replace("return None", "return 0")
    found = warm(tmp_path, job("all", tests=wanted), job("first", wrong, tests=wanted, stop_early=True))
    everything, first = (list(run.report.outcomes) for run in found.runs)
    assert everything == list(wanted)
    assert first == [wanted[0]]


@pytest.mark.sandbox
def test_lines_and_answers_are_told_by_test(tmp_path: Path) -> None:
    other = SOURCE.replace("n // 2", "n // 2 + 0 * n")
    wishes: dict[str, Any] = {"watched": ("halves.py",)}
    found = warm(
        tmp_path,
        job("lines", watching="lines", tell_modules=True, **wishes),
        job("gold", watching="values", **wishes),
        job("same", other, watching="values", **wishes),
        job("differs", SOURCE.replace("n // 2", "2.0"), watching="values", **wishes),
    )
    lines, gold, same, differs = found.runs
    assert lines.lines["test_halves.py::test_half"]["halves.py"] == {1, 2, 4}
    assert lines.lines["test_halves.py::test_negative"]["halves.py"] == {1, 2, 3}
    assert lines.lines[""]["halves.py"] <= {0, 1}
    assert "decimal" in lines.modules and "halves" not in lines.modules
    assert gold.values == same.values
    assert {test for test in gold.values if gold.values[test] != differs.values[test]} == {"test_halves.py::test_half"}


@pytest.mark.sandbox
def test_lines_that_run_when_a_conftest_is_loaded_are_told(tmp_path: Path) -> None:
    files = {**FILES, "conftest.py": "from halves import half\nANSWER = half(-4)\n"}
    (run,) = warm(tmp_path, job("lines", watching="lines", watched=("halves.py",)), files=files).runs
    assert run.lines[""]["halves.py"] >= {1, 2, 3}
    assert run.lines["test_halves.py::test_half"]["halves.py"] == {1, 2, 4}


@pytest.mark.sandbox
def test_modules_of_the_repository_are_never_loaded_beforehand(tmp_path: Path) -> None:
    wrong = SOURCE.replace("n // 2", "n // 3")
    found = warm(tmp_path, job("wrong", wrong), modules=("halves", "json"))
    assert found.runs[0].report.status("test_halves.py::test_half") is Status.FAILED


CONFTEST = """
import pytest
from halves import half

ANSWER = half(4)

@pytest.fixture
def answer():
    return ANSWER

def pytest_report_header(config):
    open("trace", "w").close()
"""
NEEDS = """
import os

def test_answer(answer):
    assert answer == 2

def test_nobody_was_here():
    assert "trace" not in os.listdir("/tmp") and open("trace").read() == ""
    for place in ("trace", "/tmp/trace"):
        open(place, "w").write("x")
"""


@pytest.mark.sandbox
def test_a_conftest_that_loads_the_repository_sees_each_variant(tmp_path: Path) -> None:
    files = {"halves.py": SOURCE, "conftest.py": CONFTEST, "test_halves.py": NEEDS}
    wrong = SOURCE.replace("n // 2", "n // 3")
    found = warm(tmp_path, job("gold"), job("wrong", wrong), job("gold again"), files=files)
    passed = {run.key: len(run.report.passed()) for run in found.runs}
    assert passed == {"gold": 2, "wrong": 1, "gold again": 2}


SAYS = """
import os, sys
from halves import half

def test_says(capfd):
    os.write(1, b"said\\n")
    assert capfd.readouterr().out == "said\\n"

def test_hears_nothing_of_others(request):
    capture = request.config.pluginmanager.getplugin("capturemanager")
    out, err = capture.read_global_capture()
    os.write(1, str(half(4)).encode())
    os.write(2, b"x" * 5000)
    assert (out, err) == ("", "")
    os._exit(5)
"""


@pytest.mark.sandbox
def test_what_one_child_wrote_no_other_reads(tmp_path: Path) -> None:
    files = {"halves.py": SOURCE, "test_halves.py": SAYS}
    found = warm(tmp_path, job("one"), job("two"), files=files)
    for run in found.runs:
        assert run.report.status("test_halves.py::test_says") is Status.PASSED
        assert run.report.status("test_halves.py::test_hears_nothing_of_others") is Status.CRASHED


@pytest.mark.sandbox
def test_a_variant_of_the_configuration_counts(tmp_path: Path) -> None:
    files = {"setup.cfg": state("[tool:pytest]\npython_functions = check_* test_half\n")}
    found = warm(tmp_path, job("gold"), WarmJob("changed", files=files, test_files=("test_halves.py",)))
    assert {run.key: len(run.report.outcomes) for run in found.runs} == {"changed": 1, "gold": 4}


@pytest.mark.sandbox
def test_what_is_compiled_is_handed_out_and_only_when_asked_for(tmp_path: Path) -> None:
    async def go(collect_only: bool) -> list[str]:
        layers = LayerStore(tmp_path / "layers")
        layer = await layers.put({path: state(text) for path, text in FILES.items()})
        runner = Runner(BubblewrapSandbox(tmp_path / "sandboxes"), layers, PytestFramework(), "test")
        wish = WarmJob("all", test_files=("test_halves.py",), collect_only=collect_only)
        compiled = (await runner.warm(own_environment(), [layer], [wish], (), Limits(), keep_compiled=True))[2]
        return sorted(path.partition(".")[0] for path in compiled)

    assert anyio.run(go, True) == ["__pycache__/halves", "__pycache__/test_halves"]
    assert anyio.run(go, False) == []


def result(channel: bytes, **fields: object) -> ExecResult:
    return ExecResult(exit_status=0, signal=None, stdout=b"", stderr=b"", channel=channel, **fields)  # type: ignore[arg-type]


def test_what_was_begun_and_not_answered_is_named() -> None:
    lines = [{"ready": True}, {"begin": "a"}, {"job": "a", "how": "exit 0", "seconds": 1, "report": ""}, {"begin": "b"}]
    found = warming.harvest(result(b"".join(json.dumps(line).encode() + b"\n" for line in lines), stopped="memory"))
    assert ([run.key for run in found.runs], found.begun, found.cannot) == (["a"], "b", "the memory limit")


def test_a_child_without_a_world_of_its_own_has_no_report() -> None:
    line = {"job": "a", "how": "cannot mount: Permission denied", "seconds": 0.1, "report": ""}
    run = warming.harvest(result(json.dumps(line).encode() + b"\n")).runs[0]
    assert run.fault == "cannot mount: Permission denied" and not run.report.outcomes


LINES = st.one_of(
    st.recursive(st.none() | st.text() | st.integers(), st.lists),
    st.dictionaries(
        st.sampled_from(["job", "how", "seconds", "report", "watch", "begin", "cannot"]),
        st.none() | st.text() | st.integers() | st.lists(st.text()),
    ),
)


@given(st.binary() | LINES.map(lambda value: json.dumps(value).encode() + b"\n"))
def test_nothing_on_the_channel_raises(channel: bytes) -> None:
    warming.harvest(result(channel))
