"""Rows of data sets from files: JSON lines, a JSON array or object, or parquet, told apart by their first bytes.

What cannot be read of one row is that row's problem and not the file's: the others are read all the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.adapters.parquet import rows_of
from assay.errors import InputError

MAX_LINE_BYTES = 256 * 1024 * 1024
MAX_FILE_BYTES = 4 * 1024 * 1024 * 1024
"""Of a file that has to be read whole."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row, not yet understood."""

    where: str
    """File and number, for people."""
    value: Any = None
    problem: str = ""
    """Why there is no value."""
    key: str = ""
    """The key that a row stood under, in a file that is one object."""


def read_raw(path: Path) -> Iterator[RawRow]:
    """The rows of a file, in order. Raises InputError when the file cannot be opened, PrerequisiteError without
    pyarrow for parquet; whatever is wrong inside is a row with a problem.
    """
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", hint="check the path") from error
    if start.startswith(b"PAR1"):
        yield from _parquet(path)
    elif start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        yield from _whole(path)
    else:
        yield from _lines(path)


def _lines(path: Path) -> Iterator[RawRow]:
    """One object a line; a file whose first line is no whole object is tried as one object."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            text = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
            where = f"{path.name}, line {number}"
            if len(line) > MAX_LINE_BYTES:
                yield RawRow(where, problem=f"more than {MAX_LINE_BYTES} bytes in one line")
                while line and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE_BYTES)
            elif text:
                row = _parsed(text, where)
                if number == 1 and (row.problem or _is_keyed(row.value)):
                    whole = list(_whole(path))
                    if not whole[0].problem or not row.problem:
                        yield from whole
                        return
                yield row


def _parsed(text: bytes, where: str) -> RawRow:
    try:
        return RawRow(where, json.loads(text.decode()))
    except (ValueError, RecursionError, MemoryError) as error:
        return RawRow(where, problem=f"not JSON: {error}")


def _whole(path: Path) -> Iterator[RawRow]:
    """A file that is one value: a list of rows, or an object of rows by key, or one row."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise InputError(f"{path} has more than {MAX_FILE_BYTES} bytes", hint="write one row a line instead")
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    document = _parsed(text, path.name)
    if document.problem:
        yield from _until_broken(text.decode("utf-8", "replace"), path.name, document)
    elif isinstance(document.value, list):
        for number, row in enumerate(document.value, 1):
            yield RawRow(f"{path.name}, row {number}", row)
    elif _is_keyed(document.value):
        for key, row in document.value.items():
            yield RawRow(f"{path.name}, {key:.80}", row, key=key)
    else:
        yield document


def _is_keyed(value: object) -> bool:
    """Whether an object holds rows by their names, rather than being one."""
    return isinstance(value, dict) and bool(value) and all(isinstance(row, dict) for row in value.values())


def _until_broken(text: str, name: str, document: RawRow) -> Iterator[RawRow]:
    """The rows of a list before the place where it is cut off, and then the problem."""
    decoder, number = json.JSONDecoder(), 0
    place = text.find("[") + 1 if text.lstrip().startswith("[") else len(text)
    while place < len(text):
        while place < len(text) and text[place] in " \t\r\n,":
            place += 1
        try:
            row, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            break
        number += 1
        yield RawRow(f"{name}, row {number}", row)
    yield RawRow(f"{name}, after row {number}" if number else name, problem=document.problem)


def _parquet(path: Path) -> Iterator[RawRow]:
    number = 0
    try:
        for number, row in enumerate(rows_of(path), 1):
            yield RawRow(f"{path.name}, row {number}", row)
    except (InputError, OSError) as error:
        yield RawRow(f"{path.name}, after row {number}", problem=f"not parquet: {error}")
