"""Texts that are written as literals, f-strings or formats: what is constant in them, and another text with the same
values in it.
"""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Callable
from dataclasses import dataclass

from assay.core.alternatives.source import Source

LITERAL = re.compile(r"([A-Za-z]{0,2})('''|\"\"\"|'|\")")
CONVERSION = re.compile(r"%(?:\(\w+\))?[#0\- +]*(?:\*|\d+)?(?:\.(?:\*|\d+))?[hlL]?[diouxXeEfFgGcrsa%]")


@dataclass(frozen=True, slots=True)
class Text:
    """A text in source code."""

    constants: tuple[str, ...]
    """What of it never changes, in order."""
    renewed: Callable[[str], str | None]
    """Source code of a text that begins with the given words (letters, digits, blanks and plain marks) and has the
    same values in it; None when that cannot be written."""


def read_text(source: Source, node: ast.expr) -> Text | None:
    """A text, None for what is written in no way that is known here."""
    match node:
        case ast.Constant(value=str(value)):
            return Text((value,), lambda words: f'"{words}"')
        case ast.JoinedStr(values=parts):
            said = tuple(str(p.value) for p in parts if isinstance(p, ast.Constant))
            return Text(said, lambda words: _f_string(source, node, words))
        case ast.BinOp(left=ast.Constant(value=str(value)), op=ast.Mod(), right=right):
            specs = [spec for spec in CONVERSION.findall(value) if spec != "%%"]
            text = " ".join(specs)
            rest = source.value(right) if isinstance(right, ast.Constant | ast.Name) else f"({source.cut(right)})"
            constants = tuple(part.replace("%%", "%") for part in CONVERSION.sub("\0", value).split("\0"))
            return Text(constants, lambda words: f'"{words} {text}" % {rest}') if specs else None
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(value)), attr="format")):
            return _format(source, node, value)
    return None


def _format(source: Source, node: ast.Call, value: str) -> Text | None:
    try:
        parsed = list(string.Formatter().parse(value))
    except ValueError:
        return None
    fields = []
    for _, field, spec, conversion in parsed:
        if field is not None:
            fields.append("{" + field + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}")
    text = " ".join(fields)
    if not fields or '"' in text or "\\" in text or not text.isprintable():
        return None
    call = source.text[source.end(node.func) : source.end(node)]
    constants = tuple(constant for constant, *_ in parsed)
    return Text(constants, lambda words: f'"{words} {text}".format{call}')


def _f_string(source: Source, node: ast.JoinedStr, words: str) -> str | None:
    pieces = fields_of(source.cut(node))
    if pieces is None:
        return None
    written = " ".join(
        [f'"{words}"', *(f"{prefix}{quote} {' '.join(found)}{quote}" for prefix, quote, found in pieces)]
    )
    try:
        made = ast.parse(f"({written})", mode="eval").body
    except (SyntaxError, ValueError):
        return None
    return written if _values(made) == _values(node) else None


def _values(node: ast.AST) -> list[str]:
    """The values of an f-string, as trees without places."""
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    return [ast.dump(part) for part in parts if not isinstance(part, ast.Constant)]


def fields_of(text: str) -> list[tuple[str, str, list[str]]] | None:
    """Of neighbouring string literals those with replacement fields: prefix, quotes, and the fields as written."""
    found, place = [], 0
    while place < len(text):
        if text[place] in " \t\n\\":
            place += 1
            continue
        if text[place] == "#":
            place = _after(text, "\n", place)
            continue
        literal = LITERAL.match(text, place)
        if literal is None:
            return None
        prefix, quote = literal[1], literal[2]
        end, fields = _literal_end(text, literal.end(), quote, is_f="f" in prefix.lower())
        if end is None:
            return None
        if fields:
            found.append((prefix, quote, fields))
        place = end
    return found


def _after(text: str, mark: str, place: int) -> int:
    found = text.find(mark, place)
    return len(text) if found < 0 else found + len(mark)


def _literal_end(text: str, place: int, quote: str, *, is_f: bool) -> tuple[int | None, list[str]]:
    """Where a literal ends whose content begins at `place`, and the fields in it."""
    fields: list[str] = []
    while place < len(text):
        if text.startswith(quote, place):
            return place + len(quote), fields
        if text[place] == "\\" or (is_f and text.startswith(("{{", "}}"), place)):
            place += 2
        elif is_f and text[place] == "{":
            end = _field_end(text, place)
            if end is None:
                return None, fields
            fields.append(text[place:end])
            place = end
        else:
            place += 1
    return None, fields


def _field_end(text: str, place: int) -> int | None:
    """The end of the replacement field that begins at `place`; strings and brackets in it are left alone."""
    depth = 0
    while place < len(text):
        mark = text[place]
        depth += {"{": 1, "[": 1, "(": 1, "}": -1, "]": -1, ")": -1}.get(mark, 0)
        if depth == 0:
            return place + 1
        literal = LITERAL.match(text, place) if mark in "'\"" else None
        if literal is None:
            place += 1
            continue
        end, _ = _literal_end(text, literal.end(), literal[2], is_f=False)
        if end is None:
            return None
        place = end
    return None
