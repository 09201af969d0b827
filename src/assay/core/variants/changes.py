"""What a reference change changes, line by line and hunk by hunk, as far as it means something to a program."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from assay.core.paths import classify
from assay.core.variants.harmless import closed_nodes
from assay.core.variants.meaning import Meanings, statement_meaning
from assay.core.variants.source import (
    Function,
    Module,
    Scope,
    body_lines,
    first_line,
    last_line,
    line_starts,
    parse_text,
    read_module,
    scopes,
)
from assay.model.tree import FileState, Tree

MAX_WORK_BYTES = 10_000_000
"""To be parsed to take a file's change apart: some five seconds. One that needs more is one part."""
MAX_LINES = 12_000
"""Above it a file is one hunk: comparing tables of that size takes longer than all tests."""
TRIVIAL = frozenset(b") ( ] [ } { ), ], }, ): }) else: try: finally: pass return".split()) | {b"", b'"""'}
"""Equal lines of this kind between two hunks do not part them."""
MAX_TRIVIAL = 2
MAX_MERGED = 6
"""Neighbours that a hunk may need to be taken back with."""
NOT_READ = (
    *(".pyi", ".md", ".rst", "py.typed", ".license"),
    *(".c", ".cc", ".cpp", ".h", ".hpp", ".pyx", ".pxd", ".pxi", ".rs", ".toml", ".so", ".pyd"),
)
"""Ends of files for people and type checkers, and for compilers, which are not run again for a variant."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines of a file that differ, from 0 and half open, in the base and as the reference change leaves them."""

    old: tuple[int, int]
    new: tuple[int, int]


@dataclass
class GoldFile:
    """A file of the reference change that holds Python."""

    module: Module
    base: FileState | None
    hunks: tuple[Hunk, ...]
    """Those that mean something."""
    all_hunks: tuple[Hunk, ...]
    base_module: Module | None = None
    """The base's file, if there is one that parses."""
    base_text: bytes = b""
    changed: frozenset[int] = frozenset()
    """Lines, from 1, as the reference change leaves them, that are new or different and mean something."""
    closed: set[int] = field(default_factory=set)
    """Ids of nodes that are left alone."""
    shut: set[int] = field(default_factory=set)
    """These, and all below them."""
    untried: list[str] = field(default_factory=list)
    groups: list[tuple[Hunk, ...]] = field(default_factory=list)
    """What can be taken back at once: a hunk, or several that do not compile without each other."""

    @property
    def path(self) -> str:
        """In the repository."""
        return self.module.path

    @property
    def is_new(self) -> bool:
        """Whether the base lacks the file."""
        return self.base is None

    def reverted(self, hunks: Sequence[Hunk]) -> bytes:
        """The text with these hunks as they were in the base."""
        gold, starts = self.module.text, self.module.starts
        base_starts = line_starts(self.base_text)
        parts, position = [], 0
        for hunk in sorted(hunks, key=lambda h: h.new):
            parts.append(gold[position : starts[hunk.new[0]]])
            parts.append(self.base_text[base_starts[hunk.old[0]] : base_starts[hunk.old[1]]])
            position = starts[hunk.new[1]]
        parts.append(gold[position:])
        return _joined(parts)


@dataclass(frozen=True, slots=True)
class Gold:
    """The reference change."""

    files: tuple[GoldFile, ...]
    others: tuple[tuple[str, FileState | None], ...]
    """Files that are gone, or are no Python that parses, each with its state in the base."""
    base: Tree
    changed: Mapping[str, FileState | None]

    @property
    def untried(self) -> list[str]:
        """Parts that cannot be taken back on their own."""
        return [what for file in self.files for what in file.untried]


def _joined(parts: Sequence[bytes]) -> bytes:
    """The parts one after the other; a last line without an end, which has got a neighbour, gets one."""
    full = [part for part in parts if part]
    return b"".join([*(p if p.endswith(b"\n") else p + b"\n" for p in full[:-1]), *full[-1:]])


