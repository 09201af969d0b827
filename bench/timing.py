"""Medians of repeated measurements."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import TypedDict


class Row(TypedDict):
    name: str
    value: float
    unit: str
    aim: str


def cpu_seconds(argv: Sequence[str], times: int) -> float:
    """Median CPU time of a command and its children."""
    taken = []
    for _ in range(times):
        before = children_seconds()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        taken.append(children_seconds() - before)
    return statistics.median(taken)


def children_seconds() -> float:
    """CPU time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


PYTHON = sys.executable
