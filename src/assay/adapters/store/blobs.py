"""Large bytes on disk, under the digest of their content: compressed, written whole, checked when read."""

from __future__ import annotations

import hashlib
import re
import zlib
from pathlib import Path

from assay.adapters.files import file_error, sync_folder, write_atomic
from assay.errors import StoreError

_DIGEST = re.compile(r"[0-9a-f]{64}")
_DAMAGED = "Remove the file and run the stage that made it again."


class Blobs:
    """A folder of blobs; any number of processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> Path:
        """Where a blob lies, or would. Raises StoreError for what is no digest."""
        if not _DIGEST.fullmatch(digest):
            raise StoreError(f"{digest[:80]!r} is not a blob's digest", hint="A digest has 64 hexadecimal digits.")
        return self.folder / digest[:2] / f"{digest[2:]}.z"

    def put(self, data: bytes) -> str:
        """Keep bytes; their SHA-256 in hex. Durable on return, and heals a damaged copy."""
        digest = hashlib.sha256(data).hexdigest()
        path = self.path(digest)
        if self._holds(path, digest):
            return digest
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(parents=True, exist_ok=True)
                sync_folder(self.folder)
        except OSError as error:
            raise file_error("make", path.parent, error) from error
        write_atomic(path, zlib.compress(data, 6), mode=0o444)
        return digest

    def get(self, digest: str) -> bytes:
        """Bytes kept earlier. Raises StoreError when absent, unreadable or damaged."""
        path = self.path(digest)
        try:
            packed = path.read_bytes()
        except FileNotFoundError as error:
            raise StoreError(f"there is no blob {digest}", hint="Run the stage that made it again.") from error
        except OSError as error:
            raise file_error("read", path, error) from error
        data = _unpacked(packed, digest)
        if data is None:
            raise StoreError(f"blob {digest} is damaged: {path}", hint=_DAMAGED, digest=digest, path=str(path))
        return data

    def _holds(self, path: Path, digest: str) -> bool:
        try:
            return _unpacked(path.read_bytes(), digest) is not None
        except OSError:
            return False


def _unpacked(packed: bytes, digest: str) -> bytes | None:
    """The bytes, or None when they are not those that the digest names."""
    try:
        data = zlib.decompress(packed)
    except zlib.error:
        return None
    return data if hashlib.sha256(data).hexdigest() == digest else None