def read_gold(base: Tree, changed: Mapping[str, FileState | None]) -> Gold:
    """The files of the reference change that programs read. Raises nothing: what does not parse is one part."""
    files, others = [], []
    packages = _packages((*base, *changed), changed)
    for path in sorted(changed):
        old, new = base.get(path), changed[path]
        if old == new or classify(path) != "source" or path.endswith(NOT_READ):
            continue
        module = read_module(path, new)
        if module is not None:
            files.append(_gold_file(module, old))
        elif (path.endswith(".py") or path.rpartition("/")[0] in packages) and not _is_moved(path, old, changed):
            others.append((path, old))
    return Gold(tuple(files), tuple(others), base, changed)


def _packages(paths: Iterable[str], changed: Iterable[str]) -> set[str]:
    """Folders of changed files in which, or above which, there is Python: what lies there a program may read."""
    python = {path.rpartition("/")[0] for path in paths if path.endswith(".py") and "/" in path}
    found = set()
    for path in changed:
        folders = path.split("/")[:-1]
        if any("/".join(folders[:depth]) in python for depth in range(1, len(folders) + 1)):
            found.add("/".join(folders))
    return found


def _is_moved(path: str, old: FileState | None, changed: Mapping[str, FileState | None]) -> bool:
    """Whether a deleted file lives on under another name, so that its coming back says nothing."""
    if changed[path] is not None or old is None:
        return False
    stem = path.removesuffix(".py").rpartition("/")[2]
    lines = set(old.data.splitlines()) - {b""}
    for other, state in changed.items():
        if state is None or other == path:
            continue
        if stem in (other.removesuffix(".py").rpartition("/")[2], *other.split("/")[:-1]):
            return True
        if 2 * len(lines & set(state.data.splitlines())) > len(lines):
            return True
    return False


def _gold_file(module: Module, base: FileState | None) -> GoldFile:
    file = GoldFile(module, base, (), (), closed=closed_nodes(module))
    file.shut = {id(inner) for node in ast.walk(module.tree) if id(node) in file.closed for inner in ast.walk(node)}
    if base is None:
        whole = Hunk((0, 0), (0, module.line_count))
        has_meaning = any(statement_meaning(statement) for statement in module.tree.body)
        file.all_hunks = (whole,)
        file.hunks = (whole,) if has_meaning else ()
        file.changed = frozenset(range(1, module.line_count + 1))
        file.groups = [(whole,)] if has_meaning else []
        return file
    file.base_module = read_module(module.path, base)
    file.base_text = file.base_module.text if file.base_module else base.data
    file.all_hunks = tuple(_hunks(file.base_text, module.text))
    if len(file.all_hunks) * len(module.text) > MAX_WORK_BYTES:  # a table that a program has written
        first, last = file.all_hunks[0], file.all_hunks[-1]
        file.all_hunks = (Hunk((first.old[0], last.old[1]), (first.new[0], last.new[1])),)
    _group(file)
    lines = {line for hunk in file.hunks for line in range(hunk.new[0] + 1, hunk.new[1] + 1)}
    file.changed = frozenset(lines - _as_before(file, lines))
    return file


def _hunks(old: bytes, new: bytes) -> Iterator[Hunk]:
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    if max(len(before), len(after)) - start - end > MAX_LINES:
        yield Hunk((start, len(before) - end), (start, len(after) - end))
        return
    inner = after[start : len(after) - end]
    matcher = SequenceMatcher(None, before[start : len(before) - end], inner, autojunk=False)
    last: Hunk | None = None
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            continue
        hunk = Hunk((start + a, start + b), (start + c, start + d))
        between = after[last.new[1] : hunk.new[0]] if last else []
        if last and len(between) <= MAX_TRIVIAL and all(line.strip() in TRIVIAL for line in between):
            hunk = Hunk((last.old[0], hunk.old[1]), (last.new[0], hunk.new[1]))
        elif last:
            yield last
        last = hunk
    if last:
        yield last


def _group(file: GoldFile) -> None:
    """Find which hunks can be taken back, alone or with neighbours, and which of these mean something."""
    meanings = Meanings()
    meanings.of(file.base_text)
    own = meanings.of(file.module.text)
    found: dict[tuple[Hunk, ...], bool] = {}
    matters: set[Hunk] = set()
    for place, hunk in enumerate(file.all_hunks):
        group = _compiling(file, place)
        if group is None:
            file.untried.append(f"{file.path}:{hunk.new[0] + 1} does not compile without what is around it")
            matters.add(hunk)
            continue
        if group not in found:
            # Only marks for coverage, and what lies below them, are lines that nobody has to run.
            found[group] = meanings.of(file.reverted(group)) != own and not _all_closed(file, group)
        if found[group]:
            matters.add(hunk)
    file.groups = [group for group, differs in found.items() if differs]
    file.hunks = tuple(hunk for hunk in file.all_hunks if hunk in matters)


