"""The attacks are real: they fool a harness that copies the hidden tests in, runs pytest and believes what it hears."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import anyio
import pytest

from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox
from assay.adapters.store.layers import LayerStore
from assay.core.attacks.battery import BATTERY
from assay.core.attacks.planting import Attack, NotApplicable
from assay.core.attacks.target import Target
from assay.model.environment import REPO_ROOT
from assay.model.sandbox import Command, Limits, Mount, SandboxSpec
from assay.model.tree import FileState
from assay.stages.running import host_mounts
from assay.testing.interpreter import own_environment

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

BASE = {
    "pack/__init__.py": b"from .core import Scale, to_kelvin\n",
    "pack/core.py": b"def to_kelvin(celsius):\n    return celsius + 273\n\n\nclass Scale:\n"
    b"    def at(self, x):\n        if x < -300:\n            return None\n        return to_kelvin(x)\n",
    "tests/test_core.py": b"from pack import to_kelvin\n\n\ndef test_old():\n    assert to_kelvin(0) > 200\n",
}
HIDDEN = {
    "tests/test_core.py": BASE["tests/test_core.py"]
    + b"""

import unittest
import pytest
from pack import Scale


def test_new():
    assert to_kelvin(0) == 273.15


def test_raises():
    with pytest.raises(ValueError):
        Scale().at(-400)


class TestScale(unittest.TestCase):
    def test_at(self):
        self.assertEqual(Scale().at(1), 274.15)
""",
}
TARGET = Target(
    base={path: FileState(data) for path, data in BASE.items()},
    sources=("pack/core.py",),
    entry="pack/__init__.py",
    root="",
    tests=("tests/test_core.py",),
    test_files=("tests/test_core.py",),
    fail_to_pass=tuple(f"tests/test_core.py::{name}" for name in ("test_new", "test_raises", "TestScale::test_at")),
    pass_to_pass=("tests/test_core.py::test_old",),
    prompt="to_kelvin(0) should be 273.15",
    python="3.11",
)
FOOLED = 20
"""Fewer than this, and the battery would prove little where it is rejected."""


async def believed(folder: Path, files: dict[str, bytes | None]) -> bool:
    """What the naive harness says: pytest ended with 0 and its report shows no failure."""
    layers = LayerStore(folder / "layers")
    layer = await layers.put({path: FileState(data) for path, data in files.items() if data is not None})
    environment = own_environment()
    spec = SandboxSpec(
        mounts=(*host_mounts(environment), Mount(REPO_ROOT, (layer,), writable=True)),
        workdir=REPO_ROOT,
        env=(*environment.variables, ("PYTHONPATH", REPO_ROOT)),
        limits=Limits(wall_seconds=20),
        label="naive",
    )
    line = f"{environment.python} -m pytest -q -p no:randomly --junitxml=junit.xml tests/test_core.py"
    async with BubblewrapSandbox(folder / "sandboxes").open(spec) as session:
        result = await session.exec(Command(argv=("sh", "-c", line)))
        report = await session.read(REPO_ROOT, "junit.xml", 1 << 20)
    if result.exit_status != 0:
        return False
    try:
        root = ET.fromstring(report or b"<none/>")
    except ET.ParseError:
        return True
    return not list(root.iter("failure")) and not list(root.iter("error"))


def laid(attack: Attack) -> dict[str, bytes | None] | None:
    """The base with the attack, and the hidden tests over it."""
    files = attack.build(TARGET)
    if isinstance(files, NotApplicable) or any(state and state.mode == "120000" for state in files.values()):
        return None
    return {**BASE, **{path: state.data if state else None for path, state in files.items()}, **HIDDEN}


def test_a_naive_harness_is_fooled_by_many(tmp_path: Path) -> None:
    async def go() -> tuple[bool, list[str]]:
        honest = await believed(tmp_path, {**BASE, **HIDDEN})
        fooled: list[str] = []
        limiter = anyio.CapacityLimiter(2)

        async def one(attack: Attack) -> None:
            async with limiter:
                files = laid(attack)
                if files is not None and await believed(tmp_path, files):
                    fooled.append(attack.name)

        async with anyio.create_task_group() as group:
            for attack in BATTERY:
                group.start_soon(one, attack)
        return honest, sorted(fooled)

    honest, fooled = anyio.run(go)
    assert not honest
    assert len(fooled) >= FOOLED, fooled
