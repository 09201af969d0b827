"""The builder of Python environments: its interpreters, whom it blames, and one real build."""

from __future__ import annotations

import ssl
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from assay.adapters.environment.complaints import complaint
from assay.adapters.environment.interpreters import Interpreters
from assay.adapters.environment.uv import Index, UvEnvironments
from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox
from assay.adapters.store.layers import LayerStore
from assay.errors import DiskFullError, EnvironmentBuildError, ProviderError
from assay.model.sandbox import ExecResult
from assay.model.tree import FileState

pytestmark = pytest.mark.anyio
PROJECT = {
    "pyproject.toml": FileState(b'[project]\nname = "tiny"\nversion = "1.0"\n'),
    "tiny.py": FileState(b"ANSWER = 42\n"),
    "tests/test_tiny.py": FileState(b"import tiny\n\ndef test_it():\n    assert tiny.ANSWER == 42\n"),
}


class Notes:
    """A memory as short as the test."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], dict[str, Any]] = {}

    def remember(self, namespace: str, key: str, value: dict[str, Any]) -> None:
        self.kept[namespace, key] = value

    def recall(self, namespace: str, key: str) -> dict[str, Any] | None:
        return self.kept.get((namespace, key))


async def test_interpreters_are_asked_not_guessed(tmp_path: Path) -> None:
    found = await Interpreters(home=tmp_path, path=str(Path(sys.base_prefix) / "bin")).find()
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in [i.minor for i in found]
    assert len({i.minor for i in found}) == len(found)


def failed(stderr: str, **how: Any) -> ExecResult:
    return ExecResult(1, None, b"", stderr.encode(), **how)


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("error: Failed to fetch: `https://pypi.org/simple/six/`\n  Caused by: dns error", ProviderError),
        ("× Failed to build `x`\n[stderr]\nFailed to fetch: connection refused\n", EnvironmentBuildError),
        ("No solution found: the name `timed out` is odd", EnvironmentBuildError),
        ("OSError: No space left on device", DiskFullError),
    ],
)  # fmt: skip
def test_only_the_index_itself_is_blamed_for_silence(stderr: str, kind: type[Exception]) -> None:
    assert type(complaint("resolve", failed(stderr))) is kind


def test_a_full_place_is_no_fault_of_the_project() -> None:
    assert type(complaint("venv", failed("", stopped="disk"))) is DiskFullError


async def builder(tmp_path: Path, notes: Notes) -> UvEnvironments:
    found = await Interpreters(home=Path.home(), path=str(Path(sys.base_prefix) / "bin")).find()
    here = [i for i in found if i.minor == f"{sys.version_info[0]}.{sys.version_info[1]}"]
    certificates = ssl.get_default_verify_paths().cafile
    index = Index(certificates=Path(certificates) if certificates else None)
    sandbox = BubblewrapSandbox(tmp_path / "sandboxes")
    return UvEnvironments(tmp_path / "made", sandbox, notes, here, uv_path=Path(find_uv_bin()), index=index)


@pytest.mark.sandbox
async def test_other_certificates_make_another_tool(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    notes, uv = Notes(), Path(find_uv_bin())
    sandbox = BubblewrapSandbox(tmp_path / "sandboxes")
    made = []
    for content in (b"one", b"two"):
        bundle.write_bytes(content)
        owner = UvEnvironments(tmp_path / "made", sandbox, notes, [], uv_path=uv, index=Index(certificates=bundle))
        made.append((await owner.tool() / "certificates.pem").read_bytes())
    assert made == [b"one", b"two"]


@pytest.mark.sandbox
@pytest.mark.network
async def test_a_tiny_project_is_built_one_time_and_remembered(tmp_path: Path) -> None:
    notes = Notes()
    owner = await builder(tmp_path, notes)
    layer = await LayerStore(tmp_path / "layers").put(PROJECT)
    date = datetime(2024, 6, 1, tzinfo=UTC)
    built = await owner.provide(PROJECT, layer, repository="test:tiny", date=date, name="tiny")
    assert built.rungs[-1].error == ""
    assert any(line.startswith("pytest==") for line in built.environment.recipe.lock)
    assert built.environment.built_bytes > 0
    again = await owner.provide(PROJECT, layer, repository="test:tiny", date=date, name="tiny")
    assert again.environment.env_layers == built.environment.env_layers
    (key,) = notes.kept
    notes.kept[key]["python"] = "3.0"
    climbed = await owner.provide(PROJECT, layer, repository="test:tiny", date=date, name="tiny")
    assert climbed.environment.recipe.python == built.environment.recipe.python
    await owner.rebuild(climbed.environment.recipe, PROJECT, layer, name="tiny")


@pytest.mark.sandbox
@pytest.mark.network
async def test_what_was_uploaded_anew_years_later_is_taken_all_the_same(tmp_path: Path) -> None:
    """All releases of atomicwrites were deleted, and two came back in 2022."""
    asking = {**PROJECT, "pyproject.toml": FileState(
        b'[project]\nname = "tiny"\nversion = "1.0"\ndependencies = ["atomicwrites>=1.0"]\n'
    )}  # fmt: skip
    owner = await builder(tmp_path, Notes())
    layer = await LayerStore(tmp_path / "layers").put(asking)
    built = await owner.provide(
        asking, layer, repository="test:tiny", date=datetime(2019, 6, 1, tzinfo=UTC), name="tiny"
    )
    assert [rung.error for rung in built.rungs] == [""]
    assert any(line.startswith("atomicwrites==") for line in built.environment.recipe.lock)
    await owner.rebuild(built.environment.recipe, asking, layer, name="tiny")


@pytest.mark.sandbox
@pytest.mark.network
async def test_a_rung_on_which_pytest_does_not_start_is_left_for_the_next(tmp_path: Path) -> None:
    """And where none is better, the first one that could be built is the one."""
    odd = {**PROJECT, "pytest.ini": FileState(b"[pytest]\naddopts = --no-such-option\n")}
    owner = await builder(tmp_path, Notes())
    layer = await LayerStore(tmp_path / "layers").put(odd)
    built = await owner.provide(odd, layer, repository="test:odd", date=datetime(2024, 6, 1, tzinfo=UTC), name="tiny")
    assert {rung.step for rung in built.rungs} == {"smoke"}
    assert len(built.rungs) > 1
    assert built.environment.recipe.exclude_newer == built.rungs[0].recipe.exclude_newer
