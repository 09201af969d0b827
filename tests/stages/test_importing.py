"""Imports write each task whole or not at all, pass over what is broken, and can be run again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.adapters.exchange.harbor import HarborImporter
from assay.adapters.format.harbor import HarborFormat
from assay.model.event import Event
from assay.model.exchange import Converted, ImportOptions
from assay.stages.importing import import_tasks
from assay.testing.puzzle import puzzle

pytestmark = pytest.mark.anyio


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder with two tasks and a broken one."""
    for name in ("one", "two", "broken"):
        puzzle(tmp_path / "theirs" / name)
    (tmp_path / "theirs" / "broken" / "instruction.md").unlink()
    return tmp_path / "theirs"


async def imported(tmp_path: Path, *paths: Path, only: tuple[str, ...] = (), limit: int | None = None) -> list[str]:
    events = list[Event]()
    options = ImportOptions("harbor", paths, only=only, limit=limit)
    done = await import_tasks(HarborImporter(), options, HarborFormat(), tmp_path / "tasks", events.append)
    assert [event for event in events if isinstance(event, Converted)] == done
    return [f"{c.subject}: {c.problem.message if c.problem else 'in'}" for c in done]


async def test_what_is_broken_is_passed_over(tmp_path: Path, theirs: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    broken, *good = await imported(tmp_path, elsewhere, theirs)
    assert broken.startswith(f"{elsewhere}: {elsewhere}: found no task.toml")
    assert good[0].startswith("broken: broken: instruction.md: found No such file")
    assert good[1:] == ["one: in", "two: in"]
    assert sorted(place.name for place in (tmp_path / "tasks").iterdir()) == ["one", "two"]
    assert HarborFormat().read(tmp_path / "tasks" / "one") == HarborFormat().read(theirs / "one")


async def test_the_same_line_can_be_run_again_and_never_writes_over_another_task(tmp_path: Path, theirs: Path) -> None:
    await imported(tmp_path, theirs)
    ours = tmp_path / "tasks" / "two" / "instruction.md"
    ours.write_text("Another prompt.\n")
    again = await imported(tmp_path, theirs, only=("one", "two"))
    assert again[0] == "one: in"
    assert again[1].startswith("two: two: there is another task at")
    assert ours.read_text() == "Another prompt.\n"


async def test_only_and_limit(tmp_path: Path, theirs: Path) -> None:
    assert await imported(tmp_path, theirs, only=("two", "three")) == [
        "two: in",
        "three: there is no 'three' in what was read",
    ]
    assert len(await imported(tmp_path, theirs, limit=2)) == 2


def test_a_folder_is_read_one_task_after_the_other(theirs: Path) -> None:
    readings = HarborImporter().read(theirs, None)
    assert isinstance(readings, Iterator)
    assert [reading.task is None for reading in readings] == [True, False, False]
