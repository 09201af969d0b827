"""Harbor's own models load our folders, plain, self-contained and of other origins, without a warning."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from uv import find_uv_bin

from assay.adapters.exchange.harbor import HarborExporter, HarborImporter
from assay.adapters.format.harbor import HarborFormat
from assay.core.admission import Admission
from assay.core.calibration.posterior import posterior
from assay.core.exchange.difficulty import with_difficulty
from assay.core.task_files import compose
from assay.model.agent import Entrant
from assay.model.calibration import DEFAULT_PRIOR, Band, Tally
from assay.model.candidate import SourceInfo
from assay.model.difficulty import Difficulty
from assay.model.environment import Recipe
from assay.model.sandbox import Limits
from assay.model.task import Provenance, Task
from assay.model.tree import FileState, Tree
from assay.wiring import interpreters, load_settings

pytestmark = [pytest.mark.network, pytest.mark.slow]

HARBOR = "harbor==0.24.0"
PROGRAM = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("error")
from harbor.models.task.task import Task
for folder in sys.argv[1:]:
    task = Task(Path(folder))
    verifier = task.config.verifier
    mode = verifier.environment_mode
    print(json.dumps([task.name, mode and mode.value, bool(task.instruction), verifier.timeout_sec]))
"""


@pytest.fixture(scope="session")
def harbor(request: pytest.FixtureRequest) -> Path:
    """An interpreter that has Harbor, which needs Python 3.12."""
    uv = find_uv_bin()
    found = [i for i in anyio.run(interpreters(load_settings()).find) if (int(i.minor[0]), int(i.minor[2:])) >= (3, 12)]
    if not found:
        pytest.skip("Harbor needs Python 3.12 or later, and this machine has none")
    place = request.config.cache.mkdir(f"peers-{HARBOR.replace('==', '-')}")
    python, done = place / "bin" / "python", place / "complete"
    if not done.exists():
        for line in (
            [uv, "venv", "-q", "--clear", "--python", str(found[0].executable), str(place)],
            [uv, "pip", "install", "-q", "--python", str(python), HARBOR],
        ):
            subprocess.run(line, check=True, capture_output=True, text=True)
        done.touch()
    return python


def mined() -> Task:
    """A task as mining composes it."""
    return compose(
        slug="one-1.1",
        source=SourceInfo(kind="git", origin="https://example.org/one", base_revision="1.0", gold_revision="1.1"),
        recipe=Recipe(python="3.12", lock=("pytest==8.3.4",)),
        framework="pytest",
        test_files=("test_one.py",),
        hidden={"test_one.py": FileState(b"def test_one(): pass\n"), "test_old.py": None},
        gold_patch=b"diff --git a/one.py b/one.py\n",
        admission=Admission(("test_one.py::test_one",), (), (), (), ()),
        protected=(),
        limits=Limits(),
        provenance=Provenance(instruction="a", tests="b", gold="c"),
        instruction="Do it.\n",
    )


def measured() -> Difficulty:
    """What a calibration leaves."""
    tally, band = Tally(resolved_count=3, scored_count=8), Band()
    return Difficulty(
        entrant=Entrant(agent="mini", model="m"),
        entrant_digest="0" * 64,
        band=band,
        prior=DEFAULT_PRIOR,
        tally=tally,
        posterior=posterior(DEFAULT_PRIOR, tally, band),
        placing="in",
        expected_error=0.05,
        signal_share=0.9,
        decided_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


def test_all_kinds_of_folders_load(harbor: Path, tmp_path: Path) -> None:
    task = mined()

    async def base(_: Task) -> Tree:
        return {"one.py": FileState(b"x = 1\n")}

    async def export() -> list[Path]:
        plain = [c async for c in HarborExporter().write([task], tmp_path / "plain", None)]
        whole = [c async for c in HarborExporter().write([task], tmp_path / "whole", base)]
        told = with_difficulty(task, [measured()])
        known = [c async for c in HarborExporter().write([told], tmp_path / "known", None)]
        assert not [c.problem for c in (*plain, *whole, *known) if c.problem]
        return [path for c in (*plain, *whole, *known) for path in c.paths]

    folders = anyio.run(export)
    foreign = tmp_path / "theirs"
    for name, text in {
        "task.toml": '[task]\nname = "acme/hello"\n[verifier]\ntimeout_sec = 20.0\n',
        "instruction.md": "Hello.\n",
        "environment/Dockerfile": "FROM debian\n",
        "tests/test.sh": "true\n",
        "solution/solve.sh": "true\n",
    }.items():
        (foreign / name).parent.mkdir(parents=True, exist_ok=True)
        (foreign / name).write_text(text)
    (reading,) = HarborImporter().read(foreign, None)
    assert reading.task is not None
    folders.append(HarborFormat().write(reading.task, tmp_path / "tasks"))
    told = subprocess.run([harbor, "-c", PROGRAM, *folders], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-2000:]
    assert [json.loads(line) for line in told.stdout.splitlines()] == [
        ["assay/one-1.1", "separate", True, 600.0],
        ["assay/one-1.1", "separate", True, 600.0],
        ["assay/one-1.1", "separate", True, 600.0],
        ["acme/hello", None, True, 20.0],
    ]
