"""What defects are planted into: a verified task, its two trees, and ways to change a copy of it."""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import PurePosixPath

from assay.core.task_files import _plain
from assay.core.twins.cases import Case, Library, stem
from assay.model.task import TEST_FILES, Task
from assay.model.tree import FileState, Tree


@dataclass(frozen=True, slots=True)
class Soil:
    """A verified task. `draw` makes the same choices for the same task and defect every time."""

    task: Task
    base: Tree
    gold: Tree
    draw: random.Random
    today: date
    port: int = 0
    """Of a service on this machine that nobody in a sandbox without network can reach."""

    @property
    def changed(self) -> list[str]:
        """Python files of the reference change that are there after it, the most changed first."""
        paths = [path for path in self.gold if path.endswith(".py") and self.base.get(path) != self.gold[path]]
        return sorted(paths, key=lambda p: (-len(added_lines(self.base.get(p), self.gold[p])), p))

    def cases(self) -> list[Case]:
        """The hidden functions behind the fail-to-pass tests, each once, in the order of the list."""
        hidden = {path: state for path, state in self.task.hidden_tests.items() if state}
        trees = {**self.gold, **hidden}
        library = Library(lambda path: trees[path].data if path in trees else None)
        found: dict[str, Case] = {}
        for test_id in self.task.assay.fail_to_pass:
            case = library.find(stem(test_id))
            if case and case.path in hidden:
                found.setdefault(case.key, case).ids.append(test_id)
        return list(found.values())

    def hidden(self, path: str) -> bytes:
        """A hidden test file's bytes."""
        return self.task.files[TEST_FILES + path].data


@dataclass(frozen=True, slots=True)
class Planting:
    """A copy of a task with one defect in it."""

    task: Task
    note: str
    """What was done, in one line."""
    marks: tuple[str, ...] = ()
    """A finding that has one of these in it names the defect; without any, a finding that the untouched task lacks."""
    gold: Mapping[str, FileState] = field(default_factory=dict)
    """Files of the reference change that are otherwise than before."""
    settle: bool = False
    """Whether tests may have become pass-to-pass."""
    weaker: bool = False
    """Whether tests were made weaker: then something wrong must get past them that did not before."""
    environment: Mapping[str, FileState] = field(default_factory=dict)
    """Files that lie in the environment besides."""
    also: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """Further defects of the same copy: what was done, and their marks."""
    online: bool = False
    """Whether the task was verified on a machine with a network."""


Plant = Callable[[Soil], Iterator[Planting]]
"""Ways to plant one defect, the preferred first; none when the task has no place for it."""


def with_tests(
    task: Task, files: Mapping[str, bytes], passing: Sequence[str] = (), *, failing: Sequence[str] = ()
) -> Task:
    """The task with other hidden test files, and with further tests of either list."""
    laid = {**task.files, **{TEST_FILES + path: FileState(data) for path, data in files.items()}}
    return relisted(
        replace(task, files=laid), (*task.assay.fail_to_pass, *failing), (*task.assay.pass_to_pass, *passing)
    )


def relisted(task: Task, failing: Sequence[str], passing: Sequence[str]) -> Task:
    """The task with other lists of tests."""
    assay = task.assay.model_copy(update={"fail_to_pass": tuple(failing), "pass_to_pass": tuple(passing)})
    metadata = {**task.config["metadata"], "assay": _plain(assay.model_dump(mode="json"))}
    expected = json.dumps({"fail_to_pass": tuple(failing), "pass_to_pass": tuple(passing)}, indent=1).encode() + b"\n"
    files = {**task.files, "tests/expected.json": FileState(expected)}
    return replace(task, assay=assay, config={**task.config, "metadata": metadata}, files=files)


@dataclass(frozen=True, slots=True)
class Edit:
    """Other text in the place of a node."""

    node: ast.stmt | ast.expr
    text: str


def edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    """A file with nodes replaced; of nested ones the outermost."""
    lines = data.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def span(node: ast.stmt | ast.expr) -> tuple[int, int]:
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        return starts[node.lineno - 1] + node.col_offset, end

    made, at = bytearray(), 0
    for edit in sorted(edits, key=lambda e: span(e.node)):
        first, last = span(edit.node)
        if first >= at:
            made += data[at:first] + edit.text.encode()
            at = last
    return bytes(made + data[at:])


def added_lines(old: FileState | None, new: FileState) -> list[str]:
    """Lines that only the new side has, as they stand there."""
    before = set(old.data.decode("utf-8", "replace").splitlines()) if old else set()
    return [line for line in new.data.decode("utf-8", "replace").splitlines() if line.strip() and line not in before]


def module_of(path: str) -> str:
    """A file's dotted name, as its tests import it; empty when it has none."""
    parts = [part for part in PurePosixPath(path).with_suffix("").parts if part != "__init__"]
    parts = parts[1:] if parts and parts[0] in ("src", "lib") else parts
    return ".".join(parts) if all(part.isidentifier() for part in parts) else ""


def parsed(data: bytes) -> ast.Module | None:
    """A module's tree, if it is one."""
    try:
        return ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        return None
