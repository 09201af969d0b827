"""Which code of the hidden tests the tests at stake run: their own, and what they call, request and refer to.

Read from syntax alone. Only hidden files count: what other tests say is in the base, for everybody to read. Of code
that runs because a file is imported, only names can fail a test: an import that is not there fails them all.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from assay.core.syntax import Function, Program, absolute, module_name, parse
from assay.model.tree import FileState, Tree

SET_UP = re.compile(r"(?:async)?(?:setup|teardown)_?(?:method|class|module|function)?", re.IGNORECASE)
"""Methods and functions that a framework calls around a test."""
IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "AttributeError", "Exception"})


@dataclass(frozen=True, slots=True)
class Piece:
    """Some code that runs when a test runs."""

    path: str
    node: ast.AST
    test: str
    """The id of the first test at stake that runs it."""
    imported: bool = False
    """It runs when the file is imported, and for no test in particular."""


@dataclass(slots=True)
class _File:
    """One hidden file, by what it defines."""

    path: str
    module: ast.Module
    package: str
    definitions: dict[str, ast.stmt] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    """Local name to the dotted name that it stands for."""


def pieces(hidden: Mapping[str, FileState | None], tree: Tree, test_ids: Sequence[str]) -> tuple[Piece, ...]:
    """The code of hidden files that these tests run; `tree` is the repository with the hidden tests in it."""
    walk = _Walk(hidden, tree)
    for test_id in test_ids:
        walk.start(test_id)
    return tuple(walk.found)


def function_of(module: ast.Module, names: Sequence[str]) -> tuple[list[ast.ClassDef], Function] | None:
    """The function that `Class`, `name` lead to, with the classes around it; None when there is none."""
    body: Sequence[ast.stmt] = module.body
    classes: list[ast.ClassDef] = []
    for name in names[:-1]:
        inner = next((s for s in flat(body) if isinstance(s, ast.ClassDef) and s.name == name), None)
        if inner is None:
            return None
        classes.append(inner)
        body = inner.body
    found = [s for s in flat(body) if isinstance(s, Function) and s.name == names[-1]]
    return (classes, found[-1]) if found else None


def flat(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements and those inside `if`, `try`, `with` and loops; not those of functions and classes."""
    for statement in body:
        yield statement
        if not isinstance(statement, Function | ast.ClassDef):
            for name in ("body", "orelse", "finalbody"):
                yield from flat(getattr(statement, name, []))
            for handler in getattr(statement, "handlers", []):
                yield from flat(handler.body)


class _Walk:
    """One search, breadth of every test in turn; each node is found once, for the first test that runs it."""

    def __init__(self, hidden: Mapping[str, FileState | None], tree: Tree) -> None:
        self.found: list[Piece] = []
        self._seen: set[int] = set()
        self._program = Program(tree)
        self._files: dict[str, _File] = {}
        for path in sorted(hidden):
            module = parse(hidden[path]) if path.endswith(".py") else None
            if module is not None:
                self._files[path] = _read(path, module, tree)

    def start(self, test_id: str) -> None:
        """Follow one test."""
        path, *names = test_id.partition("[")[0].split("::")
        file = self._files.get(path)
        # Names in square brackets can hold anything, colons too.
        at = function_of(file.module, names) if file and names else None
        for name, other in self._files.items():
            if name == path or name in _conftests(path):
                self._import(other, test_id)
        if file is None:
            return
        if at is None:
            at = self._inherited(file, names) if names else None
        if at is not None:
            classes, function = at
            self._function(file, classes, function, test_id)

    def _inherited(self, file: _File, names: Sequence[str]) -> tuple[list[ast.ClassDef], Function] | None:
        """A test that a class takes over from another class of the file."""
        if len(names) != 2 or not isinstance(owner := file.definitions.get(names[0]), ast.ClassDef):
            return None
        for above in self._parents(file, owner):
            for statement in above.body:
                if isinstance(statement, Function) and statement.name == names[1]:
                    return [owner], statement
        return None

    def _import(self, file: _File, test_id: str) -> None:
        """What runs when the file is imported: imports, decorators, class bodies; no function's body."""
        if id(file.module) in self._seen:
            return
        self._seen.add(id(file.module))
        for node in _on_import(file.module.body):
            self.found.append(Piece(file.path, node, test_id, imported=True))
        for statement in file.module.body:
            if isinstance(statement, Function) and (SET_UP.fullmatch(statement.name) or _is_autouse(statement)):
                self._function(file, [], statement, test_id)

    def _function(self, file: _File, classes: list[ast.ClassDef], function: Function, test_id: str) -> None:
        if id(function) in self._seen:
            return
        self._add(file, classes, function, test_id)
        for owner in classes:
            for above in (owner, *self._parents(file, owner)):
                for decorator in above.decorator_list:
                    self._add(file, classes, decorator, test_id)
                for member in above.body:
                    if isinstance(member, Function) and (SET_UP.fullmatch(member.name) or _is_autouse(member)):
                        self._add(file, [above], member, test_id)

    def _add(self, file: _File, classes: list[ast.ClassDef], node: ast.AST, test_id: str) -> None:
        """Take a node, and all that it refers to."""
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        self.found.append(Piece(file.path, node, test_id))
        names, own = _referred(node)
        for name in sorted(names):
            self._follow(file, classes, name, test_id)
        for owner in classes:
            for above in (owner, *self._parents(file, owner)):
                for member in above.body:
                    if own & set(_bound(member)):
                        self._add(file, [owner], member, test_id)

    def _follow(self, file: _File, classes: list[ast.ClassDef], name: str, test_id: str) -> None:
        for owner in classes:  # fixtures of the class
            for member in owner.body:
                if isinstance(member, Function) and member.name == name:
                    self._add(file, [owner], member, test_id)
        if name in file.definitions:
            self._define(file, file.definitions[name], test_id)
        elif name in file.imports:
            self._elsewhere(file.imports[name], test_id)
        else:
            for conftest in _conftests(file.path):
                other = self._files.get(conftest)
                if other is not None and name in other.definitions:
                    self._define(other, other.definitions[name], test_id)
                    return

    def _define(self, file: _File, node: ast.stmt, test_id: str) -> None:
        self._add(file, [node] if isinstance(node, ast.ClassDef) else [], node, test_id)

    def _elsewhere(self, dotted: str, test_id: str) -> None:
        """A name that another hidden file defines."""
        module, _, name = dotted.rpartition(".")
        for candidate in (module, dotted):
            file = self._files.get(self._program.path_of(candidate) or "")
            if file is not None:
                self._import(file, test_id)
                if candidate == module and name in file.definitions:
                    self._define(file, file.definitions[name], test_id)
                return

    def _parents(self, file: _File, owner: ast.ClassDef, depth: int = 5) -> Iterator[ast.ClassDef]:
        for base in owner.bases if depth else ():
            found = file.definitions.get(base.id) if isinstance(base, ast.Name) else None
            if isinstance(found, ast.ClassDef) and found is not owner:
                yield found
                yield from self._parents(file, found, depth - 1)


