"""The names that the hidden tests need, that the reference change brings, and that the base does not have.

Without them a prompt is a guessing game: a solution may be right and still fail for having called a parameter
something else (quality check 12, hidden names). Found by reading syntax trees only.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from assay.core.signatures import (
    base_names,
    call_shape,
    constructor_shape,
    decorator_names,
    enum_members,
    is_method,
    parameters,
)
from assay.core.syntax import Function, Program, class_members, is_test_path, module_name, parse
from assay.core.usage import Usage, usage_of
from assay.model.tree import FileState, Tree

EXCEPTION_NAME = re.compile(r"(Error|Exception|Warning)$")
OPTION = re.compile(r"--?[A-Za-z][\w-]*")
ORDINARY_ATTRIBUTES = frozenset(name for kind in (str, bytes, list, dict, set, int, float) for name in dir(kind))
MAX_MESSAGES = 8
MESSAGE_CHARACTERS = range(10, 121)


UNSAID_WORDS = 4
"""Shorter texts may be met by luck, or by following the prompt."""


@dataclass(frozen=True, slots=True)
class InterfaceItem:
    """One name, as a prompt may show it."""

    location: str
    """Dotted, as the tests reach it: `slugify.slugify`; an option or message as it is."""
    kind: str
    """`module`, `class`, `exception`, `function`, `method`, `property`, `attribute`, `constant`, `parameter`,
    `option`, `message`."""
    signature: str = ""
    """What follows the location: `(text, *, limit: int = 0) -> str`."""
    detail: str = ""
    """A few words more: bases, members."""

    @property
    def shown(self) -> str:
        """Location and signature in one."""
        return f"{self.location}{self.signature}"


def unsaid_texts(base: Tree, gold: Tree, hidden_tests: Mapping[str, FileState | None], said: str) -> tuple[str, ...]:
    """Texts that the tests expect letter by letter, that only the reference change has, and that neither the base nor
    the prompt (`said`) tells: no reader could guess them.
    """
    return tuple(_Finder(base, gold, hidden_tests).unsaid(said))


def needed_names(
    base: Tree, gold: Tree, hidden_tests: Mapping[str, FileState | None], usage: Usage | None = None
) -> tuple[InterfaceItem, ...]:
    """What the tests use and only the reference change has; sorted by location, without doubles.

    `usage` stands for what the tests use, when not all of them matter.
    """
    finder = _Finder(base, gold, hidden_tests, usage)
    found: dict[str, InterfaceItem] = {}
    for item in (*finder.reached(), *finder.members(), *finder.new_parameters(), *finder.options(), *finder.messages()):
        found.setdefault(item.shown, item)
    return tuple(_without_shadows(found.values()))


class _Finder:
    """One search. The trees are read lazily: modules nobody imports are never parsed."""

    def __init__(
        self, base: Tree, gold: Tree, hidden_tests: Mapping[str, FileState | None], usage: Usage | None = None
    ) -> None:
        self._base = Program({p: s for p, s in base.items() if p not in hidden_tests})
        self._gold = Program({p: s for p, s in gold.items() if p not in hidden_tests})
        self._usage = usage_of(hidden_tests, gold) if usage is None else usage
        self._changed = [path for path in changed_code(base, gold) if path not in hidden_tests]

    def reached(self) -> Iterator[InterfaceItem]:
        """Names that imports lead to."""
        for dotted in sorted(self._usage.dotted):
            for name in self._new_prefixes(dotted):
                item = self._item(name)
                if item:
                    yield item

    def _new_prefixes(self, dotted: str) -> Iterator[str]:
        """The shortest prefix that gold has and base has not; after a module, what is wanted of it too."""
        parts = dotted.split(".")
        for end in range(1, len(parts) + 1):
            prefix = ".".join(parts[:end])
            if self._base.defines(prefix) or (end < len(parts) and self._base.is_package_folder(prefix)):
                continue
            if self._gold.defines(prefix):
                yield prefix
                if self._gold.path_of(prefix) is None:
                    return
            elif not self._gold.is_package_folder(prefix):
                return

    def _item(self, dotted: str) -> InterfaceItem | None:
        found = self._gold.find(dotted)
        if found is None:
            path = self._gold.path_of(dotted)
            return InterfaceItem(dotted, "module") if path and not is_test_path(path) else None
        module, _, node = found
        return None if is_test_path(module.path) else describe(dotted, node)

    def members(self) -> Iterator[InterfaceItem]:
        """New members of classes, which tests reach through instances."""
        for dotted, node in self._gold_classes():
            old = self._base.find(dotted)
            known = class_members(old[2]) if old is not None and isinstance(old[2], ast.ClassDef) else {}
            for name, member in class_members(node).items():
                if name in known or name not in self._usage.attributes or self._inherited(dotted, node, name):
                    continue
                if old is None and (name in ORDINARY_ATTRIBUTES or not self._mentioned(node.name)):
                    continue
                if not (name.startswith("__") and name.endswith("__")):
                    yield describe(f"{dotted}.{name}", member, member=True)

    def _inherited(self, dotted: str, node: ast.ClassDef, name: str) -> bool:
        """Whether the base's class of that name already got the member from a parent in the same project."""
        module = dotted.rpartition(".")[0]
        return any(self._base.find(f"{module}.{parent}.{name}") is not None for parent in base_names(node))

    def _mentioned(self, name: str) -> bool:
        return name in self._usage.attributes or any(d.rpartition(".")[2] == name for d in self._usage.dotted)

    def new_parameters(self) -> Iterator[InterfaceItem]:
        """New parameters of functions that the base has already."""
        for dotted, node, old, owner in self._known_functions():
            bound = owner and is_method(node)
            known = {p.name for p in parameters(old, bound=False)}
            called = dotted.split(".")
            names = {called[-1]} if called[-1] not in ("__init__", "__new__") else {called[-2], "super"}
            new = [p.name for p in parameters(node, bound=bound) if p.name not in known and p.name[0] != "_"]
            used = [p for p in new if any(self._usage.calls(name, p) for name in names) or self._spelled(p)]
            if used:
                location = dotted if names == {called[-1]} else ".".join(called[:-1])
                yield InterfaceItem(location, "parameter", call_shape(node, bound=bound, only=used), ", ".join(used))

    def _spelled(self, parameter: str) -> bool:
        """Whether tests pass the name indirectly: as a keyword of something else, or as a key."""
        return len(parameter) > 3 and (parameter in self._usage.keywords or parameter in self._usage.strings)

    def options(self) -> Iterator[InterfaceItem]:
        """Command-line options that the change declares and the tests type."""
        typed = {word.partition("=")[0] for text in self._usage.strings for word in text.split()}
        old = {text for path in self._changed for text in _strings(self._base.tree.get(path))}
        for path in self._changed:
            for text in sorted(_strings(self._gold.tree.get(path)) - old):
                for option in OPTION.findall(text) if text.startswith("-") else ():
                    if option in typed and text.split("/")[0] == option:
                        yield InterfaceItem(option, "option")

    def messages(self) -> Iterator[InterfaceItem]:
        """Texts that the tests compare letter by letter and that only the change contains."""
        expected, count = self._expected(), 0
        for text in self._new_texts():
            is_message = len(text) in MESSAGE_CHARACTERS and "\n" not in text and "`" not in text
            if is_message and count < MAX_MESSAGES and any(text in e and len(e) < 400 for e in expected):
                count += 1
                yield InterfaceItem(text, "message")

    def unsaid(self, said: str) -> Iterator[str]:
        """Texts of the change, of several words, that tests expect whole and that nobody has said."""
        # One text to search in, so that many texts on either side cost no more than reading them all.
        expected, flat = "\0".join(" ".join(e.split()) for e in self._expected()), " ".join(said.split())
        for text in self._new_texts():
            words = " ".join(text.split())
            long = len(words) >= min(MESSAGE_CHARACTERS) and len(words.split()) >= UNSAID_WORDS
            if long and words not in flat and words in expected:
                yield words

    def _expected(self) -> list[str]:
        return [re.sub(r"\\([^\w\s])", r"\1", text) for text in self._usage.strings]

    def _new_texts(self) -> list[str]:
        old = {text for path in self._changed for text in _strings(self._base.tree.get(path))}
        new = {text for path in self._changed for text in _strings(self._gold.tree.get(path))} - old
        return sorted(text for piece in new if " " in (text := piece.strip()))

    def _gold_classes(self) -> Iterator[tuple[str, ast.ClassDef]]:
        for dotted in self._changed_modules():
            module = self._gold.module(dotted)
            for name, node in (module.definitions if module else {}).items():
                if isinstance(node, ast.ClassDef):
                    yield f"{dotted}.{name}", node

    def _known_functions(self) -> Iterator[tuple[str, Function, Function, bool]]:
        for dotted in self._changed_modules():
            module = self._gold.module(dotted)
            for name, node in (module.definitions if module else {}).items():
                yield from self._pair(f"{dotted}.{name}", node, False)
                if isinstance(node, ast.ClassDef):
                    for member, inner in class_members(node).items():
                        yield from self._pair(f"{dotted}.{name}.{member}", inner, True)

    def _pair(self, dotted: str, node: ast.AST, owner: bool) -> Iterator[tuple[str, Function, Function, bool]]:
        old = self._base.find(dotted) if isinstance(node, Function) else None
        if isinstance(node, Function) and old is not None and isinstance(old[2], Function):
            yield dotted, node, old[2], owner

    def _changed_modules(self) -> Iterator[str]:
        for path in self._changed:
            dotted = module_name(path, self._gold.tree)
            if dotted:
                yield dotted


