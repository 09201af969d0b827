"""Reading Python source as names: what modules define and what they take over from each other, without running them.

Files are hostile or merely old: whatever does not decode or parse is as if it were absent.
"""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from assay.model.tree import FileState, Tree

SOURCE_ROOTS = ("", "src/", "lib/", "python/", "source/")
"""Folders that stand on the path rather than in a module's name."""

MAX_SOURCE_BYTES = 2_000_000
MAX_HOPS = 12
"""How many re-exports are followed; a circle of imports ends here."""

TEST_FOLDERS = frozenset({"test", "tests", "testing", "unittests", "test_suite"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


def decode(data: bytes) -> str | None:
    """The text of a source file by its own declaration (PEP 263), or None."""
    if len(data) > MAX_SOURCE_BYTES:
        return None
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError, ValueError):
        return None


def parse(state: FileState | None) -> ast.Module | None:
    """The syntax tree of a regular file; None for Python 2, nonsense and links."""
    if state is None or state.mode == "120000":
        return None
    text = decode(state.data)
    if text is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's strings are not our news
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_test_path(path: str) -> bool:
    """Whether a path looks like a test or belongs to tests, by name alone."""
    *folders, name = path.split("/")
    return (
        any(folder.lower() in TEST_FOLDERS for folder in folders)
        or name.startswith("test_")
        or name.endswith("_test.py")
        or name in ("conftest.py", "tests.py", "test.py")
    )


def module_name(path: str, tree: Tree) -> str | None:
    """The dotted name under which a file is imported, or None when it cannot be."""
    if not path.endswith(".py"):
        return None
    for root in SOURCE_ROOTS[1:]:
        if path.startswith(root) and f"{root}__init__.py" not in tree:
            path = path.removeprefix(root)
            break
    parts = path.removesuffix(".py").split("/")
    if parts[-1] == "__init__":
        parts.pop()
    if not parts or not all(part.isidentifier() for part in parts):
        return None
    return ".".join(parts)


@dataclass(slots=True)
class ModuleNames:
    """What one module defines at its top level and what it imports from elsewhere."""

    path: str
    name: str
    definitions: dict[str, ast.AST] = field(default_factory=dict)
    """Functions, classes, and the statements that assign other names."""
    imports: dict[str, str] = field(default_factory=dict)
    """Local name to the dotted name that it stands for."""
    stars: list[str] = field(default_factory=list)


class Program:
    """The modules of a tree, parsed when somebody asks for them."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._modules: dict[str, ModuleNames | None] = {}
        self._members: dict[int, dict[str, ast.AST]] = {}

    def path_of(self, dotted: str) -> str | None:
        """The file of a module or package; None when there is none."""
        stem = dotted.replace(".", "/")
        for root in SOURCE_ROOTS:
            for path in (f"{root}{stem}/__init__.py", f"{root}{stem}.py"):
                if path in self.tree:
                    return path
        return None

    def is_package_folder(self, dotted: str) -> bool:
        """Whether the name is a folder with Python files: a namespace package."""
        stem = dotted.replace(".", "/") + "/"
        prefixes = tuple(root + stem for root in SOURCE_ROOTS)
        return any(path.startswith(prefixes) and path.endswith(".py") for path in self.tree)

    def module(self, dotted: str) -> ModuleNames | None:
        """The names of a module, or None."""
        if dotted not in self._modules:
            path = self.path_of(dotted)
            tree = parse(self.tree[path]) if path else None
            self._modules[dotted] = _names(tree, dotted, path) if tree is not None and path else None
        return self._modules[dotted]

    def defines(self, dotted: str) -> bool:
        """Whether a dotted name is a module, or reachable from one by definitions and imports."""
        return self.path_of(dotted) is not None or self.find(dotted) is not None

    def find(self, dotted: str, hops: int = MAX_HOPS) -> tuple[ModuleNames, str, ast.AST] | None:
        """The module, the name inside it and the statement that define a dotted name (`pkg.mod.Class.member`)."""
        parts = dotted.split(".")
        for cut in range(len(parts) - 1, 0, -1):
            module = self.module(".".join(parts[:cut]))
            if module is not None:
                return self._inside(module, parts[cut:], hops)
        return None

    def _inside(self, module: ModuleNames, rest: list[str], hops: int) -> tuple[ModuleNames, str, ast.AST] | None:
        head, *members = rest
        node = module.definitions.get(head)
        if node is None:
            return self._elsewhere(module, rest, hops - 1) if hops > 0 else None
        name = head
        for member in members:
            inner = self._members_of(node).get(member) if isinstance(node, ast.ClassDef) else None
            if inner is None:
                return None
            node, name = inner, f"{name}.{member}"
        return module, name, node

    def _members_of(self, node: ast.ClassDef) -> dict[str, ast.AST]:
        if id(node) not in self._members:  # the modules are kept, so that no other node gets this id
            self._members[id(node)] = class_members(node)
        return self._members[id(node)]

    def _elsewhere(self, module: ModuleNames, rest: list[str], hops: int) -> tuple[ModuleNames, str, ast.AST] | None:
        target = module.imports.get(rest[0])
        if target is not None:
            return self.find(".".join([target, *rest[1:]]), hops)
        for star in module.stars:
            found = self.find(".".join([star, *rest]), hops)
            if found is not None:
                return found
        return None


def class_members(node: ast.ClassDef) -> dict[str, ast.AST]:
    """Methods, class attributes and `self.x = ...` of a class, by name, in order of appearance."""
    members: dict[str, ast.AST] = {}
    for statement in node.body:
        for name, defined in bound_names(statement):
            members.setdefault(name, defined)
    for method in node.body:
        if isinstance(method, Function):
            for inner in ast.walk(method):
                for name in _own_attributes(inner):
                    members.setdefault(name, inner)
    return members


def _own_attributes(node: ast.AST) -> Iterator[str]:
    for target in _targets(node):
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
            yield target.attr


def bound_names(statement: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    """Names that a statement binds where it stands, imports left out; looks into `if`, `try` and `with`."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name, statement
    for target in _targets(statement):
        for leaf in ast.walk(target):
            if isinstance(leaf, ast.Name):
                yield leaf.id, statement
    for inner in _nested(statement):
        yield from bound_names(inner)


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    if isinstance(node, ast.AnnAssign):
        return [node.target]
    return []


def _nested(statement: ast.stmt) -> Iterator[ast.stmt]:
    if isinstance(statement, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
        for group in ("body", "orelse", "finalbody"):
            yield from getattr(statement, group, [])
        for handler in getattr(statement, "handlers", []):
            yield from handler.body


def _names(tree: ast.Module, dotted: str, path: str) -> ModuleNames:
    names = ModuleNames(path, dotted)
    package = dotted if path.endswith("__init__.py") else dotted.rpartition(".")[0]
    for statement in _flat(tree.body):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                top = alias.name.partition(".")[0]
                names.imports[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(statement, ast.ImportFrom):
            source = absolute(statement, package)
            for alias in statement.names:
                if alias.name == "*":
                    names.stars.append(source)
                else:
                    names.imports[alias.asname or alias.name] = f"{source}.{alias.name}"
        else:
            for name, node in bound_names(statement):
                names.definitions.setdefault(name, node)
    return names


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        yield from (
            inner for inner in _flat(list(_nested(statement))) if isinstance(inner, (ast.Import, ast.ImportFrom))
        )


def absolute(statement: ast.ImportFrom, package: str) -> str:
    """The dotted name that a `from` import reads from, relative dots resolved against `package`."""
    if not statement.level:
        return statement.module or ""
    parts = package.split(".") if package else []
    parts = parts[: len(parts) - statement.level + 1] if statement.level > 1 else parts
    return ".".join([*parts, *([statement.module] if statement.module else [])])
