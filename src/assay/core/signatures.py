"""How a name of the reference change is shown in a prompt: its shape, never its body.

Rendered from the syntax tree in our own form. Defaults are shown only when they are literals, because an expression
as a default is already a piece of the implementation.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from assay.core.syntax import Function, bound_names

MAX_ANNOTATION_CHARACTERS = 60
MAX_SIGNATURE_CHARACTERS = 300
RECORD_DECORATORS = frozenset({"dataclass", "define", "frozen", "attrs", "s"})
RECORD_BASES = frozenset({"NamedTuple", "TypedDict"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, ready to be shown."""

    name: str
    text: str
    keyword_only: bool = False


def parameters(node: Function, *, bound: bool) -> list[Parameter]:
    """The parameters of a function in order; `bound` leaves out the first, as for a method."""
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    blank: list[ast.expr | None] = [None]
    defaults = blank * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    result = [Parameter(a.arg, _shown(a, d)) for a, d in zip(plain, defaults, strict=True)]
    if bound and result:
        result = result[1:]
    if arguments.vararg:
        result.append(Parameter(arguments.vararg.arg, "*" + _shown(arguments.vararg, None), keyword_only=True))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        result.append(Parameter(argument.arg, _shown(argument, default), keyword_only=True))
    if arguments.kwarg:
        result.append(Parameter(arguments.kwarg.arg, "**" + _shown(arguments.kwarg, None), keyword_only=True))
    return result


def call_shape(node: Function, *, bound: bool, only: Collection[str] = ()) -> str:
    """`(text, *, limit: int = 0) -> str`; with `only`, the others shrink to `...`."""
    shown: list[str] = []
    star = False
    for parameter in parameters(node, bound=bound):
        star = star or parameter.text.startswith("*")
        if only and parameter.name not in only:
            if shown[-1:] != ["..."]:
                shown.append("...")
            continue
        if parameter.keyword_only and not star and not only:
            shown.append("*")
            star = True
        shown.append(parameter.text)
    returns = f" -> {_annotation(node.returns)}" if node.returns is not None and not only else ""
    text = f"({', '.join(shown)}){returns}"
    return text if len(text) <= MAX_SIGNATURE_CHARACTERS else "(...)"


def constructor_shape(node: ast.ClassDef) -> str:
    """How a class is called, as far as its own body says; empty when it does not."""
    for statement in node.body:
        if isinstance(statement, Function) and statement.name in ("__init__", "__new__"):
            return call_shape(statement, bound=True).partition(" -> ")[0]
    if _is_record(node):
        fields = [s for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
        text = ", ".join(_field(statement) for statement in fields)
        return f"({text})" if len(text) <= MAX_SIGNATURE_CHARACTERS else "(...)"
    return ""


def is_method(node: ast.AST) -> bool:
    """Whether a class member takes the instance or class first (not a static method)."""
    return isinstance(node, Function) and "staticmethod" not in decorator_names(node)


def decorator_names(node: ast.AST) -> set[str]:
    """The last parts of the names of a definition's decorators."""
    return {_last(item) for item in getattr(node, "decorator_list", [])}


def base_names(node: ast.ClassDef) -> list[str]:
    """The names of a class's bases, as written."""
    return [ast.unparse(base) for base in node.bases if isinstance(base, (ast.Name, ast.Attribute))]


def enum_members(node: ast.ClassDef) -> list[str]:
    """The members of an enumeration, or nothing for another class."""
    if not any(name.rpartition(".")[2].endswith(("Enum", "Flag")) for name in base_names(node)):
        return []
    names: Iterator[str] = (name for statement in node.body for name, found in bound_names(statement)
                            if isinstance(found, ast.Assign))  # fmt: skip
    return [name for name in names if not name.startswith("_")]


def _is_record(node: ast.ClassDef) -> bool:
    return bool(decorator_names(node) & RECORD_DECORATORS) or any(
        name.rpartition(".")[2] in RECORD_BASES for name in base_names(node)
    )


def _field(statement: ast.AnnAssign) -> str:
    name = statement.target.id if isinstance(statement.target, ast.Name) else "..."
    default = f" = {_literal(statement.value)}" if statement.value is not None else ""
    return f"{name}: {_annotation(statement.annotation)}{default}"


def _last(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def _shown(argument: ast.arg, default: ast.expr | None) -> str:
    if argument.annotation is None:
        return argument.arg if default is None else f"{argument.arg}={_literal(default)}"
    text = f"{argument.arg}: {_annotation(argument.annotation)}"
    return text if default is None else f"{text} = {_literal(default)}"


def _annotation(node: ast.expr | None) -> str:
    text = ast.unparse(node) if node is not None else "..."
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    return text if len(text) <= MAX_ANNOTATION_CHARACTERS and "\n" not in text else "..."


def _literal(node: ast.expr) -> str:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return "..."
    text = ast.unparse(node)
    return text if len(text) <= MAX_ANNOTATION_CHARACTERS and "\n" not in text else "..."
