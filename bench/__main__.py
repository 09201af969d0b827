"""Run all benchmarks; print one table, then JSON."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from bench import (
    audit_wall,
    calibration,
    help_cpu,
    history_speed,
    sandbox_start,
    task_bytes,
    verdict_cost,
    verify_share,
    warm_run,
)

MODULES = (
    help_cpu,
    history_speed,
    sandbox_start,
    task_bytes,
    verify_share,
    verdict_cost,
    warm_run,
    audit_wall,
    calibration,
)


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
        for module in MODULES:
            rows += module.run(Path(folder))
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        print(f"{row['name']:<{width}}  {row['value']:>10.2f} {row['unit']:<8} aim {row['aim']}")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
