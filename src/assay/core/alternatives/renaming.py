"""Private names called otherwise: local variables, and new helpers, constants and attributes with an underscore."""

from __future__ import annotations

import ast
import builtins
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from functools import partial

from assay.core.alternatives.change import Change
from assay.core.alternatives.scopes import scopes_of
from assay.core.alternatives.source import Edit, Rewrite, Source
from assay.core.syntax import Function

PRIVATE = re.compile(r"_[A-Za-z]\w*(?<!_)")
"""One underscore before, none behind: neither mangled nor a name that Python gives a meaning."""
Allowed = Callable[[ast.Module, str, int], bool]
"""Says of a name with so many mentions whether all of them may be changed."""
PLAIN_BASES = frozenset({"object", "ABC", "dict", "list", "set", "tuple", "str", "int", "float", "Generic"})
SHOWS_ATTRIBUTES = re.compile(
    r"\b(?:__dict__|__slots__|__getattr__|__getattribute__|__setattr__|__getstate__|__setstate__|__reduce__"
    r"|__reduce_ex__|vars|asdict|attrs|attr|dataclass|dataclasses|pydantic)\b"
)


def rename_locals(source: Source, _: Change) -> Iterator[Rewrite]:
    """A local variable of a changed function that no nested scope binds, and no text or frame shows."""
    for scope in scopes_of(source):
        if not source.holds_changes(scope.node):
            continue
        for name in sorted(scope.uses):
            uses = scope.uses[name]
            spelled = all(source.cut(use) == name for use in uses)
            if spelled and scope.is_local(name) and name not in scope.in_texts and len(name) > 1:
                new = source.free_name(f"{name}_value", f"the_{name}")
                edits = tuple(Edit(source.start(use), source.end(use), new) for use in uses)
                first = min(uses, key=lambda use: (use.lineno, use.col_offset))
                what = f"the local variable {name} is called {new}"
                yield Rewrite("rename-local", what, first.lineno, first.col_offset, edits, scope.dotted)


def rename_helpers(source: Source, change: Change) -> Iterator[Rewrite]:
    """A new private function or constant of a module, or a new private method, that this file alone mentions."""
    for statement in source.tree.body:
        if isinstance(statement, Function) and not statement.decorator_list:
            yield from _renamed(source, change, statement, statement.name, _is_called_only)
        elif isinstance(statement, ast.ClassDef) and _has_plain_bases(statement, source, ""):
            methods = (m for m in statement.body if isinstance(m, Function) and not m.decorator_list)
            for method in methods:
                if _has_plain_bases(statement, source, method.name):
                    allowed = partial(_is_own_member, owner=statement, called=True)
                    yield from _renamed(source, change, method, method.name, allowed)
        elif isinstance(statement, ast.Assign):
            match statement.targets:
                case [ast.Name(id=name)]:
                    yield from _renamed(source, change, statement, name, _is_plain_use)


def rename_attributes(source: Source, change: Change) -> Iterator[Rewrite]:
    """A new private attribute that the methods of one class give to `self`, and nobody else touches."""
    if SHOWS_ATTRIBUTES.search(source.text):
        return
    for owner in (n for n in source.tree.body if isinstance(n, ast.ClassDef)):
        seen = set[str]()
        for node in ast.walk(owner):
            match node:
                case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)]) if name not in seen:
                    seen.add(name)
                    if _has_plain_bases(owner, source, name) and not owner.decorator_list:
                        allowed = partial(_is_own_member, owner=owner, called=False)
                        yield from _renamed(source, change, node, name, allowed, "rename-attribute")


def _renamed(
    source: Source, change: Change, place: ast.stmt, name: str, allowed: Allowed, kind: str = "rename-helper"
) -> Iterator[Rewrite]:
    if not PRIVATE.fullmatch(name) or not source.touches(place) or not change.is_only_in(name, source.path):
        return
    places = _tokens(source, name)
    if places is None or not allowed(source.tree, name, len(places)) or change.is_pieced_together(name):
        return
    new = source.free_name(f"_own{name}")
    edits = tuple(Edit(start, start + len(name), new) for start in places)
    what = f"the new private name {name} is {new} instead"
    yield Rewrite(kind, what, place.lineno, place.col_offset, edits)


