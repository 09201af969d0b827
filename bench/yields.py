"""Yield by repository, as docs/mining.md shows it: mine SOURCES into one project, or read projects that were mined.

    python -m bench.yields --candidates 20 git:../click git:https://github.com/mahmoud/boltons
    python -m bench.yields --project ../mined --project ../mined-of-2016

Every candidate is a commit, merged branch or follow-up pair that changes source and tests. Not part of `make bench`:
it needs repositories, an index, and a minute a candidate.
"""

from __future__ import annotations

import argparse
import statistics
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

import anyio

from assay import app
from assay.adapters.store.database import open_store
from assay.core.funnel import origin_of, stage_of
from assay.model.ledger import Decision
from assay.model.options import MineOptions
from bench.project import quiet


def main() -> None:
    """Mine what was named, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", help="such as git:PATH or git:URL")
    parser.add_argument("--candidates", type=int, default=20, help="of each source")
    parser.add_argument("--until", type=datetime.fromisoformat, help="only changes before this moment")
    parser.add_argument("--project", type=Path, action="append", default=[])
    given = parser.parse_args()
    projects = given.project or [Path("yields")]
    for source in given.sources:
        projects[0].mkdir(parents=True, exist_ok=True)
        if not (projects[0] / "assay.toml").exists():
            app.init_project(projects[0])
        options = MineOptions(source, max_candidates=given.candidates, until=given.until)
        anyio.run(app.mine, options, projects[0], quiet)
    print(table([decision for project in projects for decision in decided(project)]))


def decided(project: Path) -> list[Decision]:
    """The decisions of a project."""
    store = open_store(project / ".assay" / "assay.db", project / ".assay" / "blobs")
    try:
        return list(store.decisions())
    finally:
        store.close()


def table(decisions: list[Decision]) -> str:
    """Markdown: a line for each origin, and one for all."""
    by_origin: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        by_origin[short(origin_of(decision.candidate_key))].append(decision)
    lines = ["| repository | candidates | built | verified | CPU s, median | why not |", "|---|--:|--:|--:|--:|---|"]
    lines += [line(origin, found) for origin, found in sorted(by_origin.items())]
    return "\n".join([*lines, line("all", decisions)])


def line(name: str, found: list[Decision]) -> str:
    """One line. `built` is the share of candidates that came as far as an environment and had one."""
    wanted = [d for d in found if d.state == "verified" or stage_of(d.reason) != "change"]
    built = [d for d in wanted if d.state == "verified" or stage_of(d.reason) != "environment"]
    verified = [d for d in found if d.state == "verified"]
    cpu = f"{statistics.median(d.cost.cpu_seconds for d in verified):.0f}" if verified else "–"
    reasons = Counter(d.reason or "" for d in found if d.state != "verified").most_common()
    why = ", ".join(f"{count} {reason}" for reason, count in reasons)
    return f"| {name} | {len(found)} | {share(built, wanted)} | {share(verified, found)} | {cpu} | {why} |"


def share(part: list[Decision], whole: list[Decision]) -> str:
    """A percentage; a dash of nothing."""
    return f"{100 * len(part) / len(whole):.0f} %" if whole else "–"


def short(origin: str) -> str:
    """The last two names of a place: owner and repository, or folders."""
    return "/".join([part for part in origin.partition(":")[2].removesuffix(".git").split("/") if part][-2:])


if __name__ == "__main__":
    main()
