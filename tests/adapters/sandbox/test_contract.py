"""The sandbox contract, for every adapter of ours, as root and as an ordinary user."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from assay.adapters.process import Program, run
from assay.model.sandbox import SandboxSpec
from assay.model.tree import FileChange
from assay.ports.sandbox import Session
from assay.testing.sandbox import FakeSandbox, FakeSession
from assay.testing.sandbox_contract import CHECKS, HARMFUL, built_in, run_check, run_contract
from assay.testing.sandbox_kit import Kit

ORDINARY_UID = 65534
SYSTEM_PYTHON = Path("/usr/bin/python3")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class ForgetfulSession(FakeSession):
    async def changes(self, target: str) -> tuple[FileChange, ...]:
        return ()


class Forgetful(FakeSandbox):
    @asynccontextmanager
    async def open(self, spec: SandboxSpec) -> AsyncIterator[Session]:
        yield ForgetfulSession(spec, {})


@pytest.fixture
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a name that breaks careless quoting."""
    folder = tmp_path_factory.mktemp("a b,c")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _holds(name: str, adapter: str, root: Path) -> None:
    factory, known = built_in(adapter)
    result = anyio.run(lambda: run_check(name, factory, root, adapter=adapter, known=known.get(name, "")))
    assert result.ok or result.known, f"{result.name}: {result.detail}"


def test_there_are_enough_behaviours() -> None:
    assert len(CHECKS) >= 40
    assert set(CHECKS) >= HARMFUL


@pytest.mark.parametrize("name", CHECKS)
def test_fake(name: str, root: Path) -> None:
    _holds(name, "fake", root)


@pytest.mark.sandbox
@pytest.mark.parametrize("name", CHECKS)
def test_bubblewrap(name: str, root: Path) -> None:
    _holds(name, "bubblewrap", root)


@pytest.mark.sandbox
@pytest.mark.parametrize("name", sorted(n for n in CHECKS if "bomb" in n or "usage" in n or "time_out" in n))
def test_bubblewrap_without_control_groups(name: str, root: Path) -> None:
    _holds(name, "bubblewrap-without-groups", root)


@pytest.mark.parametrize("name", sorted(set(CHECKS) - HARMFUL))
def test_none(name: str, root: Path) -> None:
    _holds(name, "none", root)


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_bubblewrap_as_an_ordinary_user(root: Path) -> None:
    """The whole suite in a child that has given up root, with the code copied to where that child can read it."""
    python = Path(sys.executable).resolve() if _reachable() else SYSTEM_PYTHON
    code = root / "code"
    code.mkdir()
    for place in (Path(__file__).parents[3] / "src" / "assay", *_packages()):
        target = code / place.name
        shutil.copytree(place, target) if place.is_dir() else shutil.copy(place, target)
    for parent in (root, *(p for p in root.parents if p.stat().st_uid == os.geteuid() and p.name.startswith("p"))):
        parent.chmod(parent.stat().st_mode | 0o755)  # pytest's own folders, of a worker too
    drop = ("setpriv", "--reuid", str(ORDINARY_UID), "--regid", str(ORDINARY_UID), "--clear-groups")
    argv = (*drop, str(python), "-m", "assay.testing.sandbox_contract", "bubblewrap")
    env = {"PATH": PATH, "PYTHONPATH": str(code), "HOME": "/nonexistent", "TMPDIR": "/var/tmp"}
    done = anyio.run(lambda: run(Program(argv, env=env, cwd=Path("/"), wall_seconds=300)))
    assert done.exit_status == 0, (done.stdout + done.stderr).decode(errors="replace")[-3000:]


def _reachable() -> bool:
    real = Path(sys.executable).resolve()
    return all(parent.stat().st_mode & 0o005 == 0o005 for parent in real.parents)


def _packages() -> list[Path]:
    """What the suite imports, from where this test found it."""
    import annotated_types
    import idna
    import pydantic
    import pydantic_core
    import typing_extensions
    import typing_inspection

    modules = (anyio, annotated_types, idna, pydantic, pydantic_core, typing_inspection)
    return [Path(m.__file__ or "").parent for m in modules] + [Path(typing_extensions.__file__)]


def test_a_plug_in_author_learns_of_names_that_are_no_checks(root: Path) -> None:
    factory, _ = built_in("fake")
    with pytest.raises(KeyError, match="no such check: no_such"):
        anyio.run(lambda: run_contract(factory, root, {"no_such": "because"}))


def test_a_broken_adapter_fails_a_check(root: Path) -> None:
    """The suite can say no: an adapter that loses every change fails what is about changes."""
    for name in ("a_new_file_is_read_out", "a_deleted_file_is_read_out", "binary_content_survives"):
        result = anyio.run(run_check, name, lambda _: Forgetful(), root)
        assert not result.ok


def test_a_kit_has_its_own_folder(root: Path) -> None:
    factory, _ = built_in("fake")
    assert Kit(factory, root).state.parent == root
