"""Git repositories as a source: which changes, what is read of them, and what a hostile one may not do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from assay.adapters.source.git import GitSource
from assay.errors import InputError, ProviderError, Rejection
from assay.model.tree import FileState
from assay.testing.repositories import commit, git, listed
from assay.testing.source_contract import STATES, SourceCase, SourceContract

VERSIONS = ("1.0.0", "1.1.0", "2.0.0")
DATES = tuple(datetime(2024, month, 1, tzinfo=UTC) for month in (1, 2, 3))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for version, tree, date in zip(VERSIONS, STATES, DATES, strict=True):
        commit(folder, tree, f"Make {version}", date)
    return folder


class TestGitFolder(SourceContract):
    @pytest.fixture
    def case(self, repository: Path, tmp_path: Path) -> SourceCase:
        return SourceCase(GitSource(tmp_path / "cache"), str(repository), str(tmp_path / "none"), "HEAD~1")


class TestGitUrl(SourceContract):
    @pytest.fixture
    def case(self, repository: Path, tmp_path: Path) -> SourceCase:
        source = GitSource(tmp_path / "cache")
        return SourceCase(source, f"file://{repository}", "ftp://127.0.0.1/none.git", "HEAD~2..HEAD~1")


def test_the_users_clone_is_not_written_to(repository: Path, tmp_path: Path) -> None:
    def state() -> dict[str, tuple[int, int]]:
        return {str(p): (p.lstat().st_mtime_ns, p.lstat().st_size) for p in repository.rglob("*")}

    before = state()
    for candidate in listed(GitSource(tmp_path / "cache"), str(repository)):
        anyio.run(candidate.load)
    assert state() == before


def test_what_a_hostile_clone_configures_is_not_run(repository: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\nexit 1\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "diff.external", "gpg.program", "core.sshCommand", "diff.x.textconv"):
        git(repository, "config", key, str(trap))
    git(repository, "config", "log.showSignature", "true")
    git(repository, "config", "core.hooksPath", str(tmp_path))
    (repository / ".git/info/attributes").write_text("* diff=x filter=x\n")
    for origin in (str(repository), f"file://{repository}"):
        assert [anyio.run(c.load).gold for c in listed(GitSource(tmp_path / "cache"), origin)] == [STATES[2], STATES[1]]
    assert not (tmp_path / "sprung").exists()


def test_a_merge_counts_against_its_first_parent(repository: Path, tmp_path: Path) -> None:
    git(repository, "checkout", "-q", "-b", "side")
    commit(repository, {**STATES[2], "side.py": FileState(b"1\n"), "test_side.py": FileState(b"1\n")}, "Side", DATES[2])
    git(repository, "checkout", "-q", "main")
    git(repository, "merge", "-q", "--no-ff", "-m", "Merge side", "side", date=DATES[2])
    newest = listed(GitSource(tmp_path / "cache"), str(repository))[0]
    content = anyio.run(newest.load)
    assert (content.base, content.gold) == (
        STATES[2],
        {**STATES[2], "side.py": FileState(b"1\n"), "test_side.py": FileState(b"1\n")},
    )
    assert [n.text for n in content.notes if n.kind == "commit"] == ["Merge side", "Side"]


def test_commits_that_do_not_change_source_and_tests_are_candidates_only_by_name(
    repository: Path, tmp_path: Path
) -> None:
    source = GitSource(tmp_path / "cache")
    commit(repository, {**STATES[2], "README": FileState(b"hi\n")}, "Words", DATES[2])
    commit(repository, {**STATES[2], "a.py": FileState(b"1\n")}, "No test", DATES[2])
    assert len(listed(source, str(repository))) == 2
    assert len(listed(source, str(repository), revisions="HEAD")) == 1


def test_tests_that_follow_belong_to_the_change_before_them(repository: Path, tmp_path: Path) -> None:
    commit(repository, {**STATES[2], "a.py": FileState(b"1\n")}, "Add a", DATES[2])
    both = {**STATES[2], "a.py": FileState(b"1\n"), "tests/test_a.py": FileState(b"1\n")}
    commit(repository, both, "Test a", DATES[2])
    newest = listed(GitSource(tmp_path / "cache"), str(repository))[0]
    content = anyio.run(newest.load)
    assert (content.base, content.gold) == (STATES[2], both)
    assert [n.text for n in content.notes if n.kind == "commit"] == ["Add a", "Test a"]
    assert newest.title.endswith("Add a")


def test_the_version_is_that_of_the_newest_tag_before(repository: Path, tmp_path: Path) -> None:
    git(repository, "tag", "demo-v1.2.0rc1", "HEAD~1")
    git(repository, "tag", "nightly", "HEAD~1")
    newest, older = listed(GitSource(tmp_path / "cache"), str(repository))
    assert (anyio.run(newest.load).version, anyio.run(older.load).version) == ("1.2.0rc1", "")


def test_which_commits_are_wanted(repository: Path, tmp_path: Path) -> None:
    tree = {**STATES[2], "a.py": FileState(b"1\n"), "tests/test_a.py": FileState(b"1\n")}
    commit(repository, tree, "Fix a crash of a", DATES[2])
    commit(repository, {**tree, "b.py": FileState(b"1\n"), "tests/test_a.py": FileState(b"2\n")}, "Bump b", DATES[2])
    source, where = GitSource(tmp_path / "cache"), str(repository)

    def titles(**query: object) -> list[str]:
        return [candidate.title.split(" ", 2)[2] for candidate in listed(source, where, **query)]

    assert titles()[:2] == ["Bump b", "Fix a crash of a"]
    assert titles(best_first=True)[0] == "Fix a crash of a"
    assert titles(match="CRASH|burn") == ["Fix a crash of a"]
    assert titles(paths=("b.py",)) == ["Bump b"]
    assert len(titles(paths=("pkg/new.py",))) == 1
    with pytest.raises(InputError, match="regular expression"):
        titles(match="(")


def test_odd_names_and_messages(repository: Path, tmp_path: Path) -> None:
    tree = {**STATES[2], "\1odd\n.py": FileState(b"1\n"), "b\udcff.py": FileState(b"2\r\n")}
    tree["test_b.py"] = FileState(b"1\n")
    commit(repository, tree, "A \2 strange\n\n:message", DATES[2])
    newest = listed(GitSource(tmp_path / "cache"), str(repository))[0]
    assert anyio.run(newest.load).gold == tree
    assert newest.slug.startswith("demo-")


def test_what_cannot_be_a_file_of_a_task_is_left_out(repository: Path, tmp_path: Path) -> None:
    pointer = FileState(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    odd = {**STATES[2], "big.dat": pointer, "out": FileState(b"/etc/passwd", "120000")}
    commit(repository, odd, "Odd", DATES[2])
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    git(repository, "commit", "-q", "-m", "Submodule", date=DATES[2])
    (repository / "more.py").write_text("1\n")
    git(repository, "add", "more.py")
    git(repository, "commit", "-q", "-m", "More", date=DATES[2])
    newest = listed(GitSource(tmp_path / "cache"), str(repository), revisions="HEAD")[0]
    content = anyio.run(newest.load)
    assert content.gold == {**STATES[2], "more.py": FileState(b"1\n")}
    assert len([n for n in content.notes if n.kind == "omitted"]) == 3
    assert anyio.run(GitSource(tmp_path / "cache").base, content.source) == content.base


def test_a_change_to_an_lfs_pointer_is_rejected(repository: Path, tmp_path: Path) -> None:
    pointer = FileState(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    commit(repository, {**STATES[2], "big.py": pointer, "test_big.py": pointer}, "Odd", DATES[2])
    with pytest.raises(Rejection, match="LFS"):
        anyio.run(listed(GitSource(tmp_path / "cache"), str(repository))[0].load)


def test_repositories_that_have_nothing_to_mine(tmp_path: Path, repository: Path) -> None:
    source = GitSource(tmp_path / "cache")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="not a git repository"):
        listed(source, str(empty))
    git(empty, "init", "-q")
    with pytest.raises(InputError, match="no commits"):
        listed(source, str(empty))
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")
    with pytest.raises(InputError, match="shallow") as caught:
        listed(source, str(tmp_path / "shallow"))
    assert "--unshallow" in str(caught.value.hint)
    git(tmp_path, "clone", "-q", "--depth=2", f"file://{repository}", "deeper")
    assert len(listed(source, str(tmp_path / "deeper"))) == 1


@pytest.mark.parametrize("origin", ["ext::sh -c id", "git://h/x", "http://h/x", "-u", "--upload-pack=id", "fd::3"])
def test_unsafe_transports_are_refused(tmp_path: Path, origin: str) -> None:
    with pytest.raises(InputError):
        listed(GitSource(tmp_path / "cache"), origin)


@pytest.mark.parametrize("revisions", ["--output=x", "nope", "a...b", "HEAD:pkg", "nope..HEAD", "HEAD^{tree}"])
def test_revisions_that_are_none(repository: Path, tmp_path: Path, revisions: str) -> None:
    with pytest.raises(InputError):
        listed(GitSource(tmp_path / "cache"), str(repository), revisions=revisions)


def test_a_mirror_is_refreshed(repository: Path, tmp_path: Path) -> None:
    source = GitSource(tmp_path / "cache")
    assert len(listed(source, f"file://{repository}")) == 2
    more = {**STATES[2], "more.py": FileState(b"1\n"), "test_more.py": FileState(b"1\n")}
    commit(repository, more, "More", DATES[2])
    assert len(listed(source, f"file://{repository}")) == 3


def test_a_public_origin_is_recorded_without_secrets(repository: Path, tmp_path: Path) -> None:
    git(repository, "remote", "add", "origin", "https://me:secret@example.invalid/team/demo.git")
    source = GitSource(tmp_path / "cache")
    content = anyio.run(listed(source, str(repository))[0].load)
    assert content.source.origin == "https://example.invalid/team/demo.git"
    assert anyio.run(source.base, content.source) == content.base


def test_a_clone_that_lacks_a_file_says_so(repository: Path, tmp_path: Path) -> None:
    candidate = listed(GitSource(tmp_path / "cache"), str(repository))[0]
    path = next(path for path in STATES[-1] if STATES[-1][path] not in STATES[0].values())
    sha = git(repository, "rev-parse", f"HEAD:{path}")
    (repository / ".git" / "objects" / sha[:2] / sha[2:]).unlink()
    with pytest.raises(ProviderError, match="lacks the object"):
        anyio.run(candidate.load)
