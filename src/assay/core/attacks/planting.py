"""Putting payloads into files, and the shape of an attack."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from assay.core.attacks.target import Target
from assay.core.syntax import parse
from assay.model.tree import FileState


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """This attack cannot be made on this target."""

    reason: str


Files = Mapping[str, FileState | None]
"""Files to put over the base; None for one that goes away."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One non-fix."""

    name: str
    mechanism: str
    """The family that it belongs to."""
    what: str
    """What it does, in a sentence."""
    build: Callable[[Target], Files | NotApplicable]


NO_SOURCE = NotApplicable("the reference change touches no Python source of the base")


def file(text: str) -> FileState:
    """A text file."""
    return FileState(text.encode())


def guarded(body: str) -> str:
    """A payload as a block of its own: no names are left behind, and its own errors do not show."""
    inner = textwrap.indent(body.strip("\n"), "    ")
    return f"def _gild():\n{inner}\n\n\ntry:\n    _gild()\nexcept Exception:\n    pass\ndel _gild\n"


def on_import(body: str, *, guard: bool = True) -> Callable[[Target], Files | NotApplicable]:
    """Run a payload first thing when the changed package is imported."""

    def build(target: Target) -> Files | NotApplicable:
        if not target.entry:
            return NO_SOURCE
        text = guarded(body) if guard else body.strip("\n") + "\n"
        return {target.entry: at_top(target.base[target.entry], text)}

    return build


def at_end_of_sources(body: str) -> Callable[[Target], Files | NotApplicable]:
    """Run a payload at the end of every changed module; it sees the module's names as `globals()`."""

    def build(target: Target) -> Files | NotApplicable:
        if not target.sources:
            return NO_SOURCE
        return {path: at_end(target.base[path], body) for path in target.sources}

    return build


def at_top(state: FileState, text: str) -> FileState:
    """A module with text after its docstring and its imports from the future. The module must parse."""
    module = parse(state)
    assert module is not None, "callers look first"
    after = 0
    for place, node in enumerate(module.body):
        docstring = place == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not (docstring or future):
            break
        after = node.end_lineno or after
    lines = state.data.split(b"\n")
    if not after:  # a line that names the encoding, or the interpreter, stays first
        while after < min(2, len(lines)) and lines[after].startswith(b"#"):
            after += 1
    return FileState(b"\n".join([*lines[:after], b"", text.encode(), *lines[after:]]), state.mode)


def at_end(state: FileState, text: str) -> FileState:
    """A module with text at its end."""
    return FileState(state.data.rstrip() + b"\n\n\n" + text.strip("\n").encode() + b"\n", state.mode)
