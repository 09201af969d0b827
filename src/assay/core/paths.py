"""What a path is for, told from its name alone.

A framework decides what is a test; this module decides what else is not the work that an agent shall redo:
documentation, changelogs, automation, lock files and packaging metadata. In doubt a file is source: a task that
asks for too much is fixable, one that lacks half of its change is broken.
"""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["source", "documentation", "changelog", "ci", "lock", "packaging"]

LOCKS = {
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "pipfile.lock",
    "pylock.toml",
    "pixi.lock",
    "conda-lock.yml",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "cargo.lock",
}
_PACKAGING = {
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "pkg-info",
    "manifest",
    "manifest.in",
    "pipfile",
    "meta.yaml",
    "environment.yml",
    "environment.yaml",
}
_CI = {
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".git_archival.txt",
    ".mailmap",
    ".editorconfig",
    ".coveragerc",
    ".flake8",
    ".pylintrc",
    "pylintrc",
    ".travis.yml",
    ".readthedocs.yml",
    ".readthedocs.yaml",
    ".pre-commit-config.yaml",
    ".bumpversion.cfg",
    ".bumpversion.toml",
    "appveyor.yml",
    ".appveyor.yml",
    "azure-pipelines.yml",
    "codecov.yml",
    ".codecov.yml",
    "tox.ini",
    "noxfile.py",
    "tasks.py",
    "makefile",
    "justfile",
    "mypy.ini",
    ".mypy.ini",
    "ruff.toml",
    ".ruff.toml",
}
_DOC_FOLDERS = {"doc", "docs", "documentation", "website", "examples", "example"}
_FRAGMENT_FOLDERS = {"changelog.d", "newsfragments", "changes", "news", "changelog", "changelogs", "release-notes"}
_TEXT = re.compile(r"\.(?:md|markdown|rst|txt|adoc)$|^[^.]+$")
_CHANGELOG = re.compile(
    r"^(?:change[-_ ]?log|changes|history|news|release[-_ ]?notes?|releases|whats[-_ ]?new|what-s-new)(?:[-_.\d\w]*)$"
)
_PROSE = re.compile(
    r"^(?:readme|authors|contributors|contributing|code_of_conduct|security|licen[cs]e|copying|notice|thanks|todo"
    r"|credits|citation|maintainers|support|upgrading|upgrade|migration|roadmap)(?:[-_.].*)?$"
)
_REQUIREMENTS = re.compile(r"^(?:[\w.-]*[-_])?(?:requirements|constraints)(?:[-_.].*)?\.(?:txt|in)$")


def classify(path: str) -> Kind:
    """What the file is for; `source` for everything that is not certainly something else."""
    *folders, name = path.casefold().split("/")
    if name in LOCKS:
        return "lock"
    if is_changelog(path):
        return "changelog"
    if is_generated_metadata(path) or name in _PACKAGING or _is_requirements(folders, name):
        return "packaging"
    if _is_automation(folders, name):
        return "ci"
    if _is_documentation(folders, name):
        return "documentation"
    return "source"


def is_changelog(path: str) -> bool:
    """Whether it says what changed: `CHANGES.rst`, `docs/changelog.md`, a fragment in `changelog.d/`."""
    *folders, name = path.casefold().split("/")
    in_package = bool(folders) and folders[0] not in _DOC_FOLDERS and folders[0] not in _FRAGMENT_FOLDERS
    if in_package or _REQUIREMENTS.match(name):
        return False
    if any(folder in _FRAGMENT_FOLDERS for folder in folders):
        return "." in name and not name.endswith((".py", ".toml", ".cfg"))
    stem = name.partition(".")[0]
    return bool(_TEXT.search(name) and _CHANGELOG.match(stem))


def is_generated_metadata(path: str) -> bool:
    """Whether a program wrote it: `PKG-INFO`, `*.egg-info/`, `*.dist-info/`, `MANIFEST`, compiled Python."""
    *folders, name = path.casefold().split("/")
    return (
        any(folder.endswith((".egg-info", ".dist-info")) for folder in folders)
        or name == "pkg-info"
        or "__pycache__" in folders
        or path == "MANIFEST"
        or name.endswith((".egg-info", ".pyc", ".pyo"))
    )


def _is_automation(folders: list[str], name: str) -> bool:
    """Known files at the top or one below it; everything hidden at the top is some tool's."""
    if (folders or [name])[0].startswith("."):
        return True
    return (name in _CI and len(folders) <= 1) or folders[:1] == ["ci"]


def _is_requirements(folders: list[str], name: str) -> bool:
    shallow = not folders or folders[0] in ("requirements", "reqs")
    return shallow and (bool(_REQUIREMENTS.match(name)) or (bool(folders) and name.endswith((".txt", ".in"))))


def _is_documentation(folders: list[str], name: str) -> bool:
    if folders and folders[0] in _DOC_FOLDERS:
        return True
    if not folders:
        return bool(_PROSE.match(name)) or name.endswith((".md", ".rst", ".markdown", ".adoc", ".cff"))
    return name.startswith("readme") and bool(_TEXT.search(name))
