"""Which files of a tree pytest would collect, and which only support those: from the tree alone.

The repository's own configuration decides (`python_files`, `testpaths`), then the content: a file that matches the
pattern and holds no test, such as a product's `testing/test_utils.py`, is not a test file.
"""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from assay.model.tree import Tree

DEFAULT_PATTERNS = ("test_*.py", "*_test.py")
LONE_NAMES = ("test.py", "tests.py")
"""Names that old projects hand to their runner by hand; pytest collects them when named."""
TEST_FOLDER = re.compile(r"^(tests?|t|testsuite|unittests?|.+[_-]tests?|tests?[_-].+)$", re.IGNORECASE)
CONFIG_FILES = frozenset({"pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", "pytest.toml"})
INI_FILES = (("pytest.ini", "pytest"), (".pytest.ini", "pytest"), ("tox.ini", "pytest"), ("setup.cfg", "tool:pytest"))


@dataclass(frozen=True, slots=True)
class Config:
    """What of the configuration decides on collection."""

    patterns: tuple[str, ...] = DEFAULT_PATTERNS
    test_paths: tuple[str, ...] = ()


PLUGIN_OPTION = re.compile(rb"(?<![\w-])-p[ =]?\s*(?!no:)([A-Za-z_][\w.]*)")
PLUGIN_LIST = re.compile(rb"^pytest_plugins\s*=\s*([^#\n]*(?:\n[^\S\n]+[^\n]*|\n[\])][^\n]*)*)", re.MULTILINE)


def is_compiled(path: str) -> bool:
    """Whether a file holds compiled Python."""
    return path.endswith((".pyc", ".pyo")) or "__pycache__/" in path


def plugin_files(tree: Tree) -> tuple[str, ...]:
    """Files behind `-p NAME` in a configuration and behind `pytest_plugins` in a conftest, where the tree has them."""
    names: list[str] = []
    for path, state in tree.items():
        name = path.rpartition("/")[2]
        if path in CONFIG_FILES:
            names += [found.decode() for found in PLUGIN_OPTION.findall(state.data)]
        elif name == "conftest.py":
            for listed in PLUGIN_LIST.findall(state.data):
                names += [found.decode() for found in re.findall(rb"[\"\']([\w.]+)[\"\']", listed)]
    stems = [name.replace(".", "/") for name in names]
    places = [f"{root}{stem}" for stem in stems for root in ("", "src/", "lib/")]
    wanted = [place + end for place in places for end in (".py", "/__init__.py")]
    return tuple(path for path in dict.fromkeys(wanted) if path in tree)


def config_of(tree: Tree) -> Config:
    """The first configuration that pytest would take."""
    for path, section in INI_FILES[:2]:
        if path in tree:
            return _from_ini(tree[path].data, section) or Config()
    if "pyproject.toml" in tree and (found := _from_pyproject(tree["pyproject.toml"].data)):
        return found
    for path, section in INI_FILES[2:]:
        if path in tree and (found := _from_ini(tree[path].data, section)):
            return found
    return Config()


def matches(path: str, config: Config) -> bool:
    """Whether the name alone makes a file a candidate for collection."""
    name = PurePosixPath(path).name
    if not name.endswith(".py") or name == "conftest.py":
        return False
    if config.test_paths and not any(_below(path, folder) for folder in config.test_paths):
        return False
    patterns = config.patterns
    return name in LONE_NAMES or any(fnmatch(path if "/" in p else name, p.lstrip("/")) for p in patterns)


@lru_cache(maxsize=8192)
def holds_tests(data: bytes) -> bool:
    """Whether a module defines tests; one that this Python cannot parse is given the benefit of the doubt."""
    try:
        module = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return b"def test" in data or b"TestCase" in data
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            return True
        if isinstance(node, ast.ClassDef) and any("TestCase" in ast.dump(base) for base in node.bases):
            return True
    # Tests that are made elsewhere: `from suite import *`, `test_x = make_test(...)`.
    return any(
        isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id.startswith(("test_", "Test")) for t in node.targets)
        for node in module.body
    )


def test_folders(tree: Tree, config: Config) -> frozenset[str]:
    """Folders (topmost only) that are there for tests: named so, with something collected or a conftest below."""
    found = set()
    for path, state in tree.items():
        name = PurePosixPath(path).name
        if name != "conftest.py" and not (matches(path, config) and holds_tests(state.data)):
            continue
        parts = path.split("/")[:-1]
        for depth, part in enumerate(parts):
            if TEST_FOLDER.match(part):
                found.add("/".join(parts[: depth + 1]) + "/")
                break
    return frozenset(found)


def _below(path: str, folder: str) -> bool:
    folder = folder.strip().removeprefix("./").rstrip("/")
    return folder in ("", ".") or path == folder or path.startswith(folder + "/") or fnmatch(path, folder + "*")


@lru_cache(maxsize=256)
def _from_ini(data: bytes, section: str) -> Config | None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(data.decode("utf-8", "replace"))
    except configparser.Error:
        return None
    return _config(dict(parser[section])) if parser.has_section(section) else None


@lru_cache(maxsize=256)
def _from_pyproject(data: bytes) -> Config | None:
    try:
        tool = tomllib.loads(data.decode("utf-8", "replace")).get("tool", {}).get("pytest", {})
    except (tomllib.TOMLDecodeError, AttributeError, RecursionError):
        return None
    if not isinstance(tool, dict) or not tool:
        return None
    options = tool.get("ini_options", tool)
    return _config(options) if isinstance(options, dict) else None


def _config(options: Mapping[str, Any]) -> Config:
    return Config(
        patterns=_words(options.get("python_files")) or DEFAULT_PATTERNS,
        test_paths=_words(options.get("testpaths")),
    )


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.split())
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
