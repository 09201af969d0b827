"""The funnel as one HTML file, for people who were not there.

Names and titles come from strangers; `text` is the only way in for them. Of paths only the last names are shown: where
somebody keeps a project concerns no reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assay import __version__
from assay.cli import output
from assay.cli.drawing import draw
from assay.cli.sheet import document, figures, moment, percent, scroll, text
from assay.core.funnel import (
    BOUNDARIES,
    NO_REASON,
    REASONS,
    STAGES,
    Funnel,
    Stage,
    funnel_of,
    meaning_of,
    task_costs,
)
from assay.model.ledger import Cost
from assay.model.summary import FunnelLine, OriginLine, StatusReport, TaskLine

WHAT_IT_IS = """
This project turns changes that people made to real code into tasks for coding agents. A <em>candidate</em> is one such
change: a release, a commit or a merged branch. It becomes a <em>verified task</em> when hidden tests, run in a sandbox,
fail before the change and pass after it, each time that they are run. Every other candidate is <em>rejected</em> for
exactly one reason, or is <em>without a verdict</em> because a machine or a network broke; those are tried again.
"""

STYLE = """
svg { display: block; width: 100%; min-width: 38rem; height: auto; font: 14px system-ui, sans-serif; }
svg text { fill: var(--ink); }
svg .name { font-weight: 600; }
svg .count, svg .lost { fill: var(--soft); font-size: 13px; }
svg .bar { fill: var(--bar); }
svg .verified { fill: var(--done); }
svg .flow { fill: var(--flow); }
"""


def render(report: StatusReport) -> str:
    """The whole page."""
    funnel = funnel_of(report.funnel)
    title = f"{report.project.name}: {output.count(funnel.candidates, 'change')}, "
    title += output.count(funnel.verified.count, "verified task")
    return document(
        title,
        [
            *_head(report, funnel),
            "<main>",
            *_drawing(funnel),
            *_steps(funnel),
            *_reasons(funnel),
            *_failures(funnel),
            *_origins(report.origins),
            *_tasks(report, funnel),
            "</main>",
        ],
        STYLE,
    )


def _head(report: StatusReport, funnel: Funnel) -> list[str]:
    changes, tasks = output.count(funnel.candidates, "change"), output.count(funnel.verified.count, "verified task")
    made = f"Made {moment(report.made_at)} by assay {__version__}." if report.made_at else f"By assay {__version__}."
    if report.decided_between:
        first, last = report.decided_between
        made += f" Decided between {moment(first)} and {moment(last)}."
    if report.running:
        made += f" {output.count(len(report.running), 'run')} still at work then: the numbers were going to grow."
    share = funnel.share
    numbers = [
        ("candidates", str(funnel.candidates)),
        ("verified", f"{funnel.verified.count} · {percent(share(funnel.verified.count))}"),
        ("rejected", f"{funnel.rejected} · {percent(share(funnel.rejected))}"),
        ("without a verdict", f"{funnel.failed} · {percent(share(funnel.failed))}"),
        ("CPU time", output.seconds(funnel.cost.cpu_seconds)),
        ("written", output.size(funnel.cost.written_bytes)),
    ]
    return [
        "<header>",
        f"<h1>How {changes} became {tasks}</h1>",
        f'<p class="soft">Project <strong>{text(report.project.name)}</strong>. {text(made)}</p>',
        f"<p>{WHAT_IT_IS}</p>",
        f"<p>Sources: {_sources(report.origins)}.</p>",
        figures(numbers),
        "</header>",
    ]


def _sources(origins: Sequence[OriginLine]) -> str:
    if not origins:
        return "none yet"
    kinds = {"pypi": ("package", None), "git": ("repository", "repositories")}
    found: dict[str, int] = {}
    for line in origins:
        kind = line.origin.partition(":")[0]
        found[kind] = found.get(kind, 0) + 1
    named = [
        output.count(number, *kinds[kind]) if kind in kinds else f"{number} of the kind {kind}"
        for kind, number in sorted(found.items())
    ]
    return text(" and ".join(named)) + ", listed below"


def _drawing(funnel: Funnel) -> list[str]:
    return [
        "<h2>The funnel</h2>",
        "<figure>",
        *scroll("The funnel, drawn", [draw(funnel)]),
        "<figcaption>Bars show how many candidates are left, as wide as their share of all. On the right: how many "
        "fell out at a step, and why.</figcaption>",
        "</figure>",
    ]


def _steps(funnel: Funnel) -> list[str]:
    rows = []
    if funnel.failures:
        cost = sum((line.cost for line in funnel.failures), Cost())
        left = funnel.candidates - funnel.failed
        rows.append(_row("no verdict", [str(funnel.failed), *_numbers(funnel, funnel.failed, cost), str(left)]))
    for step in funnel.steps:
        cells = [str(step.fell_out), *_numbers(funnel, step.fell_out, step.cost), str(step.passed)]
        rows.append(_row(STAGES[step.stage].name, cells))
    done = funnel.verified
    rows.append(_row("verified", [str(done.count), *_numbers(funnel, done.count, done.cost), ""]))
    total = [str(funnel.candidates), *_numbers(funnel, funnel.candidates, funnel.cost), ""]
    return _table(
        "Where candidates ended. The rows add up to all candidates; costs are those of all work on the candidates "
        "that ended there.",
        ("stage", "ended here", "share", "CPU", "written", "left"),
        ["<tbody>", *rows, "</tbody>", "<tfoot>", _row("all candidates", total), "</tfoot>"],
        numbers=5,
    )


def _reasons(funnel: Funnel) -> list[str]:
    body: list[str] = []
    found = {step.stage: step.reasons for step in funnel.steps}
    for stage, words in STAGES.items():
        if stage != "unknown" or stage in found:
            body += ["<tbody>", f'<tr><th scope="rowgroup" colspan="6">{text(words.name)}</th></tr>']
            body += [_reason(funnel, line) for line in _all_reasons(stage, found.get(stage, ()))]
            body.append("</tbody>")
    return [
        "<h2>Why candidates were rejected</h2>",
        "<p>The list of reasons is closed, and a candidate falls out for exactly one of them.</p>",
        *_table(
            "Every reason, by the stage at which it shows, those that nobody fell out for included.",
            ("reason", "what it means", "count", "share", "CPU", "written"),
            body,
            numbers=4,
        ),
    ]


def _all_reasons(stage: Stage, found: Iterable[FunnelLine]) -> list[FunnelLine]:
    """Those that occurred, then those that did not."""
    occurred = list(found)
    seen = {line.reason for line in occurred}
    absent = [reason for reason, words in REASONS.items() if words.stage == stage and reason not in seen]
    return occurred + [FunnelLine("rejected", reason, 0, Cost()) for reason in absent]


def _reason(funnel: Funnel, line: FunnelLine) -> str:
    cells = [str(line.count), *_numbers(funnel, line.count, line.cost)]
    return _row(line.reason or NO_REASON, cells, words=meaning_of(line), faint=not line.count)


def _failures(funnel: Funnel) -> list[str]:
    heading = "<h2>What kept candidates from a verdict</h2>"
    if not funnel.failures:
        return [heading, f"<p>Nothing did: all {funnel.candidates} have one.</p>" if funnel.candidates else ""]
    return [
        heading,
        "<p>These are faults around the work, not of the candidates. They are no rejections, and the next run tries "
        "these candidates again.</p>",
        *_table(
            f"Failures by where they happened, of {len(BOUNDARIES)} places that are told apart.",
            ("where", "what it means", "count", "share", "CPU", "written"),
            ["<tbody>", *(_reason(funnel, line) for line in funnel.failures), "</tbody>"],
            numbers=4,
        ),
    ]


def _origins(origins: Sequence[OriginLine]) -> list[str]:
    if not origins:
        return []
    rows = []
    for line in origins:
        cells = [str(line.candidates), str(line.verified), percent(line.verified / line.candidates)]
        cells += [output.seconds(line.cost.cpu_seconds), output.size(line.cost.written_bytes)]
        rows.append(_row(_origin(line.origin), cells, after=line.top_reason or "none: all were verified"))
    return [
        "<h2>Where the changes come from</h2>",
        *_table(
            "What each package or repository yielded, and why most of its other candidates became no task.",
            ("origin", "candidates", "verified", "share", "CPU", "written", "top reason"),
            ["<tbody>", *rows, "</tbody>"],
            numbers=5,
            last_is_text=True,
        ),
    ]


def _origin(origin: str) -> str:
    """An origin as listed; a clone on this machine by its last two names, since the last is often just `repo`."""
    kind, colon, place = origin.partition(":")
    names = place.split("/")
    return f"{kind}{colon}…/{'/'.join(names[-2:])}" if place.startswith("/") and len(names) > 3 else origin


def _tasks(report: StatusReport, funnel: Funnel) -> list[str]:
    costs = task_costs(funnel, [task.cost for task in report.tasks])
    if costs is None:
        return []
    numbers = [
        ("median CPU time a task", output.seconds(costs.median_cpu_seconds)),
        ("median written a task", output.size(costs.median_written_bytes)),
        ("CPU a task, rejects included", output.seconds(costs.cpu_seconds_all_in)),
        ("written a task, rejects included", output.size(costs.written_bytes_all_in)),
    ]
    if report.shared_bytes:
        numbers.append(("environments and layers, shared by all", output.size(report.shared_bytes)))
    return [
        "<h2>What a verified task costs</h2>",
        figures(numbers),
        "<details>",
        f"<summary>{output.count(len(report.tasks), 'verified task')}, one by one</summary>",
        *_table(
            "The verified tasks. The change is named as those who made it named it.",
            ("task", "the change", "CPU", "elapsed", "written"),
            ["<tbody>", *map(_task, report.tasks), "</tbody>"],
            numbers=3,
        ),
        "</details>",
    ]


def _task(task: TaskLine) -> str:
    cost = task.cost
    cells = [output.seconds(cost.cpu_seconds), output.seconds(cost.wall_seconds), output.size(cost.written_bytes)]
    words = task.title + (" (its folder has changed since it was verified)" if task.stale else "")
    return _row(task.slug, cells, words=words)


def _numbers(funnel: Funnel, count: int, cost: Cost) -> list[str]:
    return [percent(funnel.share(count)), output.seconds(cost.cpu_seconds), output.size(cost.written_bytes)]


def _row(
    head: str, numbers: Sequence[str], *, words: str | None = None, after: str | None = None, faint: bool = False
) -> str:
    cells = [f'<th scope="row">{text(head)}</th>']
    cells += [] if words is None else [f"<td>{text(words)}</td>"]
    cells += [f'<td class="n">{text(number)}</td>' for number in numbers]
    cells += [] if after is None else [f"<td>{text(after)}</td>"]
    return f"<tr{' class=none' if faint else ''}>{''.join(cells)}</tr>"


def _table(
    caption: str, heads: Sequence[str], body: Sequence[str], *, numbers: int, last_is_text: bool = False
) -> list[str]:
    """A table with its caption; `numbers` columns are numbers, the last ones or those before the last."""
    end = len(heads) - last_is_text
    columns = [
        f'<th scope="col"{" class=n" if end - numbers <= n < end else ""}>{text(head)}</th>'
        for n, head in enumerate(heads)
    ]
    rows = [f"<thead><tr>{''.join(columns)}</tr></thead>", *body]
    return scroll(caption, ["<table>", f"<caption>{text(caption)}</caption>", *rows, "</table>"])
