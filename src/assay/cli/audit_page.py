"""Audits as one HTML file, for people who were not there: all tasks in a table, then each with what was found.

Everything that a task, its tests or its source say comes from strangers; `text` is the only way in for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assay import __version__
from assay.cli import audit_words as words
from assay.cli import output
from assay.cli.sheet import document, figures, scroll, text
from assay.core.audit.conclusion import answer, sentence
from assay.core.audit.pooled import pool
from assay.core.audit.table import BY_ID
from assay.model.audit import CHECK_IDS, AuditRun, CheckId, CheckResult, Finding, Proposal

FINDINGS = 50
"""Findings of a check that are shown; --json has all."""

LINES = 60
"""Lines of evidence of a finding that are shown."""

ENDS = {"pass": "no gate fails", "fail": "not fit", "unknown": "unknown"}
IN_ALL = {"pass": "pass", "fail": "fails", "unknown": "unknown"}
SHORT = {"gate fails": "fails"}
SIGNS = {"+": "add", "-": "cut", "@": "at"}

WHAT_IT_IS = """
An <em>audit</em> tries the hidden tests that judge a task: do they end the same way every time, notice wrong changes,
accept right ones, and keep the answer to themselves? A failed <em>gate</em> makes the task unfit to train on, a
<em>warning</em> asks for a look, a <em>note</em> is work for a reviewer. <em>Unknown</em> means that a check could not
be made, or not far enough to say; it is never counted as passed. Intervals are those that hold with 95 % confidence.
"""

STYLE = """
body { max-width: 70rem; }
a { color: inherit; text-underline-offset: .2em; }
a:focus-visible, summary:focus-visible, pre:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.overview { font-size: .8rem; }
.overview th, .overview td { padding-right: .5rem; }
.overview td { white-space: nowrap; }
.overview tbody th { min-width: 7rem; }
.overview td a { text-decoration-color: var(--line); }
.end { font-size: 1.08rem; border-left: .25rem solid currentcolor; padding-left: .8rem; }
h3 { font-size: 1rem; margin: 1.1rem 0 .3rem; }
details { background: var(--card); border-radius: .5rem; margin: .55rem 0; padding: .55rem .9rem; }
summary { overflow-wrap: anywhere; }
summary .word { font-weight: 600; }
details > :last-child { margin-bottom: .3rem; }
details table { width: auto; margin: .6rem 0; }
ol, ul { padding-left: 1.4rem; margin: .5rem 0; }
li { margin: .5rem 0; overflow-wrap: anywhere; }
pre { overflow-x: auto; background: var(--paper); border: 1px solid var(--line); border-radius: .35rem;
  padding: .5rem .7rem; margin: .4rem 0; font: .84rem/1.45 ui-monospace, monospace; }
