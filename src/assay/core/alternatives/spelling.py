"""The same computation spelled otherwise: sides of an equality, empty containers, texts with one value in them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from assay.core.alternatives.change import Change
from assay.core.alternatives.scopes import own_nodes, scopes_of
from assay.core.alternatives.source import Edit, Rewrite, Source
from assay.core.alternatives.texts import fields_of


def equalities(source: Source, _: Change) -> Iterator[Rewrite]:
    """`x == "a"` the other way round: a plain text or number leaves the answer to whatever has its own idea of it."""
    for scope in scopes_of(source):
        for node in own_nodes(scope):
            match node:
                case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() as op], comparators=[right]):
                    sign = "==" if isinstance(op, ast.Eq) else "!="
                case _:
                    continue
            if source.touches(node) and _is_plain(right) != _is_plain(left):
                text = f"{source.atom(right)} {sign} {source.atom(left)}"
                # Brackets may stand around either side: everything between them is replaced too, so they must not.
                if source.text[source.end(left) : source.start(right)].strip() == sign:
                    edits = (Edit(source.start(node), source.end(node), text),)
                    what = f"the sides of {sign} changed places"
                    yield Rewrite("swap-equality", what, node.lineno, node.col_offset, edits, scope.dotted)


def _is_plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (str, int, type(None))


def empty_containers(source: Source, _: Change) -> Iterator[Rewrite]:
    """`{}` as `dict()`, `[]` as `list()`, and the reverse."""
    taken = source.bound_names
    for scope in scopes_of(source):
        for node in own_nodes(scope):
            match node:
                case ast.Dict(keys=[]):
                    name, text = "dict", "dict()"
                case ast.List(elts=[], ctx=ast.Load()):
                    name, text = "list", "list()"
                case ast.Call(func=ast.Name(id="dict" | "list" as name), args=[], keywords=[]):
                    text = "{}" if name == "dict" else "[]"
                case _:
                    continue
            if name not in taken and isinstance(node, ast.expr) and source.touches(node):
                edits = (Edit(source.start(node), source.end(node), text),)
                what = f"an empty {name} is spelled otherwise"
                yield Rewrite("empty-container", what, node.lineno, node.col_offset, edits, scope.dotted)


def formats(source: Source, _: Change) -> Iterator[Rewrite]:
    """An f-string with one plain value as `"...".format(value)`: with one value, nothing changes its turn."""
    for scope in scopes_of(source):
        for node in own_nodes(scope):
            match node:
                case ast.JoinedStr(values=parts) if source.touches(node):
                    values = [p for p in parts if isinstance(p, ast.FormattedValue)]
                case _:
                    continue
            if len(values) != 1 or values[0].format_spec is not None or values[0].conversion != -1:
                continue
            text = _formatted(source, node, values[0])
            if text:
                edits = (Edit(source.start(node), source.end(node), text),)
                what = "an f-string became a format"
                yield Rewrite("format", what, node.lineno, node.col_offset, edits, scope.dotted)


def _formatted(source: Source, node: ast.JoinedStr, value: ast.FormattedValue) -> str:
    pieces = fields_of(source.cut(node))
    if pieces is None or len(pieces) != 1 or len(pieces[0][2]) != 1:
        return ""
    written = pieces[0][2][0][1:-1].strip()
    if "\n" in written or "#" in written:
        return ""
    try:
        made = ast.parse(f"({written})", mode="eval").body
    except (SyntaxError, ValueError):
        return ""
    constants = [
        c.value.replace("{", "{{").replace("}", "}}")
        if isinstance(c, ast.Constant) and isinstance(c.value, str)
        else "{}"
        for c in node.values
    ]
    return f"{''.join(constants)!r}.format({written})" if ast.dump(made) == ast.dump(value.value) else ""
