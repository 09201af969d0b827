"""The curve as one HTML file, for people who were not there: how tasks lie for each entrant, and what follows.

Names of tasks come from strangers; `text` is the only way in for them. The drawing says nothing that the table beside
it does not say.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay import __version__
from assay.cli import output
from assay.cli.curve_screen import AUDITS, WORDS, headline, stale_because, worth_lines
from assay.cli.sheet import document, figures, percent, scroll, text
from assay.core.calibration.curve import BINS, Curve, DifficultyReport, Placed, Review
from assay.model.difficulty import GROUP

WIDTH, LEFT, RIGHT = 760, 210, 90
ROW = 18
BINS_HEIGHT = 110

WHAT_IT_IS = """
A task teaches a model most when it solves it sometimes. The <em>rate</em> is how often one entrant (an agent with its
model and limits) solves a task; it is measured by rollouts, each judged in a sandbox, and never guessed. A rollout
without a verdict counts for nothing. The line of a task shows where its rate lies with 90 % belief, the point its mean.
A task that was never solved may be hard, or broken: somebody has to look.
"""

STYLE = """
svg { display: block; width: 100%; min-width: 38rem; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: var(--ink); }
svg .soft { fill: var(--soft); }
svg .band { fill: var(--flow); }
svg .line { stroke: var(--soft); stroke-width: 2; }
svg .bin { fill: var(--bar); }
svg .in { fill: var(--done); }
svg .out { fill: var(--bar); }
svg .undecided { fill: var(--soft); }
svg .axis { stroke: var(--line); }
"""


def render(report: DifficultyReport) -> str:
    """The whole page."""
    title = f"{report.project}: how its tasks lie on the curve"
    made = f"By assay {__version__}. {output.count(report.task_count, 'task')}."
    head = ["<header>", f"<h1>{text(title)}</h1>", f'<p class="soft">{text(made)}</p>', f"<p>{WHAT_IT_IS}</p>"]
    body = [*head, "</header>", "<main>"]
    if not report.curves:
        body.append("<p>No task was calibrated yet.</p>")
    elif len(report.curves) > 1:
        body += _overview(report.curves)
    for curve in report.curves:
        body += _curve(curve)
    body += _reviews(report.reviews)
    return document(title, [*body, "</main>"], STYLE)


def _overview(curves: Sequence[Curve]) -> list[str]:
    heads = "".join(f'<th scope="col" class="n">{name}</th>' for name in (*WORDS.values(), "rollouts", "signal"))
    rows = [
        f'<tr><th scope="row">{text(curve.entrant)}, {curve.band}</th>'
        + "".join(f'<td class="n">{curve.counts[key]}</td>' for key in WORDS)
        + f'<td class="n">{curve.rollout_count}</td><td class="n">{_share(curve.signal_all)}</td></tr>'
        for curve in curves
    ]
    table = [
        "<table>",
        f'<thead><tr><th scope="col">entrant</th>{heads}</tr></thead><tbody>',
        *rows,
        "</tbody></table>",
    ]
    return ["<h2>All entrants</h2>", *scroll("All entrants", table)]


def _share(value: float | None) -> str:
    return "" if value is None else percent(value)


def _curve(curve: Curve) -> list[str]:
    numbers = [(WORDS[key].capitalize(), str(curve.counts[key])) for key in WORDS]
    if curve.signal_all is not None:
        numbers.append((f"groups of {GROUP} with signal", percent(curve.signal_all)))
    if curve.usd is not None:
        numbers.append(("spent", output.dollars(curve.usd)))
    parts = [f"<h2>{text(curve.entrant)}</h2>", f"<p>{text(headline(curve))}.</p>", figures(numbers)]
    if curve.measured:
        parts += ["<figure>", *scroll("The curve, drawn", [draw(curve)])]
        parts += ["<figcaption>The shaded part is the band. Below, each task with its interval.</figcaption></figure>"]
    parts += [f"<p>{text(line)}.</p>" for line in worth_lines(curve)]
    return [*parts, *_table(curve)]


def draw(curve: Curve) -> str:
    """The distribution above, a line a task below, as one SVG."""
    shown = curve.measured
    height = BINS_HEIGHT + 40 + ROW * len(shown)
    span = WIDTH - LEFT - RIGHT
    low, high = LEFT + span * curve.band.low, LEFT + span * curve.band.high
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{text(headline(curve))}">',
        f'<rect class="band" x="{low:.1f}" y="0" width="{high - low:.1f}" height="{height}"/>',
    ]
    most = max(*curve.bins, 1e-9)
    for number, expected in enumerate(curve.bins):
        tall = BINS_HEIGHT * expected / most
        x = LEFT + span * number / BINS
        parts.append(
            f'<rect class="bin" x="{x + 2:.1f}" y="{BINS_HEIGHT - tall + 8:.1f}" width="{span / BINS - 4:.1f}" '
            f'height="{tall:.1f}"><title>{expected:.1f} tasks</title></rect>'
        )
    base = BINS_HEIGHT + 8
    parts.append(f'<line class="axis" x1="{LEFT}" y1="{base}" x2="{LEFT + span}" y2="{base}"/>')
    for tenth in range(0, BINS + 1, 2):
        x = LEFT + span * tenth / BINS
        parts.append(f'<text class="soft" x="{x:.1f}" y="{base + 16}" text-anchor="middle">{10 * tenth} %</text>')
    for number, one in enumerate(shown):
        parts += _line(one, base + 34 + ROW * number, span)
    return "\n".join([*parts, "</svg>"])


def _line(one: Placed, y: float, span: float) -> list[str]:
    found = one.difficulty
    if found is None:
        return []
    start, end, mean = (
        LEFT + span * rate for rate in (found.posterior.low, found.posterior.high, found.posterior.mean)
    )
    kind = {"in": "in", "undecided": "undecided"}.get(one.placing, "out")
    solved = f"{found.tally.resolved_count}/{found.tally.scored_count}"
    return [
        f'<text x="4" y="{y + 4}">{text(output.cut(output.one_line(one.task), 32))}</text>',
        f'<line class="line" x1="{start:.1f}" y1="{y}" x2="{end:.1f}" y2="{y}"/>',
        f'<circle class="{kind}" cx="{mean:.1f}" cy="{y}" r="4"/>',
        f'<text class="soft" x="{WIDTH - RIGHT + 12}" y="{y + 4}">{solved}</text>',
    ]


def _table(curve: Curve) -> list[str]:
    rows = [_cells(one) for one in curve.tasks]
    heads = ("task", "solved", "rate, 90 % interval", "placing", "may be wrong", "note")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    table = ["<table>", f"<thead><tr>{head}</tr></thead>", "<tbody>", *rows, "</tbody></table>"]
    return ["<details>", "<summary>All tasks as a table</summary>", *scroll("All tasks", table), "</details>"]


def _cells(one: Placed) -> str:
    found = one.difficulty
    name = f'<tr><th scope="row">{text(one.task)}</th>'
    if found is None:
        return f"{name}<td></td><td></td><td>{WORDS['undecided']}</td><td></td><td></td></tr>"
    posterior, tally = found.posterior, found.tally
    rate = f"{percent(posterior.mean)} ({percent(posterior.low)} to {percent(posterior.high)})"
    notes = [AUDITS[found.audit], stale_because(one)]
    if tally.void_count:
        notes.append(f"{tally.void_count} without a verdict")
    cells = (
        f"{tally.resolved_count}/{tally.scored_count}",
        rate,
        WORDS[one.placing],
        percent(found.expected_error),
        "; ".join(filter(None, notes)),
    )
    return name + "".join(f"<td>{text(cell)}</td>" for cell in cells) + "</tr>"


def _reviews(reviews: Sequence[Review]) -> list[str]:
    if not reviews:
        return []
    items = []
    for review in reviews:
        near = "; ".join(
            f"<code>assay show {text(one.trial_id)}</code> ({one.passed_count} of {one.total_count} tests passed)"
            for one in review.best
        )
        audit = AUDITS[review.audit]
        said = f"{review.scored_count} rollouts by {review.entrant}{f', {audit}' if audit else ''}"
        items.append(f"<li><strong>{text(review.task)}</strong>: none of {text(said)}. {near}</li>")
    why = "<p>Nobody has solved these. They may be hard, or broken; the nearest attempts show which.</p>"
    return ["<h2>To be looked at</h2>", why, "<ul>", *items, "</ul>"]
