"""What a package index says about a project: three dialects read into one shape.

The JSON API of PyPI is asked first, because it tells licences too; the simple index (JSON or HTML) is what mirrors and
private indexes have. An index without upload times gives releases without dates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

SDIST_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip", ".tar")
"""By preference, when a release has several."""


@dataclass(frozen=True, slots=True)
class IndexFile:
    """One file of a release."""

    filename: str
    url: str
    sha256: str | None = None
    uploaded: datetime | None = None
    yanked: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """A version with its source archive, if it has one. Dates are aware UTC."""

    version: Version
    sdist: IndexFile | None
    uploaded: datetime | None
    yanked: bool


@dataclass(frozen=True, slots=True)
class Project:
    """A project as an index lists it, releases in version order."""

    name: str
    releases: tuple[Release, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The newest release's core metadata, if the index told it."""


def parse_project(name: str, body: bytes, content_type: str, url: str) -> Project:
    """Read any of the three dialects. Raises ValueError for anything else."""
    name = canonicalize_name(name)
    if "json" not in content_type:
        return Project(name, _releases(name, _html_files(body.decode("utf-8", "replace"), url)))
    data = json.loads(body)
    if not isinstance(data, dict):
        raise ValueError("the answer is not an object")
    if "files" in data:
        return Project(name, _releases(name, [_simple_file(item, url) for item in data["files"]]))
    if not isinstance(data.get("releases"), dict):
        raise ValueError("the answer lists no releases")
    by_version = {v: [_api_file(item, url) for item in files] for v, files in data["releases"].items()}
    info = data.get("info")
    return Project(name, _grouped(by_version), info if isinstance(info, dict) else {})


@dataclass(frozen=True, slots=True)
class Step:
    """From one release to the next. `base` is None if nothing usable comes before."""

    base: Release | None
    gold: Release


def steps(project: Project, *, prereleases: bool) -> list[Step]:
    """Consecutive releases, newest first.

    Order is that of versions. Yanked releases are left out on both sides; pre-releases and development releases
    unless they are asked for; post-releases count as any other, being the nearest state to what follows. The base is
    the nearest earlier release that has a source archive.
    """
    base: Release | None = None
    found = []
    for release in project.releases:
        if release.yanked or (release.version.is_prerelease and not prereleases):
            continue
        found.append(Step(base, release))
        if release.sdist:
            base = release
    return found[::-1]


def _api_file(item: Mapping[str, Any], url: str) -> IndexFile:
    digests = item.get("digests") or {}
    time = item.get("upload_time_iso_8601") or item.get("upload_time")
    return IndexFile(
        item["filename"], urljoin(url, item["url"]), digests.get("sha256"), _date(time), bool(item.get("yanked"))
    )


def _simple_file(item: Mapping[str, Any], url: str) -> IndexFile:
    # An empty reason still means yanked, as PEP 592 has it for the attribute's presence.
    yanked = item.get("yanked", False) is not False
    digest = (item.get("hashes") or {}).get("sha256")
    return IndexFile(item["filename"], urljoin(url, item["url"]), digest, _date(item.get("upload-time")), yanked)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.base: str | None = None
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        if tag == "base" and self.base is None:
            self.base = values.get("href")
        elif tag == "a" and values.get("href"):
            self.found.append(values)


def _html_files(text: str, url: str) -> Iterable[IndexFile]:
    links = _Links()
    links.feed(text)
    links.close()
    root = urljoin(url, links.base) if links.base else url
    for values in links.found:
        target, fragment = urldefrag(urljoin(root, values["href"]))
        filename = unquote(urlsplit(target).path.rpartition("/")[2])
        digest = re.fullmatch(r"sha256=([0-9a-f]{64})", fragment)
        yield IndexFile(
            filename,
            target,
            digest[1] if digest else None,
            _date(values.get("data-upload-time")),
            "data-yanked" in values,
        )


def _releases(name: str, files: Iterable[IndexFile]) -> tuple[Release, ...]:
    by_version: dict[str, list[IndexFile]] = {}
    for file in files:
        version = _version_of(name, file.filename)
        if version:
            by_version.setdefault(version, []).append(file)
    return _grouped(by_version)


def _grouped(by_version: Mapping[str, list[IndexFile]]) -> tuple[Release, ...]:
    releases: dict[Version, Release] = {}
    for text, files in by_version.items():
        try:
            version = Version(text)
        except InvalidVersion:
            continue
        dates = [file.uploaded for file in files if file.uploaded]
        sdists = sorted((f for f in files if _suffix(f.filename) and not f.yanked), key=_preference)
        release = Release(
            version,
            sdists[0] if sdists else None,
            min(dates) if dates else None,
            bool(files) and all(f.yanked for f in files),
        )
        if version not in releases or release.sdist:
            releases[version] = release
    return tuple(releases[version] for version in sorted(releases))


def _suffix(filename: str) -> str | None:
    lower = filename.lower()
    if re.search(r"[.-](?:linux|win32|win-amd64|macosx)[\w.-]*\.(?:tar\.gz|zip)$", lower):
        return None  # bdist_dumb
    return next((suffix for suffix in SDIST_SUFFIXES if lower.endswith(suffix)), None)


def _preference(file: IndexFile) -> tuple[int, str]:
    return SDIST_SUFFIXES.index(_suffix(file.filename) or SDIST_SUFFIXES[-1]), file.filename


def _version_of(name: str, filename: str) -> str | None:
    if filename.endswith(".whl"):
        parts = filename.split("-")
        return parts[1] if len(parts) in (5, 6) else None
    suffix = _suffix(filename)
    if suffix is None:
        return None
    stem = filename[: -len(suffix)]
    for cut in (index for index, char in enumerate(stem) if char == "-"):
        if canonicalize_name(stem[:cut]) == name:
            return stem[cut + 1 :]
    return None


def _date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