def describe(dotted: str, node: ast.AST, *, member: bool = False) -> InterfaceItem:
    """A definition as an item: what it is and how it is called."""
    if isinstance(node, ast.ClassDef):
        return _class_item(dotted, node)
    if isinstance(node, Function):
        if member and decorator_names(node) & {"property", "cached_property"}:
            return InterfaceItem(dotted, "property")
        inside = member or dotted.rpartition(".")[0].rpartition(".")[2][:1].isupper()
        shape = call_shape(node, bound=inside and is_method(node))
        return InterfaceItem(dotted, "method" if inside else "function", shape)
    last = dotted.rpartition(".")[2]
    return InterfaceItem(dotted, "constant" if last.isupper() else "attribute")


def _class_item(dotted: str, node: ast.ClassDef) -> InterfaceItem:
    bases = base_names(node)
    if EXCEPTION_NAME.search(node.name) or any(EXCEPTION_NAME.search(base) for base in bases):
        parents = ", ".join(f"`{base}`" for base in bases)
        return InterfaceItem(dotted, "exception", "", f"a subclass of {parents}" if parents else "")
    members = enum_members(node)
    if members:
        listed = ", ".join(f"`{name}`" for name in members[:12])
        return InterfaceItem(dotted, "class", "", f"an enumeration with {listed}")
    return InterfaceItem(dotted, "class", constructor_shape(node))


