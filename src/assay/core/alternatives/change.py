"""What a rewrite must know of the task around it: who else mentions a name, and what the prompt says."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise

from assay.core.alternatives.source import Source, listed, read_source
from assay.core.syntax import decode, is_test_path, parse
from assay.model.tree import FileState, Tree

LINK = "120000"
NOT_REWRITTEN = re.compile(
    r"(?:^|/)(?:setup|conf|conftest|noxfile|tasks|versioneer)\.py$|(?:^|/)(?:docs?|examples?|bench\w*|tools|scripts)/"
)
CONFIGURATION = re.compile(r"(?:^|/)(?:pyproject\.toml|pytest\.ini|tox\.ini|setup\.cfg|pytest\.toml|conftest\.py)$")
FILTER = re.compile(r"\b(?:ignore|error|default|always|module|once):([^:\"'\n]+)")
MAX_TEXT_BYTES = 1_000_000
WINDOW = 3
"""So many words in a row are a quotation."""
WORD = re.compile(r"[^\W_][\w-]*|_\w+")


STOP = listed(
    "a an the is are be been was were must not no of to in on for and or with by from at as it its this that should "
    "can cannot could have has had will would if than when while but only any all you your use used using "
    "does do did may might because so such one two"
)
"""Words that stand in any text, and tell nothing about what it says."""
LOOKUPS = frozenset({"getattr", "hasattr", "setattr", "delattr"})


SEARCHES = listed("startswith endswith search match fullmatch find index count split partition replace sub")


class Change:
    """A reference change: the repository on both sides, what the prompt says, and the tests that will judge."""

    def __init__(
        self,
        base: Tree,
        gold: Tree,
        changed: Mapping[str, FileState | None],
        prompt: str,
        tests: Mapping[str, FileState | None],
    ) -> None:
        self.base, self.gold, self.prompt = base, gold, prompt
        self._changed, self._tests = changed, tests

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The changed Python files that can be rewritten, tests left out; sorted by path."""
        paths = (p for p in sorted(self._changed) if p.endswith(".py") and not is_test_path(p))
        read = (
            read_source(p, self.base.get(p), self.gold.get(p))
            for p in paths
            if not NOT_REWRITTEN.search(p) and p not in self._tests
        )
        return tuple(source for source in read if source is not None)

    @cached_property
    def prompt_words(self) -> tuple[str, ...]:
        """The prompt's words, in lower case."""
        return words(self.prompt)

    @cached_property
    def _prompt_windows(self) -> frozenset[tuple[str, ...]]:
        return windows(self.prompt_words)

    @cached_property
    def _base_texts(self) -> tuple[tuple[str, ...], ...]:
        """The words of all that the base says: its files, and the string constants of its code, put together."""
        parts = []
        for path, state in self.base.items():
            if state.mode == LINK or len(state.data) > MAX_TEXT_BYTES or b"\0" in state.data[:8000]:
                continue
            parts.append(words(decode(state.data) or state.data.decode("utf-8", "replace")))
            tree = parse(state) if path.endswith(".py") else None
            if tree is not None:
                constants = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant))
                parts += [words(constant) for constant in constants if isinstance(constant, str)]
        return tuple(parts)

    @cached_property
    def _base_windows(self) -> frozenset[tuple[str, ...]]:
        """What the base says, three words at a time, but for those that stand in any text."""
        found = (window for part in self._base_texts for window in windows(part))
        return frozenset(window for window in found if not STOP.issuperset(window))

    def is_told(self, text: str) -> bool:
        """Whether the prompt or the base has three words in a row of a text, or the prompt all of its words: a
        solution may well keep to what it was told, or leave as it is what the base says.
        """
        said = words(text)
        return (
            not windows(said).isdisjoint(self._prompt_windows | self._base_windows)
            or set(said) <= set(self.prompt_words)
            or (1 < len(said) < WINDOW and any(said in _pairs(part) for part in self._base_texts))
        )

    @cached_property
    def _filters(self) -> tuple[re.Pattern[str], ...]:
        """The texts of warnings that configuration treats in a way of its own."""
        found = []
        for tree in (self.base, self.gold, self._tests):
            for path, state in tree.items():
                if state is not None and CONFIGURATION.search(path):
                    for text in FILTER.findall(decode(state.data) or ""):
                        try:
                            found.append(re.compile(text.strip().replace("\\\\", "\\"), re.IGNORECASE))
                        except re.error:
                            found.append(re.compile(re.escape(text.strip()), re.IGNORECASE))
        return tuple(found)

    def is_filtered(self, text: str) -> bool:
        """Whether configuration names this warning by its text."""
        return any(pattern.match(text) for pattern in self._filters)

    def says(self, name: str) -> bool:
        """Whether the prompt mentions a name."""
        return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", self.prompt) is not None

    def is_only_in(self, name: str, path: str) -> bool:
        """Whether a name is new, and no file but this one mentions it: the hidden tests are not asked."""
        pattern = re.compile(rb"(?<!\w)" + re.escape(name.encode()) + rb"(?!\w)")
        if self.says(name) or any(pattern.search(state.data) for state in self.base.values()):
            return False
        return all(other == path or not pattern.search(state.data) for other, state in self.gold.items())

    def is_pieced_together(self, name: str) -> bool:
        """Whether some code may make up the name from parts, as in `getattr(self, "_parse_" + kind)`."""
        if any(name[:n] in self._private_texts for n in range(2, len(name))):
            return True
        return "_" in self._private_texts and self._looks_names_up

    @cached_property
    def _looks_names_up(self) -> bool:
        """Whether the program asks for attributes by a name that it computes."""
        calls = (n for tree in self._program for n in ast.walk(tree) if isinstance(n, ast.Call))
        return any(
            isinstance(c.func, ast.Name)
            and (c.func.id in ("globals", "vars") or (c.func.id in LOOKUPS and not _is_text(c.args[1:2])))
            for c in calls
        ) or self.reads("__dict__", "attrgetter", "methodcaller")

    @cached_property
    def _private_texts(self) -> frozenset[str]:
        """String constants of the program that could be the beginning of a private name."""
        return frozenset(
            node.value
            for tree in self._program
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"_\w*", node.value)
        ) | frozenset(
            text
            for tree in self._program
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            for text in re.findall(r"^(_\w*)[%{]", node.value)
        )

    @cached_property
    def _program(self) -> tuple[ast.Module, ...]:
        """All modules of the repository but tests."""
        paths = (p for p in self.gold if p.endswith(".py") and not is_test_path(p))
        return tuple(tree for p in paths if (tree := parse(self.gold[p])) is not None)

    def is_consumed(self, text: str, instead: str) -> bool:
        """Whether the program itself looks for this text, or for a part of it that the text instead does not have:
        then it is no message for people alone.
        """
        return any(text in other for other in self._other_texts) or any(
            part in text and part not in instead for part in self._looked_for
        )

    @cached_property
    def _other_texts(self) -> frozenset[str]:
        """String constants of the program that are no part of a `raise` or a warning."""
        found = set[str]()
        for tree in self._program:
            pending: list[ast.AST] = [tree]
            while pending:
                node = pending.pop()
                if isinstance(node, ast.Raise) or is_warning(node):
                    continue
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
                pending += ast.iter_child_nodes(node)
        return frozenset(found)

    @cached_property
    def _looked_for(self) -> frozenset[str]:
        """String constants that the program compares something with, or searches for."""
        found = set[str]()
        for tree in self._program:
            for node in ast.walk(tree):
                match node:
                    case ast.Compare(left=left, comparators=others):
                        parts = [left, *others]
                    case ast.Call(func=ast.Attribute(attr=name), args=parts) if name in SEARCHES:
                        pass
                    case _:
                        continue
                constants = (n for part in parts for n in ast.walk(part) if isinstance(n, ast.Constant))
                found |= {c.value for c in constants if isinstance(c.value, str) and len(c.value) >= WINDOW}
        return frozenset(found)

    def reads(self, *names: str) -> bool:
        """Whether the program or the hidden tests mention one of these names anywhere."""
        pattern = re.compile(rb"\b(?:" + b"|".join(re.escape(name.encode()) for name in names) + rb")\b")
        program = (s for p, s in self.gold.items() if p.endswith((".py", ".pyx", ".pyi")))
        tests = (s for s in self._tests.values() if s is not None)
        return any(pattern.search(state.data) for state in (*program, *tests))


def is_warning(node: ast.AST) -> bool:
    """Whether a node is a call that warns."""
    match node:
        case ast.Call(func=ast.Name(id="warn") | ast.Attribute(value=ast.Name(id="warnings"), attr="warn")):
            return True
    return False


def _is_text(arguments: list[ast.expr]) -> bool:
    return all(isinstance(a, ast.Constant) and isinstance(a.value, str) for a in arguments)


def words(text: str) -> tuple[str, ...]:
    """The words of a text, in lower case and without what stands between them."""
    return tuple(word.lower() for word in WORD.findall(text))


def _pairs(said: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    return frozenset(pairwise(said))


def windows(said: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    """All runs of three words."""
    return frozenset(said[n : n + WINDOW] for n in range(len(said) - WINDOW + 1))
