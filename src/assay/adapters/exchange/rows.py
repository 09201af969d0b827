"""Training rows on disk: JSON lines, or a data set as Hugging Face lays it out (parquet shards and a card).

A folder is written beside its place and renamed, so that nobody loads half a data set.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from assay.adapters.files import file_error
from assay.core.exchange.card import CardFacts, Config, card
from assay.core.exchange.columns import Column, cell, columns_of, hub_features
from assay.core.exchange.shapes import Made, Pairing, Row, Shape
from assay.errors import InputError, PrerequisiteError
from assay.model.loss import Loss

Layout = Literal["jsonl", "parquet"]
GROUP_BYTES = 32 * 1024 * 1024
"""Of JSON in one row group."""
SHARD_BYTES = 500 * 1024 * 1024
"""Of JSON in one file."""
LOSSES = "losses.jsonl"
README = "README.md"


@dataclass(frozen=True, slots=True)
class Written:
    """A data set that was written."""

    folder: Path
    configs: tuple[Config, ...]
    losses: tuple[Loss, ...]
    pairings: tuple[Pairing, ...]


@dataclass(slots=True)
class _Tally:
    """What rows tell besides their data."""

    losses: dict[Loss, None] = field(default_factory=dict)
    pairings: list[Pairing] = field(default_factory=list)
    licences: Counter[str] = field(default_factory=Counter)
    tasks: set[str] = field(default_factory=set)

    def rows(self, made: Iterable[Made]) -> Iterator[Row]:
        """The rows among these; the rest is counted."""
        for one in made:
            if isinstance(one, Loss):
                self.losses[one] = None
            elif isinstance(one, Pairing):
                self.pairings.append(one)
            else:
                self.tasks.add(one.subject)
                self.licences[str(one.data.get("licence", ""))] += 1
                yield one


def write_data_set(
    folder: Path, made: Mapping[Shape, Iterable[Made]], *, layout: Layout = "parquet", title: str = ""
) -> Written:
    """Write rows of one or more shapes below `folder`: `data/<shape>/train-*`, README.md and losses.jsonl.

    Raises InputError when something is there already or no row came out, PrerequisiteError without pyarrow,
    DiskFullError and StoreError.
    """
    if os.path.lexists(folder):
        raise InputError(f"{folder} is there already", hint="give a folder that is not there, or remove it")
    tally = _Tally()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        working = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".writing-"))
        try:
            write = _parquet if layout == "parquet" else _json_lines
            configs = [write(working / "data" / shape, shape, tally.rows(ones)) for shape, ones in made.items()]
            configs = [config for config in configs if config.row_count]
            if not configs:
                raise _nothing(folder, tally)
            facts = CardFacts(
                title or folder.name,
                configs,
                tally.licences,
                tuple(tally.losses),
                tally.pairings,
                len(tally.tasks),
            )
            (working / README).write_text(card(facts))
            lines = (loss.model_dump_json() + "\n" for loss in tally.losses)
            (working / LOSSES).write_text("".join(lines))
            working.chmod(0o755)
            working.rename(folder)
        finally:
            shutil.rmtree(working, ignore_errors=True)
    except OSError as error:
        raise file_error("write", folder, error) from error
    return Written(folder, tuple(configs), tuple(tally.losses), tuple(tally.pairings))


def _nothing(folder: Path, tally: _Tally) -> InputError:
    reasons = Counter(loss.reason for loss in tally.losses if not loss.field or loss.field == "trajectory")
    why = "; ".join(f"{count} times: {reason}" for reason, count in reasons.most_common(3))
    return InputError(
        f"no row came out, so {folder} was not written" + (f" ({why})" if why else ""),
        hint="trials need a trajectory and a score; pairs need a resolved and an unresolved trial of one task",
        losses=[loss.model_dump() for loss in tally.losses],
    )


def _json_lines(folder: Path, shape: Shape, rows: Iterable[Row]) -> Config:
    folder.mkdir(parents=True)
    columns: tuple[Column, ...] = ()
    count = byte_count = 0
    with (folder / "train-00000-of-00001.jsonl").open("wb") as file:
        for row in rows:
            columns = columns or columns_of(row.data)
            line = _line(row)
            file.write(line)
            count, byte_count = count + 1, byte_count + len(line)
        file.flush()
        os.fsync(file.fileno())
    if not count:
        shutil.rmtree(folder)
    return Config(shape, columns, count, byte_count)


def _line(row: Row) -> bytes:
    return json.dumps(row.data, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _parquet(folder: Path, shape: Shape, rows: Iterable[Row]) -> Config:
    arrow, parquet = _pyarrow()
    folder.mkdir(parents=True)
    columns: tuple[Column, ...] = ()
    shards: list[Path] = []
    count = byte_count = in_shard = 0
    writer: Any = None
    for group, group_bytes in _groups(rows):
        columns = columns or columns_of(group[0].data)
        schema = _schema(arrow, columns)
        if writer is None or in_shard > SHARD_BYTES:
            if writer is not None:
                writer.close()
            shards.append(folder / f"shard-{len(shards)}")
            writer, in_shard = parquet.ParquetWriter(shards[-1], schema), 0
        writer.write_table(_table(arrow, columns, schema, group))
        count, byte_count, in_shard = count + len(group), byte_count + group_bytes, in_shard + group_bytes
    if writer is None:
        shutil.rmtree(folder)
    else:
        writer.close()
    for number, shard in enumerate(shards):
        shard.rename(folder / f"train-{number:05d}-of-{len(shards):05d}.parquet")
    return Config(shape, columns, count, byte_count)


def _groups(rows: Iterable[Row]) -> Iterator[tuple[list[Row], int]]:
    group: list[Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(_line(row))
        if size >= GROUP_BYTES:
            yield group, size
            group, size = [], 0
    if group:
        yield group, size


def _pyarrow() -> tuple[Any, Any]:
    try:
        # By name: an optional package, which neither the types nor the import contract shall need.
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise _prerequisite("is not installed") from error
    if not hasattr(arrow, "json_"):
        raise _prerequisite(f"is too old ({arrow.__version__}; 19 is needed)")
    return arrow, parquet


def _prerequisite(what: str) -> PrerequisiteError:
    return PrerequisiteError(
        f"parquet files are written with pyarrow, which {what}",
        hint="type: pip install 'swe-assay[parquet]', or write JSON lines instead",
    )


def _schema(arrow: Any, columns: Sequence[Column]) -> Any:
    free = arrow.json_(arrow.string())
    types = {
        "json-list": arrow.list_(free),
        "string": arrow.string(),
        "string-list": arrow.list_(arrow.string()),
        "bool": arrow.bool_(),
        "bool-list": arrow.list_(arrow.bool_()),
        "int64": arrow.int64(),
        "float64": arrow.float64(),
    }
    about = {"info": {"features": hub_features(tuple(columns))}}
    fields = [arrow.field(column.name, types[column.type]) for column in columns]
    return arrow.schema(fields, metadata={"huggingface": json.dumps(about)})


def _table(arrow: Any, columns: Sequence[Column], schema: Any, group: Sequence[Row]) -> Any:
    arrays = []
    for column in columns:
        values = [cell(column, row.data.get(column.name)) for row in group]
        wanted = schema.field(column.name).type
        if column.type == "json-list":
            arrays.append(arrow.array(values, arrow.list_(arrow.string())).cast(wanted))
        else:
            arrays.append(arrow.array(values, wanted))
    return arrow.table(arrays, schema=schema)
