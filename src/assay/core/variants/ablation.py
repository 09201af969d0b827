"""The reference change without a part of it: each hunk as it was before, and each changed statement left out."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from assay.core.variants.changes import Gold, GoldFile, Hunk, function_at, header_end, lines_run
from assay.core.variants.drafting import Draft, Press, shown
from assay.core.variants.harmless import is_harmless_decorator, is_typing_only
from assay.core.variants.places import Place, places
from assay.core.variants.source import Edit, Function, Module, Scope, first_line, is_text, last_line, parse_text
from assay.model.tree import FileState
from assay.model.variant import Variant

HUNK, STATEMENT = "hunk", "statement"


def ablations(gold: Gold) -> list[Variant]:
    """Every part left out, hunks first; what cannot be left out alone is in `gold.untried`."""
    hunks: list[Variant] = [_whole_file(gold, path, old) for path, old in gold.others]
    parts: list[Variant] = []
    for file in gold.files:
        press = Press(file, "ablation")
        hunks += _hunks(file, press)
        parts += press.variants(_drafts(file))
    return [*hunks, *parts]


def _whole_file(gold: Gold, path: str, old: FileState | None) -> Variant:
    what = "left out" if old is None else "back" if gold.changed[path] is None else "as before"
    return Variant(f"ablation:{path}:0:0:{HUNK}", "ablation", HUNK, f"{path} {what}", path, 0, {path: old})


def without(gold: Gold, keys: Collection[str]) -> dict[str, FileState | None] | None:
    """The files that differ when all hunks of these keys are left out at once; None when that is no program, or when
    a key is none of a hunk.
    """
    left: dict[str, FileState | None] = {}
    found = set()
    for path, old in gold.others:
        variant = _whole_file(gold, path, old)
        if variant.key in keys:
            found.add(variant.key)
            left[path] = old
    for file in gold.files:
        chosen = {variant.key: group for group, variant in _by_group(file, Press(file, "ablation"))}
        hunks = {hunk for key, group in chosen.items() if key in keys for hunk in group}
        found |= chosen.keys() & set(keys)
        if not hunks:
            continue
        text = file.reverted(sorted(hunks, key=lambda hunk: hunk.new))
        state = file.base if text == file.base_text else file.module.state_of(text)
        if not file.is_new and (state is None or parse_text(text) is None):
            return None
        left[file.path] = None if file.is_new else state
    return left if found == set(keys) else None


def _hunks(file: GoldFile, press: Press) -> Iterator[Variant]:
    return (variant for _, variant in _by_group(file, press))


def _by_group(file: GoldFile, press: Press) -> Iterator[tuple[tuple[Hunk, ...], Variant]]:
    for group in file.groups:
        if file.is_new:
            lines = lines_run(file, file.changed)
            yield group, Variant(
                f"ablation:{file.path}:1:0:{HUNK}", "ablation", HUNK, "the new file left out", file.path, 1,
                {file.path: None}, lines,
            )  # fmt: skip
            continue
        lines = _touched(file, group)
        first = min(group, key=lambda hunk: hunk.new).new[0] + 1
        first = min(first, file.module.line_count) or 1
        text = file.reverted(group)
        made = press.whole(text, HUNK, _what(group), first, lines_run(file, lines), function_at(file, first))
        if made is not None:
            yield group, made


def _what(group: tuple[Hunk, ...]) -> str:
    spans = [hunk.new for hunk in group if hunk.new[1] > hunk.new[0]]
    if not spans:
        return "the deleted lines are back"
    names = [f"{a + 1}" if b == a + 1 else f"{a + 1} to {b}" for a, b in spans]
    plural = len(spans) > 1 or spans[0][1] > spans[0][0] + 1
    left = all(hunk.old[0] == hunk.old[1] for hunk in group)
    return f"line{'s' * plural} {' and '.join(names)} {'left out' if left else 'as before'}"


def _touched(file: GoldFile, group: tuple[Hunk, ...]) -> frozenset[int]:
    """The lines of hunks that hold code; of a deletion, the lines on both sides."""
    lines: set[int] = set()
    for hunk in group:
        first, last = hunk.new[0] + 1, hunk.new[1]
        lines |= set(range(first, last + 1)) if last >= first else {first - 1, first}
    return frozenset(line for line in lines if 1 <= line <= file.module.line_count) or frozenset({1})


def _drafts(file: GoldFile) -> Iterator[Draft]:
    module = file.module
    for place in places(module.tree, file.closed):
        node = place.node
        if isinstance(node, ast.stmt):
            if _is_eligible(file, place):
                yield _draft(place, _without(module, place), STATEMENT, _header(module, node))
            yield from _decorators(file, place)
            yield from _branches(file, place)
        elif isinstance(node, ast.ExceptHandler) and node.lineno in file.changed and place.parent is not None:
            yield from _handler(module, place)
        elif isinstance(node, ast.match_case) and node.pattern.lineno in file.changed:
            start, end = _lines(module, node.pattern.lineno, last_line(node.body[-1]))
            what = module.of(node.pattern)
            edit = Edit(start, end, "")
            yield Draft(edit, "case", f"case {shown(what)} left out", _body(node.body), place.function)


def _draft(place: Place, edit: Edit, kind: str, source: str) -> Draft:
    assert isinstance(place.node, ast.stmt)
    node = place.node
    lines = _body(node.body) if isinstance(node, Function) else frozenset(range(node.lineno, header_end(node) + 1))
    return Draft(edit, kind, f"{shown(source)} left out", lines, place.function)


def _body(body: list[ast.stmt]) -> frozenset[int]:
    code = [s for s in body if not is_text(s)] or body
    return frozenset(range(first_line(code[0]), last_line(code[-1]) + 1))


def _is_eligible(file: GoldFile, place: Place) -> bool:
    """Whether a statement is new or different itself, not only what is in it, and means something."""
    node = place.node
    assert isinstance(node, ast.stmt)
    if isinstance(node, ast.Pass) or is_text(node) or _is_elif(file.module, place):
        return False
    if (isinstance(node, ast.AnnAssign) and node.value is None) or (
        isinstance(node, ast.If) and is_typing_only(node.test)
    ):
        return False
    if isinstance(node, Scope):
        changed = file.changed.issuperset(_code_lines(file.module, node.lineno, last_line(node)))
    else:
        changed = not file.changed.isdisjoint(range(node.lineno, header_end(node) + 1))
    return changed


def _code_lines(module: Module, first: int, last: int) -> list[int]:
    return [line for line in range(first, last + 1) if module.text[slice(*_lines(module, line, line))].strip()]


def _is_elif(module: Module, place: Place) -> bool:
    node, parent = place.node, place.parent
    return (
        isinstance(node, ast.If)
        and isinstance(parent, ast.If)
        and place.field == "orelse"
        and module.text[module.span(node)[0] :].startswith(b"elif")
    )


def _lines(module: Module, first: int, last: int) -> tuple[int, int]:
    return module.starts[first - 1], module.starts[last]


def _without(module: Module, place: Place) -> Edit:
    """The statement's lines left out, or `pass` in its place where nothing else would be left."""
    node = place.node
    first, last = first_line(node), last_line(node)
    start, end = _lines(module, first, last)
    left, right = module.offset(first, 0), module.span(node)[1]
    from_ = module.span(node)[0] if first == node.lineno else module.text.index(b"@", left)  # type: ignore[attr-defined]
    alone_on_lines = not module.text[start:from_].strip() and not module.between(right, end).strip()
    block = getattr(place.parent, place.field)
    if alone_on_lines and len([s for s in block if not is_text(s)]) > 1:
        return Edit(start, end, "")
    return Edit(from_, right, "pass")


