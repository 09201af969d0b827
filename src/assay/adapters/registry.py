"""Adapters by name: the one door for ours and for everybody else's.

A distribution offers an adapter as an entry point in one of seven groups. Nothing is imported until it is asked
for. A name that two distributions claim is an error that names both, because which of two sandboxes runs other
people's code is not for the import path to decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from assay.errors import InputError, PrerequisiteError

Kind = Literal["sandbox", "source", "framework", "agent", "format", "importer", "exporter"]

GROUPS: dict[Kind, str] = {
    "sandbox": "assay.sandboxes",
    "source": "assay.sources",
    "framework": "assay.frameworks",
    "agent": "assay.agents",
    "format": "assay.formats",
    "importer": "assay.importers",
    "exporter": "assay.exporters",
}

OURS = "swe-assay"
"""The distribution that every group must have something from."""


class Registry:
    """The adapters that are installed. `points` takes the place of the installed ones, for tests."""

    def __init__(self, points: Iterable[EntryPoint] | None = None) -> None:
        self._points = None if points is None else list(points)

    def names(self, kind: Kind) -> list[str]:
        """All names of a kind, sorted. Raises PrerequisiteError when assay itself is not properly installed."""
        return sorted({point.name for point in self._group(kind)})

    def load(self, kind: Kind, name: str) -> Callable[..., Any]:
        """Import an adapter's class.

        Raises InputError for an unknown name, PrerequisiteError for a name claimed twice and for an adapter of
        somebody else's that cannot be imported.
        """
        claims = [point for point in self._group(kind) if point.name == name]
        if not claims:
            known = ", ".join(self.names(kind))
            raise InputError(f"there is no {kind} {name!r}", hint=f"the known ones are: {known}", name=name)
        owners = sorted({_owner(point) for point in claims})
        if len({(_owner(point), point.value) for point in claims}) > 1:
            raise PrerequisiteError(
                f"the {kind} {name!r} is claimed twice, by {' and '.join(owners)}",
                hint="uninstall one of them",
                claims=[point.value for point in claims],
            )
        return self._import(kind, claims[0])

    def _import(self, kind: Kind, point: EntryPoint) -> Callable[..., Any]:
        try:
            adapter = point.load()
        except (ImportError, AttributeError) as error:
            if _owner(point) == OURS:
                raise
            raise PrerequisiteError(
                f"the {kind} {point.name!r} of {_owner(point)} cannot be imported: {error}",
                hint=f"update or uninstall {_owner(point)}",
            ) from error
        if not callable(adapter):
            raise PrerequisiteError(
                f"the {kind} {point.name!r} of {_owner(point)} is not a class", hint=f"see {point.value}"
            )
        return adapter  # type: ignore[no-any-return]

    def _group(self, kind: Kind) -> list[EntryPoint]:
        group = GROUPS[kind]
        points = (
            list(entry_points(group=group)) if self._points is None else [p for p in self._points if p.group == group]
        )
        if not any(_owner(point) == OURS for point in points):
            raise PrerequisiteError(
                f"assay is not installed in this Python: it finds no {kind} of its own",
                hint="in a clone, type `make` once, then use .venv/bin/assay; elsewhere, pip install swe-assay",
            )
        return points


def _owner(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else OURS
