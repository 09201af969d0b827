"""A front end's view of conversions, without converting anything."""

from __future__ import annotations

from pathlib import Path

from assay.errors import InputError
from assay.model.event import OnEvent
from assay.model.exchange import Converted, ExportOptions, ImportOptions
from assay.model.loss import Loss


class Conversions:
    """The two use cases of an `App` that convert: one thing comes through with a loss, and one does not."""

    async def import_tasks(self, options: ImportOptions, project_dir: Path, on_event: OnEvent) -> list[Converted]:
        """Raises InputError for the format `none`."""
        if options.format == "none":
            raise InputError("there is no importer 'none'", hint="the known ones are: harbor")
        return self._converted(project_dir / "tasks", on_event)

    async def export(self, options: ExportOptions, project_dir: Path | None, on_event: OnEvent) -> list[Converted]:
        """As for import."""
        return self._converted(options.out, on_event)

    def _converted(self, folder: Path, on_event: OnEvent) -> list[Converted]:
        done = [
            Converted("one", (folder / "one",), (Loss(subject="one", field="hints_text", reason="no place for it"),)),
            Converted("two", problem=InputError("rows.jsonl, row 2: found nothing", hint="correct the row")),
        ]
        for converted in done:
            on_event(converted)
        return done