def _header(module: Module, node: ast.stmt) -> str:
    start, _ = module.span(node)
    body: list[ast.stmt] = getattr(node, "body", [])
    end = module.starts[first_line(body[0]) - 1] if body else module.span(node)[1]
    return module.text[start:end].decode() if end > start else module.of(node)


def _decorators(file: GoldFile, place: Place) -> Iterator[Draft]:
    node, module = place.node, file.module
    if not isinstance(node, Scope):
        return
    for decorator in node.decorator_list:
        if decorator.lineno not in file.changed or is_harmless_decorator(decorator):
            continue
        start, end = _lines(module, decorator.lineno, last_line(decorator))
        yield Draft(
            Edit(start, end, ""), "decorator", f"`@{module.of(decorator)}` left out", _body(node.body), place.function
        )


def _handler(module: Module, place: Place) -> Iterator[Draft]:
    """One `except` branch gone; the only one raises again instead."""
    node, around = place.node, place.parent
    assert isinstance(node, ast.ExceptHandler)
    name = f"except {module.of(node.type)}" if node.type else "except"
    if isinstance(around, ast.Try | ast.TryStar) and len(around.handlers) > 1:
        start, end = _lines(module, node.lineno, last_line(node))
        edit = Edit(start, end, "")
    else:
        edit = Edit(module.span(node.body[0])[0], module.span(node.body[-1])[1], "raise")
    yield Draft(edit, "branch", f"branch {shown(name)} left out", _body(node.body), place.function)


def _branches(file: GoldFile, place: Place) -> Iterator[Draft]:
    """`elif`, `else` and `finally` that are new."""
    node, module = place.node, file.module
    if isinstance(node, ast.If) and _is_elif(module, place) and node.lineno in file.changed:
        start, end = _lines(module, node.lineno, last_line(node.body[-1]))
        what = shown(f"elif {module.of(node.test)}")
        yield Draft(Edit(start, end, ""), "branch", f"branch {what} left out", _body(node.body), place.function)
    for field, word, before in (("orelse", b"else", "body"), ("finalbody", b"finally", "orelse")):
        block: list[ast.stmt] = getattr(node, field, [])
        if not isinstance(block, list) or not block or (isinstance(node, ast.If) and _holds_elif(module, block)):
            continue
        ahead = getattr(node, before, None) or getattr(node, "handlers", None) or getattr(node, "body", None)
        if isinstance(node, ast.Try | ast.TryStar) and field == "orelse":
            ahead = node.handlers
        if not ahead:
            continue
        above = module.span(ahead[-1])[1]
        found = re.search(rb"\b" + word + rb"\b", module.between(above, module.span(block[0])[0]))
        if found is None:
            continue
        line = module.line_at(above + found.start())
        if line in file.changed:
            start, end = _lines(module, line, last_line(block[-1]))
            what = f"branch `{word.decode()}` left out"
            yield Draft(Edit(start, end, ""), "branch", what, _body(block), place.function)


def _holds_elif(module: Module, block: list[ast.stmt]) -> bool:
    return isinstance(block[0], ast.If) and module.text[module.span(block[0])[0] :].startswith(b"elif")