def changed_code(base: Tree, gold: Tree) -> list[str]:
    """Python files that the change brings or alters, tests left out."""
    return sorted(
        path
        for path, state in gold.items()
        if path.endswith(".py") and base.get(path) != state and not is_test_path(path)
    )


def new_strings(base: Tree, gold: Tree) -> set[str]:
    """String constants that the code of the change has and that of the same files before it has not."""
    changed = changed_code(base, gold)
    old = {text for path in changed for text in _strings(base.get(path))}
    return {text for path in changed for text in _strings(gold.get(path))} - old


def _strings(state: FileState | None) -> set[str]:
    """String constants of a file, also the constant parts of f-strings; docstrings left out."""
    tree = parse(state)
    if tree is None:
        return set()
    documentation = {id(s.value) for s in ast.walk(tree) if isinstance(s, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
    }


def _without_shadows(items: Iterable[InterfaceItem]) -> list[InterfaceItem]:
    """Drop names that are the same thing found elsewhere: a re-export tells more than the place of definition."""
    listed = sorted(items, key=lambda item: (item.kind in ("option", "message"), item.location, item.shown))
    shortest: dict[tuple[str, str, str], int] = {}
    for item in listed:
        key = _likeness(item)
        shortest[key] = min(shortest.get(key, len(item.location)), len(item.location))
    doubled = ("class", "exception", "function")
    return [i for i in listed if i.kind not in doubled or len(i.location) == shortest[_likeness(i)]]


def _likeness(item: InterfaceItem) -> tuple[str, str, str]:
    return item.kind, item.location.rpartition(".")[2], item.signature
