"""The 5.x tree before the check of the real `swebench`, which is installed apart: it is large, and no part of assay."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import anyio
import pytest
from uv import find_uv_bin

from assay.adapters.exchange.swebench_write import TreeExporter
from assay.adapters.format.harbor import HarborFormat
from assay.testing.puzzle import puzzle

pytestmark = [pytest.mark.network, pytest.mark.slow]
CHECK = """
import json, sys
from swebench.task.checks import check_task_repo
print(json.dumps([str(problem) for problem in check_task_repo(sys.argv[1])]))
"""


def test_the_real_check_finds_nothing(tmp_path: Path) -> None:
    task = HarborFormat().read(puzzle(tmp_path / "double"))

    async def write() -> None:
        async for done in TreeExporter().write([task], tmp_path / "tree", None):
            assert done.problem is None

    anyio.run(write)
    python = tmp_path / "venv" / "bin" / "python"
    install = ("pip", "install", "-q", "--python", str(python), "swebench==5.0.2")
    for words in (("venv", "-q", str(python.parents[1])), install):
        subprocess.run([find_uv_bin(), *words], check=True)
    done = subprocess.run([python, "-c", CHECK, tmp_path / "tree"], check=True, capture_output=True, text=True)
    # The gold patch of the example is no `git diff`, which their check wants to see.
    assert [one for one in json.loads(done.stdout) if "gold.patch" not in one] == []
