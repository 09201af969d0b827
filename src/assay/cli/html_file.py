"""Where `--html` writes: a place that is looked at before any work is done, and a file that is written whole."""

from __future__ import annotations

import shlex
from pathlib import Path

from assay.errors import DiskFullError, InputError, StoreError


def usable(page: Path, example: str) -> Path:
    """Where the page goes; `example` is a name for those who gave none. Raises InputError."""
    hint = f"name a file, such as {example}"
    try:
        place = page.resolve()
        is_folder, has_folder = place.is_dir(), place.parent.is_dir()
        is_special = place.exists() and not place.is_file()
    except (OSError, RuntimeError) as error:  # RuntimeError: links that go round in a circle
        why = getattr(error, "strerror", None) or "its links lead nowhere"
        raise InputError(f"cannot write the page {page}: {why}", hint=hint) from error
    if is_folder:
        raise InputError(f"cannot write the page: {place} is a folder", hint=hint)
    if not has_folder:
        raise InputError(
            f"cannot write the page {place.name}: there is no folder {place.parent}",
            hint=f"make it first (mkdir -p {shlex.quote(str(place.parent))}), or name a file elsewhere",
        )
    if is_special:
        # It is written beside and moved into place, which would put an ordinary file where the device was.
        raise InputError(f"cannot write the page: {place} is no ordinary file", hint=hint)
    return place


def write(page: Path, text: str) -> None:
    """Write it whole or not at all. Raises InputError and DiskFullError."""
    from assay.adapters.files import write_atomic

    try:
        write_atomic(page, text.encode())
    except DiskFullError:
        raise
    except StoreError as error:
        # Not the project's store: a place that the user chose.
        raise InputError(error.message, hint=error.hint) from error
