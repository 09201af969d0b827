"""Which repositories are the same, whatever their URL looks like, and what an abbreviated commit needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.exclusion import Exclusions, change_key, hosted_name
from assay.model.benchmark import BenchmarkRow
from assay.model.candidate import SourceInfo

SHA = "0123456789abcdef" * 2 + "01234567"
SMALL = "--- a/src/x.py\n+++ b/src/x.py\n@@ -9,1 +9,1 @@\n-    if a > b:\n+    if a >= b:\n"


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("https://github.com/Owner/Name", "owner/name"),
        ("https://github.com/owner/name.git/", "owner/name"),
        ("https://user:word@github.com/owner/name.git?x#y", "owner/name"),
        ("ssh://git@github.com:22/owner/name.git", "owner/name"),
        ("git@github.com:owner/name.git", "owner/name"),
        ("https://gitlab.test/group/sub/name", "group/sub/name"),
        ("file:///srv/owner/name.git", ""),
        ("/srv/owner/name", ""),
        ("python-slugify", ""),
        ("https://[::1", ""),
    ],
)
def test_names_of_repositories(origin: str, name: str) -> None:
    assert hosted_name(origin) == name


@given(st.text())
def test_names_of_nonsense(text: str) -> None:
    hosted_name(text)


def source(origin: str, base: str = SHA) -> SourceInfo:
    return SourceInfo(kind="git", origin=origin, base_revision=base, gold_revision="f" * 40)


@pytest.mark.parametrize(
    ("commit", "origin", "found"),
    [
        (SHA, "https://github.com/owner/name", True),
        (SHA, "/a/clone/without/remote", True),
        (SHA, "https://github.com/moved/name", True),
        (SHA[:12], "git@github.com:Owner/Name.git", True),
        (SHA[:12], "https://github.com/other/name", False),
        (SHA[:12], "/a/clone/without/remote", False),
        (SHA[:5], "https://github.com/owner/name", False),
        (SHA[::-1], "https://github.com/owner/name", False),
        ("main", "https://github.com/owner/name", False),
    ],
)
def test_a_full_commit_says_it_all_and_a_short_one_needs_the_repository(commit: str, origin: str, found: bool) -> None:
    exclusions = Exclusions([BenchmarkRow("a row", "owner/name", commit)])
    assert exclusions.by_commit(source(origin)) == ("a row" if found else "")


def test_a_small_change_is_excluded_in_its_own_repository_alone() -> None:
    exclusions = Exclusions([BenchmarkRow("a row", "Owner/Name", "0" * 40, SMALL)])
    assert exclusions.count == 1
    assert exclusions.by_content(change_key(SMALL.encode(), source("https://github.com/owner/name"))) == "a row"
    assert exclusions.by_content(change_key(SMALL.encode(), source("https://github.com/else/name"))) == ""
    assert exclusions.by_content(change_key(b"", source("https://github.com/owner/name"))) == ""
