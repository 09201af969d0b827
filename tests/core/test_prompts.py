"""Prompts from what maintainers wrote: readable, bounded, without the answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.core.interface import InterfaceItem
from assay.core.prompts import MAX_CHARACTERS, compose
from assay.core.prose import clean, entries
from assay.model.candidate import Note
from assay.model.tree import FileChange, FileState

CHANGES = (
    FileChange(
        "pkg/core.py",
        FileState(b"def f(x):\n    return x\n"),
        FileState(b"def f(x):\n    return compute_everything(x, offset=17) - base_of(x)\n"),
    ),
)


def prompt(*notes: Note, tests: tuple[str, ...] = ("tests/test_core.py::test_f_adds_the_offset",)) -> str:
    made = compose(notes, (), project="pkg", revision="1.0", changes=CHANGES, fail_to_pass=tests)
    assert not made.unusable
    return made.text


def test_a_changelog_reads_like_a_colleague() -> None:
    text = prompt(
        Note("changelog", "1.1 (2024-01-01)\n---\n\n* Fix `f` for negative numbers (#123, thanks @someone)\n")
    )
    assert "- Fix `f` for negative numbers\n" in text
    for noise in ("#123", "@someone", "1.1", "---", "thanks"):
        assert noise not in text


def test_housekeeping_is_left_out() -> None:
    notes = "- Bump version to 2.0\n- Drop support for Python 3.7\n- Update the README\n- `f` now adds the offset\n"
    assert entries(notes) == ["`f` now adds the offset"]


def test_sphinx_and_links_become_plain() -> None:
    assert clean(":func:`pkg.f` accepts ``None`` (`#12 <https://x.test/12>`_)") == "`pkg.f` accepts `None`"
    assert clean("{func}`pkg.f` forwards `PAGER`. {issue}`12` {pr}`3777`") == "`pkg.f` forwards `PAGER`."
    assert clean("Fixed [`pkg.f`][pkg.f] for `f(x=...)`") == "Fixed `pkg.f` for `f(x=...)`"
    assert clean("Allow [nested lists](https://x.test) in tables, by @ann and @bob") == "Allow nested lists in tables"


def test_continuation_lines_belong_to_their_bullet() -> None:
    assert entries("- One point that goes\n  on here\n- Another point of it\n") == [
        "One point that goes on here",
        "Another point of it",
    ]


def test_a_line_of_the_change_never_gets_in() -> None:
    leak = "- Now does return compute_everything(x, offset=17) - base_of(x)\n- Handle the offset properly\n"
    text = prompt(Note("changelog", leak))
    assert "compute_everything" not in text
    assert "Handle the offset properly" in text


SINGULAR = """Stop singularize mangling words ending in 'ss'

singularize stripped the trailing 's' from any word that ends in 's'. Words that are singular were corrupted:

    singularize('glass') -> 'glas'
    singularize('boss') -> 'bos'

Fix: add a guard before the final fallback. Plurals are unaffected because that branch runs first.

The branch `word.endswith('ss')` comes first. It still knows `singularize('boxes')`.

Adds test_singularize_double_s covering the double-'s' words.
"""
SINGULAR_CHANGE = (
    FileChange(
        "pkg/words.py",
        FileState(b"def singularize(word):\n    return word[:-1]\n"),
        FileState(b"def singularize(word):\n    if word.endswith('ss'):\n        return word\n    return word[:-1]\n"),
    ),
)


def test_how_it_was_done_stays_out_and_examples_keep_their_lines() -> None:
    made = compose(
        [Note("commit", SINGULAR)],
        (),
        project="pkg",
        revision="1",
        changes=SINGULAR_CHANGE,
        fail_to_pass=("t.py::test_singularize_double_s",),
    )
    assert not made.unusable
    text = made.text
    assert "- singularize stripped the trailing" in text
    assert "      singularize('glass') -> 'glas'\n      singularize('boss') -> 'bos'\n" in text
    assert "It still knows `singularize('boxes')`" in text
    for told in ("guard", "endswith", "unaffected", "test_singularize"):
        assert told not in text


def test_a_short_prompt_says_what_it_is_about() -> None:
    notes, tests = [Note("commit", "Properly handle double letters")], "from pkg.words import singularize\n"
    made = compose(
        notes, (), project="p", revision="1", changes=SINGULAR_CHANGE, fail_to_pass=("t.py::t",), tests_text=tests
    )
    assert "This concerns `pkg.words.singularize`." in made.text
    silent = compose(notes, (), project="p", revision="1", changes=SINGULAR_CHANGE, fail_to_pass=("t.py::t",))
    assert "This concerns" not in silent.text


def test_code_that_is_nested_too_deeply_is_read_all_the_same() -> None:
    deep = ("def singularize(word):\n    return " + "+".join(["word"] * 900) + "\n").encode()
    change = (FileChange("pkg/words.py", FileState(deep), FileState(deep + b"x = 1\n")),)
    notes = [Note("commit", "Properly handle double letters")]
    assert compose(notes, (), project="p", revision="1", changes=change, fail_to_pass=("t.py::t",)).text


def test_without_words_the_tests_names_say_it() -> None:
    assert "- F adds the offset" in prompt()
    for names in (("t.py::test_1",), ("t.py::test_natural_size", "t.py::test_intword")):
        assert compose((), (), project="p", revision="1", changes=CHANGES, fail_to_pass=names).unusable


def test_a_commit_message_loses_its_trailers() -> None:
    text = prompt(
        Note("commit", "fix(core): add the missing offset (#9)\n\nIt was lost.\n\nSigned-off-by: A <a@b.c>\n")
    )
    assert "- Add the missing offset" in text
    assert "- It was lost" in text
    assert "Signed-off" not in text


def test_needed_names_are_listed() -> None:
    items = (InterfaceItem("pkg.f", "function", "(x, *, offset: int = 0)"), InterfaceItem("--fast", "option"))
    made = compose((), items, project="pkg", revision="1", changes=CHANGES, fail_to_pass=("t.py::test_f_is_fast",))
    assert "- `pkg.f(x, *, offset: int = 0)` (function)" in made.text
    assert "- option `--fast`" in made.text


@given(st.lists(st.builds(Note, st.sampled_from(["changelog", "commit", "omitted"]), st.text()), max_size=4))
def test_any_words_give_a_bounded_prompt_and_the_same_one_again(notes: list[Note]) -> None:
    first = compose(notes, (), project="p", revision="1", changes=CHANGES, fail_to_pass=("t.py::test_some_thing",))
    again = compose(notes, (), project="p", revision="1", changes=CHANGES, fail_to_pass=("t.py::test_some_thing",))
    assert first == again
    assert len(first.text) <= MAX_CHARACTERS
