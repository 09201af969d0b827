"""Reading parquet, where pyarrow is installed: rows one by one, and one error for whatever is wrong with a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from assay.errors import InputError, PrerequisiteError

BATCH_ROWS = 64


def rows_of(path: Path, wanted: Callable[[Collection[str]], list[str]] | None = None) -> Iterator[dict[str, Any]]:
    """The rows, in order; of the columns only those that `wanted` picks among the file's. Raises PrerequisiteError
    without pyarrow, and InputError, which says after which row, for a file that cannot be read on.
    """
    try:
        # By name: an optional package, which neither the types nor the import contract shall need.
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise PrerequisiteError(
            f"{path} is a parquet file, and pyarrow, which reads them, is not installed",
            hint="type: pip install 'swe-assay[parquet]', or give the rows as JSON lines",
        ) from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            columns = wanted(file.schema_arrow.names) if wanted else None
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield row
    except (arrow.ArrowException, ValueError) as error:
        raise InputError(
            f"{path}, after row {number}, cannot be read as parquet: {error}", hint="download it again"
        ) from error