def _tokens(source: Source, name: str) -> list[int] | None:
    """Where a name stands as a token of its own; None when a string mentions it."""
    places, pattern = [], re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    constants = (n.value for n in ast.walk(source.tree) if isinstance(n, ast.Constant))
    if any(isinstance(value, str) and pattern.search(value) for value in constants):
        return None
    try:
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type == tokenize.NAME and token.string == name:
                line, column = token.start
                places.append(source.line_start(line) + column)
            elif token.type not in (tokenize.COMMENT, tokenize.NAME) and pattern.search(token.string):
                return None
    except (tokenize.TokenError, SyntaxError):
        return None
    return places


def _is_plain_use(tree: ast.Module, name: str, count: int) -> bool:
    """Whether all mentions are variables that one place alone gives a value."""
    uses = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == name]
    stores = [n for n in uses if not isinstance(n.ctx, ast.Load)]
    return len(uses) == count and len(stores) == 1


def _is_called_only(tree: ast.Module, name: str, count: int) -> bool:
    """Whether all mentions but one definition are calls: nobody can then ask the function for its name."""
    definitions = [n for n in ast.walk(tree) if isinstance(n, Function) and n.name == name]
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    called = [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == name]
    return len(definitions) == 1 and len(called) + 1 == count


def _is_own_member(tree: ast.Module, name: str, count: int, *, owner: ast.ClassDef, called: bool) -> bool:
    """Whether all mentions are `self.name` in the methods of one class (and calls, when it is a method)."""
    selves = [n for method in owner.body if _takes_self(method) for n in ast.walk(method)]
    own = [n for n in selves if isinstance(n, ast.Attribute) and n.attr == name and _is_self(n.value)]
    if not called:
        return len(own) == count
    calls = [n for n in selves if isinstance(n, ast.Call) and n.func in own]
    definitions = [n for n in ast.walk(tree) if isinstance(n, Function) and n.name == name]
    return len(definitions) == 1 and len(calls) == len(own) == count - 1


def _takes_self(method: ast.stmt) -> bool:
    """Whether `self` is the instance everywhere in a method."""
    if not isinstance(method, Function) or not method.args.args or method.args.args[0].arg != "self":
        return False
    inner = [n for n in ast.walk(method) if isinstance(n, ast.ClassDef)]
    others = [n for n in ast.walk(method) if isinstance(n, ast.arg) and n.arg == "self"]
    stored = any(
        isinstance(n, ast.Name) and n.id == "self" and not isinstance(n.ctx, ast.Load) for n in ast.walk(method)
    )
    return not inner and len(others) == 1 and not stored


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _has_plain_bases(owner: ast.ClassDef, source: Source, name: str) -> bool:
    """Whether nothing above a class can know or use a member of this name."""
    if owner.keywords or owner.decorator_list:
        return False
    local = {n.name: n for n in source.tree.body if isinstance(n, ast.ClassDef)}
    for base in owner.bases:
        written = base.value if isinstance(base, ast.Subscript) else base
        called = written.id if isinstance(written, ast.Name) else ""
        if called in local and local[called] is not owner and local[called].lineno < owner.lineno:
            if not _has_plain_bases(local[called], source, name):
                return False
        elif not _is_plain_base(called, name) or called in _made_here(source):
            return False
    return True


def _made_here(source: Source) -> set[str]:
    """Names that the file takes from elsewhere, those left out that say what they are."""
    aliases = (a for n in source.tree.body if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names)
    return {a.asname or a.name for a in aliases} - {"ABC", "Generic"}


def _is_plain_base(called: str, name: str) -> bool:
    known = getattr(builtins, called, None)
    is_exception = isinstance(known, type) and issubclass(known, BaseException)
    return (called in PLAIN_BASES or is_exception) and not hasattr(known, name)
