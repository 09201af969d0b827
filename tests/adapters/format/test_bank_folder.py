"""Solutions kept beside a task: whole, named by content, no part of the task, and nothing hostile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assay.adapters.format.harbor import HarborFormat
from assay.core.admission import Admission
from assay.core.hashing import task_digest
from assay.core.task_files import compose
from assay.errors import InputError, TaskDefinitionError
from assay.model.bank import MAX_SOLUTION_BYTES, Bank, Solution
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.sandbox import Limits
from assay.model.task import Provenance

HARBOR = HarborFormat()
TASK = compose(
    slug="p-1",
    source=SourceInfo(kind="git", origin="x", base_revision="a", gold_revision="b"),
    recipe=Recipe(python="3.11"),
    framework="pytest",
    test_files=("tests/test_p.py",),
    hidden={},
    gold_patch=b"patch\n",
    admission=Admission(fail_to_pass=("tests/test_p.py::test_a",)),
    protected=(),
    limits=Limits(),
    provenance=Provenance(instruction="x", tests="y", gold="z"),
    instruction="Do it.\n",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return HARBOR.write(TASK, tmp_path)


def test_solutions_are_kept_and_are_no_part_of_the_task(folder: Path) -> None:
    assert HARBOR.read_bank(folder) == Bank()
    right, wrong = Solution(b"\xff right\r\n", True), Solution(b"wrong\n", False)
    for solution in (wrong, right, right):
        place = HARBOR.add_to_bank(folder, solution.patch, right=solution.is_right)
        assert place.read_bytes() == solution.patch
        assert place.name == f"{solution.name}.patch"
    assert HARBOR.read_bank(folder) == Bank((right, wrong))
    again = HARBOR.read(HARBOR.write(TASK, folder.parent))
    assert task_digest(again) == task_digest(TASK)
    assert HARBOR.read_bank(folder) == Bank((right, wrong))


def test_what_cannot_be_kept(folder: Path) -> None:
    HARBOR.add_to_bank(folder, b"patch", right=True)
    for patch, right, why in (
        (b" \n", True, "empty"),
        (b"x" * (MAX_SOLUTION_BYTES + 1), False, "bytes"),
        (b"patch", False, "as right"),
    ):
        with pytest.raises(InputError, match=why):
            HARBOR.add_to_bank(folder, patch, right=right)
    with pytest.raises(TaskDefinitionError, match="no task folder"):
        HARBOR.add_to_bank(folder.parent, b"patch", right=True)
    assert len(HARBOR.read_bank(folder).solutions) == 1


@pytest.mark.parametrize("name", ["evidence", "evidence/bank", "evidence/bank/right", "evidence/bank/wrong"])
def test_links_and_files_in_the_place_of_folders_are_refused(folder: Path, name: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for other in ("evidence", "evidence/bank", "evidence/bank/right", "evidence/bank/wrong"):
        if other == name:
            break
        (folder / other).mkdir(exist_ok=True)
    for make in ((folder / name).symlink_to, lambda _: (folder / name).write_text("x")):
        make(outside)
        with pytest.raises(TaskDefinitionError) as caught:
            HARBOR.read_bank(folder)
        assert caught.value.context["file"] == name
        with pytest.raises(TaskDefinitionError):
            HARBOR.add_to_bank(folder, b"patch", right=True)
        (folder / name).unlink()
    assert list(outside.iterdir()) == []


def test_hostile_solutions_are_refused(folder: Path) -> None:
    right = HARBOR.add_to_bank(folder, b"patch", right=True).parent
    secret = folder / "secret"
    secret.write_bytes(b"secret")
    place = right / f"{Solution(b'secret', True).name}.patch"
    for make in (
        lambda: place.symlink_to(secret),
        lambda: os.mkfifo(place),
        place.mkdir,
        lambda: place.write_bytes(b"other"),
    ):
        make()
        with pytest.raises(TaskDefinitionError, match=place.name):
            HARBOR.read_bank(folder)
        place.rmdir() if place.is_dir() and not place.is_symlink() else place.unlink()
    with place.open("wb") as stream:
        stream.truncate(MAX_SOLUTION_BYTES + 1)
    with pytest.raises(TaskDefinitionError, match="bytes"):
        HARBOR.read_bank(folder)
    place.unlink()
    wrong = folder / "evidence/bank/wrong"
    wrong.mkdir()
    (wrong / f"{Solution(b'patch', False).name}.patch").write_bytes(b"patch")
    with pytest.raises(TaskDefinitionError, match="right as well"):
        HARBOR.read_bank(folder)
