"""Benchmark rows from files: JSON lines, a JSON array, or parquet, told apart by their first bytes.

Files are read as a stream, except for a JSON array, and of each row only what says which change it is. A row that
cannot be read is an error and not skipped: what is skipped here would be trained on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.adapters.parquet import rows_of
from assay.errors import InputError
from assay.model.benchmark import BenchmarkRow

NEEDED = ("repo", "base_commit", "patch")
GOLD_COMMITS = ("gold_commit", "merge_commit", "merge_commit_sha")
"""Names under which published rows have the commit of the change, if they have it."""
HINT = 'each row needs "repo" (owner/name), "base_commit" and "patch", as SWE-bench has them'


def read_rows(paths: Sequence[Path]) -> Iterator[BenchmarkRow]:
    """The rows of all files, in order. Raises InputError naming file and line, PrerequisiteError without pyarrow."""
    for path in paths:
        number = 0
        try:
            for number, (where, row) in enumerate(_raw_rows(path), 1):  # noqa: B007  counted for the check below
                yield _row(row, where, path)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}", hint="check --exclude") from error
        if not number:
            raise InputError(f"{path} has no rows: nothing would be excluded", hint=HINT)


def _raw_rows(path: Path) -> Iterator[tuple[str, object]]:
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(b"PAR1"):
        return _parquet(path)
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        return _array(path)
    return _lines(path)


def _lines(path: Path) -> Iterator[tuple[str, object]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if text.strip():
                yield (
                    f"line {number}",
                    _parsed(text.strip(), f"{path}, line {number}", "one JSON object a line, as UTF-8"),
                )


def _parsed(text: bytes, where: str, hint: str) -> object:
    try:
        return json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON: {error}", hint=hint) from error


def _array(path: Path) -> Iterator[tuple[str, object]]:
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    rows = _parsed(data, str(path), "a JSON array of objects, as UTF-8, or one JSON object a line")
    for number, row in enumerate(rows if isinstance(rows, list) else [], 1):
        yield f"row {number}", row


def _parquet(path: Path) -> Iterator[tuple[str, object]]:
    rows = rows_of(path, lambda names: [name for name in (*NEEDED, "instance_id", *GOLD_COMMITS) if name in names])
    for number, row in enumerate(rows, 1):
        yield f"row {number}", row


def _row(row: object, where: str, path: Path) -> BenchmarkRow:
    if not isinstance(row, dict):
        raise InputError(f"{path}, {where} is not a row: found {type(row).__name__}, expected an object", hint=HINT)
    for key in NEEDED:
        if key not in row:
            raise InputError(f"{path}, {where} has no {key!r}", hint=HINT)
        wrong = not isinstance(row[key], str) or not (row[key].strip() or key == "patch")
        # Benchmarks that keep their solutions to themselves publish null.
        if wrong and not (key == "patch" and row[key] is None):
            raise InputError(f"{path}, {where}, {key!r}: found {row[key]!r:.60}, expected text", hint=HINT)
    return BenchmarkRow(
        name=f"{path.name}: {_text(row, ['instance_id']) or where}",
        repository=row["repo"].strip(),
        base_commit=row["base_commit"].strip(),
        patch=row["patch"] or "",
        gold_commit=_text(row, GOLD_COMMITS),
    )


def _text(row: Mapping[str, Any], keys: Iterable[str]) -> str:
    """The first of these that is text."""
    return next((row[key].strip() for key in keys if isinstance(row.get(key), str)), "")
