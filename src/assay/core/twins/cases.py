"""Where the tests of a report are written: from a test id to the function in its file."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from assay.core.twins.text import Source

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = ast.Module | ast.ClassDef
MAX_DEPTH = 8
"""Of inheritance."""


@dataclass(slots=True)
class Case:
    """A function that some tests run; several when it is parametrised or inherited."""

    path: str
    function: Function
    scopes: tuple[ast.ClassDef, ...]
    """The classes around it, outermost first."""
    ids: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Names the function within its task."""
        names = [scope.name for scope in self.scopes]
        return "::".join([self.path, *names, f"{self.function.name}@{self.function.lineno}"])


def stem(test_id: str) -> str:
    """A test id without its parameters."""
    return test_id.partition("[")[0]


class Library:
    """The Python files that tests are written in, parsed when first looked at."""

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self.read = read
        self._sources: dict[str, Source | None] = {}
        self.problems: dict[str, str] = {}

    def source(self, path: str) -> Source | None:
        """A parsed file; None when there is no such file or it cannot be parsed (then `problems` says why)."""
        if path not in self._sources:
            data = self.read(path)
            try:
                self._sources[path] = Source(data) if data is not None else None
            except (SyntaxError, ValueError, RecursionError) as error:
                self._sources[path] = None
                self.problems[path] = f"{path} cannot be parsed: {str(error).splitlines()[0][:100]}"
        return self._sources[path]

    def find(self, test_id: str) -> Case | None:
        """The function behind a test id without parameters."""
        path, *names = test_id.split("::")
        source = self.source(path)
        if source is None or not names:
            return None
        place = _Place(path, source.tree, ())
        for name in names[:-1]:
            inner = _last(place.scope, name, ast.ClassDef)
            if isinstance(inner, ast.ClassDef):
                place = _Place(path, inner, (*place.scopes, inner))
                continue
            imported = self._base(path, ast.Name(name), 0) if isinstance(place.scope, ast.Module) else None
            if imported is None:
                return None
            place = imported
        return self._inherited(place, names[-1], depth=0)

    def _inherited(self, place: _Place, name: str, *, depth: int) -> Case | None:
        function = _last(place.scope, name, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            return Case(place.path, function, place.scopes)
        if depth > MAX_DEPTH:
            return None
        if isinstance(place.scope, ast.Module):
            return self._imported_function(place.path, place.scope, name, depth)
        for base in place.scope.bases:
            parent = self._base(place.path, base, depth)
            case = self._inherited(parent, name, depth=depth + 1) if parent else None
            if case:
                return case
        return None

    def _imported_function(self, path: str, tree: ast.Module, name: str, depth: int) -> Case | None:
        for other in self._imported(path, tree, ast.Name(name)):
            source = self.source(other)
            case = self._inherited(_Place(other, source.tree, ()), name, depth=depth + 1) if source else None
            if case:
                return case
        return None

    def _base(self, path: str, base: ast.expr, depth: int) -> _Place | None:
        """Where a base class is defined: in this file or in one that it imports the class from."""
        source = self.source(path)
        name = base.id if isinstance(base, ast.Name) else base.attr if isinstance(base, ast.Attribute) else ""
        if source is None or depth > MAX_DEPTH:
            return None
        parent = _last(source.tree, name, ast.ClassDef) if isinstance(base, ast.Name) else None
        if isinstance(parent, ast.ClassDef):
            return _Place(path, parent, (parent,))
        for other in self._imported(path, source.tree, base):
            found = self._base(other, ast.Name(name), depth + 1)
            if found:
                return found
        return None

    def _imported(self, path: str, tree: ast.Module, base: ast.expr) -> Iterator[str]:
        wanted = base.value.id if isinstance(base, ast.Attribute) and isinstance(base.value, ast.Name) else None
        parents = path.split("/")[:-1]
        # Whatever is above may be on the path: where pytest found the top of the package, or was told to look.
        folders = ["", *("/".join(parents[:n]) + "/" for n in range(len(parents), 0, -1))]
        for statement in _statements(tree.body):
            if isinstance(statement, ast.ImportFrom):
                names = {alias.asname or alias.name: alias.name for alias in statement.names}
                level = statement.level
                above = parents[: len(parents) - (level - 1)] if level else []
                stem = "/".join([*[p for p in above if p], *(statement.module or "").split(".")]).strip("/")
                inner = names.get(wanted or "")
                stems = [f"{stem}/{inner}".strip("/")] if inner else [stem] if wanted is None else []
            elif isinstance(statement, ast.Import) and wanted:
                stems = [a.name.replace(".", "/") for a in statement.names if (a.asname or a.name) == wanted]
            else:
                continue
            for found in stems:
                for prefix in folders:
                    for ending in (".py", "/__init__.py"):
                        candidate = f"{prefix}{found}{ending}".lstrip("/")
                        if candidate != path and self.source(candidate):
                            yield candidate


@dataclass(frozen=True, slots=True)
class _Place:
    """A scope of a file, and the classes that lead to it."""

    path: str
    scope: Scope
    scopes: tuple[ast.ClassDef, ...]


def cases_of(library: Library, ids: Iterable[str]) -> tuple[list[Case], dict[str, str]]:
    """The functions behind these ids, and the reason for each id that has none."""
    found: dict[str, Case | None] = {}
    by_function: dict[int, Case] = {}
    missing: dict[str, str] = {}
    for test_id in ids:
        name = stem(test_id)
        if name not in found:
            found[name] = library.find(name)
        case = found[name]
        if case is None:
            path = name.partition("::")[0]
            missing[test_id] = library.problems.get(path, "not written as a function of the tests")
            continue
        by_function.setdefault(id(case.function), case).ids.append(test_id)
    return list(by_function.values()), missing


def _last(scope: Scope, name: str, kind: type | object) -> ast.stmt | None:
    """The last definition of a name in a scope, also below its `if`, `try` and `with`: the one that counts."""
    found = None
    for statement in _statements(scope.body):
        if isinstance(statement, kind) and getattr(statement, "name", None) == name:  # type: ignore[arg-type]
            found = statement
    return found


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            yield from _statements(statement.body)
            yield from _statements(getattr(statement, "orelse", []))
            for handler in getattr(statement, "handlers", []):
                yield from _statements(handler.body)
