"""Share of the wall time of judging that is not the tests themselves, for tests of 5 s. Needs the package index."""

from __future__ import annotations

import time
from pathlib import Path

import anyio

from assay import app
from assay.model.options import VerifyOptions
from bench.project import mined, quiet
from bench.timing import Row

TEST_SECONDS = 5.0
TEST = """
import time
from slow import answer

def test_answer():
    time.sleep({seconds})
    assert answer() == {value}
"""


def run(folder: Path) -> list[Row]:
    base, gold = (
        {"slow.py": f"def answer() -> int:\n    return {value}\n",
         "tests/test_slow.py": TEST.format(seconds=TEST_SECONDS, value=value)}
        for value in (41, 42)
    )  # fmt: skip
    project, task = mined(folder, "slow", base, gold)
    anyio.run(app.verify, VerifyOptions(task, agent="oracle"), project, quiet)  # makes the twins, once a task
    before = time.perf_counter()
    verdicts = anyio.run(app.verify, VerifyOptions(task, agent="oracle"), project, quiet)
    taken = time.perf_counter() - before
    if not verdicts[0].resolved:
        raise RuntimeError(f"the oracle did not resolve: {verdicts[0]}")
    share = 100 * (taken - TEST_SECONDS) / taken
    return [{"name": "judging that is not the tests, of a 5 s run", "value": share, "unit": "%", "aim": "< 25"}]
