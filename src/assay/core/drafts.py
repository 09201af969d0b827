"""What a model is asked when it drafts a prompt, and whether what it wrote may stand.

It gets the maintainers' words and the names that tests need: nothing of the reference change and nothing of the
tests, so that it cannot tell what it does not know. Its words are held against the change all the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assay.core.leaks import Reference
from assay.core.prose import ABOUT_TESTS, SOLUTION
from assay.model.candidate import Note

MAX_MATERIAL = 12_000
MIN_WORDS, MAX_WORDS = 12, 400
INSTRUCTION = (
    "You describe a change to a Python project for the engineer who will make it. You get what its maintainers wrote "
    "about it. Say what is wrong or missing today and what should hold afterwards, as somebody who uses the project "
    "sees it, in plain Markdown of at most 200 words without headings. Keep every example, name, message and value "
    "that the material gives. Invent nothing. Do not say how to make the change, quote no code that would be part of "
    "it, and do not mention tests, versions, people, or numbers of issues."
)


def material(notes: Sequence[Note], told: str) -> str:
    """What the model reads: the words of the maintainers, and the description that assay arranged from them."""
    words = [f"<{note.kind}>\n{note.text.strip()}\n</{note.kind}>" for note in notes if note.kind != "omitted"]
    return "\n\n".join([*words, f"<arranged>\n{told.strip()}\n</arranged>"])[:MAX_MATERIAL]


def problem(draft: str, reference: Reference, allowed: Sequence[str]) -> str:
    """Why a draft may not stand; empty when it may."""
    count = len(draft.split())
    if not MIN_WORDS <= count <= MAX_WORDS:
        return f"it has {count} words"
    if leaks := reference.leaks(draft, allowed):
        return f"it gives the change away: {leaks[0].excerpt[:80]}"
    if reference.shows_code(draft):
        return "it quotes code of the change"
    for sentence in re.split(r"(?<=[.!?])\s+|\n+", draft):
        if SOLUTION.match(sentence) or ABOUT_TESTS.search(re.sub(r"`[^`]*`", "", sentence)):
            return f"it says how, or speaks of tests: {sentence[:80]}"
    return ""
