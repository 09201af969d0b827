"""Reading upper layers that hostile programs left, without a sandbox."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.adapters.sandbox import overlay, sessions
from assay.errors import SandboxError
from assay.model.tree import FileState, changes_between

BOUND = 1 << 20


def tree(root: Path, files: dict[str, bytes]) -> Path:
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    root.mkdir(exist_ok=True)
    return root


def whiteout(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))


def nest(root: Path, levels: int) -> None:
    here = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = inner
    leaf = os.open("leaf", os.O_WRONLY | os.O_CREAT, dir_fd=here)
    os.write(leaf, b"x" * 10000)
    os.close(leaf)
    os.close(here)


@pytest.mark.parametrize("levels", [10, 1500, 3000])
def test_no_depth_breaks_reading_weighing_or_removing(tmp_path: Path, levels: int) -> None:
    upper = tmp_path / "up"
    upper.mkdir()
    nest(upper, levels)
    (upper / "plain").write_bytes(b"p")
    paths = [change.path for change in overlay.changes(upper, (), BOUND)]
    assert "plain" in paths
    assert len(paths) == (2 if levels < 1999 else 1)
    weight = overlay.weigh([upper], 1 << 40, 10000)
    assert len(weight.large) == 1
    assert weight.bytes >= 10000
    sessions.remove_tree(upper)
    assert not upper.exists()


def test_a_whiteout_in_a_lower_layer_hides_what_is_below_it(tmp_path: Path) -> None:
    bottom = tree(tmp_path / "bottom", {"a": b"1", "d/x": b"2", "kept": b"k"})
    middle = tree(tmp_path / "middle", {})
    whiteout(middle / "a")
    whiteout(middle / "d")
    upper = tree(tmp_path / "up", {"a": b"new"})
    changes = overlay.changes(upper, (middle, bottom), BOUND)
    assert [(c.path, c.old, c.new) for c in changes] == [("a", None, FileState(b"new"))]
    assert set(overlay.merged((middle, bottom))) == {"kept"}


def test_an_opaque_folder_deletes_what_was_in_it(tmp_path: Path) -> None:
    bottom = tree(tmp_path / "bottom", {"d/x": b"1", "d/y/z": b"2"})
    upper = tree(tmp_path / "up", {"d/x": b"1", "d/new": b"n"})
    os.setxattr(upper / "d", "user.overlay.opaque", b"y")
    changes = overlay.changes(upper, (bottom,), BOUND)
    assert [c.path for c in changes] == ["d/new", "d/y/z"]


def test_content_over_the_bound_is_an_error(tmp_path: Path) -> None:
    upper = tree(tmp_path / "up", {"a": b"x" * 600, "b": b"x" * 600})
    with pytest.raises(SandboxError):
        overlay.changes(upper, (), 1000)
    assert len(overlay.changes(upper, (), 1200)) == 2


def test_empty_files_are_not_free(tmp_path: Path) -> None:
    upper = tree(tmp_path / "up", {f"e{n}": b"" for n in range(100)})
    assert overlay.weigh([upper], 1 << 40, 1).bytes >= 100 * overlay.ENTRY_BYTES


def test_permissions_are_as_before_after_reading(tmp_path: Path) -> None:
    upper = tree(tmp_path / "up", {"closed/in/file": b"x"})
    (upper / "closed/in/file").chmod(0)
    (upper / "closed/in").chmod(0)
    (upper / "closed").chmod(0o100)
    assert [c.path for c in overlay.changes(upper, (), BOUND)] == ["closed/in/file"]
    assert stat.S_IMODE((upper / "closed").stat().st_mode) == 0o100
    (upper / "closed").chmod(0o700)
    assert stat.S_IMODE((upper / "closed/in").stat().st_mode) == 0


def test_a_written_layer_reads_as_what_was_written(tmp_path: Path) -> None:
    old = {"a": FileState(b"1"), "d/x": FileState(b"2"), "d/y": FileState(b"3"), "f": FileState(b"4")}
    new = {"a/in": FileState(b"5", "100755"), "d": FileState(b"to", "120000"), "f": FileState(b"4")}
    base = tree(tmp_path / "base", {path: state.data for path, state in old.items()})
    overlay.write_layer(changes_between(old, new), tmp_path / "made")
    assert overlay.merged((tmp_path / "made", base)) == new


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=3)), min_size=1, max_size=6))
def test_trees_read_back_whole(tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[bool, bytes]]) -> None:
    upper = tmp_path_factory.mktemp("up")
    wanted = {}
    for number, (executable, data) in enumerate(entries):
        path = "/".join(["d"] * (number % 3) + [f"f{number}"])
        wanted[path] = FileState(data, "100755" if executable else "100644")
        overlay.write_state(upper / path, wanted[path])
    assert overlay.contents(upper, BOUND) == wanted
