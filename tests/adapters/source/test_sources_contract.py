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

from assay.adapters.source.downloads import Connection
from assay.adapters.source.pypi import PypiSource
from assay.errors import InputError, ProviderError, Rejection
from assay.model.tree import FileState, Tree
from assay.testing.repositories import listed
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