def _read(path: str, module: ast.Module, tree: Tree) -> _File:
    dotted = module_name(path, tree) or ""
    package = dotted if path.endswith("__init__.py") else dotted.rpartition(".")[0]
    file = _File(path, module, package)
    for statement in flat(module.body):
        for name in _bound(statement):
            file.definitions.setdefault(name, statement)
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom):
            source = absolute(node, package)
            # A test folder without a package is on the path itself.
            near = "/".join([*path.split("/")[:-1], *source.split(".")]).replace("/", ".")
            known = source if Program(tree).path_of(source) or not package else near
            file.imports.update({a.asname or a.name: f"{known}.{a.name}" for a in node.names})
        elif isinstance(node, ast.Import):
            file.imports.update({a.asname or a.name.partition(".")[0]: a.name for a in node.names})
    return file


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, Function | ast.ClassDef):
        yield statement.name
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    for target in targets if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign) else ():
        if target is not None:
            yield from (leaf.id for leaf in ast.walk(target) if isinstance(leaf, ast.Name))


def _referred(node: ast.AST) -> tuple[set[str], set[str]]:
    """Names that a node uses (its parameters are fixtures), and what it reads of `self` and `cls`."""
    names: set[str] = set()
    own: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            names.add(inner.id)
        elif isinstance(inner, ast.arg):
            names.add(inner.arg)
        elif isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
            if inner.value.id in ("self", "cls"):
                own.add(inner.attr)
        elif isinstance(inner, ast.Call) and getattr(inner.func, "attr", "") in ("usefixtures", "getfixturevalue"):
            names |= {a.value for a in inner.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return names, own


def _is_autouse(function: Function) -> bool:
    return any(
        keyword.arg == "autouse" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Call)
        for keyword in decorator.keywords
    )


def _on_import(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    for statement in body:
        if isinstance(statement, Function):
            yield from statement.decorator_list
            yield from (d for d in (*statement.args.defaults, *statement.args.kw_defaults) if d is not None)
        elif isinstance(statement, ast.ClassDef):
            yield from (*statement.decorator_list, *statement.bases, *(k.value for k in statement.keywords))
            yield from _on_import(statement.body)
        elif isinstance(statement, ast.If):
            yield statement.test
            if "TYPE_CHECKING" not in ast.unparse(statement.test):
                yield from _on_import(statement.body)
            yield from _on_import(statement.orelse)
        elif isinstance(statement, ast.Try):
            if not any(_forgives(handler) for handler in statement.handlers):
                yield from _on_import(statement.body)
            yield from _on_import([*statement.orelse, *statement.finalbody])
        else:
            yield statement


def _forgives(handler: ast.ExceptHandler) -> bool:
    """Whether a handler makes do without a name that could not be imported."""
    if handler.type is None:
        return True
    return any(getattr(n, "id", "") in IMPORT_ERRORS for n in ast.walk(handler.type))


def _conftests(path: str) -> tuple[str, ...]:
    """The conftest files above a test, nearest first."""
    folders = path.split("/")[:-1]
    return tuple("/".join([*folders[:depth], "conftest.py"]) for depth in range(len(folders), -1, -1))
