"""Sentences without a test, and assertions without a sentence."""

from __future__ import annotations

import pytest
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


@pytest.mark.parametrize(
    "sentence",
    [
        "See `cut_all` for details.",
        "Merge branch 'feature/cut_all' into main",
        "Public `smart_cut` is unchanged.",
        "Like so: def my_hook(arg): return cut_all(arg)",
    ],
)
def test_a_sentence_that_asks_for_nothing_is_none(sentence: str) -> None:
    assert sentences(sentence) == ()


def test_to_merge_may_be_asked_for() -> None:
    assert sentences("Merge the parts in `cut_all`.") == ("Merge the parts in `cut_all`.",)


def test_code_that_is_neither_name_nor_call_is_for_who_writes_the_change() -> None:
    assert checkable("Guard it by `elif word.endswith('ss') and keep`.") == frozenset()
    assert checkable("Call `cut_all(text)`; a hook that *returns* has *pad_to*.") == {"cut_all", "text", "pad_to"}


def test_an_exception_that_went_wrong_is_not_to_be_tested() -> None:
    assert checkable("Fix an `IndexError` for empty lists.") == frozenset()
    assert checkable("Called what is not there, raising AttributeError.") == frozenset()
    assert checkable("Empty lists raise `IndexError`.") == {"IndexError"}
    assert checkable("Pass a `StopIteration` on from `run_all`.") == {"StopIteration", "run_all"}


def test_a_test_that_the_base_has_asserts_nothing_new() -> None:
    test = TEST + "\ndef test_glue():\n    assert pkg.glue(['xyz']) == 'xyz'\n"
    asked = question(test, PROMPT, "test_cut", "test_glue")
    base = {"t/test_x.py": FileState(test.replace("import pkg", "import pkg, re").encode())}
    again = Question(base, asked.gold, asked.hidden, asked.prompt, asked.fail_to_pass)
    assert [f.kind for f in requirements(asked)] == ["untested-sentence", "unasked-assertion"]
    assert [f.kind for f in requirements(again)] == ["untested-sentence"]


def test_the_name_of_a_test_file_says_what_it_is_about() -> None:
    test = b"import pkg\n\ndef test_glue():\n    assert pkg.glue(['xyz']) == 'xyz'\n"
    asked = question()
    for name, count in (("t/test_x.py", 1), ("t/test_negative.py", 0)):
        own = Question({}, asked.gold, {name: FileState(test)}, PROMPT, (f"{name}::test_glue",))
        assert sum(f.kind == "unasked-assertion" for f in requirements(own)) == count


def test_the_name_of_a_module_is_no_name_to_test() -> None:
    asked = question(prompt="# Work on pkg\n\n- `pkg` cuts more.\n- Cut `cut`.\n")
    assert [f.kind for f in requirements(asked)] == ["unasked-assertion"]


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
