"""Published lists of tests: three notations, and ids that no test has any more.

Harnesses took ids from log lines, so that some are cut off at their first blank, some are no ids at all (`[100%]`), and
some hold a folder of the machine that made them. What can be told apart without running anything is told here; the rest
is resolved against the ids that a run reported.
"""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from assay.model.tree import is_safe_path

MAX_LIST_CHARACTERS = 16 * 1024 * 1024
_FOLDER = re.compile(r"(?<![\w.:/*-])/(?:[^/\s\[\]:*?]+/)+")
"""An absolute folder inside a parameter."""
_NAME = re.compile(r"^[A-Za-z_]\w*(?:\[.*)?$", re.DOTALL)


def listed(value: Any) -> tuple[str, ...]:
    """The ids of a column: a list, JSON, or a Python literal. Raises ValueError saying what it is instead."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = _literal(value)
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{type(value).__name__}, not a list of texts")
    return tuple(dict.fromkeys(value))


def _literal(text: str) -> Any:
    """A list that was written as text. Nothing of it is run: `literal_eval` knows constants and brackets alone."""
    if not text.strip():
        return []
    if len(text) > MAX_LIST_CHARACTERS:
        raise ValueError(f"a text of {len(text)} characters")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError) as error:
        raise ValueError("a text that is neither JSON nor a Python literal") from error


def file_of(test_id: str) -> str:
    """The file that an id names; empty when it names none."""
    path, colons, _ = test_id.partition("::")
    return path if colons else ""


def impossible(test_id: str) -> str:
    """Why no test can have this id; empty when one may."""
    if not test_id.strip():
        return "it is empty"
    path = file_of(test_id)
    if not path:
        if test_id.startswith("["):
            return "it is a piece of the progress display, not a test"
        return "" if _NAME.match(test_id) else "it names neither a file nor a test function"
    if path.startswith("/"):
        return "its file is an absolute path of the machine that ran it"
    return "" if is_safe_path(path) else "its file cannot be a path in a repository"


def is_cut(test_id: str) -> bool:
    """Whether an id ends inside its brackets."""
    return "[" in test_id and not test_id.endswith("]")


def resolve(published: Sequence[str], reported: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """For each published id the reported ones that it may stand for: itself, or those that it was cut off from, or
    the same with another folder in it, or the only functions of that name. Empty when there is none.
    """
    names = list(dict.fromkeys(reported))
    exact = set(names)
    by_plain: dict[str, list[str]] = defaultdict(list)
    by_function: dict[str, list[str]] = defaultdict(list)
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_plain[plain(name)].append(name)
        by_stem[name.partition("[")[0]].append(name)
        by_function[name.rpartition("::")[2] if "[" not in name else _function(name)].append(name)
    found: dict[str, tuple[str, ...]] = {}
    for test_id in published:
        if test_id in exact:
            found[test_id] = (test_id,)
        elif not file_of(test_id):
            found[test_id] = tuple(by_function.get(test_id, ()))
        elif is_cut(test_id):
            found[test_id] = _begun(test_id, by_stem.get(test_id.partition("[")[0], []))
        else:
            found[test_id] = tuple(by_plain.get(plain(test_id), ()))
    return found


def _begun(test_id: str, siblings: Sequence[str]) -> tuple[str, ...]:
    """Those that an id was cut off from: at a blank, if any was."""
    at_blank = tuple(name for name in siblings if name.startswith(test_id + " "))
    if at_blank:
        return at_blank
    start = plain(test_id)
    return tuple(n for n in siblings if n.startswith(test_id)) or tuple(
        n for n in siblings if plain(n).startswith(start)
    )


def _function(name: str) -> str:
    head, bracket, rest = name.partition("[")
    return head.rpartition("::")[2] + bracket + rest


def plain(test_id: str) -> str:
    """An id without what depends on who ran it: `()` of old pytest, and folders of the machine in parameters."""
    head, bracket, parameters = test_id.partition("[")
    return head.replace("::()", "") + bracket + _FOLDER.sub("/", parameters)
