"""Cleaning what maintainers wrote: changelog entries and commit messages, without headings and housekeeping."""

from __future__ import annotations

import re

CODE_FIRST = re.compile(r"^(?:--?\w|\S*[`(_.=\[<>/]\S)")
"""A first word that is code keeps its letters: `f(x)`, `snake_case`, `pkg.name`, `--flag`."""
SOLUTION = re.compile(
    r"^\s*(?:the )?(?:fix|solution|implementation|approach|root cause|how)\s*(?::|\u2014|--? | is to\b)", re.IGNORECASE
)
"""What begins a sentence that tells how it was done, and not what is wanted."""
ABOUT_TESTS = re.compile(
    r"^\W*(?:\w+ ){0,2}tests? (?:cases?|for|that|cover\w*)\b|\b(?:add\w*|cover\w*|updat\w*|extend\w*|includ\w*)\b"
    r"[^.]*\btests?(?:_\w+)?\b|\btest_\w+",
    re.IGNORECASE,
)
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")
BLOCK_INDENT = 4
BLOCK_MARK = "\0"
"""Between a point and the block of lines below it, while both are read."""
BULLET = re.compile(r"^\s{0,6}(?:[-*+•]|\d+[.)])\s+")
HEADING = re.compile(r"^\s*(?:#{1,6}\s|[=\-~^*\"'`#+_.:]{3,}\s*$)")
UNDERLINE = re.compile(r"^\s*[=\-~^*\"'`#+_.:]{3,}\s*$")
VERSION_LINE = re.compile(
    r"^\W*(?:version|release[ds]?|v)?\W*\d+\.\d+[\w.+!-]*\W*"
    r"(?:[(\[]?\s*(?:released?|unreleased|\d{4}|[A-Z][a-z]+ \d).*)?$",
    re.IGNORECASE,
)
SECTION_WORDS = re.compile(
    r"^\W*(?:added|changed|fixed|fixes|bug ?fixes|bugs?|features?|new features?|improvements?|enhancements?|removed|"
    r"deprecat\w*|security|misc\w*|other|changes?|what'?s (?:new|changed)|highlights|notes?|breaking changes?|"
    r"support|performance|internal|documentation|docs)\W*$",
    re.IGNORECASE,
)
TRAILER = re.compile(r"^(?:signed-off-by|co-authored-by|reviewed-by|change-id|cc|acked-by|tested-by|pr-url|"
                     r"full changelog|see also)\b.*$", re.IGNORECASE | re.MULTILINE)  # fmt: skip
CHORE = re.compile(
    r"\b(?:bump(?:ed|s)?|release notes?|changelog|readme|travis|appveyor|github actions?|pre-commit|dependabot|"
    r"codecov|coverage|(?:add\w*|improv\w*|updat\w*|more|new|fix\w*) (?:\w+ )?tests?|test suite|tox\.ini|setup\.py|"
    r"setup\.cfg|pyproject|packaging|wheels?|badge|typos?|linting|flake8|ruff|black|mypy|sphinx|read ?the ?docs|"
    r"contributing|licen[cs]e|copyright|sdist|conda|docker|poetry|hatch\w*|"
    r"(?:drop(?:ped)?|remov\w+|add(?:ed)?|end\w*)\W+(?:official )?(?:support (?:for )?)?python|"
    r"support (?:for )?python|python \d\.\d+|documentation|docs?|ci|type hints?|typing|annotations?|"
    r"thanks to all|contributors)\b",
    re.IGNORECASE,
)
HANDLE = r"(?:@[\w-]+|[A-Z][\w-]+ [A-Z][\w.-]+)"
ISSUE = r"(?:#|gh-|GH-|bpo-|!)\d{1,6}"
NOISE = (
    (re.compile(r"!?\[([^\]]*)\]\((?:https?:[^)]*|#[^)]*)\)"), r"\1"),
    (re.compile(r"\[([^\[\]]+)\]\[[^\[\]]*\]"), r"\1"),
    (re.compile(r"`([^`<]+?)\s*<[^>]+>`_{1,2}"), r"\1"),
    (re.compile(r":(?:\w+:)?(?:func|meth|class|mod|attr|exc|obj|ref|doc|term|data|const):`~?([^`]+)`"), r"`\1`"),
    (re.compile(r":(?:issue|pr|pull|gh|bug|user|ghissue|ghpull|commit|cve)s?:`[^`]*`"), ""),
    (re.compile(r"\{(?:issue|pr|pull|gh|user|commit|cve|ghsa)s?\}`[^`]*`", re.IGNORECASE), ""),
    (
        re.compile(
            r"\{(?:\w+:)?(?:func|meth|class|mod|attr|exc|obj|ref|doc|term|data|const)\}`~?([^`<]+?)(?:\s*<[^>]*>)?`"
        ),
        r"`\1`",
    ),
    (re.compile(r"``([^`]+)``"), r"`\1`"),
    (re.compile(r"\bhttps?://\S+"), ""),
    # A parenthesis that only says who, or which issue.
    (re.compile(rf"[(\[][^()\[\]]*(?:{ISSUE}|@[\w-]+|\bthanks?\b|\bpatch by\b)[^()\[\]]*[)\]]", re.IGNORECASE), ""),
    (
        re.compile(
            r"\b(?:see|closes?|closed|fix(?:es|ed)?|resolves?|refs?|via|in|from|issues?|pr|pull request|gh|bug)"
            rf"[:\s]*{ISSUE}(?:\s*(?:,|and|&)\s*{ISSUE})*",
            re.IGNORECASE,
        ),
        "",
    ),
    (re.compile(rf"{ISSUE}(?:\s*(?:,|and|&|/)\s*{ISSUE})*"), ""),
    (
        re.compile(
            rf"[,;.]?\s*\b(?:[Tt]hanks?(?: to)?|[Tt]hank you|[Pp]atch by|[Cc]ontributed by|[Rr]eported by|"
            rf"[Cc]ourtesy of|[Bb]y|h/t)[:,]?\s+{HANDLE}(?:(?:,| and| &)\s*{HANDLE})*"
        ),
        "",
    ),
    (re.compile(r"(?<![\w`])@[A-Za-z][\w-]+"), ""),
    (re.compile(r"\b[0-9a-f]{7,40}\b(?=\s|$|[).,])"), ""),
    (re.compile(r"\(\s*[,;]?\s*\)|\[\s*\]"), ""),
    (re.compile(r"\s*\([^()]*$"), ""),  # what a cut entry left open
    (re.compile(r"\s+([.,;:])"), r"\1"),
    (re.compile(r"(?<!\.)\.[,;:]+"), "."),
    (re.compile(r"[,;:]+\.(?!\.)"), "."),
    (re.compile(r"[ \t]{2,}"), " "),
)


