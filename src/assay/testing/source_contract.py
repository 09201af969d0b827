"""What every source must do, as tests. Subclass `SourceContract`, say how to make a source, and pytest runs them.

The source under test has one project with three states, oldest first: `STATES`. A source may add files of its own
(metadata that building an archive writes), named in `extra_files`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta

import anyio
import pytest

from assay.core.hashing import tree_digest
from assay.errors import InputError
from assay.model.candidate import Candidate
from assay.model.tree import FileState, Tree
from assay.ports.source import Query, Source

_LICENCE = (
    b"Permission is hereby granted, free of charge, to any person obtaining a copy of this software\n"
    b"provided that this notice shall be included in all copies.\n"
)
_CHANGES = b"# Changelog\n\n## 1.1.0\n\n- Say hello.\n\n## 1.0.0\n\n- First.\n"
STATES: tuple[Tree, ...] = (
    {
        "LICENSE": FileState(_LICENCE),
        "CHANGES.md": FileState(b"# Changelog\n\n## 1.0.0\n\n- First.\n"),
        "pkg/__init__.py": FileState(b"def hello():\n    return ''\n"),
        "pkg/data.bin": FileState(b"\x00\xff\r\n"),
        "run.sh": FileState(b"#!/bin/sh\n", "100755"),
        "link.py": FileState(b"pkg/__init__.py", "120000"),
        "tests/test_pkg.py": FileState(b"def test(): pass\n"),
    },
)
STATES += (
    {
        **STATES[0],
        "CHANGES.md": FileState(_CHANGES),
        "pkg/__init__.py": FileState(b"def hello():\n    return 'hello'\n"),
        "tests/test_pkg.py": FileState(b"def test(): assert True\n"),
    },
)
STATES += (
    {
        **{path: state for path, state in STATES[1].items() if path != "pkg/data.bin"},
        "pkg/new.py": FileState(b"x = 1\n"),
        "tests/test_new.py": FileState(b"def test(): pass\n"),
    },
)


@dataclass(frozen=True, slots=True)
class SourceCase:
    """A source that holds `STATES`, and what to ask it."""

    source: Source
    origin: str
    unknown_origin: str
    only_second: str
    """Revisions that mean the change from the first to the second state alone."""
    extra_files: frozenset[str] = field(default_factory=frozenset)


class SourceContract:
    """Subclasses give `case` as a fixture."""

    @pytest.fixture
    def case(self) -> SourceCase:
        """The source under test."""
        raise NotImplementedError

    def _list(self, case: SourceCase, **query: object) -> list[Candidate]:
        async def run() -> list[Candidate]:
            return [c async for c in case.source.candidates(Query(case.origin, **query))]  # type: ignore[arg-type]

        return anyio.run(run)

    def _own(self, case: SourceCase, tree: Tree) -> Tree:
        return {path: state for path, state in tree.items() if path not in case.extra_files}

    def test_lists_changes_newest_first(self, case: SourceCase) -> None:
        """Two changes lie between three states."""
        loaded = [anyio.run(c.load) for c in self._list(case)]
        assert [self._own(case, x.gold) for x in loaded] == [STATES[2], STATES[1]]
        assert [self._own(case, x.base) for x in loaded] == [STATES[1], STATES[0]]

    def test_lists_the_same_again(self, case: SourceCase) -> None:
        """Keys, titles and slugs are stable and unlike each other."""
        first, second = self._list(case), self._list(case)
        assert [(c.key, c.title, c.slug) for c in first] == [(c.key, c.title, c.slug) for c in second]
        assert len({c.key for c in first}) == len({c.slug for c in first}) == len(first)

    def test_names_are_usable(self, case: SourceCase) -> None:
        """A slug can be a folder's name; kind and revisions are filled in."""
        for candidate in self._list(case):
            assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", candidate.slug)
            assert candidate.key.startswith(f"{case.source.kind}:")
            assert candidate.source.kind == case.source.kind
            assert candidate.source.base_revision != candidate.source.gold_revision

    def test_loading_fills_in_digest_and_licence(self, case: SourceCase) -> None:
        """What is loaded says by which digest the base is known."""
        content = anyio.run(self._list(case)[0].load)
        assert content.source.base_tree_sha256 == tree_digest(content.base)
        assert content.source.licence == "MIT"

    def test_notes_hold_the_added_changelog_entry_alone(self, case: SourceCase) -> None:
        """The entries of the release, not those before."""
        content = anyio.run(self._list(case)[-1].load)
        assert [note.text for note in content.notes if note.kind == "changelog"] == ["- Say hello."]

    def test_base_is_fetched_again(self, case: SourceCase) -> None:
        """The base of a task is what was loaded."""
        for candidate in self._list(case):
            content = anyio.run(candidate.load)
            assert anyio.run(case.source.base, content.source) == content.base

    def test_base_is_checked(self, case: SourceCase) -> None:
        """A base that is not what the task names is an error of the task."""
        source = anyio.run(self._list(case)[0].load).source
        with pytest.raises(InputError, match="not"):
            anyio.run(case.source.base, source.model_copy(update={"base_tree_sha256": "0" * 64}))

    def test_revisions_choose(self, case: SourceCase) -> None:
        """The source's own notation."""
        chosen = self._list(case, revisions=case.only_second)
        assert [c.key for c in chosen] == [self._list(case)[1].key]

    def test_dates_choose(self, case: SourceCase) -> None:
        """`since` and `until` are inclusive and look at the later state."""
        newest, oldest = self._list(case)
        date = newest.source.gold_date
        assert date is not None
        assert date.tzinfo is not None
        assert [c.key for c in self._list(case, since=date)] == [newest.key]
        assert [c.key for c in self._list(case, until=date - timedelta(seconds=1))] == [oldest.key]
        assert self._list(case, since=date + timedelta(days=1)) == []

    def test_listing_is_lazy(self, case: SourceCase) -> None:
        """The first candidate can be taken alone."""

        async def first() -> str:
            stream = case.source.candidates(Query(case.origin))
            async for candidate in stream:
                return candidate.key
            return ""

        assert anyio.run(first) == self._list(case)[0].key

    def test_an_unknown_origin_is_the_users_error(self, case: SourceCase) -> None:
        """It says so, and what to do."""

        async def run() -> None:
            async for _ in case.source.candidates(Query(case.unknown_origin)):
                pass

        with pytest.raises(InputError) as caught:
            anyio.run(run)
        assert caught.value.hint