def _compiling(file: GoldFile, place: int) -> tuple[Hunk, ...] | None:
    """The hunk, with as few of its neighbours as make it parse; those behind it first."""
    hunks = file.all_hunks
    for reach in range(MAX_MERGED):
        for before, behind in {(0, reach): 0, (reach, 0): 0}:
            if place - before < 0 or place + behind >= len(hunks):
                continue
            group = hunks[place - before : place + behind + 1]
            if parse_text(file.reverted(group)) is not None:
                return group
    return None


def _all_closed(file: GoldFile, group: Sequence[Hunk]) -> bool:
    """Whether all statements on the new lines of some hunks are ones that are left alone."""
    lines = {line for hunk in group for line in range(hunk.new[0] + 1, hunk.new[1] + 1)}
    touched = [
        node for node, _, _ in statements(file.module.tree) if lines & set(range(node.lineno, header_end(node) + 1))
    ]
    return bool(touched) and all(id(node) in file.shut for node in touched)


def header_end(node: ast.stmt) -> int:
    """The last line of a statement without the statements in it."""
    body: list[ast.stmt] = getattr(node, "body", [])
    return max(node.lineno, first_line(body[0]) - 1) if body else last_line(node)


def statements(tree: ast.Module) -> Iterator[tuple[ast.stmt, str, ast.AST]]:
    """All statements with the dotted name of the function or class around each, and what holds them."""
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        name, node = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                yield child, name, node
                inner = f"{name}.{child.name}".strip(".") if isinstance(child, Scope) else name
                waiting.append((inner, child))
            elif isinstance(child, ast.ExceptHandler | ast.match_case):
                waiting.append((name, child))


def _as_before(file: GoldFile, lines: set[int]) -> set[int]:
    """Lines of simple statements that the same function of the base has too: indented otherwise, or moved."""
    base = file.base_module
    if base is None:
        return set()
    simple = [
        (node, name)
        for node, name, _ in statements(file.module.tree)
        if not hasattr(node, "body") and not lines.isdisjoint(range(node.lineno, last_line(node) + 1))
    ]
    names = {name for _, name in simple}
    before = Counter(
        (name, statement_meaning(node))
        for node, name, _ in statements(base.tree)
        if name in names and not hasattr(node, "body")
    )
    found: set[int] = set()
    for node, name in simple:
        key = (name, statement_meaning(node))
        if before[key] > 0 and not isinstance(node, ast.Return | ast.Pass | ast.Break | ast.Continue):
            before[key] -= 1
            found |= set(range(node.lineno, last_line(node) + 1))
    return found


def lines_run(file: GoldFile, lines: frozenset[int]) -> frozenset[int]:
    """By whose running one sees that some lines are tested: whole statements, since an interpreter may count all of
    one to its first line; inside functions, where there are any, since all else runs when the file is imported.
    """
    inside: set[int] = set()
    for _, node in scopes(file.module.tree):
        if isinstance(node, Function) and lines & set(range(first_line(node), last_line(node) + 1)):
            header = lines <= set(range(first_line(node), header_end(node) + 1))
            inside |= body_lines(node) if header else body_lines(node) & lines
    wanted = inside or set(lines)
    whole = set(wanted)
    for statement, _, _ in statements(file.module.tree):
        own = range(statement.lineno, header_end(statement) + 1)
        if not isinstance(statement, Scope) and not wanted.isdisjoint(own):
            whole |= set(own)
    return frozenset(whole)


def function_at(file: GoldFile, line: int) -> str:
    """Dotted name of the innermost function or class that holds a line; empty at the module's level."""
    found = ""
    for name, node in scopes(file.module.tree):
        if first_line(node) <= line <= last_line(node) and len(name) >= len(found):
            found = name
    return found