def entries(text: str) -> list[str]:
    """The separate points of a changelog entry, cleaned, in order; headings, versions and housekeeping left out."""
    found = []
    for raw in _points(TRAILER.sub("", text)):
        prose, mark, block = raw.partition(BLOCK_MARK)
        cleaned = clean(prose)
        if cleaned and not is_chore(cleaned):
            found.append(cleaned + (f"\n{block}" if mark else ""))
    return found


def without_the_how(point: str) -> str:
    """A point without the sentences that say how the change was made or which tests it brought; once it has been said
    how, what follows explains it. Examples in a block below stay.
    """
    prose, mark, block = point.partition("\n")
    kept = []
    for sentence in SENTENCE.split(prose):
        if SOLUTION.match(sentence):
            break
        if not ABOUT_TESTS.search(re.sub(r"`[^`]*`", "", sentence)):
            kept.append(sentence)
    return " ".join(kept) + mark + block if kept else ""


def clean(text: str) -> str:
    """One point without links, numbers of issues, thanks and markup of other systems; empty when nothing is left."""
    for pattern, replacement in NOISE:
        text = pattern.sub(replacement, text)
    text = re.sub(r"^\*\*(?:[Bb]ug ?fix|[Ff]eature|[Ff]ixed|[Aa]dded)\*\*:?\s*", "", text.strip(" \t-–—*:;,"))
    text = re.sub(r"\s*\n\s*", " ", text).strip(" \t-–—*:;,")
    if len(text) < 8 or not re.search(r"[A-Za-z]{3}", text) or VERSION_LINE.match(text):
        return ""
    return text if CODE_FIRST.match(text) else text[0].upper() + text[1:]


def is_chore(point: str) -> bool:
    """Whether a point is about the project's household and not about what it does."""
    found = CHORE.search(re.sub(r"`[^`]*`", "", point))
    return found is not None and (found.start() < 60 or len(point) < 100)


def _points(text: str) -> list[str]:
    """Bullets with their continuation lines, and paragraphs between them; a block that is set in belongs to the
    point before it and keeps its lines.
    """
    points: list[str] = []
    current: list[str] = []
    lines = text.replace("\r\n", "\n").expandtabs(4).split("\n")
    for number, line in enumerate(lines):
        if not current and points and line.startswith(" " * BLOCK_INDENT) and not BULLET.match(line.strip()):
            mark = "\n" if BLOCK_MARK in points[-1] else BLOCK_MARK
            points[-1] += mark + line.rstrip()
            continue
        following = lines[number + 1] if number + 1 < len(lines) else ""
        heading = HEADING.match(line) or VERSION_LINE.match(line) or SECTION_WORDS.match(line)
        directive = line.lstrip().startswith(".. ")
        titled = (
            bool(UNDERLINE.match(following)) and bool(line.strip()) and len(following.strip()) >= len(line.strip()) - 1
        )
        if not line.strip() or heading or titled or directive or BULLET.match(line):
            if current:
                points.append("\n".join(current))
            current = [BULLET.sub("", line)] if BULLET.match(line) and not UNDERLINE.match(line) else []
            continue
        current.append(line.strip())
    if current:
        points.append("\n".join(current))
    return points
