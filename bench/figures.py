"""The project's own figures, as docs/figures.md shows them: what `assay audit` finds in tasks as they were mined.

    assay audit tasks/* --json >audits.jsonl
    python -m bench.figures audits.jsonl

Takes any number of files; of a check that was made more than once of the same task, the last answer counts. Not part of
`make bench`: the audits take minutes a task.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from assay.core.audit.pooled import Pooled, pool
from assay.model.audit import CHECK_IDS, AuditRun, CheckId, CheckResult

RESULT: TypeAdapter[CheckResult] = TypeAdapter(CheckResult)
SHARES = ("_share", "kill_rate")
OURS = ("schema", "kind", "task", "task_digest")


def main() -> None:
    """Print the tables."""
    runs = audits(line for name in sys.argv[1:] for line in Path(name).read_text().splitlines())
    for text in (*table(pool(runs, CHECK_IDS)), "", *share_lines(runs)):
        print(text)


def audits(lines: Iterable[str]) -> list[AuditRun]:
    """One audit a task, from the lines that `assay audit --json` prints; a line that broke off is passed over."""
    found: dict[str, dict[CheckId, CheckResult]] = {}
    for row in map(_parsed, lines):
        if row.get("kind") == "check":
            result = RESULT.validate_python({k: v for k, v in row.items() if k not in OURS})
            known = found.setdefault(row["task"], {})
            if result.status != "unknown" or result.check not in known:  # time ran out this time, but not before
                known[result.check] = result
    return [AuditRun(task=name, task_digest="", checks=tuple(checks.values())) for name, checks in found.items()]


def _parsed(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}


def table(rows: Iterable[Pooled]) -> Iterator[str]:
    """Markdown."""
    yield "| share of tasks with | tasks | of | share | 95 % interval | unknown |"
    yield "|---|--:|--:|--:|---|--:|"
    for row in rows:
        if row.unit == "task" and row.known:
            low, high = row.interval
            yield (
                f"| {row.what} | {row.hits} | {row.known} | {row.hits / row.known:.0%} | {low:.0%} to {high:.0%} "
                f"| {row.unknown} |"
            )


def share_lines(runs: Iterable[AuditRun]) -> Iterator[str]:
    """How many tasks each check has an answer for, and the shares that it measures, over all tasks together."""
    sums: Counter[str] = Counter()
    tasks: Counter[str] = Counter()
    for run in runs:
        for result in run.checks:
            if result.status == "unknown":
                continue
            tasks[result.check] += 1
            for measure in result.measures:
                if not measure.name.endswith(SHARES):
                    continue
                sums[f"{result.check}.{measure.name}"] += round(measure.value * (measure.count or 1))
                sums[f"{result.check}.{measure.name} of"] += measure.count or 0
    yield f"audited: {', '.join(f'{check} {tasks[check]}' for check in CHECK_IDS if tasks[check])}"
    for name in sorted(name for name in sums if not name.endswith(" of")):
        if sums[f"{name} of"]:
            yield f"{name}: {sums[name]} of {sums[f'{name} of']}"


if __name__ == "__main__":
    main()
