"""Texts for people that the prompt does not fix: messages of exceptions and warnings, and docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from assay.core.alternatives.change import STOP, Change, is_warning, words
from assay.core.alternatives.scopes import Scope, own_nodes, parameters_of, scopes_of
from assay.core.alternatives.source import Edit, Rewrite, Source
from assay.core.alternatives.texts import Text, read_text

MIN_WORDS = 2
KEPT_SHARE = 0.6
"""With more of its words kept it would be nearly the same text."""
REFUSAL = "This was refused"
NOTICE = "Please take note"
QUOTED = re.compile(r"[`'\"“‘]([^`'\"”’\n]{1,60})[`'\"”’]")
NAME = re.compile(r"[^\W\d_]*_\w+|(?:\w+\.)*\w+\(\)|--[\w-]+|[a-z]+[A-Z]\w*|\w+(?:\.\w+)+")
"""Words that are no words of English: names with underscores, dots or capitals inside, options."""
PLAIN = re.compile(r"[\w .,:()<>=+*/-]*")
READS_DOCSTRINGS = ("__doc__", "getdoc", "docopt", "click", "typer", "cleandoc", "doctest", "yacc")


def messages(source: Source, change: Change) -> Iterator[Rewrite]:
    """The text of a new `raise`, or of a new warning, as another sentence with the same values in it."""
    for scope in scopes_of(source):
        for node in own_nodes(scope):
            match node:
                case ast.Raise(exc=ast.Call(args=[first, *_])):
                    is_raise = True
                case ast.Call(args=[first, *_]) if is_warning(node):
                    is_raise = False
                case _:
                    continue
            if not isinstance(node, ast.stmt | ast.expr) or not _is_brought(source, first):
                continue
            text = read_text(source, first)
            new = _another(text, change, scope, REFUSAL if is_raise else NOTICE) if text else None
            if text is None or new is None or (not is_raise and change.is_filtered(_said(text))):
                continue
            kind, what = ("message", "an exception") if is_raise else ("warning-text", "a warning")
            edits = (Edit(source.start(first), source.end(first), new),)
            yield Rewrite(kind, f"{what} says something else", first.lineno, first.col_offset, edits, scope.dotted)


def docstrings(source: Source, change: Change) -> Iterator[Rewrite]:
    """The docstring of a new function as another sentence, where nothing reads docstrings."""
    for scope in scopes_of(source):
        match scope.node.body[0]:
            case ast.Expr(value=ast.Constant(value=str(text)) as node) as statement if len(scope.node.body) > 1:
                pass
            case _:
                continue
        if not source.is_new(statement) or scope.node.lineno not in source.added or scope.node.decorator_list:
            continue
        if ">>>" in text or change.is_told(text) or change.reads(*READS_DOCSTRINGS):
            continue
        edits = (Edit(source.start(node), source.end(node), '"""Does what its name says."""'),)
        what = f"the docstring of {scope.node.name} says something else"
        yield Rewrite("docstring", what, node.lineno, node.col_offset, edits, scope.dotted)


def _is_brought(source: Source, node: ast.expr) -> bool:
    return any(line in source.added for line in range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _said(text: Text) -> str:
    return " ".join(" ".join(text.constants).split())


def _another(text: Text, change: Change, scope: Scope, sentence: str) -> str | None:
    """Source code of another text, None when the text is fixed by what a reader can see, or is no sentence."""
    said = _said(text)
    parts = [part for part in text.constants if len(words(part)) >= MIN_WORDS]
    if len(words(said)) < MIN_WORDS or not parts or change.is_told(said) or any(change.is_told(p) for p in parts):
        return None
    kept = _kept(said, change, scope)
    count = sum(len(words(word)) for word in kept)
    new = f"{sentence} ({', '.join(kept)})" if kept else sentence
    if count > KEPT_SHARE * len(words(said)) or not PLAIN.fullmatch(new):
        return None
    if any(change.is_consumed(part.strip(), new) for part in parts):
        return None
    return text.renewed(new)


def _kept(said: str, change: Change, scope: Scope) -> list[str]:
    """What a reader of the prompt may well put into the text: words of the prompt, names, whatever is quoted."""
    known = set(change.prompt_words) - STOP
    names = {a.arg for a in parameters_of(scope.node)} | {part.lower() for part in scope.dotted.split(".")}
    quoted = {
        part
        for part in QUOTED.findall(said)
        if PLAIN.fullmatch(part) and words(part) and part == part.strip() and len(part.split()) < 4
    }
    written = [w for w in re.findall(r"[\w.()-]*\w[\w.()-]*", said) if PLAIN.fullmatch(w)]
    kept = [w.strip(".,()") for w in written if w.strip(".,()").lower() in known | names or NAME.fullmatch(w)]
    return list(dict.fromkeys([*sorted(quoted), *(word for word in kept if word)]))
