import io
import json
import tarfile
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest

from assay.adapters import process
from assay.adapters.source.downloads import Connection
from assay.adapters.source.git import GitSource
from assay.adapters.source.pypi import PypiSource
from assay.core import git_settings
from assay.errors import InputError, ProviderError, Rejection
from assay.model.candidate import Candidate
from assay.model.tree import FileState, Tree
from assay.ports.source import Query
from assay.testing.source import FakeRelease, FakeSource
from assay.testing.source_contract import STATES, SourceCase, SourceContract

VERSIONS = ("1.0.0", "1.1.0", "2.0.0")
DATES = tuple(datetime(2024, month, 1, tzinfo=UTC) for month in (1, 2, 3))
FAST = Connection(attempts=3, backoff_seconds=0, timeout_seconds=5)
PKG_INFO = FileState(b"Metadata-Version: 2.1\nName: demo\nLicense: MIT License\n")


def sdist(tree: Tree, top: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, state in tree.items():
            info = tarfile.TarInfo(f"{top}/{path}")
            if state.mode == "120000":
                info.type, info.linkname = tarfile.SYMTYPE, state.data.decode()
                archive.addfile(info)
            else:
                info.size, info.mode = len(state.data), int(state.mode[-3:], 8)
                archive.addfile(info, io.BytesIO(state.data))
    return out.getvalue()


class Index(ThreadingHTTPServer):
    """A package index on the loopback interface, from a dictionary. `broken` answers that many requests badly."""

    daemon_threads = True

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.asked: list[str] = []
        self.break_after_bytes: int | None = None
        self.busy = 0
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Index)
        server.asked.append(self.path)
        kind, body = server.pages.get(self.path, ("", b""))
        status = 200 if kind else 404
        if server.busy:
            server.busy -= 1
            status, body = 503, b""
        start = 0
        if (wanted := self.headers.get("Range")) and status == 200:
            start, status = int(wanted[6:].rstrip("-")), 206
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) - start))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        part = body[start:]
        if server.break_after_bytes is not None and self.path.startswith("/files/") and status != 206:
            part, self.close_connection = part[: server.break_after_bytes], True
        self.wfile.write(part)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def publish(index: Index, *, dated: bool = True, api: bool = True, html: bool = False) -> None:
    """The three states as releases of `demo`, and one release without a source archive."""
    entries = []
    for version, tree, date in zip(VERSIONS, STATES, DATES, strict=True):
        name = f"demo-{version}.tar.gz"
        data = sdist({**tree, "PKG-INFO": PKG_INFO}, f"demo-{version}")
        index.pages[f"/files/{name}"] = ("application/gzip", data)
        entries.append((version, name, sha256(data).hexdigest(), date.isoformat() if dated else None))
    if api:
        index.pages["/pypi/demo/json"] = ("application/json", api_page(entries))
    if html:
        links = [
            f'<a href="../../files/{name}#sha256={digest}"{f" data-upload-time={date!r}" if date else ""}>{name}</a>'
            for _, name, digest, date in entries
        ]
        index.pages["/simple/demo/"] = ("text/html", "\n".join(links).encode())
    elif not api:
        files = [
            {"filename": name, "url": f"/files/{name}", "hashes": {"sha256": digest}, "upload-time": date}
            for _, name, digest, date in entries
        ]
        page = json_bytes({"name": "demo", "files": files})
        index.pages["/simple/demo/"] = ("application/vnd.pypi.simple.v1+json", page)


def api_page(entries: Sequence[tuple[str, str, str, str | None]], **more: object) -> bytes:
    releases: dict[str, object] = {
        version: [
            {
                "filename": name,
                "url": f"../../files/{name}",
                "digests": {"sha256": digest},
                "upload_time_iso_8601": date,
            }
        ]
        for version, name, digest, date in entries
    }
    return json_bytes({"info": {"name": "demo"}, "releases": {**releases, **more}})


def json_bytes(value: object) -> bytes:
    return json.dumps(value).encode()


def git(folder: Path, *arguments: str, date: datetime | None = None) -> str:
    who = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b"}
    when = {"GIT_COMMITTER_DATE": date.isoformat(), "GIT_AUTHOR_DATE": date.isoformat()} if date else {}

    async def run() -> bytes:
        return await process.output_of(
            ["git", *git_settings.options("file"), *arguments],
            env={**git_settings.ENVIRONMENT, **who, **when},
            cwd=folder,
        )

    return anyio.run(run).decode().strip()


