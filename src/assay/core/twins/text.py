"""Edits of Python source by position: the rest of the file stays as its author wrote it, byte for byte."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from assay.model.twin import Edit


class Source:
    """A parsed file and the offsets of its nodes."""

    def __init__(self, data: bytes) -> None:
        """Raises SyntaxError or ValueError when the file is not Python that this interpreter can parse."""
        data.decode("utf-8")
        self.data = data
        self.tree = ast.parse(data)
        self._starts = [0]
        for line in data.split(b"\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)
        # The parser does not count a byte order mark as a column.
        self._mark = 3 if data.startswith(b"\xef\xbb\xbf") else 0

    def span(self, node: ast.expr | ast.stmt | ast.excepthandler | ast.keyword) -> tuple[int, int]:
        """First and last offset of a node."""
        return (
            self._offset(node.lineno, node.col_offset),
            self._offset(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset),
        )

    def line_end(self, line: int) -> int:
        """Offset of the end of a line (counted from 1), before its line break."""
        end = min(self._starts[line], len(self.data) + 1) - 1
        return end - 1 if self.data[end - 1 : end] == b"\r" else end

    def text(self, start: int, end: int) -> str:
        """The source between two offsets."""
        return self.data[start:end].decode()

    def _offset(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column + (self._mark if line == 1 else 0)


def apply(data: bytes, edits: Iterable[Edit]) -> bytes:
    """The file with all edits made. Raises ValueError when two of them overlap."""
    parts, position = [], 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        if edit.start < position:
            raise ValueError(f"edits overlap at offset {edit.start}")
        parts += [data[position : edit.start], edit.text.encode()]
        position = edit.end
    return b"".join([*parts, data[position:]])
