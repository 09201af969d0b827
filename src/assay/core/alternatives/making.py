"""All rewrites of a reference change, and the choice among them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import CodeType

from assay.core.alternatives.annotations import drop_annotations
from assay.core.alternatives.branches import branches, comprehensions, conditional_expressions
from assay.core.alternatives.change import Change
from assay.core.alternatives.containers import constants, containers
from assay.core.alternatives.inlining import extract, inline
from assay.core.alternatives.messages import docstrings, messages
from assay.core.alternatives.ordering import reorder_functions, reorder_statements
from assay.core.alternatives.renaming import rename_attributes, rename_helpers, rename_locals
from assay.core.alternatives.source import Rewrite, Source, compiled, listed, same_code, write_source
from assay.core.alternatives.spelling import empty_containers, equalities, formats
from assay.model.tree import FileState
from assay.model.variant import Variant

Rule = Callable[[Source, Change], Iterator[Rewrite]]
RULES: tuple[Rule, ...] = (
    messages,
    rename_helpers,
    rename_attributes,
    constants,
    docstrings,
    drop_annotations,
    branches,
    containers,
    conditional_expressions,
    comprehensions,
    inline,
    extract,
    reorder_functions,
    reorder_statements,
    equalities,
    formats,
    empty_containers,
    rename_locals,
)
"""What tests are most likely to depend on comes first."""
TELLING = listed("message warning-text rename-helper rename-attribute constant-container container docstring")
"""Kinds of which every place may be tested by somebody."""
PER_KIND = 3
"""So many rewrites of any other kind say what there is to say."""
LIMIT = 24
"""Rewrites of one task, without another wish."""


def alternatives(change: Change, limit: int = LIMIT) -> tuple[Variant, ...]:
    """At most `limit` rewrites, one place each, spread over kinds and places; the same ones each time.

    Every rewrite compiles, and to other code than the reference change does.
    """
    kinds: dict[str, list[tuple[Source, Rewrite]]] = {}
    for rule in RULES:
        for source in change.sources:
            for rewrite in _rewrites(rule, source, change):
                kinds.setdefault(rewrite.kind, []).append((source, rewrite))
    queues = [iter(sorted(found, key=lambda pair: _lot(*pair))) for found in kinds.values()]
    chosen: dict[str, Variant] = {}
    codes = {source.path: compiled(source.text, source.path) for source in change.sources}
    drawn = Counter[str]()
    while queues and len(chosen) < limit:
        for queue in list(queues):
            variant = _next(queue, change.gold, codes, chosen)
            if variant is None or (variant.kind not in TELLING and drawn[variant.kind] == PER_KIND):
                queues.remove(queue)
            elif len(chosen) < limit:
                chosen[variant.key] = variant
                drawn[variant.kind] += 1
    return tuple(chosen.values())


def _rewrites(rule: Rule, source: Source, change: Change) -> list[Rewrite]:
    try:
        return list(rule(source, change))
    except RecursionError:
        return []  # nested deeper than anybody writes


def _next(
    queue: Iterator[tuple[Source, Rewrite]],
    gold: Mapping[str, FileState],
    codes: Mapping[str, CodeType | None],
    taken: Mapping[str, Variant],
) -> Variant | None:
    for source, rewrite in queue:
        variant = _variant(source, rewrite, gold[source.path], codes[source.path])
        if variant is not None and variant.key not in taken:
            return variant
    return None


def _variant(source: Source, rewrite: Rewrite, state: FileState, code: CodeType | None) -> Variant | None:
    """A rewrite as a variant; None when it does not compile, or to the same code."""
    text = source.edited(rewrite.edits)
    made, written = compiled(text, source.path), write_source(text, state)
    if code is None or made is None or written is None or same_code(code, made):
        return None
    return Variant(
        key=_key(source, rewrite),
        family="alternative",
        kind=rewrite.kind,
        what=rewrite.what,
        path=source.path,
        line=rewrite.line,
        files={source.path: written},
        lines=source.touched_lines(rewrite.edits),
        function=rewrite.function,
    )


def _key(source: Source, rewrite: Rewrite) -> str:
    return f"alternative:{source.path}:{rewrite.line}:{rewrite.column}:{rewrite.kind}"


def _lot(source: Source, rewrite: Rewrite) -> str:
    """An order that is the same each time and has nothing to do with places."""
    return hashlib.sha256(_key(source, rewrite).encode("utf-8", "surrogateescape")).hexdigest()