def commit(folder: Path, tree: Tree, message: str, date: datetime) -> str:
    for old in folder.rglob("*"):
        if ".git" not in old.relative_to(folder).parts and (old.is_symlink() or old.is_file()):
            old.unlink()
    for path, state in tree.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if state.mode == "120000":
            target.symlink_to(state.data.decode())
        else:
            target.write_bytes(state.data)
            target.chmod(int(state.mode[-3:], 8))
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "--allow-empty", "-m", message, date=date)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for version, tree, date in zip(VERSIONS, STATES, DATES, strict=True):
        commit(folder, tree, f"Make {version}", date)
    return folder


class TestFake(SourceContract):
    @pytest.fixture
    def case(self) -> SourceCase:
        releases = [FakeRelease(v, t, d) for v, t, d in zip(VERSIONS, STATES, DATES, strict=True)]
        return SourceCase(FakeSource({"demo": releases}), "demo", "other", r"1\.1\.0")


class PypiContract(SourceContract):
    how: ClassVar[dict[str, bool]]

    @pytest.fixture
    def case(self, index: Index, tmp_path: Path) -> SourceCase:
        publish(index, **self.how)
        source = PypiSource(tmp_path / "cache", index_url=index.url, connection=FAST)
        return SourceCase(source, "demo", "other", ">=1.1,<2", frozenset({"PKG-INFO"}))


class TestPypiByApi(PypiContract):
    how: ClassVar = {"api": True}


class TestPypiBySimpleJson(PypiContract):
    how: ClassVar = {"api": False}


class TestPypiBySimpleHtml(PypiContract):
    how: ClassVar = {"api": False, "html": True}


class TestGitFolder(SourceContract):
    @pytest.fixture
    def case(self, repository: Path, tmp_path: Path) -> SourceCase:
        return SourceCase(GitSource(tmp_path / "cache"), str(repository), str(tmp_path / "none"), "HEAD~1")


class TestGitUrl(SourceContract):
    @pytest.fixture
    def case(self, repository: Path, tmp_path: Path) -> SourceCase:
        source = GitSource(tmp_path / "cache")
        return SourceCase(source, f"file://{repository}", "ftp://127.0.0.1/none.git", "HEAD~2..HEAD~1")


def listed(source: Any, origin: str = "demo", **query: Any) -> list[Candidate]:
    async def run() -> list[Candidate]:
        return [c async for c in source.candidates(Query(origin, **query))]

    return anyio.run(run)


def pypi(index: Index, tmp_path: Path, **more: Any) -> PypiSource:
    return PypiSource(tmp_path / "cache", index_url=index.url, connection=FAST, **more)


def test_a_broken_download_goes_on_where_it_broke(index: Index, tmp_path: Path) -> None:
    publish(index)
    index.break_after_bytes = 100
    content = anyio.run(listed(pypi(index, tmp_path))[0].load)
    assert content.gold["pkg/new.py"].data == b"x = 1\n"
    assert len([path for path in index.asked if path.startswith("/files/")]) == 4


def test_a_busy_index_is_asked_again_a_bounded_number_of_times(index: Index, tmp_path: Path) -> None:
    publish(index)
    index.busy = 2
    assert len(listed(pypi(index, tmp_path))) == 2
    index.busy = 100
    with pytest.raises(ProviderError, match="503"):
        listed(PypiSource(tmp_path / "cold", index_url=index.url, connection=FAST))


def test_a_warm_cache_works_without_a_network(index: Index, tmp_path: Path) -> None:
    publish(index)
    warm = anyio.run(listed(pypi(index, tmp_path))[0].load)
    index.busy = 10_000
    again = anyio.run(listed(pypi(index, tmp_path))[0].load)
    assert again == warm
    assert anyio.run(pypi(index, tmp_path).base, warm.source) == warm.base


def test_a_changed_archive_is_the_indexs_fault(index: Index, tmp_path: Path) -> None:
    publish(index)
    index.pages["/files/demo-2.0.0.tar.gz"] = ("application/gzip", b"something else")
    with pytest.raises(ProviderError, match="SHA-256"):
        anyio.run(listed(pypi(index, tmp_path))[0].load)


