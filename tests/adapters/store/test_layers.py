import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import pytest

from assay.adapters.store.layers import LayerStore
from assay.core.hashing import tree_digest
from assay.errors import InputError, StoreError
from assay.model.tree import FileState

FILES: dict[str, FileState | None] = {
    "a.txt": FileState(b"hello\r\n"),
    "pkg/run.sh": FileState(b"#!/bin/sh\n", "100755"),
    "pkg/deep/link": FileState(b"../run.sh", "120000"),
    os.fsdecode(b"odd/\xff\xfe name"): FileState(b"\x00\xff"),
}


def put(root: Path, files: dict[str, FileState | None]) -> Path:
    return anyio.run(LayerStore(root).put, files)


def test_files_come_out_with_the_modes_of_a_checkout(tmp_path: Path) -> None:
    layer = put(tmp_path, FILES)
    assert layer.name == tree_digest(FILES)
    assert (layer / "a.txt").read_bytes() == b"hello\r\n"
    assert stat.S_IMODE((layer / "a.txt").stat().st_mode) == 0o644
    assert stat.S_IMODE((layer / "pkg/run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((layer / "pkg").stat().st_mode) == 0o755
    assert (layer / "pkg/deep/link").readlink() == Path("../run.sh")
    assert (layer / os.fsdecode(b"odd/\xff\xfe name")).read_bytes() == b"\x00\xff"


def test_a_strict_umask_changes_nothing(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        layer = put(tmp_path, FILES)
    finally:
        os.umask(before)
    assert stat.S_IMODE(layer.stat().st_mode) == 0o755
    assert stat.S_IMODE((layer / "a.txt").stat().st_mode) == 0o644


def test_equal_layers_are_one_and_equal_files_share_their_bytes(tmp_path: Path) -> None:
    first = put(tmp_path, FILES)
    assert put(tmp_path, dict(reversed(FILES.items()))) == first
    other = put(tmp_path, {"b.txt": FileState(b"hello\r\n"), "c.sh": FileState(b"hello\r\n", "100755")})
    assert (other / "b.txt").samefile(first / "a.txt")
    assert not (other / "c.sh").samefile(first / "a.txt")


def test_an_absent_path_is_a_whiteout(tmp_path: Path) -> None:
    layer = put(tmp_path, {"gone/file.py": None})
    status = (layer / "gone/file.py").lstat()
    assert stat.S_ISCHR(status.st_mode)
    assert status.st_rdev == 0


def test_a_file_that_becomes_a_directory_and_the_other_way_round(tmp_path: Path) -> None:
    layer = put(tmp_path, {"a": None, "a/b": FileState(b"x"), "c": FileState(b"y"), "c/d": None})
    assert (layer / "a/b").read_bytes() == b"x"
    assert (layer / "c").read_bytes() == b"y"


def test_the_empty_layer_exists(tmp_path: Path) -> None:
    assert list(put(tmp_path, {}).iterdir()) == []


@pytest.mark.parametrize("path", ["../up", "/abs", "a/../b", ".git/config", "a/.GIT/hooks", "", "a\0b", "a//b"])
def test_unsafe_paths_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError, match="cannot hold the path"):
        put(tmp_path, {path: FileState(b"")})
    assert not list(tmp_path.rglob("*"))


def test_a_file_below_a_link_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="both"):
        put(tmp_path, {"a": FileState(b"/etc", "120000"), "a/passwd": FileState(b"")})


def test_a_failed_layer_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write a layer"):
        put(tmp_path, {"ok": FileState(b"1"), "n" * 300: FileState(b"2")})
    assert not list((tmp_path / "making").iterdir())
    assert not list((tmp_path / "layers").iterdir())


def test_many_writers_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: put(tmp_path, FILES), range(16)))
    assert len(set(paths)) == 1
    assert (paths[0] / "pkg/deep/link").is_symlink()
    assert not list((tmp_path / "making").iterdir())


def test_unfinished_layers_of_the_past_are_removed(tmp_path: Path) -> None:
    old = tmp_path / "making" / "0123.dead"
    old.mkdir(parents=True)
    os.utime(old, (0, 0))
    young = tmp_path / "making" / "4567.live"
    young.mkdir()
    put(tmp_path, FILES)
    assert not old.exists()
    assert young.exists()


def test_a_temporary_layer_is_gone_afterwards_and_shares_nothing(tmp_path: Path) -> None:
    store = LayerStore(tmp_path)

    async def go() -> tuple[Path, Path]:
        kept = await store.put(FILES)
        async with store.temporary(FILES) as layer:
            assert (layer / "a.txt").read_bytes() == b"hello\r\n"
            assert (layer / "a.txt").stat().st_ino != (kept / "a.txt").stat().st_ino
            with pytest.raises(InputError):
                async with store.temporary({"../x": FileState(b"")}):
                    pass
        return kept, layer

    kept, layer = anyio.run(go)
    assert kept.is_dir()
    assert not layer.exists()
    assert list(layer.parent.iterdir()) == []
