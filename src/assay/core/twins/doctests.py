"""Twins of doctests, in docstrings of the tests and in text files: examples whose shown output is another one."""

from __future__ import annotations

import ast
import doctest
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from assay.core.twins.cases import Library, stem
from assay.core.twins.text import Source
from assay.core.twins.values import wrong_text
from assay.model.twin import Edit, Twin, Woven

MAX_CHANGED = 3
Owner = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class _Text:
    """A text with examples, and where it begins in the file, in bytes."""

    content: str
    offset: int

    def line(self, number: int) -> tuple[int, int]:
        """Where a line's text begins and ends in the file, without indentation and white space at its end."""
        lines = self.content.splitlines(keepends=True)
        before, line = "".join(lines[:number]), lines[number]
        indent = len(line) - len(line.lstrip())
        start = self.offset + len((before + line[:indent]).encode())
        return start, start + len(line.strip().encode())

    def shown(self, number: int) -> str:
        """The text of a line."""
        return self.content.splitlines()[number].strip()


def design(library: Library, read: Callable[[str], bytes | None], test_id: str, draw: random.Random) -> Woven | None:
    """The twins of one doctest, not yet tried; None when it is no doctest, or holds nothing that can be changed."""
    path, _, name = stem(test_id).partition("::")
    text = _docstring(library.source(path), name) if path.endswith(".py") else _whole(read(path))
    if text is None:
        return None
    try:
        examples = doctest.DocTestParser().get_examples(text.content)
    except ValueError:
        return None
    if not examples:
        return None
    holds, fails = _sentinels(text, examples[-1], draw)
    changed = [
        Twin("value", place + 1, (edit, holds), at_stake=True)
        for place, edit in _changes(text, examples, draw)
        if edit.end <= holds.start
    ]
    twins = (Twin("forced", 0, (fails,)), *draw.sample(changed, min(MAX_CHANGED, len(changed))))
    return Woven(f"{path}::{name}@doctest", path, (test_id,), (holds,), twins)


def _whole(data: bytes | None) -> _Text | None:
    try:
        return _Text(data.decode(), 0) if data is not None else None
    except UnicodeDecodeError:
        return None


def _docstring(source: Source | None, name: str) -> _Text | None:
    """The docstring behind a dotted name: a function's or a class's by the end of the name, else the module's."""
    if source is None:
        return None
    parts, best = name.split("."), None
    depth = -1
    for owner, names in _owners(source.tree, ()):
        if len(names) > depth and (not names or tuple(parts[-len(names) :]) == names):
            best, depth = owner, len(names)
    if best is None or not best.body or not isinstance(best.body[0], ast.Expr):
        return None
    node = best.body[0].value
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return None
    start, end = source.span(node)
    raw = source.text(start, end)
    opening = len(raw) - len(raw.lstrip("rRuU"))
    quote = raw[opening : opening + 3] if raw[opening : opening + 3] in ('"""', "'''") else raw[opening : opening + 1]
    content = raw[opening + len(quote) : -len(quote)]
    # With escapes, or pieces put together, the source is not what the examples are read from.
    return _Text(content, start + opening + len(quote)) if content == node.value else None


def _owners(owner: Owner, names: tuple[str, ...]) -> Iterator[tuple[Owner, tuple[str, ...]]]:
    yield owner, names
    for statement in owner.body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _owners(statement, (*names, statement.name))


def _changes(text: _Text, examples: list[doctest.Example], draw: random.Random) -> Iterator[tuple[int, Edit]]:
    for example in examples:
        if not example.want or example.exc_msg is not None:
            continue
        place = example.lineno + example.source.count("\n")
        start, end = text.line(place)
        shown = text.shown(place)
        other = wrong_text(shown, draw)
        if (
            other.strip()
            and other != shown
            and "\\" not in other
            and '"""' not in other
            and not other.startswith(">>>")
        ):
            yield place, Edit(start, end, other)


def _sentinels(text: _Text, last: doctest.Example, draw: random.Random) -> tuple[Edit, Edit]:
    """One more example after the last one: one that holds, and one of the same looks that does not."""
    place = last.lineno + last.source.count("\n") + last.want.count("\n") - 1
    _, at = text.line(place)
    word = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(3, 9)))
    indent = " " * last.indent
    right = len(word)
    holds, fails = (
        f"\n{indent}>>> len({word!r})\n{indent}{number}" for number in (right, right + draw.choice((-2, -1, 1, 2)))
    )
    return Edit(at, at, holds), Edit(at, at, fails)
