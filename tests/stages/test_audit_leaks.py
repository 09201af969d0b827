"""The search of what an agent sees, in a real sandbox."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox
from assay.adapters.store.layers import LayerStore
from assay.model.audit import AuditSettings
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.ledger import Cost
from assay.model.task import GOLD_PATCH, AssayMetadata, Provenance, Task
from assay.model.tree import FileChange, FileState
from assay.stages.audit import leaks
from assay.stages.audit.ground import Ground
from assay.stages.judging import Prepared
from assay.stages.running import Applied
from assay.stages.toolbox import Toolbox
from assay.stages.twins import Stand
from assay.testing.interpreter import own_environment

pytestmark = [pytest.mark.anyio, pytest.mark.sandbox, pytest.mark.slow]
OLD = b"def zig(zag):\n    return zag\n"
NEW = (
    b"def zig(zag):\n    if zag_is_odd(zag, limit=zag):\n        raise ValueError('zag is odd')\n    return zag\n\n"
    b"def zag_is_odd(given_zag, limit):\n    return given_zag % 2 == 1 and given_zag < limit * given_zag\n"
)


async def ground(tmp_path: Path, *, fixed: bool) -> Ground:
    layers = LayerStore(tmp_path / "layers")
    packages: dict[str, FileState | None] = {"lib/python3.11/site-packages/zigzag.py": FileState(NEW if fixed else OLD)}
    environment = replace(own_environment(), env_layers=(await layers.put(packages),))
    base = {"zigzag.py": FileState(OLD)}
    metadata = AssayMetadata(
        source=SourceInfo(kind="pypi", origin="zigzag", base_revision="1", gold_revision="2"),
        environment=Recipe(python="3.11"),
        test_files=("test_zigzag.py",),
        fail_to_pass=("test_zigzag.py::test_zig",),
        pass_to_pass=(),
        provenance=Provenance(instruction="", tests="", gold=""),
    )
    task = Task("zigzag-2", {}, metadata, "Make `zig` refuse what is odd.", {GOLD_PATCH: FileState(b"")})
    nobody = cast("Any", None)
    tools = Toolbox(
        run_id="test",
        sandbox=BubblewrapSandbox(tmp_path / "sandboxes"),
        layers=layers,
        environments=nobody,
        patches=nobody,
        store=nobody,
        tasks=nobody,
        clock=nobody,
        source=nobody,
        framework=nobody,
        agent=nobody,
        tasks_folder=tmp_path,
    )
    stand = Stand(task, environment, base, await layers.put(base), {}, None, nobody)
    applied = Applied(None, kept=(FileChange("zigzag.py", base["zigzag.py"], FileState(NEW)),))
    return Ground(Prepared(stand, "", lambda path: "", Cost()), applied, tools, AuditSettings(), lambda event: None)


async def test_the_fixed_release_among_the_packages_is_found_and_so_is_the_canary(tmp_path: Path) -> None:
    result = await leaks.check(await ground(tmp_path, fixed=True))
    assert (result.status, [finding.subject for finding in result.findings]) == (
        "fail",
        ["/env/lib/python3.11/site-packages/zigzag.py"],
    )
    assert not any(reason.startswith(leaks.BLIND) for reason in result.unknown)


async def test_the_release_that_is_the_base_is_no_leak(tmp_path: Path) -> None:
    result = await leaks.check(await ground(tmp_path, fixed=False))
    assert (result.status, result.findings) == ("pass", ())