def test_a_large_archive_is_rejected(index: Index, tmp_path: Path) -> None:
    publish(index)
    with pytest.raises(Rejection) as caught:
        anyio.run(listed(pypi(index, tmp_path, max_archive_bytes=50))[0].load)
    assert caught.value.reason == "unsafe-source"


def test_a_base_is_found_on_another_index_by_its_digest(index: Index, tmp_path: Path) -> None:
    publish(index)
    content = anyio.run(listed(pypi(index, tmp_path))[0].load)
    moved = content.source.model_copy(update={"base_url": f"{index.url}/gone/demo.tar.gz"})
    fresh = PypiSource(tmp_path / "cold", index_url=index.url, connection=FAST)
    assert anyio.run(fresh.base, moved) == content.base


def test_an_index_without_upload_times_gives_candidates_without_dates(index: Index, tmp_path: Path) -> None:
    publish(index, dated=False)
    assert [c.source.gold_date for c in listed(pypi(index, tmp_path))] == [None, None]
    with pytest.raises(ProviderError, match="when"):
        listed(pypi(index, tmp_path), since=DATES[0])


def test_releases_that_cannot_be_steps(index: Index, tmp_path: Path) -> None:
    wheel: dict[str, object] = {
        "filename": "demo-3.0.0-py3-none-any.whl",
        "url": "x",
        "digests": {},
        "upload_time_iso_8601": None,
    }
    yanked = {"filename": "demo-1.5.0.tar.gz", "url": "x", "digests": {}, "yanked": True}
    early = {"filename": "demo-2.1.0rc1.tar.gz", "url": "x", "digests": {}}
    publish(index)
    entries = [(v, f"demo-{v}.tar.gz", "0" * 64, None) for v in VERSIONS]
    page = api_page(entries, **{"3.0.0": [wheel], "1.5.0": [yanked], "2.1.0rc1": [early], "nonsense": [early]})
    index.pages["/pypi/demo/json"] = ("application/json", page)
    found = listed(pypi(index, tmp_path))
    assert [c.title for c in found] == ["demo 2.0.0 -> 3.0.0", "demo 1.1.0 -> 2.0.0", "demo 1.0.0 -> 1.1.0"]
    with pytest.raises(Rejection) as caught:
        anyio.run(found[0].load)
    assert caught.value.reason == "no-sdist"
    with_early = listed(pypi(index, tmp_path), revisions=">=2.1.0rc1")
    assert [c.title for c in with_early] == ["demo 2.1.0rc1 -> 3.0.0", "demo 2.0.0 -> 2.1.0rc1"]


def test_a_project_without_source_archives_is_told_so(index: Index, tmp_path: Path) -> None:
    wheel: dict[str, object] = {"filename": "demo-3.0.0-py3-none-any.whl", "url": "x", "digests": {}}
    index.pages["/pypi/demo/json"] = ("application/json", api_page([], **{"3.0.0": [wheel]}))
    with pytest.raises(InputError, match="no source archives"):
        listed(pypi(index, tmp_path))


@pytest.mark.parametrize("revisions", ["newest", ">=x", "1..2"])
def test_a_version_range_that_is_none(index: Index, tmp_path: Path, revisions: str) -> None:
    with pytest.raises(InputError, match="not a version range"):
        listed(pypi(index, tmp_path), revisions=revisions)


@pytest.mark.parametrize("name", ["", "../etc", "a b", "-x", "a/b"])
def test_a_name_that_no_package_can_have(index: Index, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="not a name"):
        listed(pypi(index, tmp_path), origin=name)
    assert not index.asked


@pytest.mark.parametrize("body", [b"{}", b"[]", b"{", b'{"files": [1]}', b'{"releases": 3}'])
def test_an_answer_that_is_nonsense_is_the_indexs_fault(index: Index, tmp_path: Path, body: bytes) -> None:
    index.pages["/simple/demo/"] = ("application/json", body)
    with pytest.raises(ProviderError, match="package index"):
        listed(pypi(index, tmp_path))


@pytest.mark.network
def test_the_real_index(tmp_path: Path) -> None:
    found = listed(PypiSource(tmp_path), "python-slugify", revisions="==8.0.1")
    assert [c.slug for c in found] == ["python-slugify-8.0.1"]
    content = anyio.run(found[0].load)
    assert content.source.licence == "MIT"
    assert "slugify/slugify.py" in content.gold


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
