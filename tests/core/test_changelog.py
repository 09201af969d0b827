import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.changelog import MAX_NOTE_CHARS, added_entries, change_notes, readme_changes
from assay.model.candidate import Note
from assay.model.tree import FileState

STYLES = {
    "markdown": (
        "# Changes\n\n",
        "## [{v}] - 2024-01-02\n\n### Fixed\n\n- {t} for Python 3.12\n\n",
        "### Fixed\n\n- {t} for Python 3.12",
    ),
    "long links": (
        "",
        "## [{v}](https://github.com/team/project/tree/a-branch-of-a-long-name/{v}) - 2024-01-02\n\n- {t}\n\n",
        "- {t}",
    ),
    "date below": ("", "## {v}\n\n_(September 7, 2026)_\n\n- {t}\n\n", "- {t}"),
    "links": ("", "## [{v}](https://x/y/v1.0.0...v{v}) (2024-01-02)\n\n* {t}\n\n", "* {t}"),
    "rst": ("Changes\n=======\n\n", "Version {v}\n-------------\n\nReleased 2024-01-02\n\n-   {t}\n\n", "-   {t}"),
    "overlined": ("", "=======\n{v}\n=======\n\n* {t}\n\n", "* {t}"),
    "dated": ("History\n-------\n\n", "{v} (2024-01-02)\n++++++++++++++++++\n\n- {t}\n\n", "- {t}"),
    "plain": ("", "{v} (2024-01-02)\n * {t}\n\n", " * {t}"),
    "project": ("", "# demo {v}\n\n- {t}\n\n", "- {t}"),
}


@pytest.mark.parametrize("style", STYLES)
def test_the_entries_of_a_release(style: str) -> None:
    head, section, entry = STYLES[style]
    old = head + section.format(v="1.0.0", t="first thing")
    new = head + section.format(v="1.1.0", t="second thing") + section.format(v="1.0.0", t="first thing")
    wanted = entry.format(t="second thing")
    assert added_entries(old, new, "1.1.0") == wanted
    assert added_entries(old, new) == wanted
    assert added_entries(old, old, "1.0.0") == ""


def test_several_new_sections_give_the_release_alone_if_it_is_named() -> None:
    old = "## 1.0\n\n- a\n"
    new = "## 1.2\n\n- c\n\n## 1.1\n\n- b\n\n" + old
    assert added_entries(old, new, "1.2.0") == "- c"
    assert added_entries(old, new) == "- c\n\n- b"


def test_an_unreleased_section_that_grows_gives_its_new_lines() -> None:
    old = "## Unreleased\n\n- a\n\n## 1.0\n\n- x\n"
    new = "## Unreleased\n\n- a\n- b\n\n## 1.0\n\n- x\n"
    assert added_entries(old, new) == "- b"


def test_a_section_that_gets_its_number_is_not_told_twice() -> None:
    old = "## 1.1\n\n- a\n"
    new = "## 1.1\n\n- a\n- b\n"
    assert added_entries(old, new, "1.1") == "- b"


def test_a_text_without_versions_gives_its_new_lines() -> None:
    assert added_entries("one\ntwo\n", "one\nnew\ntwo\n") == "new"


def test_size_is_bounded() -> None:
    text = added_entries("", "## 2.0\n\n" + "- entry\n" * 10_000, "2.0")
    assert len(text) <= MAX_NOTE_CHARS + 2
    assert text.endswith("- entry\n…")


def test_the_changes_in_a_readme() -> None:
    text = "Demo\n====\n\nUse 2.0 now.\n\nChangelog\n---------\n\n1.1\n~~~\n- b\n\nLicence\n-------\nMIT\n"
    assert readme_changes(text).strip() == "1.1\n~~~\n- b"
    assert readme_changes("# Demo\n") == ""


def test_notes_of_a_change() -> None:
    base = {"CHANGES.md": FileState(b"## 1.0\n\n- a\n"), "docs/x.md": FileState(b"Old.\n"), "a.py": FileState(b"1")}
    gold = {
        "CHANGES.md": FileState(b"## 1.1\n\n- b\n\n## 1.0\n\n- a\n"),
        "docs/changelog.md": FileState(b"## 1.1\n\n- b\n"),
        "docs/x.md": FileState(b"Old.\nNew.\n"),
        "docs/requirements.txt": FileState(b"sphinx\n"),
        "a.py": FileState(b"2"),
        "PKG-INFO": FileState(b"Description: b"),
    }
    assert change_notes(base, gold, "1.1") == (
        Note("changelog", "- b", "CHANGES.md"),
        Note("documentation", "New.", "docs/x.md"),
    )


TEXTS = st.lists(
    st.sampled_from(["## 1.0", "1.1", "----", "- a", "", "=====", "# x", "9.9 (2020-01-01)", "é"]), max_size=12
)


@given(TEXTS, TEXTS, st.sampled_from([None, "1.0", "1.1"]))
def test_any_text_is_read(old: list[str], new: list[str], version: str | None) -> None:
    text = added_entries("\n".join(old), "\n".join(new), version)
    assert set(text.splitlines()) <= set(new) | {""}