pre span { display: block; min-height: 1.45em; }
pre .add { background: var(--add); } pre .cut { background: var(--cut); } pre .at { color: var(--soft); }
.advice::before { content: "→ "; }
:root { --good: #256b42; --bad: #a3261b; --warn: #7d5200; --add: #2e7d4f26; --cut: #a3261b1f; }
@media (prefers-color-scheme: dark) { :root { --good: #6cc592; --bad: #ff9184; --warn: #e6b85c; --add: #5fb8842e;
  --cut: #ff918429; } }
"""


def render(runs: Sequence[AuditRun], asked: Iterable[CheckId] = CHECK_IDS) -> str:
    """The whole page."""
    asked = tuple(asked)
    title = f"Audit of {runs[0].task}" if len(runs) == 1 else f"Audit of {output.count(len(runs), 'task')}"
    body = [
        *_head(title, runs, asked),
        "<main>",
        *_overview(runs, asked),
        *(_pooled(runs, asked) if len(runs) > 1 else ()),
        *(line for number, run in enumerate(runs) for line in _task(number, run, asked)),
        "</main>",
    ]
    return document(title, body, STYLE)


def _head(title: str, runs: Sequence[AuditRun], asked: tuple[CheckId, ...]) -> list[str]:
    ends = [str(answer(run, asked)) for run in runs]
    numbers = [(said, str(ends.count(end))) for end, said in ENDS.items()] if len(runs) > 1 else []
    numbers += [
        ("runs of tests", str(sum(map(words.run_count, runs)))),
        ("time", output.seconds(sum(run.wall_seconds for run in runs))),
    ]
    return [
        "<header>",
        f"<h1>{text(title)}</h1>",
        f'<p class="soft">By assay {__version__}.</p>',
        f"<p>{WHAT_IT_IS}</p>",
        figures(numbers),
        "</header>",
    ]


def _overview(runs: Sequence[AuditRun], asked: tuple[CheckId, ...]) -> list[str]:
    heads = "".join(f'<th scope="col">{text(name)}</th>' for name in ("task", "in all", *asked))
    rows = []
    for number, run in enumerate(runs):
        end = answer(run, asked)
        mark, tint = words.ANSWERS[end]
        cells = [f'<th scope="row"><a href="#t{number}">{text(run.task)}</a></th>']
        cells.append(f'<td class="{tint}">{mark} {IN_ALL[end]}</td>')
        cells += [_cell(number, run.of(check)) for check in asked]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    caption = "Every task and every check; each leads to what was found."
    return scroll(
        caption,
        [
            '<table class="overview">',
            f"<caption>{caption}</caption>",
            f"<thead><tr>{heads}</tr></thead>",
            "<tbody>",
            *rows,
            "</tbody>",
            "</table>",
        ],
    )


def _cell(number: int, result: CheckResult | None) -> str:
    if result is None:
        return '<td class="soft">not made</td>'
    mark, word, tint = words.FATES[words.fate(result)]
    word = SHORT.get(word, word)
    return f'<td><a class="{tint}" href="#t{number}-{result.check}">{mark} {word}</a></td>'


def _pooled(runs: Sequence[AuditRun], asked: tuple[CheckId, ...]) -> list[str]:
    rows = []
    for row in pool(runs, asked):
        what, share, interval, unknown = map(text, words.pooled_cells(row))
        rows.append(f'<tr><th scope="row">{what}</th><td>{share}</td><td>{interval}</td><td>{unknown}</td></tr>')
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("with", "share", "interval", "not counted"))
    caption = "How many tasks have what. Tasks of which nobody knows count in no share."
    body = [f"<caption>{caption}</caption>", f"<thead><tr>{heads}</tr></thead>", "<tbody>", *rows, "</tbody>"]
    return ["<h2>All tasks together</h2>", *scroll(caption, ["<table>", *body, "</table>"])]


def _task(number: int, run: AuditRun, asked: tuple[CheckId, ...]) -> list[str]:
    mark, tint = words.ANSWERS[answer(run, asked)]
    hint = run.failure.hint if run.failure else ""
    return [
        f'<section aria-labelledby="t{number}">',
        f'<h2 id="t{number}">{text(run.task)}</h2>',
        f'<p class="end {tint}">{mark} {text(sentence(run, asked))}</p>',
        *([f'<p class="advice">{text(hint)}</p>'] if hint else []),
        f'<p class="soft">{text(words.spent_of(run))}.{_digest(run)}</p>',
        *(line for result in run.checks for line in _check(number, result)),
        *_proposals(run.proposals),
        "</section>",
    ]


def _digest(run: AuditRun) -> str:
    return f" Of the content <code>{text(run.task_digest[:16])}</code>." if run.task_digest else ""


def _check(number: int, result: CheckResult) -> list[str]:
    mark, word, tint = words.FATES[words.fate(result)]
    took = words.seconds(result)
    took = "from an earlier audit of the same content" if result.remembered else f"took {took}"
    return [
        f'<details id="t{number}-{result.check}"{" open" if result.status != "pass" else ""}>',
        f'<summary><span class="word {tint}">{mark} {result.check}: {word}</span> '
        f"{text(words.summary_of(result))}</summary>",
        f'<p class="soft">{text(BY_ID[result.check].question)} A {BY_ID[result.check].severity}; {took}.</p>',
        *_measures(result),
        *_findings(result),
        *([f'<p class="advice">{text(result.advice)}</p>'] if result.advice else []),
        *_unknown(result),
        "</details>",
    ]


def _measures(result: CheckResult) -> list[str]:
    if not result.measures:
        return []
    rows = [
        f'<tr><th scope="row">{text(words.name_of(m))}</th><td class="n">{text(words.value_of(m))}</td>'
        f'<td class="n">{text(words.interval_of(m))}</td><td class="n">{"" if m.count is None else m.count}</td></tr>'
        for m in result.measures
    ]
    heads = '<th scope="col">measured</th>' + "".join(
        f'<th scope="col" class="n">{name}</th>' for name in ("value", "interval", "of")
    )
    table = ["<table>", f"<thead><tr>{heads}</tr></thead>", "<tbody>", *rows, "</tbody>", "</table>"]
    return scroll(f"What {result.check} measured", table)


def _findings(result: CheckResult) -> list[str]:
    if not result.findings:
        return []
    more = len(result.findings) - FINDINGS
    return [
        f"<h3>{output.count(len(result.findings), 'finding')}</h3>",
        "<ol>",
        *map(_finding, result.findings[:FINDINGS]),
        "</ol>",
        *([f'<p class="soft">And {more} more; --json has them all.</p>'] if more > 0 else []),
    ]


def _finding(finding: Finding) -> str:
    place = words.place_of(finding)
    head = f"<code>{text(place)}</code> " if place else ""
    advice = f'<p class="advice">{text(finding.advice)}</p>' if finding.advice else ""
    return f"<li>{head}{text(finding.what)}{_evidence(words.evidence_lines(finding))}{advice}</li>"


def _evidence(lines: Sequence[str], most: int | None = LINES) -> str:
    """Lines as they are; of a diff, what is added and what is removed is told by sign and by shade."""
    if not lines:
        return ""
    diff = words.is_diff(lines)
    shown = lines[:most]
    spans = []
    for number, line in enumerate(shown):
        kind = SIGNS.get(words.sign_of(lines, number)) if diff else None
        spans.append(f"<span{f' class={kind}' if kind else ''}>{text(line)}</span>")
    if len(lines) > len(shown):
        spans.append(f'<span class="at">… and {len(lines) - len(shown)} more lines</span>')
    return f'<pre tabindex="0" aria-label="{"diff" if diff else "evidence"}">{"".join(spans)}</pre>'


def _unknown(result: CheckResult) -> list[str]:
    if not result.unknown:
        return []
    items = [f"<li>{text(why)}</li>" for why in result.unknown]
    return ["<h3>Not looked at</h3>", "<ul>", *items, "</ul>"]


def _proposals(proposals: Sequence[Proposal]) -> list[str]:
    parts = []
    for proposal in proposals:
        parts += [
            "<details open>",
            f'<summary><span class="word">proposal:</span> {text(proposal.title)}</summary>',
            *(
                f"<p>{text(said)}</p>"
                for said in (proposal.why, proposal.verified and f"verified: {proposal.verified}")
                if said
            ),
            _evidence([output.visible(line) for line in proposal.patch.rstrip("\n").split("\n")], None),
            "</details>",
        ]
    return parts
