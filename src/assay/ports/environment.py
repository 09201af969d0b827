"""Building what a repository needs in order to run. Building runs other people's code: in a sandbox only.

- Content-addressed and immutable: equal inputs give the same environment, built once even when two processes ask
  at the same time, made in a temporary place and renamed, never written again.
- The network is open to the package index in this phase and in no other.
- What could not be built is an `EnvironmentBuildError` with the step and its last lines. A lost network is a
  `ProviderError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from assay.model.environment import Environment, Interpreter, Recipe
from assay.model.ledger import Cost
from assay.model.tree import Tree


@dataclass(frozen=True, slots=True)
class Rung:
    """One try on the ladder, for the log."""

    recipe: Recipe
    error: str
    """Empty when it worked."""
    step: str = ""
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """An environment, what it cost, and what was tried on the way."""

    environment: Environment
    cost: Cost
    rungs: tuple[Rung, ...] = ()


class Environments(Protocol):
    """A builder for one language."""

    language: str

    def interpreters(self) -> list[Interpreter]:
        """What this machine has, newest first."""
        ...

    async def provide(
        self,
        base: Tree,
        base_layer: Path,
        *,
        repository: str,
        date: datetime | None,
        name: str = "",
        version: str = "",
    ) -> Built:
        """Infer a recipe and climb the ladder until one builds.

        `repository` keys the memory of what worked (source kind and origin), `date` is the change's, `name` the
        distribution's if known, `version` the base's, for projects that ask git for it. Raises
        EnvironmentBuildError with every failed rung in its context, Rejection(no-interpreter), or ProviderError.
        """
        ...

    async def rebuild(self, recipe: Recipe, base: Tree, base_layer: Path, *, name: str = "") -> Built:
        """Exactly this recipe, lock included. Raises as `provide` does, PrerequisiteError without its Python."""
        ...
