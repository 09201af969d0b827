"""What is written is what is read, whatever it is, and the digest knows nothing but content."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assay.adapters.format.harbor import HarborFormat
from assay.core.admission import Admission
from assay.core.hashing import task_digest
from assay.core.task_files import compose
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.sandbox import Limits
from assay.model.task import Provenance, Task
from assay.model.tree import FileState

KEYS = st.text(min_size=1, max_size=12)
PLAIN = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=30) | st.floats(allow_nan=False)
VALUES: st.SearchStrategy[Any] = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..") and name.casefold() != ".git"
) | st.just("not-\udcff-utf8")
FILES = st.dictionaries(
    NAMES.map(lambda name: f"tests/files/{name}"),
    st.builds(FileState, st.binary(max_size=40), st.sampled_from(["100644", "100755"]))
    | st.just(FileState(b"../expected.json", "120000")),
    max_size=4,
)


def base_task() -> Task:
    return compose(
        slug="p-1",
        source=SourceInfo(kind="git", origin="x", base_revision="a", gold_revision="b"),
        recipe=Recipe(python="3.11"),
        framework="pytest",
        test_files=("tests/test_p.py",),
        hidden={},
        gold_patch=b"\xff patch\r\n",
        admission=Admission(fail_to_pass=("tests/test_p.py::test_\u00e9[a b]",)),
        protected=(),
        limits=Limits(),
        provenance=Provenance(instruction="x", tests="y", gold="z"),
        instruction="Do it.\n",
    )


@settings(max_examples=60, deadline=None)
@given(FILES, st.dictionaries(KEYS, VALUES, max_size=3), st.text(st.characters(codec="utf-8"), max_size=60))
def test_nothing_is_lost(files: dict[str, FileState], unknown: dict[str, Any], text: str) -> None:
    task = base_task()
    config = {**task.config, "metadata": {**task.config["metadata"], "theirs": unknown}}
    task = replace(task, files={**task.files, **files}, config=config, instruction=text.replace("\r", ""))
    with tempfile.TemporaryDirectory() as folder:
        read = HarborFormat().read(HarborFormat().write(task, Path(folder)))
    assert read == task
    assert task_digest(read) == task_digest(task)


def test_the_digest_knows_content_alone(tmp_path: Path) -> None:
    task = base_task()
    digest = task_digest(task)
    assert task_digest(replace(task, config=dict(reversed(list(task.config.items()))))) == digest
    assert task_digest(replace(task, files=dict(reversed(list(task.files.items()))))) == digest
    path = HarborFormat().write(task, tmp_path)
    for place in path.rglob("*"):
        os.utime(place, (1, 1))
    (path / "evidence").mkdir()
    (path / "evidence/verify.json").write_text("{}")
    assert task_digest(HarborFormat().read(path)) == digest
    for changed in (
        task.with_instruction("Do something else.\n"),
        replace(task, files={**task.files, "tests/x": FileState(b"")}),
        replace(task, files={p: replace(s, mode="100755") for p, s in task.files.items()}),
        replace(task, config={**task.config, "agent": {"timeout_sec": 1.0}}),
    ):
        assert task_digest(changed) != digest
