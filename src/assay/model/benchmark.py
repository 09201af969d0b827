"""A row of a benchmark, as far as it says which change it is: what must not be mined a second time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """One row in SWE-bench's format."""

    name: str
    """For people: the file and the row's `instance_id`."""
    repository: str
    """`owner/name`, or a URL."""
    base_commit: str
    patch: str = ""
    """The reference change; empty where the benchmark keeps it to itself."""
    gold_commit: str = ""
    """The commit of the change, where the benchmark names it."""
