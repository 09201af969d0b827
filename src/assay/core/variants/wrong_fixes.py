"""Wrong changes that a hurried author might make instead of the reference change, made from it and the base."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

from assay.core.variants.changes import Gold, GoldFile, Hunk
from assay.core.variants.drafting import Press
from assay.core.variants.examples import Example, examples
from assay.core.variants.meaning import statement_meaning
from assay.core.variants.source import (
    Function,
    Module,
    Scope,
    body_lines,
    first_line,
    is_text,
    last_line,
    parse_text,
    scopes,
)
from assay.model.variant import Variant

MAX_FUNCTIONS = 5
"""Functions of a change that wrong fixes are made of, those with the most changed lines first."""
SELF = ("self", "cls", "mcs")
NO_RETURN = frozenset({"__init__", "__init_subclass__", "__set_name__", "__del__", "__post_init__", "__setattr__"})


@dataclass(frozen=True, slots=True)
class Changed:
    """A function that the change changes or brings."""

    file: GoldFile
    name: str
    gold: Function
    base: Function | None

    @property
    def size(self) -> int:
        """Changed lines in it."""
        return len(self.file.changed & set(range(first_line(self.gold), last_line(self.gold) + 1)))


def wrong_fixes(gold: Gold, prompt: str) -> list[Variant]:
    """All that are programs of their own, the most specific first."""
    shown = examples(prompt)
    by_file = {file.path: list(changed_functions(file)) for file in gold.files}
    functions = sorted((function for own in by_file.values() for function in own), key=lambda f: (-f.size, f.name))
    presses = {file.path: Press(file, "wrong-fix") for file in gold.files}
    found: list[Variant] = []
    for function in functions[:MAX_FUNCTIONS]:
        press = presses[function.file.path]
        found += _of_function(press, function, [e for e in shown if e.name == function.gold.name])
    return [*found, *_first_only(gold, presses, by_file)]


def changed_functions(file: GoldFile) -> Iterator[Changed]:
    """Functions that mean something else than in the base, and new ones; the innermost alone."""
    base = dict(scopes(file.base_module.tree)) if file.base_module else {}
    for name, node in scopes(file.module.tree):
        if not isinstance(node, Function) or id(node) in file.closed or _is_stub(node):
            continue
        old = base.get(name)
        old = old if isinstance(old, Function) else None
        changed = Changed(file, name, node, old)
        if not changed.size or any(isinstance(n, Scope) for n in node.body):
            continue
        if old is None or statement_meaning(old) != statement_meaning(node):
            yield changed


def _is_stub(node: Function) -> bool:
    return all(is_text(s) or isinstance(s, ast.Pass | ast.Raise) for s in node.body)


def _of_function(press: Press, function: Changed, shown: list[Example]) -> Iterator[Variant]:
    """The wrong fixes of one function."""
    drafts = [*_special_case(function, shown), *_swallow(function), *_signature(function), *_early(function)]
    for kind, what, text in drafts:
        lines = body_lines(function.gold)
        made = press.whole(text, kind, what, function.gold.lineno, lines, function.name)
        if made is not None:
            yield made


def _special_case(function: Changed, shown: list[Example]) -> Iterator[tuple[str, str, bytes]]:
    """The base's function, or none, that knows the prompt's examples by heart."""
    cases = list(filter(None, (_case(function.gold, example) for example in shown)))
    if not cases:
        return
    node = function.base or function.gold
    source = _parts(_module(function), node)
    body = source.body if function.base else f"{source.indent}return None\n"
    guards = "".join(f"{source.indent}if {test}:\n{source.indent}    return {value}\n" for test, value in cases)
    header = _parts(function.file.module, function.gold).header
    text = _with(function, header + guards + body)
    yield "special-case", f"`{function.name}` as before, but for the prompt's examples", text


def _case(node: Function, example: Example) -> tuple[str, str] | None:
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    names = names[1:] if names[:1] and names[0] in SELF else names
    pairs = [*zip(names, example.args, strict=False), *example.keywords]
    if len(example.args) > len(names) or not pairs:
        return None
    test = " and ".join(f"{name} == {value}" for name, value in pairs)
    return test, example.value


def _swallow(function: Changed) -> Iterator[tuple[str, str, bytes]]:
    """The base's function, whose exceptions are caught."""
    if function.base is None or isinstance(function.base.body[-1], ast.Raise):
        return
    source = _parts(_module(function), function.base)
    if not source.movable:
        return
    inner = "".join(f"    {line}" if line.strip() else line for line in source.body.splitlines(keepends=True))
    for value in _answers(function.base):
        tail = f"{source.indent}except Exception:\n{source.indent}    return {value}\n"
        text = _with(function, f"{source.header}{source.indent}try:\n{inner}{tail}")
        yield "swallow", f"`{function.name}` as before, returning {value} where it raised", text


