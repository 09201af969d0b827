"""What tests touch: the names they import, call, read and spell out, gathered from their syntax alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from assay.core.syntax import absolute, module_name, parse
from assay.model.tree import FileState, Tree

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
BY_NAME = frozenset({"hasattr", "getattr", "setattr", "delattr", "object"})
"""Functions (the last is `mock.patch`'s) whose second argument spells an attribute of the first."""


@dataclass(slots=True)
class Usage:
    """All that some files use; sets only, because order says nothing."""

    dotted: set[str] = field(default_factory=set)
    """Full names, as far as imports tell: `pkg.mod.name.attribute`."""
    attributes: set[str] = field(default_factory=set)
    """Every name that follows a dot."""
    keywords: dict[str, set[str]] = field(default_factory=dict)
    """Keyword argument to the last parts of the names that were called with it."""
    strings: set[str] = field(default_factory=set)
    """String constants, docstrings left out."""
    positions: dict[str, int] = field(default_factory=dict)
    """The last part of what is called to the largest number of arguments by position, spread ones not counted."""

    def calls(self, name: str, keyword: str) -> bool:
        """Whether something called `name` was called with this keyword."""
        return name in self.keywords.get(keyword, ())

    def include(self, other: Usage) -> None:
        """Take over what other code uses."""
        self.dotted |= other.dotted
        self.attributes |= other.attributes
        self.strings |= other.strings
        for keyword, called in other.keywords.items():
            self.keywords.setdefault(keyword, set()).update(called)
        for name, count in other.positions.items():
            self.positions[name] = max(count, self.positions.get(name, 0))


def usage_of(files: Mapping[str, FileState | None], tree: Tree) -> Usage:
    """What the Python files among `files` use; those that do not parse use nothing."""
    usage = Usage()
    for path in sorted(files):
        state = files[path]
        module = parse(state) if path.endswith(".py") else None
        if module is not None:
            _Collector(usage, path, module, tree).visit(module)
    return usage


def usage_of_code(code: Iterable[tuple[str, ast.AST]], files: Mapping[str, FileState | None], tree: Tree) -> Usage:
    """What some nodes use, each given with the path of its file; what the rest of a file uses is left out."""
    usage = Usage()
    collectors: dict[str, _Collector] = {}
    for path, node in code:
        if path not in collectors:
            module = parse(files.get(path))
            if module is None:
                continue
            collectors[path] = _Collector(usage, path, module, tree)
        collectors[path].visit(node)
    return usage


class _Collector(ast.NodeVisitor):
    """One file. Imports anywhere in it name things in the whole file: tests like to import inside functions."""

    def __init__(self, usage: Usage, path: str, module: ast.Module, tree: Tree) -> None:
        dotted = module_name(path, tree) or ""
        self._usage = usage
        self._package = dotted if path.endswith("__init__.py") else dotted.rpartition(".")[0]
        self._aliases: dict[str, str] = {}
        self._stars: list[str] = []
        for inner in ast.walk(module):
            if isinstance(inner, ast.Import):
                for alias in inner.names:
                    top = alias.name.partition(".")[0]
                    self._aliases[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(inner, ast.ImportFrom):
                source = absolute(inner, self._package)
                self._aliases.update({a.asname or a.name: f"{source}.{a.name}" for a in inner.names if a.name != "*"})
                self._stars += [source for a in inner.names if a.name == "*"]

    def visit_Import(self, node: ast.Import) -> None:
        self._usage.dotted |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        source = absolute(node, self._package)
        self._usage.dotted |= {f"{source}.{alias.name}" for alias in node.names if alias.name != "*"}

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self._aliases:
            self._usage.dotted.add(self._aliases[node.id])
        for star in self._stars:
            self._usage.dotted.add(f"{star}.{node.id}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._usage.attributes.add(node.attr)
        full = self._full(node)
        if full:
            self._usage.dotted.add(full)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        target = node.func
        name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
        called = {name, self._aliases.get(name, "").rpartition(".")[2]} - {""}
        if name == "partial" and node.args:  # the keywords are meant for what is wrapped
            called |= {getattr(node.args[0], "attr", getattr(node.args[0], "id", ""))}
        count = sum(not isinstance(argument, ast.Starred) for argument in node.args)
        for name in called:
            self._usage.positions[name] = max(count, self._usage.positions.get(name, 0))
        for keyword in node.keywords:
            if keyword.arg:
                self._usage.keywords.setdefault(keyword.arg, set()).update(called)
        has_default = "getattr" in called and len(node.args) > 2
        if BY_NAME & called and len(node.args) > 1 and not has_default:
            owner, spelled = node.args[:2]
            if isinstance(spelled, ast.Constant) and isinstance(spelled.value, str) and spelled.value.isidentifier():
                self.visit_Attribute(ast.Attribute(owner, spelled.value, ast.Load()))
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a bare constant is a docstring
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._usage.strings.add(node.value)
            if DOTTED.fullmatch(node.value):
                self._usage.dotted.add(node.value)

    def _full(self, node: ast.expr) -> str:
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self._aliases:
            return ""
        return ".".join([self._aliases[node.id], *reversed(parts)])
