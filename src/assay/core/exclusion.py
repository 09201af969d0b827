"""Whether a change is in a benchmark that shall stay out: by commit before anything is fetched, by content after.

The base that a benchmark names is where a branch began, often some commits before the one that we would take: so the
content is compared too (`core.change_identity`). A commit's full name is the same in every clone, fork and mirror
and after a project has moved, so it needs no repository beside it; an abbreviated one does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from assay.core.change_identity import identify
from assay.model.benchmark import BenchmarkRow
from assay.model.candidate import SourceInfo

_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT = re.compile(r"[0-9a-f]{7,64}")
_SCP = re.compile(r"(?:[\w.-]+@)?[\w.-]+\.[\w-]+:(?P<path>[^:]+)")
_URL = re.compile(r"(?!file:)[\w+.-]+://[^/]+(?P<path>/[^?#]*).*")
_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)+")


class Exclusions:
    """Rows of benchmarks, ready to be asked. Keeps digests and names, not the rows: there may be very many."""

    def __init__(self, rows: Iterable[BenchmarkRow] = ()) -> None:
        self.count = 0
        self._commits: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
        self._changes: dict[str, str] = {}
        for row in rows:
            self._add(row)

    def _add(self, row: BenchmarkRow) -> None:
        self.count += 1
        repository = hosted_name(row.repository) or row.repository.casefold()
        for side, commit in (("base", row.base_commit.casefold()), ("gold", row.gold_commit.casefold())):
            if _SHORT.fullmatch(commit):
                self._commits.setdefault((side, commit[:7]), []).append((commit, repository, row.name))
        identity = identify(row.patch)
        if identity:
            self._changes.setdefault(identity.key(repository), row.name)

    def by_commit(self, source: SourceInfo) -> str:
        """The name of the row with the same base or the same change by their commits; empty if there is none."""
        for side, commit in (("base", source.base_revision), ("gold", source.gold_revision)):
            for known, repository, name in self._commits.get((side, commit[:7]), ()):
                if known == commit if _FULL.fullmatch(known) else _abbreviates(known, repository, commit, source):
                    return name
        return ""

    def by_content(self, key: str | None) -> str:
        """The name of the row whose change has this key (see `change_key`); empty if there is none."""
        return self._changes.get(key, "") if key else ""


def change_key(patch: bytes, source: SourceInfo) -> str | None:
    """What a candidate's change has in common with equal ones, of benchmarks and of other candidates."""
    identity = identify(patch)
    return identity.key(hosted_name(source.origin) or f"{source.kind}:{source.origin}") if identity else None


def hosted_name(origin: str) -> str:
    """`owner/name`, in small letters, of a repository on some host; empty for a folder or a package."""
    found = _URL.fullmatch(origin) if "://" in origin else _SCP.fullmatch(origin)
    name = found["path"].strip("/").removesuffix(".git").casefold() if found else ""
    return name if _NAME.fullmatch(name) else ""


def _abbreviates(known: str, repository: str, commit: str, source: SourceInfo) -> bool:
    return commit.startswith(known) and repository == hosted_name(source.origin)
