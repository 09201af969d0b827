"""A task: the folder as a value (design, section 3; Harbor 1.4's tables)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import model_validator

from assay.model.base import Lenient
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.sandbox import Limits
from assay.model.tree import FileState, Tree

FORMAT = 1
"""Version of [metadata.assay]; a larger one is read as far as it goes and never written over."""

TEST_FILES = "tests/files/"
"""Below it lie the hidden tests, at their paths in the repository."""

GOLD_PATCH = "solution/gold.patch"

WORKSPACE = "environment/workspace/"
"""Below it lies the base of a puzzle, which has no origin to fetch it from; for other tasks, files that lie over the
base that is fetched."""

BASE_ARCHIVE = "environment/base.tar.gz"
"""The base of any other task, where the folder shall not need its origin."""

PUZZLE = "puzzle"
"""The source kind of a challenge that stands alone."""


SCRIPT = "script"
"""Source kind and framework of a task whose own script gives the reward, in a container that its folder describes."""

REWARD = "reward"
"""What stands for the tests of such a task."""


class Provenance(Lenient):
    """Who or what wrote the parts: `maintainers`, `assay <rule>`, a model's name, a person."""

    instruction: str
    tests: str
    gold: str


class AssayMetadata(Lenient):
    """[metadata.assay]: what Harbor has no place for."""

    format: int = FORMAT
    source: SourceInfo
    environment: Recipe
    framework: str = "pytest"
    """`pytest`, or `cases`; puzzles that say nothing are judged by `cases`, from outside the candidate's process."""
    test_command: tuple[str, ...] = ()
    """For people and other harnesses; relative to the repository's root."""
    test_files: tuple[str, ...]
    """The files that the framework is given, by path in the repository."""
    deleted_tests: tuple[str, ...] = ()
    """Test files that the change removes: absent when the verifier runs."""
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    quarantined: tuple[str, ...] = ()
    """Tests whose runs disagreed; they count for nothing."""
    uncounted: tuple[str, ...] = ()
    """Tests of the same files that count for nothing for another cause (skipped, failing with the gold too);
    listed so that a run can be held to the whole set of ids."""
    protected_paths: tuple[str, ...] = ()
    """Patterns (gitwildmatch) of paths that a candidate's patch may not change."""
    limits: Limits = Limits()
    provenance: Provenance

    @model_validator(mode="before")
    @classmethod
    def _puzzles_are_judged_from_outside(cls, data: Any) -> Any:
        source = data.get("source") if isinstance(data, dict) else None
        if isinstance(source, dict) and source.get("kind") == PUZZLE:
            return {"framework": "cases", **data}
        return data


@dataclass(frozen=True, slots=True)
class Task:
    """A task folder in memory.

    `config` is the whole `task.toml` as plain data (Harbor's tables and every key we do not know), `assay` its
    [metadata.assay] parsed. `files` holds environment/, solution/ and tests/ (and any other shipped file) by path;
    instruction.md is `instruction`. Evidence is not part of a task's content.
    """

    slug: str
    config: Mapping[str, Any]
    assay: AssayMetadata
    instruction: str
    files: Tree

    @property
    def is_scripted(self) -> bool:
        """Whether its own script gives the reward: there are no tests to be told apart, and no patch as reference."""
        return self.assay.framework == SCRIPT

    @property
    def gold_patch(self) -> bytes:
        """The reference change, as git's patch."""
        return self.files[GOLD_PATCH].data

    @property
    def workspace(self) -> Tree:
        """The base, or what lies over it, as far as the folder itself brings it."""
        return {path.removeprefix(WORKSPACE): s for path, s in self.files.items() if path.startswith(WORKSPACE)}

    @property
    def hidden_tests(self) -> Mapping[str, FileState | None]:
        """The layer that the verifier puts over the candidate: path to file, None where one must be absent."""
        layer: dict[str, FileState | None] = {
            path.removeprefix(TEST_FILES): state for path, state in self.files.items() if path.startswith(TEST_FILES)
        }
        return layer | dict.fromkeys(self.assay.deleted_tests)

    def with_instruction(self, text: str) -> Task:
        """The same task with another prompt."""
        return replace(self, instruction=text)
