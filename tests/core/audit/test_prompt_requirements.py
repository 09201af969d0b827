"""Sentences without a test, and assertions without a sentence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.core.audit.hidden_names import Question
from assay.core.audit.requirements import MAX_EACH, checkable, requirements, sentences
from assay.model.tree import FileState
from assay.stages.audit.requirements import answer

PROMPT = """\
# Work on pkg

This is the source of `pkg`, as of version 1. Please make these changes:

- `cut` takes a `limit`. Raise `CutError` for a negative one.
- Everything is quicker.

## Interface

These do not exist yet, or not in this form. Call them exactly so:

- `pkg.cut(text, limit=0)` (function)

Your work is judged by tests that you do not see.
"""
TEST = "import pkg\n\ndef test_cut():\n    assert pkg.cut('abc', limit=1) == 'a'\n"


def question(test: str = TEST, prompt: str = PROMPT, *names: str) -> Question:
    files = {"pkg.py": FileState(b"def cut(text, limit=0):\n    return text\n\ndef glue(parts):\n    return parts\n")}
    ids = tuple(f"t/test_x.py::{name}" for name in names or ("test_cut",))
    return Question({}, files, {"t/test_x.py": FileState(test.encode())}, prompt, ids)


def test_only_sentences_that_ask_for_something_are_read() -> None:
    assert sentences(PROMPT) == (
        "`cut` takes a `limit`.",
        "Raise `CutError` for a negative one.",
        "Everything is quicker.",
    )


def test_names_options_and_quoted_texts_can_be_checked() -> None:
    assert checkable('Say `a_b.c`, --dry-run, ValueError or "no more".') == {"a_b", "dry_run", "ValueError", "more"}
    assert checkable("Everything is quicker.") == frozenset()


def test_a_link_is_no_code() -> None:
    assert checkable("`Pull `_: Add edge case for `cut_all`.") == {"cut_all"}
    assert checkable("``_: Keep `a_b`.") == {"a_b"}
    assert checkable("See `Issue 12 <https://example.org/Some_Page>`__, please.") == frozenset()


def test_a_sentence_that_no_test_exercises_is_listed() -> None:
    (finding,) = requirements(question())
    assert (finding.kind, finding.subject) == ("untested-sentence", "Raise `CutError` for a negative one.")


def test_an_assertion_that_nobody_asked_for_is_listed_with_its_line() -> None:
    test = TEST + "\ndef test_glue():\n    assert pkg.glue(['xyz']) == 'xyz'\n"
    (finding,) = [f for f in requirements(question(test, PROMPT, "test_cut", "test_glue")) if f.path]
    assert (finding.kind, finding.line, finding.subject) == ("unasked-assertion", 7, "t/test_x.py::test_glue")


def test_the_list_is_short_and_never_fails_a_task() -> None:
    prompt = PROMPT + "".join(f"\n- Add `name_number_{n}_`.\n" for n in range(20))
    result = answer(question(prompt=prompt))
    assert len(result.findings) == MAX_EACH
    assert (result.status, result.severity) == ("pass", "note")
    assert answer(Question({}, {}, {}, PROMPT, ("t/test_x.py::test_cut",))).status == "unknown"


@given(st.text(max_size=300), st.binary(max_size=120))
def test_any_text_is_read_without_an_error(prompt: str, source: bytes) -> None:
    files = {"t/test_x.py": FileState(source)}
    assert isinstance(requirements(Question({}, files, files, prompt, ("t/test_x.py::test_x",))), tuple)
