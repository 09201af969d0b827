"""Examples in a prompt: calls with literal arguments, and the value that the text gives for them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_EXAMPLES = 20
CALL = r"(?P<call>[\w.]+\((?:[^()\n]|\([^()\n]*\))*\))"
SHAPES = (
    re.compile(rf"^[ \t]*>>> {CALL}[ \t]*\n[ \t]*(?P<value>[^\n]+)$", re.MULTILINE),
    re.compile(rf"`?{CALL}`?\s*(?:==|→|->|=>|\breturns\b|\bgives\b|\byields\b|\bshould (?:be|return|give)\b|\bis\b)\s*"
               r"(?P<value>`[^`\n]+`|[^\n`,;]+?(?=[.,;]?(?:\s|$)))"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Example:
    """One call and its value, each as source of a literal."""

    name: str
    """Of the function or method, without what is before the last dot."""
    args: tuple[str, ...]
    keywords: tuple[tuple[str, str], ...]
    value: str


def examples(prompt: str) -> list[Example]:
    """Those that can be read, each once, in their order."""
    found = (example for shape in SHAPES for match in shape.finditer(prompt) for example in _read(match))
    return list(dict.fromkeys(found))[:MAX_EXAMPLES]


def _read(match: re.Match[str]) -> Iterator[Example]:
    try:
        call = ast.parse(match["call"].strip(), mode="eval").body
        value = _literal(ast.parse(match["value"].strip().strip("`").strip(), mode="eval").body)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name | ast.Attribute):
            name = call.func.id if isinstance(call.func, ast.Name) else call.func.attr
            words = tuple((word.arg, _literal(word.value)) for word in call.keywords if word.arg)
            if len(words) == len(call.keywords):
                yield Example(name, tuple(map(_literal, call.args)), words, value)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return


def _literal(node: ast.expr) -> str:
    """The source of a literal's value. Raises ValueError or TypeError when it is none."""
    return repr(ast.literal_eval(node))
