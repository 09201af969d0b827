"""A front end's view of conversions, without converting anything."""

from __future__ import annotations

from pathlib import Path

from assay.errors import InputError
from assay.model.event import OnEvent
from assay.model.exchange import Converted, ExportOptions, ImportOptions
from assay.model.failure import Failure
from assay.model.loss import Loss
from assay.model.prediction import Graded, GradeOptions
from assay.model.verdict import Verdict


class Conversions:
    """The use cases of an `App` that exchange: one thing comes through with a loss, one does not; a run is graded."""

    async def import_tasks(self, options: ImportOptions, project_dir: Path, on_event: OnEvent) -> list[Converted]:
        """Raises InputError for the format `none`."""
        if options.format == "none":
            raise InputError("there is no importer 'none'", hint="the known ones are: harbor")
        return self._converted(project_dir / "tasks", on_event)

    async def export(self, options: ExportOptions, project_dir: Path | None, on_event: OnEvent) -> list[Converted]:
        """As for import."""
        return self._converted(options.out, on_event)

    async def grade(self, options: GradeOptions, project_dir: Path | None, on_event: OnEvent) -> list[Graded]:
        """One prediction that resolves, one that does not, one without a verdict, and one without a task."""
        facts = {"task_digest": "0", "agent": "demo", "patch_sha256": "0"}
        fault = Failure(boundary="sandbox", kind="sandbox", message="no room for it", retryable=True)
        done = [
            Graded("one", "demo", b"x", Verdict(task="one", resolved=True, reward=1, **facts)),
            Graded("two", "demo", b"x", Verdict(task="two", resolved=False, reward=0, reason="tests-failed", **facts)),
            Graded("three", "demo", b"x", Verdict(task="three", failure=fault, **facts)),
            Graded("four", "demo", b"x", problem=InputError("there is no task 'four' here")),
        ]
        for graded in done:
            on_event(graded)
        return done

    def _converted(self, folder: Path, on_event: OnEvent) -> list[Converted]:
        done = [
            Converted("one", (folder / "one",), (Loss(subject="one", field="hints_text", reason="no place for it"),)),
            Converted("two", problem=InputError("rows.jsonl, row 2: found nothing", hint="correct the row")),
        ]
        for converted in done:
            on_event(converted)
        return done
