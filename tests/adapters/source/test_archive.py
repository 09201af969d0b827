import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.adapters.source.archive import ArchiveLimits, read_archive
from assay.errors import Rejection
from assay.model.tree import FileState, Tree, is_safe_path

Entry = tuple[str, bytes | None, dict[str, object]]


def tar(*entries: Entry, format: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format, encoding="utf-8", errors="surrogateescape") as archive:
        for name, data, fields in entries:
            info = tarfile.TarInfo(name)
            info.mode = 0o644
            for key, value in fields.items():
                setattr(info, key, value)
            info.size = len(data) if data is not None else 0
            archive.addfile(info, io.BytesIO(data) if data is not None else None)
    return out.getvalue()


def file(name: str, data: bytes = b"x", **fields: object) -> Entry:
    return name, data, fields


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Entry:
    return name, None, {"type": kind, "linkname": target}


def rejected(data: bytes, limits: ArchiveLimits | None = None) -> str:
    with pytest.raises(Rejection) as caught:
        read_archive(data, "demo.tar.gz", limits)
    assert caught.value.reason == "unsafe-source"
    return caught.value.message


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, bytes])
def test_every_compression(pack: Callable[[bytes], bytes]) -> None:
    data = pack(tar(("d", None, {"type": tarfile.DIRTYPE}), file("d/a", b"1\r\n"), file("d/run", mode=0o755)))
    assert read_archive(data, "d.tar") == {"a": FileState(b"1\r\n"), "run": FileState(b"x", "100755")}


def test_zip_with_modes_and_links() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("d/", "")
        for name, data, mode in (("d/a", "1", 0o100755), ("d/l", "a", stat.S_IFLNK | 0o777)):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, data)
    assert read_archive(out.getvalue(), "d.zip") == {"a": FileState(b"1", "100755"), "l": FileState(b"a", "120000")}


def test_names_that_are_not_utf8() -> None:
    data = tar(file(os.fsdecode(b"d/\xff\xfe")), file("d/ü"), format=tarfile.GNU_FORMAT)
    assert set(read_archive(data, "d")) == {os.fsdecode(b"\xff\xfe"), "ü"}


def test_links_within_are_kept_and_hard_links_become_files() -> None:
    data = tar(file("d/a/b", b"1"), link("d/a/l", "../a/b"), link("d/h", "d/a/b", tarfile.LNKTYPE))
    tree = read_archive(data, "d")
    assert tree["a/l"] == FileState(b"../a/b", "120000")
    assert tree["h"] == FileState(b"1")


def test_git_folders_are_left_out() -> None:
    data = tar(file("d/a"), file("d/.git/hooks/post-checkout"), file("d/sub/.GIT/config"), file("d/.gitignore"))
    assert set(read_archive(data, "d")) == {"a", ".gitignore"}


def test_without_a_single_folder_nothing_is_stripped() -> None:
    assert set(read_archive(tar(file("./d/a"), file("b")), "d")) == {"d/a", "b"}


@pytest.mark.parametrize(
    "entry",
    [
        file("../evil"),
        file("/etc/evil"),
        file("d/../../evil"),
        link("d/l", "/etc/passwd"),
        link("d/l", "../../x"),
        link("d/l", ".."),
        link("d/a/l", "b/../../../x"),
        link("d/h", "/etc/passwd", tarfile.LNKTYPE),
        link("d/h", "d/nothing", tarfile.LNKTYPE),
        ("d/dev", None, {"type": tarfile.CHRTYPE}),
        ("d/fifo", None, {"type": tarfile.FIFOTYPE}),
        file("d/" + "n" * 300),
        file("d/" + "n/" * 2000 + "x"),
        file("d/ok", b"other"),
        file("d/ok/below"),
    ],
)
def test_hostile_members(entry: Entry) -> None:
    rejected(tar(file("d/ok", b"1"), entry))


def test_writing_through_a_link_is_rejected() -> None:
    assert "both" in rejected(tar(link("d/l", "a"), file("d/a/x"), file("d/l/evil")))


def test_the_same_member_twice_is_allowed_when_it_says_the_same() -> None:
    assert read_archive(tar(file("d/a"), file("d/a"), file("d/b")), "d") == {"a": FileState(b"x"), "b": FileState(b"x")}


def test_bombs() -> None:
    small = ArchiveLimits(total_bytes=100_000, file_bytes=800, member_count=3, ratio=2)
    assert "larger" in rejected(tar(file("d/a", bytes(801))), small)
    assert "members" in rejected(tar(*(file(f"d/{n}") for n in range(4))), small)
    assert "no files" in rejected(gzip.compress(bytes(50 << 20)), small)
    assert "unpacks" in rejected(gzip.compress(tar(file("d/a", bytes(60 << 20)))))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("d/a", bytes(40 << 20))
    assert "unpacks" in rejected(out.getvalue())


def test_a_name_of_megabytes_in_a_pax_header() -> None:
    rejected(tar(("d/a", b"x", {"pax_headers": {"path": "n" * (5 << 20)}})))


@pytest.mark.parametrize("cut", [0, 1, 100, 300, 600])
@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bytes])
def test_cut_off_archives(cut: int, pack: Callable[[bytes], bytes]) -> None:
    data = pack(tar(file("d/a", os.urandom(2000))))
    rejected(data[:cut])


def test_an_encrypted_or_nonsense_zip() -> None:
    rejected(b"PK" + bytes(100))
    rejected(b"<html>not found</html>")


NAMES = st.text(min_size=1, max_size=6).filter(lambda n: is_safe_path(n) and "/" not in n and n.isprintable())
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join),
    st.builds(FileState, st.binary(max_size=30), st.sampled_from(["100644", "100755"])),
    min_size=1,
    max_size=5,
).filter(lambda tree: not any(b.startswith(f"{a}/") for a in tree for b in tree))


@given(TREES)
def test_what_goes_in_comes_out(tree: Tree) -> None:
    entries = (file(f"top/{path}", s.data, mode=int(s.mode[-3:], 8)) for path, s in tree.items())
    assert read_archive(gzip.compress(tar(*entries)), "t") == tree


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_tree_or_a_rejection(data: bytes) -> None:
    for head in (b"", b"PK\3\4", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0"):
        try:
            tree = read_archive(head + data, "x")
        except Rejection:
            continue
        assert all(is_safe_path(path) for path in tree)
