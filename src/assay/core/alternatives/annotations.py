"""Annotations of plain functions left out, where nobody reads them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from assay.core.alternatives.change import Change
from assay.core.alternatives.scopes import Scope, parameters_of, scopes_of
from assay.core.alternatives.source import Edit, Rewrite, Source

READERS = (
    "get_type_hints", "__annotations__", "__annotate__", "signature", "Signature", "getfullargspec", "getargspec",
    "get_annotations", "singledispatch", "singledispatchmethod", "validate_call", "validate_arguments", "beartype",
    "typechecked", "typeguard", "pydantic", "converters", "mypy", "typer", "fastapi", "inspect",
)  # fmt: skip


def drop_annotations(source: Source, change: Change) -> Iterator[Rewrite]:
    """The annotations of a changed function without decorators, in a module or in a class of no special kind."""
    if change.reads(*READERS):
        return
    for scope in scopes_of(source):
        node = scope.node
        written = [a for a in parameters_of(node) if a.annotation is not None]
        if node.decorator_list or not source.touches(node) or not (written or node.returns):
            continue
        edits = _edits(source, scope, written)
        if edits and not (scope.owner and (scope.owner.decorator_list or scope.owner.keywords or scope.owner.bases)):
            what = f"{node.name} has no annotations"
            yield Rewrite("drop-annotations", what, node.lineno, node.col_offset, edits, scope.dotted)


def _edits(source: Source, scope: Scope, written: list[ast.arg]) -> tuple[Edit, ...]:
    """The edits, none when an annotation stands in brackets that are no part of it."""
    edits = []
    for parameter in written:
        start, annotation = source.start(parameter) + len(parameter.arg), parameter.annotation
        if annotation is None or not re.fullmatch(r"\s*:\s*", source.text[start : source.start(annotation)]):
            return ()
        if not re.match(r"\s*(?:[,=)]|#)", source.text[source.end(annotation) :]):
            return ()
        edits.append(Edit(start, source.end(annotation), ""))
    if scope.node.returns is not None:
        before = source.text[: source.start(scope.node.returns)]
        arrow = re.search(r"\s*->\s*\Z", before[-200:])
        if arrow is None or not re.match(r"\s*:", source.text[source.end(scope.node.returns) :]):
            return ()
        start = len(before) - len(arrow[0])
        edits.append(Edit(start, source.end(scope.node.returns), ""))
    return tuple(edits)
