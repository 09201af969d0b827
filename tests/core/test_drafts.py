"""What a model is given, and which of its drafts may stand."""

from __future__ import annotations

import pytest

from assay.core.drafts import MAX_MATERIAL, material
from assay.core.prompts import Prompt, compose
from assay.model.candidate import Note
from assay.model.tree import FileChange, FileState

CHANGE = (
    FileChange(
        "pkg/words.py",
        FileState(b"def singularize(word):\n    return word[:-1]\n"),
        FileState(b"def singularize(word):\n    if word.endswith('ss'):\n        return word\n    return word[:-1]\n"),
    ),
)
NOTES = [Note("commit", "Stop singularize mangling words ending in 'ss'")]
GOOD = (
    "`singularize` cuts the last letter off words that are singular already: `singularize('glass')` gives `'glas'`. "
    "Words that end in a double s should come back unchanged."
)


def written(draft: str) -> Prompt:
    tests = ("t.py::test_singularize_double_s",)
    return compose(
        NOTES, (), project="pkg", revision="1", changes=CHANGE, fail_to_pass=tests, draft=(draft, "some-model")
    )


def test_a_draft_takes_the_place_of_the_points_and_says_who_wrote_it() -> None:
    made = written(GOOD)
    assert GOOD in made.text
    assert "some-model" in made.provenance
    assert made.text.endswith("goes on working.\n")


@pytest.mark.parametrize(
    "draft",
    [
        "",
        "Too short.",
        "word " * 500,
        GOOD + " The condition `if word.endswith('ss')` is missing.",
        GOOD + " Fix: return the word before the last letter is cut.",
        GOOD + " The tests cover double letters.",
        GOOD + "\n\n--- a/pkg/words.py\n+++ b/pkg/words.py\n",
        GOOD + " See pkg/words.py:12.",
    ],
)
def test_a_draft_that_does_not_pass_is_as_if_there_were_none(draft: str) -> None:
    made = written(draft)
    assert made == written("")
    assert "some-model" not in made.provenance


def test_the_model_sees_the_words_and_nothing_of_the_change() -> None:
    given = material([*NOTES, Note("omitted", "a submodule")], "# Work on pkg\n")
    assert "Stop singularize" in given
    assert "submodule" not in given
    assert "endswith" not in given
    assert len(material([Note("changelog", "x" * 99_999)], "")) == MAX_MATERIAL
