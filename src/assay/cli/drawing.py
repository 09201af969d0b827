"""The funnel as a drawing: one inline SVG, whose colours come from the page around it.

The drawing says nothing that the page's tables do not say, so a reader who cannot see it loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.cli.sheet import percent, text
from assay.core.funnel import NO_REASON, STAGES, Funnel
from assay.model.summary import FunnelLine

WIDTH = 760
MIDDLE = 370
WIDEST = 300
LEFT, RIGHT = 4, 540
BAR, GAP = 34, 62
LINE = 17
REASONS_SHOWN = 2
"""So many reasons are written beside a step; the others are summed up."""


@dataclass(frozen=True, slots=True)
class Level:
    """How many are left at a height of the funnel, and who was lost on the way down to the next."""

    name: str
    count: int
    lost: tuple[FunnelLine, ...] = ()


def levels(funnel: Funnel) -> list[Level]:
    """From all candidates down to the verified ones."""
    found = [Level("candidates", funnel.candidates, funnel.failures)] if funnel.failures else []
    start = "with a verdict" if funnel.failures else "candidates"
    names = [start, *(STAGES[step.stage].passed for step in funnel.steps[:-1])]
    found += [Level(name, step.entered, step.reasons) for name, step in zip(names, funnel.steps, strict=True)]
    return [*found, Level("verified tasks", funnel.verified.count)]


def draw(funnel: Funnel) -> str:
    """The drawing."""
    shown = levels(funnel)
    height = len(shown) * BAR + (len(shown) - 1) * GAP + 8
    steps = "; ".join(f"{level.name}: {level.count}" for level in shown)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="drawing-title drawing-steps">',
        '<title id="drawing-title">The funnel from candidates to verified tasks</title>',
        f'<desc id="drawing-steps">{text(steps)}.</desc>',
    ]
    for number, level in enumerate(shown):
        top = 4 + number * (BAR + GAP)
        width = _width(funnel, level.count)
        if number + 1 < len(shown):
            parts.append(_flow(top + BAR, width, _width(funnel, shown[number + 1].count)))
            parts += _lost(top + BAR, level.lost)
        last = " verified" if number + 1 == len(shown) else ""
        parts.append(
            f'<rect class="bar{last}" x="{MIDDLE - width / 2:.1f}" y="{top}" width="{width:.1f}" height="{BAR}"/>'
        )
        share = percent(funnel.share(level.count))
        parts.append(f'<text class="name" x="{LEFT}" y="{top + 15}">{text(level.name)}</text>')
        parts.append(f'<text class="count" x="{LEFT}" y="{top + 31}">{level.count} · {share}</text>')
    return "\n".join([*parts, "</svg>"])


def _width(funnel: Funnel, count: int) -> float:
    """A single one among thousands still shows."""
    return max(WIDEST * funnel.share(count), 2.0) if count else 0.0


def _flow(top: int, above: float, below: float) -> str:
    """What gets through from one level to the next."""
    corners = [
        (MIDDLE - above / 2, top),
        (MIDDLE + above / 2, top),
        (MIDDLE + below / 2, top + GAP),
        (MIDDLE - below / 2, top + GAP),
    ]
    return f'<polygon class="flow" points="{" ".join(f"{x:.1f},{y}" for x, y in corners)}"/>'


def _lost(top: int, lines: Sequence[FunnelLine]) -> list[str]:
    """Who fell out between two levels, and why."""
    texts = [f"− {line.count} {_end(line)}" for line in lines[:REASONS_SHOWN]]
    others = lines[REASONS_SHOWN:]
    if len(others) == 1:
        texts.append(f"− {others[0].count} {_end(others[0])}")
    elif others:
        texts.append(f"− {sum(line.count for line in others)} for {len(others)} other reasons")
    y = top + (GAP - LINE * len(texts)) / 2 + 13
    return [
        f'<text class="lost" x="{RIGHT}" y="{y + n * LINE:.1f}">{text(words)}</text>' for n, words in enumerate(texts)
    ]


def _end(line: FunnelLine) -> str:
    reason = line.reason or NO_REASON
    return f"without a verdict: {reason}" if line.state == "failed" else reason
