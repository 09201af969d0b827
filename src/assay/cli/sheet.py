"""What all pages that assay writes have in common: their head, their look, and the one way in for strangers' words.

A page needs nothing else: no script, no font, no picture from elsewhere, and a policy in its head that would refuse
them. It is read in light and dark, on small screens, and with the keyboard.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import UTC, datetime

from assay.cli import output

POLICY = "default-src 'none'; style-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf7; --ink: #1d2328; --soft: #56616b; --line: #dcd8cf;
  --bar: #c08a1e; --flow: #c08a1e40; --done: #2e7d4f; --card: #f2efe8; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181b; --ink: #e8e6e1; --soft: #a3adb5; --line: #343a40;
  --bar: #d9a441; --flow: #d9a44138; --done: #5fb884; --card: #1e2226; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.2rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; text-wrap: balance; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .5rem; }
p { max-width: 46rem; margin: .5rem 0; }
.soft, caption, tfoot th { color: var(--soft); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .7rem; margin: 1.4rem 0; }
.figures div { background: var(--card); border-radius: .5rem; padding: .7rem .9rem; }
.figures dt { color: var(--soft); font-size: .85rem; }
.figures dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
figure { margin: 1rem 0; }
figcaption { color: var(--soft); font-size: .9rem; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
caption { text-align: left; padding: 0 0 .5rem; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .34rem .7rem .34rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
tbody th { font-weight: 400; overflow-wrap: anywhere; }
tbody th[scope=rowgroup] { font-weight: 600; padding-top: 1rem; }
tr.none { color: var(--soft); }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tfoot td, tfoot th { border-bottom: 0; font-weight: 600; }
summary { cursor: pointer; }
code { font-family: ui-monospace, monospace; font-size: .92em; overflow-wrap: anywhere; }
"""


def document(title: str, body: Sequence[str], style: str = "") -> str:
    """A whole page; `style` is what only this one needs. The body is HTML already, the title is text."""
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{text(title)}</title>",
        f"<style>{STYLE}{style}</style>",
        "</head>",
        "<body>",
        *body,
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def text(value: object) -> str:
    """Anything as text for HTML: escaped, and nothing in it invisible. A candidate may have written it."""
    return html.escape(output.visible(str(value)))


def percent(share: float) -> str:
    """`12 %`; what is little but not nothing stays visible."""
    return "under 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def moment(when: datetime) -> str:
    """`2026-01-02 03:04 UTC`."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def figures(pairs: Sequence[tuple[str, str]]) -> str:
    """A few large numbers with their names."""
    cells = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="figures">{cells}</dl>'


def scroll(label: str, inside: Sequence[str]) -> list[str]:
    """What is wider than a small screen scrolls by itself; the keyboard reaches it."""
    return [f'<div class="scroll" role="region" tabindex="0" aria-label="{text(label)}">', *inside, "</div>"]
