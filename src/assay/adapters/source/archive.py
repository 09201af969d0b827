"""Source archives as trees in memory, read without extracting anything.

An archive is hostile until read: it may point out of its folder, expand without end, or say different things to two
readers. Whatever an honest source distribution never does is a `Rejection` (unsafe-source), not a repair. Links may
point within the tree only. Decompression and every header that tarfile reads are bounded before memory is taken.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn, Protocol

from assay.core.trees import link_stays_inside
from assay.errors import Rejection
from assay.model.reason import Reason
from assay.model.tree import FileState, Mode, Tree

CHUNK_BYTES = 1 << 20
LZMA_MEMORY_BYTES = 128 << 20
MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 2048
"""Well below what a file system takes, since a tree is written below some other folder."""
RATIO_FROM_BYTES = 32 << 20
"""Up to this many bytes an archive may expand by any factor."""
_BAD = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(UnicodeError, ValueError, NotImplementedError, RuntimeError, IndexError, KeyError),
)


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Bounds that no honest source distribution of a library comes near."""

    total_bytes: int = 256 << 20
    file_bytes: int = 64 << 20
    member_count: int = 50_000
    ratio: int = 200
    """Unpacked against packed bytes."""


@dataclass(frozen=True, slots=True)
class _Member:
    """One entry, its name as it stands in the archive."""

    name: str
    data: bytes | None
    """None for a directory."""
    mode: Mode
    hard_link: str | None = None


def read_archive(data: bytes, name: str, limits: ArchiveLimits | None = None) -> Tree:
    """The files of a .tar(.gz|.bz2|.xz) or .zip, its single top-level folder stripped, `.git` left out.

    `name` is for messages only; the format is told by the first bytes. Raises Rejection (unsafe-source).
    """
    limits = limits or ArchiveLimits()
    try:
        members = list(_zip_members(data, limits) if data[:2] == b"PK" else _tar_members(data, limits))
        return _tree(members)
    except Rejection as error:
        raise Rejection(Reason.UNSAFE_SOURCE, f"{name}: {error.message}") from error
    except _BAD as error:
        raise Rejection(Reason.UNSAFE_SOURCE, f"{name}: not an archive that can be read ({error})") from error


def _unsafe(message: str) -> NoReturn:
    raise Rejection(Reason.UNSAFE_SOURCE, message)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Xz:
    """A reader of one xz stream that gives lzma no more memory than agreed."""

    def __init__(self, data: bytes) -> None:
        self._decompressor = lzma.LZMADecompressor(memlimit=LZMA_MEMORY_BYTES)
        self._data = data

    def read(self, size: int, /) -> bytes:
        if self._decompressor.eof:
            return b""
        chunk = self._decompressor.decompress(self._data, max_length=size)
        self._data = b""
        return chunk


class _Bounded:
    """Counts unpacked bytes and stops at the bound; a single read never asks for more than is left."""

    def __init__(self, stream: _Readable, bound_bytes: int) -> None:
        self._stream = stream
        self._left_bytes = bound_bytes

    def read(self, size: int, /) -> bytes:
        chunk = self._stream.read(min(size, CHUNK_BYTES, self._left_bytes + 1))
        self._left_bytes -= len(chunk)
        if self._left_bytes < 0:
            _unsafe("it unpacks to more bytes than any honest archive")
        return chunk


def _unpacked(data: bytes) -> _Readable:
    if data[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=io.BytesIO(data))
    if data[:3] == b"BZh":
        return bz2.BZ2File(io.BytesIO(data))
    if data[:6] == b"\xfd7zXZ\0":
        return _Xz(data)
    return io.BytesIO(data)


