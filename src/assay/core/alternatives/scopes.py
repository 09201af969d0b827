"""Functions of a file, and which of their names are theirs alone: nobody else sees these, so that they may change."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from assay.core.alternatives.source import Source, listed
from assay.core.syntax import Function

SCOPES = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp,
    ast.GeneratorExp,
)  # fmt: skip
OBSERVERS = listed(
    "locals vars eval exec globals dir execfile f_locals f_back f_globals f_code _getframe currentframe getsource "
    "getsourcelines co_varnames co_names __code__ __closure__ tb_frame stack trace"
)
"""What can see a function's names, or its frame, from inside."""
FRAMES = re.compile(r"\b(?:_getframe|currentframe|stacklevel|f_back|tb_next|extract_stack|getframeinfo)\b")
"""What counts frames: one more or less would be seen."""


@dataclass(slots=True)
class Scope:
    """A function with all that is needed to ask about its local names."""

    node: Function
    dotted: str
    owner: ast.ClassDef | None
    """The class that the function is a method of."""
    uses: dict[str, list[ast.Name]] = field(default_factory=dict)
    """Every mention of a variable by name, in nested scopes too."""
    parameters: frozenset[str] = frozenset()
    inner_names: frozenset[str] = frozenset()
    """Names mentioned in nested scopes, comprehensions among them."""
    inner_bound: frozenset[str] = frozenset()
    """Names that a nested scope gives a value of its own."""
    bound_otherwise: frozenset[str] = frozenset()
    """Names bound by imports, definitions, `except`, patterns, or declared global or nonlocal; deleted ones too."""
    in_texts: frozenset[str] = frozenset()
    """Names mentioned in f-strings."""
    is_observed: bool = False
    """Something in it may look at local variables by name."""

    def is_local(self, name: str) -> bool:
        """Whether a name is a variable of this function, and nothing but plain assignments and loops bind it here."""
        return (
            name in self.uses
            and not self.is_observed
            and name not in self.parameters
            and name not in self.bound_otherwise
            and name not in self.inner_bound
            and any(isinstance(use.ctx, ast.Store) for use in self.uses[name])
            and not name.startswith("__")
        )

    def is_private(self, name: str) -> bool:
        """Whether a local name is seen by no nested scope either."""
        return self.is_local(name) and name not in self.inner_names


@lru_cache(maxsize=32)
def scopes_of(source: Source) -> tuple[Scope, ...]:
    """All functions of a file, outermost first."""
    return tuple(_functions(source.tree.body, "", None))


def _functions(body: list[ast.stmt], prefix: str, owner: ast.ClassDef | None) -> Iterator[Scope]:
    for statement in body:
        if isinstance(statement, Function):
            dotted = f"{prefix}{statement.name}"
            yield _scope(statement, dotted, owner)
            yield from _functions(statement.body, f"{dotted}.", None)
        elif isinstance(statement, ast.ClassDef):
            yield from _functions(statement.body, f"{prefix}{statement.name}.", statement)
        else:
            for inner in sub_blocks(statement):
                yield from _functions(inner, prefix, owner)


def sub_blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of a compound statement that is no definition."""
    if isinstance(statement, SCOPES):
        return
    for name in ("body", "orelse", "finalbody"):
        block = getattr(statement, name, None)
        if isinstance(block, list) and block:
            yield block
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def blocks_of(scope: Scope) -> Iterator[list[ast.stmt]]:
    """All blocks of a function that run in its own scope, outermost first."""
    yield from _blocks(scope.node.body)


def _blocks(block: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    yield block
    for statement in block:
        for inner in sub_blocks(statement):
            yield from _blocks(inner)


def own_nodes(scope: Scope) -> Iterator[ast.AST]:
    """All nodes of a function's body that run in its own scope."""
    pending: list[ast.AST] = list(scope.node.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, SCOPES):
            pending += ast.iter_child_nodes(node)


def _scope(node: Function, dotted: str, owner: ast.ClassDef | None) -> Scope:
    scope = Scope(node, dotted, owner, parameters=frozenset(a.arg for a in _parameters(node.args)))
    inner, bound, otherwise, texts = set[str](), set[str](), set[str](), set[str]()
    for nested in ast.walk(node):
        if nested is not node and isinstance(nested, SCOPES):
            inner |= {n.id for n in ast.walk(nested) if isinstance(n, ast.Name)}
            bound |= _bound_inside(nested)
        if isinstance(nested, ast.Name):
            scope.uses.setdefault(nested.id, []).append(nested)
            scope.is_observed |= nested.id in OBSERVERS
            otherwise |= {nested.id} if isinstance(nested.ctx, ast.Del) else set()
        elif isinstance(nested, ast.Attribute):
            scope.is_observed |= nested.attr in OBSERVERS
        elif isinstance(nested, ast.JoinedStr):
            texts |= {n.id for n in ast.walk(nested) if isinstance(n, ast.Name)}
        if nested is not node:
            otherwise |= _bound_by(nested)
    for outside in _evaluated_outside(node):
        otherwise |= {n.id for n in ast.walk(outside) if isinstance(n, ast.Name)}
    scope.inner_names, scope.inner_bound = frozenset(inner), frozenset(bound)
    scope.bound_otherwise, scope.in_texts = frozenset(otherwise), frozenset(texts)
    return scope


def _evaluated_outside(node: Function) -> Iterator[ast.expr]:
    """Decorators, defaults and annotations: their names are not the function's."""
    yield from (*node.decorator_list, *node.args.defaults)
    others = (*node.args.kw_defaults, *(a.annotation for a in _parameters(node.args)), node.returns)
    yield from (part for part in others if part is not None)


def _parameters(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from filter(None, (arguments.vararg, arguments.kwarg))


def parameters_of(node: Function) -> tuple[ast.arg, ...]:
    """All parameters of a function."""
    return tuple(_parameters(node.args))


def _bound_inside(nested: ast.AST) -> set[str]:
    names = {n.id for n in ast.walk(nested) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    return names | {n.arg for n in ast.walk(nested) if isinstance(n, ast.arg)}


def _bound_by(node: ast.AST) -> set[str]:
    """Names that a node binds otherwise than through a `Name`."""
    match node:
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return {alias.asname or alias.name.partition(".")[0] for alias in aliases}
        case ast.FunctionDef(name=str(name)) | ast.AsyncFunctionDef(name=str(name)) | ast.ClassDef(name=str(name)):
            return {name}
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return {name}
        case ast.MatchMapping(rest=str(name)):
            return {name}
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return set(names)
    return set()
