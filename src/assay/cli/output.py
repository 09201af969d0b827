"""Data on stdout: JSON lines for programs, and numbers that people can read."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import click
from pydantic import BaseModel

SCHEMA = 1
"""Version of every object that --json prints. Keys may be added; their meaning changes only with this number."""

WIDTH = 100
"""Columns where nobody says how many there are, as in a log."""

MOST_COLUMNS = 120
"""Longer lines are hard to read, however wide the terminal is."""

Tint = Literal["", "bad", "warn", "good", "soft", "strong"]
TINTS: dict[str, dict[str, Any]] = {
    "bad": {"fg": "red"},
    "warn": {"fg": "yellow"},
    "good": {"fg": "green"},
    "soft": {"dim": True},
    "strong": {"bold": True},
}


def emit(kind: str, **fields: Any) -> None:
    """Print one JSON object on one line, at once."""
    click.echo(json.dumps({"schema": SCHEMA, "kind": kind, **fields}, default=_plain))
    sys.stdout.flush()


def text_line(text: str = "") -> None:
    """Print a line for people."""
    click.echo(visible(text))


def tinted_line(text: str, tint: Tint = "", upto: int | None = None) -> None:
    """Print a line for people, its first `upto` characters (None: all of it) in a colour where a terminal shows it.

    Colour only ever repeats what the words say.
    """
    text = visible(text)
    if tint and _in_colour():
        end = len(text) if upto is None else upto
        text = click.style(text[:end], **TINTS[tint]) + text[end:]
    click.echo(text)


def _in_colour() -> bool:
    """Whether stdout is a terminal, and nobody has said that it wants no colour (rich knows the ways to say it)."""
    if not sys.stdout.isatty():
        return False
    from rich.console import Console

    console = Console()
    return console.color_system is not None and not console.no_color


def width() -> int:
    """Columns to write in: the terminal's, or enough for a log; never less than a narrow screen has."""
    columns = shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH
    return min(max(columns, 40), MOST_COLUMNS)


def height(least: int) -> int:
    """Lines that are seen at once: the terminal's without the prompt's, or so many where nobody says."""
    return max(shutil.get_terminal_size((WIDTH, least)).lines - 2, least) if sys.stdout.isatty() else least


def one_line(text: str) -> str:
    """Words of strangers as a single line in which all can be seen."""
    return visible(" ".join(text.split()))


def cut(text: str, columns: int) -> str:
    """At most so many columns of a terminal; what is cut ends in …"""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= columns else f"{set_cell_size(text, columns - 1).rstrip()}…"


def wrapped(text: str, columns: int, most: int | None = None) -> list[str]:
    """Lines of at most so many columns, broken between words where that is possible; after `most` lines comes …"""
    from rich.cells import cell_len, chop_cells

    lines = [""]
    for word in text.split():
        for piece in chop_cells(word, columns) if cell_len(word) > columns else [word]:
            longer = f"{lines[-1]} {piece}" if lines[-1] else piece
            if cell_len(longer) <= columns:
                lines[-1] = longer
            else:
                lines.append(piece)
    if most is not None and len(lines) > most:
        lines[most - 1] = cut(" ".join(lines[most - 1 :]), columns)
        del lines[most:]
    return lines


def share(value: float) -> str:
    """`68 %`, `2.5 %`; what is little but not nothing stays visible."""
    percent = 100 * value
    if 0 < percent < 0.1:
        return "under 0.1 %"
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.1f} %"


def visible(text: str) -> str:
    """Text in which all can be seen. What is no text, or would steer a terminal or the direction of writing, comes out
    escaped: a candidate may have written it.
    """
    return "".join(c if c.isprintable() or c in "\t\n" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def seconds(value: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def dollars(usd: float) -> str:
    """`$0.41`, `$0.0031`, `$0.00`."""
    return f"${usd:.2f}" if usd >= 0.1 or usd == 0 else f"${usd:.4f}"


def size(value: int) -> str:
    """`512 B`, `3.4 KiB`, `1.2 MiB`."""
    amount = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 task`, `3 tasks`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def short_path(path: Path) -> str:
    """Relative to where the user stands, if it is below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def columns(rows: Sequence[tuple[str, ...]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Rows as aligned lines; the columns in `right` are aligned to the right."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")
