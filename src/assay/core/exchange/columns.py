"""The columns of rows: which are free-form JSON, and how Hugging Face's `datasets` is told so.

Messages and tools differ from row to row in their keys, which Arrow's tables cannot have. They are stored as JSON, one
text a message, in Arrow's own type for it; `datasets` (4.7 and later) gives them back as objects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ColumnType = Literal["json-list", "string", "string-list", "bool", "bool-list", "int64", "float64"]
MESSAGES: tuple[str, ...] = ("messages", "prompt", "chosen", "rejected", "completion", "tools")


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    name: str
    type: ColumnType


def columns_of(row: Mapping[str, Any]) -> tuple[Column, ...]:
    """The columns of rows that are like this one."""
    return tuple(Column(name, _type_of(name, value)) for name, value in row.items())


def _type_of(name: str, value: Any) -> ColumnType:
    if name in MESSAGES and not isinstance(value, str):
        return "json-list"
    if isinstance(value, list):
        return "bool-list" if name == "labels" else "string-list"
    if isinstance(value, bool):
        return "bool"
    if name == "attempt" or name.endswith("_attempt"):
        return "int64"
    return "float64" if name in ("margin", "reward") or name.endswith("_reward") else "string"


def cell(column: Column, value: Any) -> Any:
    """A value as the table has it."""
    if column.type == "json-list" and value is not None:
        return [json.dumps(one, ensure_ascii=False, allow_nan=False) for one in value]
    return value


def hub_features(columns: tuple[Column, ...]) -> dict[str, Any]:
    """What `datasets` reads from the metadata of a parquet file."""
    return {column.name: _feature(column.type) for column in columns}


def _feature(kind: ColumnType) -> dict[str, Any]:
    inner, is_list, _ = kind.partition("-list")
    feature = {"_type": "Json"} if inner == "json" else {"dtype": inner, "_type": "Value"}
    return {"feature": feature, "_type": "List"} if is_list else feature


def hub_lines(columns: tuple[Column, ...]) -> list[tuple[str, str, str]]:
    """The same for the card: name, `list` or `dtype`, and the type."""
    found = []
    for column in columns:
        inner, is_list, _ = column.type.partition("-list")
        found.append((column.name, "list" if is_list else "dtype", inner))
    return found
