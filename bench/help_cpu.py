"""CPU of `assay --help` against an interpreter that does nothing."""

from __future__ import annotations

from pathlib import Path

from bench.timing import PYTHON, Row, cpu_seconds


def run(folder: Path) -> list[Row]:
    del folder
    floor = cpu_seconds([PYTHON, "-c", "pass"], 15)
    helped = cpu_seconds([PYTHON, "-m", "assay", "--help"], 15)
    return [{"name": "assay --help / python -c pass, CPU", "value": helped / floor, "unit": "times", "aim": "< 4"}]
