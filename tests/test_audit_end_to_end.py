"""An audit of a task that was mined from a repository of our own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assay.model.tree import FileState
from assay.testing.repositories import commit, git

pytestmark = [pytest.mark.sandbox, pytest.mark.network, pytest.mark.slow]

BASE = {
    "pyproject.toml": '[project]\nname = "temper"\nversion = "1.0"\n',
    "temper.py": "def to_kelvin(celsius):\n    return celsius + 273\n\n\ndef twice(x):\n    return 2 * x\n",
    "tests/test_temper.py": "from temper import twice\n\n\ndef test_twice():\n    assert twice(2) == 4\n",
}
FIX = {
    "temper.py": BASE["temper.py"].replace("celsius + 273", "round(celsius + 273.15, 2)"),
    "tests/test_temper.py": "from temper import to_kelvin, twice\n\n\ndef test_twice():\n    assert twice(2) == 4\n\n\n"
    "def test_kelvin():\n    assert to_kelvin(0) == 273.15\n",
}
MESSAGE = (
    "Fix the offset of kelvin\n\nto_kelvin dropped the fraction of the zero point. It must be exact to two digits."
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one task."""
    return mined(tmp_path_factory.mktemp("audited"), FIX)


def mined(folder: Path, fix: dict[str, str]) -> Path:
    (folder / "temper").mkdir()
    git(folder / "temper", "init", "-q")
    for day, (files, message) in enumerate(((BASE, "First"), ({**BASE, **fix}, MESSAGE)), start=1):
        tree = {path: FileState(text.encode()) for path, text in files.items()}
        commit(folder / "temper", tree, message, datetime(2024, 1, day, tzinfo=UTC))
    assert assay(folder, "mine", "git:temper", "--json")[-1]["verified"] == 1
    return folder


def assay(project: Path, *words: str, check: Sequence[int] = (0,)) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "assay", *words], check=False, cwd=project, capture_output=True, text=True, timeout=300
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode in check, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


TABLE = """\
TABLE = {}


def load():
    TABLE["zero"] = 273.15


def to_kelvin(celsius):
    return round(celsius + TABLE["zero"], 2)
"""
TABLE_TESTS = """\
import time

from temper import TABLE, load, to_kelvin


def test_kelvin():
    time.sleep(0.2)
    load()
    assert to_kelvin(0) == 273.15


def test_what_is_there_stays():
    TABLE["zero"] = 273.15
    load()
    assert to_kelvin(1) == 274.15
"""


def test_a_variant_that_only_another_order_of_the_tests_accepts_is_no_survivor(tmp_path: Path) -> None:
    # The quicker test runs first over a variant and leaves behind what the slower one is meant to see made.
    project = mined(tmp_path, {"temper.py": TABLE, "tests/test_temper.py": TABLE_TESTS})
    task = next((project / "tasks").iterdir()).name
    rows = assay(project, "audit", task, "--only", "mutants", "--only", "ablation", "--json", "--all", check=(0, 1, 4))
    found = [finding for row in rows if row["kind"] == "check" for finding in row["findings"]]
    assert [f["what"] for f in found if "load" in f["what"] or f["line"] in (4, 5)] == []


QUICK_CHECKS = (
    "stability",
    "ablation",
    "mutants",
    "alternatives",
    "hidden-names",
    "requirements",
    "leaks",
    "collateral",
    "cost",
)


OTHER = """\
--- a/temper.py
+++ b/temper.py
@@ -1,5 +1,5 @@
 def to_kelvin(celsius):
-    return celsius + 273
+    return celsius + 273.16


 def twice(x):
"""


def audit(project: Path, *words: str, check: Sequence[int] = (0, 1)) -> dict[str, dict[str, Any]]:
    folder = next((project / "tasks").iterdir())
    only = [word for name in QUICK_CHECKS for word in ("--only", name)]
    lines = assay(project, "audit", str(folder), "--runs", "2", *only, *words, "--json", check=check)
    return {line.get("check", line["kind"]): line for line in lines}


def test_an_audit_says_what_is_known_and_remembers_it(project: Path) -> None:
    found = audit(project)
    assert {name: found[name]["status"] for name in QUICK_CHECKS if found[name]["status"] == "unknown"} == {}
    assert found["mutants"]["measures"][0]["value"] > 0.5
    assert found["ablation"]["measures"][0] | {"low": 0, "high": 0} == {
        "name": "hunks_noticed_share", "value": 1.0, "low": 0, "high": 0, "count": 1,
    }  # fmt: skip
    prompt = next((project / "tasks").iterdir()) / "instruction.md"
    text = prompt.read_text()
    try:
        prompt.write_text(text + "\nThank you.\n")
        again = audit(project)
    finally:
        prompt.write_text(text)
    assert {name: again[name]["status"] for name in QUICK_CHECKS} == {n: found[n]["status"] for n in QUICK_CHECKS}
    assert again["stability"]["remembered"] and again["stability"]["run_count"] == 0


def test_an_audit_sees_the_answer_in_the_prompt_and_a_solution_that_is_rejected(project: Path) -> None:
    folder = next((project / "tasks").iterdir())
    prompt = folder / "instruction.md"
    text = prompt.read_text()
    right = project / "right.patch"
    right.write_text(OTHER)
    try:
        prompt.write_text(f"{text}\nHint: `return round(celsius + 273.15, 2)`\n")
        found = audit(project, "--right", str(right), check=(1,))
    finally:
        prompt.write_text(text)
        for patch in (folder / "evidence/bank/right").iterdir():
            patch.unlink()
    assert (found["leaks"]["status"], found["leaks"]["findings"][0]["kind"]) == ("fail", "prompt")
    assert found["alternatives"]["status"] == "fail"
    assert [finding["kind"] for finding in found["alternatives"]["findings"]] == ["right-solution"]
