"""Conventions that are not written as a test are wishes."""

from __future__ import annotations

import ast
import re
import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from assay.cli.overview import COMMANDS

ROOT = Path(__file__).parents[2]
LONG: frozenset[str] = frozenset()
"""Files that may be longer than 500 lines. Only ever shrinks."""


def tracked(*patterns: str) -> list[Path]:
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", *patterns], check=True, capture_output=True)
    return [ROOT / name.decode() for name in done.stdout.split(b"\0") if name and (ROOT / name.decode()).is_file()]


def test_files_fit_their_room() -> None:
    long = {str(p.relative_to(ROOT)) for p in tracked("*.py") if len(p.read_text().splitlines()) > 500}
    assert long <= LONG


def test_nothing_names_a_machine() -> None:
    pattern = re.compile(r"(?<![\w.-])/(?:work/(?:main|shared)|farm)\b|/root/\.")
    found = [
        p
        for p in tracked()
        if p != Path(__file__) and p.name != "uv.lock" and pattern.search(p.read_text(errors="replace"))
    ]
    assert found == []


def test_every_module_says_why_it_exists() -> None:
    silent = [p for p in tracked("src/*.py", "bench/*.py") if not ast.get_docstring(ast.parse(p.read_text()))]
    assert silent == []


@pytest.mark.parametrize("group", ["sandboxes", "sources", "frameworks", "agents", "formats", "importers", "exporters"])
def test_entry_points_load(group: str) -> None:
    points = entry_points(group=f"assay.{group}")
    assert points
    for point in points:
        assert getattr(point.load(), "name", getattr(point.load(), "kind", None)) == point.name


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for name, _ in COMMANDS:
        assert f"assay {name}" in readme, name


def test_the_readmes_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(
        r"(?:\$ |`)make ([a-z]+)", (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    ):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_files_that_architecture_names_are_there() -> None:
    for name in re.findall(
        r"`((?:adapters|core|model|stages|cli|ports)/[\w/]+\.py)`", (ROOT / "ARCHITECTURE.md").read_text()
    ):
        assert (ROOT / "src/assay" / name).is_file(), name
