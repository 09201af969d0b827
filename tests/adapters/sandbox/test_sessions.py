"""Who owns which session, and what is collected."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from assay.adapters.sandbox import sessions
from assay.adapters.sandbox.groups import ORPHAN_SECONDS, remove_orphans

NOBODY = 2**22 + 1
"""Above any process number that Linux gives."""


def test_a_living_owner_is_recognised() -> None:
    owner = sessions.owner_now("label")
    assert sessions.is_alive(owner)
    assert not sessions.is_alive(replace(owner, started="1"))
    assert not sessions.is_alive(replace(owner, boot="another"))
    assert not sessions.is_alive(replace(owner, pid=NOBODY))


def test_only_what_the_dead_left_is_abandoned(tmp_path: Path) -> None:
    owner = sessions.owner_now("run")
    sessions.create(tmp_path, owner)
    dead = sessions.create(tmp_path, replace(owner, started="1"))
    half = tmp_path / f".{NOBODY}-half"
    half.mkdir()
    (tmp_path / "foreign").mkdir()
    (tmp_path / f"{os.getpid()}-file").write_text("")
    found = {folder for folder, _ in sessions.abandoned(tmp_path, frozenset())}
    assert found == {dead, half}
    assert {folder for folder, _ in sessions.abandoned(tmp_path, frozenset({"run"}))} == {half}


def test_a_broken_record_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    folder = sessions.create(tmp_path, sessions.owner_now(""))
    (folder / sessions.OWNER).write_text("{")
    assert list(sessions.abandoned(tmp_path, frozenset())) == []


def test_removal_follows_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("k")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    closed = inside / "closed"
    closed.mkdir()
    (closed / "x").write_text("x")
    closed.chmod(0)
    sessions.remove_tree(inside)
    assert not inside.exists()
    assert (outside / "kept").read_text() == "k"
    sessions.remove_tree(inside)


def test_groups_that_nobody_knows_of_any_more_are_removed(tmp_path: Path) -> None:
    dead, alive, other = (
        tmp_path / f"assay-{NOBODY}-abc-1",
        tmp_path / f"assay-{os.getpid()}-abc-1",
        tmp_path / "assay-x",
    )
    busy = tmp_path / f"assay-{NOBODY + 1}-abc-1"
    for group in (dead, alive, other, busy):
        group.mkdir()
    (busy / "task").touch()  # the kernel keeps a group with processes in it; a folder with a file stands for that
    now = dead.stat().st_mtime
    assert remove_orphans((tmp_path,), now) == 0
    assert remove_orphans((tmp_path,), now + 2 * ORPHAN_SECONDS) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(p.name for p in (alive, other, busy))