def _tar_members(data: bytes, limits: ArchiveLimits) -> Iterator[_Member]:
    # Headers and padding count too, so that an archive made of headers alone is bounded as well.
    bound = limits.total_bytes + 2048 * limits.member_count
    bound = min(bound, max(RATIO_FROM_BYTES, limits.ratio * len(data)))
    stream = _Bounded(_unpacked(data), bound)
    with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:  # type: ignore[call-overload]
        for count, info in enumerate(archive):
            if count >= limits.member_count:
                _unsafe("it has more members than any honest archive")
            yield _tar_member(archive, info, limits)


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo, limits: ArchiveLimits) -> _Member:
    mode: Mode = "100755" if info.mode & 0o100 else "100644"
    if info.isdir():
        return _Member(info.name, None, mode)
    if info.issym():
        return _Member(info.name, os.fsencode(info.linkname), "120000")
    if info.islnk():
        return _Member(info.name, b"", mode, hard_link=info.linkname)
    if not info.isreg() or info.issparse():
        _unsafe(f"{info.name!r} is neither a file nor a folder nor a link")
    if info.size > limits.file_bytes:
        _unsafe(f"{info.name!r} is larger than {limits.file_bytes} bytes")
    stream = archive.extractfile(info)
    content = stream.read() if stream else b""
    if len(content) != info.size:
        _unsafe(f"{info.name!r} ends too early")
    return _Member(info.name, content, mode)


def _zip_members(data: bytes, limits: ArchiveLimits) -> Iterator[_Member]:
    left_bytes = min(limits.total_bytes, max(RATIO_FROM_BYTES, limits.ratio * len(data)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        if len(infos) > limits.member_count:
            _unsafe("it has more members than any honest archive")
        for info in infos:
            if info.filename.endswith("/"):
                yield _Member(info.filename, None, "100644")
                continue
            with archive.open(info) as stream:
                content = stream.read(min(limits.file_bytes, left_bytes) + 1)
            left_bytes -= len(content)
            if left_bytes < 0 or len(content) > limits.file_bytes:
                _unsafe(f"{info.filename!r} unpacks to more bytes than any honest archive")
            yield _Member(info.filename, content, _zip_mode(info))


def _zip_mode(info: zipfile.ZipInfo) -> Mode:
    unix_mode = info.external_attr >> 16
    kind = stat.S_IFMT(unix_mode)
    if kind == stat.S_IFLNK:
        return "120000"
    if kind not in (0, stat.S_IFREG):
        _unsafe(f"{info.filename!r} is neither a file nor a folder nor a link")
    return "100755" if unix_mode & 0o100 else "100644"


def _tree(members: list[_Member]) -> Tree:
    files: dict[str, FileState] = {}
    folders: set[str] = set()
    for member in members:
        path = _safe(member.name)
        if not path:
            continue
        if member.data is None:
            folders.add(path)
            continue
        state = FileState(member.data, member.mode)
        if member.hard_link is not None:
            state = _linked(member, files)
        if files.get(path, state) != state:
            _unsafe(f"{path!r} is there twice, with different content")
        files[path] = state
    _check_shape(files, folders)
    top = _single_top(files)
    tree = {path.removeprefix(top): state for path, state in files.items()}
    tree = {path: state for path, state in tree.items() if not _is_git(path)}
    if not tree:
        _unsafe("it holds no files")
    for path, state in tree.items():
        if state.mode == "120000" and not link_stays_inside(path, state.data):
            _unsafe(f"the link {path!r} points out of the archive")
    return tree


def _safe(name: str) -> str:
    """The name without `./` and doubled slashes; empty for the root itself."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        _unsafe(f"{name!r} points out of the archive")
    if any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in parts) or len(os.fsencode(name)) > MAX_PATH_BYTES:
        _unsafe(f"{name[:80]!r}... is too long a name")
    return "/".join(parts)


def _linked(member: _Member, files: dict[str, FileState]) -> FileState:
    target = files.get(_safe(member.hard_link or ""))
    if target is None:
        _unsafe(f"{member.name!r} is a hard link to nothing in the archive")
    return target


def _check_shape(files: dict[str, FileState], folders: set[str]) -> None:
    """No path is both a file (or link) and a folder: writing below a link is how archives leave their tree."""
    parents = set(folders)
    for path in files:
        parent = path.rpartition("/")[0]
        while parent and parent not in parents:
            parents.add(parent)
            parent = parent.rpartition("/")[0]
    both = sorted(parents & files.keys())
    if both:
        _unsafe(f"{both[0]!r} is both a file and a folder")


def _single_top(files: dict[str, FileState]) -> str:
    tops = {path.partition("/")[0] for path in files}
    return f"{tops.pop()}/" if len(tops) == 1 and all("/" in path for path in files) else ""


def _is_git(path: str) -> bool:
    return any(part.casefold() == ".git" for part in path.split("/"))
