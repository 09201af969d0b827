"""How an environment is made, and what was made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from assay.model.base import Frozen

InstallMode = Literal["editable", "plain", "path", "none", "inferred"]
"""`editable`: linked to the working tree. `plain`: installed, the working tree first on the path.
`path`: not installed at all, the working tree on the path. `none`: nothing at all is installed or resolved, there is
the interpreter alone. `inferred`: not known yet; whoever uses the task first finds it out, and remembers it."""


class Recipe(Frozen):
    """All that decides what an environment contains. Equal recipes and equal bases give equal environments."""

    language: str = "python"
    python: str
    """Minor version, such as `3.11`; empty while nothing is known."""
    extras: tuple[str, ...] = ()
    """Extras of the project itself."""
    groups: tuple[str, ...] = ()
    """Dependency groups (PEP 735) of the project."""
    requirement_files: tuple[str, ...] = ()
    """Requirement files of the repository, by path."""
    requirements: tuple[str, ...] = ()
    """Further requirements, such as `pytest`."""
    exclude_newer: datetime | None = None
    """Packages that were uploaded later are not seen."""
    install: InstallMode = "editable"
    python_path: tuple[str, ...] = ()
    """Folders of the repository that go on PYTHONPATH; `.` is the root."""
    variables: dict[str, str] = Field(default_factory=dict)
    """Environment variables for build and tests."""
    lock: tuple[str, ...] = ()
    """Exact versions (`name==version`), sorted. When present they are installed as they are and nothing is
    resolved; the fields above then only say where they came from."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that this machine has."""

    version: str
    """Full version, such as `3.11.7`."""
    prefix: Path
    """The installation to make visible in a sandbox, at the same path."""
    executable: Path

    @property
    def minor(self) -> str:
        """Such as `3.11`."""
        return ".".join(self.version.split(".")[:2])


@dataclass(frozen=True, slots=True)
class Environment:
    """A built environment: read-only layers and how to run in them."""

    recipe: Recipe
    """With its lock filled in."""
    digest: str
    """Of recipe, lock, interpreter and platform."""
    env_layers: tuple[Path, ...]
    """Topmost first, for the mount at ENV_ROOT."""
    repo_layers: tuple[Path, ...]
    """Files that the installation put into the working tree (metadata, compiled modules), topmost first; they
    go above the repository's own layer."""
    host_mounts: tuple[Path, ...]
    """Host folders to show read-only at the same path (the interpreter)."""
    hidden: tuple[str, ...]
    """Places below those that must look empty (the interpreter's own site-packages)."""
    variables: tuple[tuple[str, str], ...]
    """PATH, PYTHONPATH, VIRTUAL_ENV and what the recipe asks for."""
    python: str
    """The interpreter's path inside the sandbox."""
    modules: frozenset[str] = frozenset()
    """Top-level names that its packages can be imported by."""
    built_bytes: int = 0
    """Bytes on disk that this build added; 0 when everything was there."""


ENV_ROOT = "/env"
"""Where an environment stands in every sandbox."""

REPO_ROOT = "/repo"
"""Where the repository stands in every sandbox."""