def _signature(function: Changed) -> Iterator[tuple[str, str, bytes]]:
    """The base's function behind the new header."""
    if function.base is None or _parameters(function.base) == _parameters(function.gold):
        return
    header = _parts(function.file.module, function.gold).header
    body = _parts(_module(function), function.base).body
    yield "signature-only", f"`{function.name}` as before, with the new parameters", _with(function, header + body)


def _parameters(node: Function) -> str:
    """The parameters without their annotations."""
    bare = copy.deepcopy(node.args)
    for argument in ast.walk(bare):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return ast.dump(bare)


def _early(function: Changed) -> Iterator[tuple[str, str, bytes]]:
    """The new function, which returns at once."""
    source = _parts(function.file.module, function.gold)
    for value in _answers(function.gold):
        text = _with(function, f"{source.header}{source.indent}return {value}\n{source.body}")
        yield "early-return", f"`{function.name}` returns {value} at once", text


def _answers(node: Function) -> list[str]:
    """What a function may be made to return that computes nothing."""
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    names = names[1:] if names[:1] and names[0] in SELF else names
    own = names[:1] if node.name not in NO_RETURN else []
    return ["None", *own]


@dataclass(frozen=True, slots=True)
class _Parts:
    """A function's source: all before the first statement that runs, and from there on."""

    header: str
    body: str
    indent: str
    movable: bool
    """Whether its body may be indented: no text in it goes over several lines."""


def _module(function: Changed) -> Module:
    module = function.file.base_module if function.base else function.file.module
    return module or function.file.module


def _parts(module: Module, node: Function) -> _Parts:
    code = [s for s in node.body if not is_text(s)] or node.body
    first = first_line(code[0])
    start, end = module.starts[first_line(node) - 1], module.starts[last_line(node)]
    at = module.starts[first - 1]
    if first <= node.lineno or at <= start:  # all on one line
        at = module.span(code[0])[0]
        indent = " " * (node.col_offset + 4)
        header = module.text[start:at].decode().rstrip() + "\n"
    else:
        indent = " " * code[0].col_offset
        header = module.text[start:at].decode()
    body = module.text[at:end].decode()
    body = body if at == module.starts[first - 1] else indent + body
    body = body if body.endswith("\n") else body + "\n"
    texts = (n for s in code for n in ast.walk(s) if isinstance(n, ast.Constant | ast.JoinedStr))
    return _Parts(header, body, indent, all(n.lineno == n.end_lineno for n in texts))


def _with(function: Changed, source: str) -> bytes:
    """The file with another function in the function's place."""
    module, node = function.file.module, function.gold
    start, end = module.starts[first_line(node) - 1], module.starts[last_line(node)]
    newline = "\r\n" if b"\r\n" in module.text[:1000] else "\n"
    lines = source.replace("\r\n", "\n").replace("\n", newline)
    return module.text[:start] + lines.encode() + module.text[end:]


def _first_only(gold: Gold, presses: dict[str, Press], by_file: dict[str, list[Changed]]) -> Iterator[Variant]:
    """Of several changed places in a function the first alone; and of several functions the first."""
    for file in gold.files:
        if file.is_new:
            continue
        functions = by_file[file.path]
        for function in sorted(functions, key=lambda f: -f.size)[:MAX_FUNCTIONS]:
            inside = [h for h in file.hunks if _overlaps(h, function.gold)]
            if len(inside) > 1:
                text = file.reverted(inside[1:])
                what = f"only the first changed place of `{function.name}`"
                lines = frozenset(_lines(inside[1:]))
                yield from _only_first(presses[file.path], text, what, function.gold.lineno, lines, function.name)
        inside = [h for h in file.hunks if any(_overlaps(h, f.gold) for f in functions)]
        if len(inside) > 1 and len(functions) > 1:
            text = file.reverted(inside[1:])
            lines = frozenset(_lines(inside[1:]))
            yield from _only_first(presses[file.path], text, "only the first changed place of the file",
                                   inside[0].new[0] + 1, lines, "")  # fmt: skip


def _only_first(press: Press, text: bytes, what: str, line: int, lines: frozenset[int], name: str) -> Iterator[Variant]:
    if parse_text(text) is not None:
        made = press.whole(text, "first-only", what, line, lines, name)
        if made is not None:
            yield made


def _overlaps(hunk: Hunk, node: Function) -> bool:
    return hunk.new[0] < last_line(node) and hunk.new[1] >= first_line(node)


def _lines(hunks: list[Hunk]) -> Iterator[int]:
    for hunk in hunks:
        yield from range(hunk.new[0] + 1, hunk.new[1] + 1)
