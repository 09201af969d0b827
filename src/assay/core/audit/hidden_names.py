"""What tests need that nobody can know: names, options, messages and other texts that only the reference change has.

Quality check 12: (what the tests use and the reference change brings) without (what base or prompt say) has to be
empty. What tests define themselves, what the language and other packages bring, and values that follow from what the
prompt asks for are not hidden; so a text counts only when the code of the change has it too, as a constant.
"""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from assay.core.audit.expected_texts import Expected, expected_texts
from assay.core.audit.literals import new_files, orders, spelled
from assay.core.audit.reached import Piece, function_of, pieces
from assay.core.audit.said import TOKEN, WORD, Said
from assay.core.interface import InterfaceItem, needed_names, new_strings
from assay.core.prompts import interface_line
from assay.core.syntax import parse
from assay.core.usage import Usage, usage_of_code
from assay.model.audit import Finding
from assay.model.tree import FileState, Tree

KINDS = {
    "module": "hidden-module",
    "class": "hidden-class",
    "exception": "hidden-class",
    "function": "hidden-function",
    "method": "hidden-function",
    "parameter": "hidden-parameter",
    "option": "hidden-option",
}
"""Finding kinds of names; the others are attributes."""
MESSAGE_WORDS = 2
"""A piece of a message of fewer words counts only when it is all that the test expects of it."""
VALUE_WORDS = 3
"""A text that is perhaps no message counts from here on, when the change has it whole."""
JOINTS = frozenset("'\"`:;,.()[]=")
MAX_EXCERPT = 200


@dataclass(frozen=True, slots=True)
class Question:
    """One task, as the check sees it."""

    base: Tree
    gold: Tree
    hidden: Mapping[str, FileState | None]
    prompt: str
    fail_to_pass: Sequence[str]


def hidden_names(question: Question) -> tuple[Finding, ...]:
    """Everything that the tests at stake need and that neither base nor prompt has; names first. Never raises,
    whatever the files are.
    """
    code = _code(question)
    prompt, base = Said([question.prompt]), Said.of_tree(question.base)
    return (*_names(question, code, prompt, base), *_texts(question, code, prompt, base))


def unread(question: Question) -> tuple[str, ...]:
    """Tests at stake whose code is not among the hidden Python files."""
    read = {piece.test for piece in _code(question) if not piece.imported}
    found = []
    for test_id in question.fail_to_pass:
        path, *names = test_id.partition("[")[0].split("::")
        module = None if test_id in read else parse(question.hidden.get(path))
        if test_id not in read and (module is None or function_of(module, names) is None):
            found.append(test_id)
    return tuple(found)


def _code(question: Question) -> tuple[Piece, ...]:
    tree = {**question.gold, **{p: s for p, s in question.hidden.items() if s is not None}}
    return pieces(question.hidden, tree, question.fail_to_pass)


def _names(question: Question, code: Sequence[Piece], prompt: Said, base: Said) -> Iterator[Finding]:
    usage = usage_of_code([(p.path, p.node) for p in code if p.imported], question.hidden, question.gold)
    usage.strings.clear()  # nothing compares the texts of code that is only imported
    usage.include(usage_of_code([(p.path, p.node) for p in code if not p.imported], question.hidden, question.gold))
    items = needed_names(question.base, question.gold, question.hidden, usage)
    modules = {item.location for item in items if item.kind == "module"}
    for item in items:
        above, _, last = item.location.rpartition(".")
        if above in modules and base.name(last):
            continue  # it has moved into a module that the prompt names, or should name
        unsaid = _unsaid(item, prompt)
        yield from (_name_finding(item, name, code) for name in unsaid)
        if not unsaid:
            yield from _call_findings(item, usage, prompt, code)


def _call_findings(item: InterfaceItem, usage: Usage, prompt: Said, code: Sequence[Piece]) -> Iterator[Finding]:
    """What tests give something new that the prompt names without saying how it is called."""
    if item.kind in ("option", "message", "parameter") or not item.signature:
        return
    name = item.location.rpartition(".")[2]
    ordered, named = _parameters(item.signature)
    unsaid = [p for p in (*ordered, *named) if usage.calls(name, p) and not prompt.name(p)]
    for parameter in unsaid:
        whole = InterfaceItem(item.location, "parameter", item.signature, parameter)
        yield _name_finding(whole, parameter, code)
    given = ordered[: usage.positions.get(name, 0)]
    if not unsaid and _are_told_apart(given) and not any(prompt.name(p) for p in given):
        path, line, test = _place(name, code)
        yield Finding(
            kind="hidden-order",
            what=f"{test} gives `{item.location}` {len(given)} arguments by position; the prompt does not say in "
            "which order",
            subject=item.shown,
            path=path,
            line=line,
            evidence=(test,),
            advice=f"add to the Interface section: {interface_line(item)}",
        )


def _are_told_apart(parameters: Sequence[str]) -> bool:
    """Whether the order of parameters can matter: not of `a` and `b`, nor of `first1` and `first2`."""
    if "".join(parameters) in string.ascii_lowercase:
        return False
    return len({name.rstrip(string.digits) for name in parameters}) > 1


def _parameters(signature: str) -> tuple[list[str], list[str]]:
    """Names of parameters that may be given by position, and of those that are only given by name."""
    try:
        node = ast.parse(f"def f{signature}: pass").body[0]
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return [], []
    if not isinstance(node, ast.FunctionDef):
        return [], []
    plain = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    return plain, [a.arg for a in node.args.kwonlyargs]


def _unsaid(item: InterfaceItem, prompt: Said) -> list[str]:
    """The names of an item that the prompt does not say."""
    if item.kind == "message":
        return []
    if item.kind == "option":
        return [] if prompt.text(item.location) else [item.location]
    names = item.detail.split(", ") if item.kind == "parameter" else [item.location.rpartition(".")[2]]
    return [name for name in names if not prompt.name(name)]


def _name_finding(item: InterfaceItem, name: str, code: Sequence[Piece]) -> Finding:
    path, line, test = _place(name, code)
    what = {"parameter": f"parameter `{name}` of `{item.location}`"}.get(item.kind, f"{item.kind} `{item.location}`")
    return Finding(
        kind=KINDS.get(item.kind, "hidden-attribute"),
        what=f"{test or 'a test'} needs the {what}, which only the reference change has and the prompt does not name",
        subject=f"{item.location}({name})" if item.kind == "parameter" else item.location,
        path=path,
        line=line,
        evidence=(test,) if test else (),
        advice=f"add to the Interface section: {interface_line(item)}",
    )


def _place(name: str, code: Sequence[Piece]) -> tuple[str, int, str]:
    """Where the tests first use a name: path, line and the test that does; code of tests comes before imports."""
    for piece in sorted(code, key=lambda p: p.imported):
        for node in ast.walk(piece.node):
            if name in _spellings(node):
                return piece.path, getattr(node, "lineno", 0), piece.test
    return "", 0, code[0].test if code else ""


def _spellings(node: ast.AST) -> tuple[str, ...]:
    """The names that a node spells out."""
    names = [str(getattr(node, name, None) or "") for name in ("id", "attr", "arg", "name", "module")]
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < MAX_EXCERPT:
        names += [node.value, *re.split(r"[\s.=]", node.value)]
    return tuple(part for name in names if name for part in (name, *name.split(".")))


def _texts(question: Question, code: Sequence[Piece], prompt: Said, base: Said) -> Iterator[Finding]:
    """Messages, and other texts, keys and flags."""
    new = new_strings(question.base, question.gold)
    shared = _Shared(new)
    seen: set[str] = set()
    for expected in expected_texts(code):
        for excerpt, whole in shared.with_test(expected):
            known = prompt.text(excerpt) or base.text(excerpt)
            if not known and whole not in seen:
                seen.add(whole)
                yield _text_finding("hidden-message", "text", excerpt, expected, whole)
    files = new_files(question.base, question.gold, code)
    for kind, text, expected in (*spelled(question.base, question.gold, new, code), *files):
        if not (prompt.text(text) or base.text(text)) and text not in seen:
            seen.add(text)
            yield _text_finding("hidden-literal", kind, text, expected, text)
    for names, expected in orders(question.base, question.gold, code):
        whole = ", ".join(names)
        told = all(prompt.text(name) or base.text(name) for name in names)
        if told and not prompt.follows(names) and not base.follows(names) and whole not in seen:
            seen.add(whole)
            yield _text_finding("hidden-order", "order", whole, expected, whole)


def _text_finding(kind: str, what: str, excerpt: str, expected: Expected, whole: str) -> Finding:
    shown = " ".join(excerpt.split())[:MAX_EXCERPT]
    return Finding(
        kind=kind,
        what=f"{expected.test} expects the {what} `{shown}`, which only the reference change has",
        subject=shown,
        path=expected.path,
        line=expected.line,
        evidence=(expected.test, f"the reference change: {' '.join(whole.split())[:MAX_EXCERPT]}"),
        advice=f"say it in the prompt: - {'message' if kind == 'hidden-message' else what} `{shown}`; or test without",
    )


class _Shared:
    """The texts of the change, to be found again in what tests expect, word by word."""

    def __init__(self, texts: set[str]) -> None:
        self._texts = {text: [m.group() for m in TOKEN.finditer(text)] for text in sorted(texts)}
        self._pairs: dict[tuple[str, str], list[tuple[str, int]]] = {}
        for text, tokens in self._texts.items():
            for index, pair in enumerate(pairwise(tokens)):
                self._pairs.setdefault(pair, []).append((text, index))

    def with_test(self, expected: Expected) -> Iterator[tuple[str, str]]:
        """Longest runs of words that a test's text has in common with a text of the change, each with the latter."""
        places = list(TOKEN.finditer(expected.text))
        tokens = [place.group() for place in places]
        if len(tokens) == 1 and expected.is_message:
            yield from self._single(tokens[0])
        end = 0
        for start in range(len(tokens) - 1):
            best, whole = 0, ""
            for text, at in self._pairs.get((tokens[start], tokens[start + 1]), ()):
                length = _common(tokens, start, self._texts[text], at)
                best, whole = max((best, whole), (length, text))
            if start + best > end and best:
                end = start + best
                first, last = _trimmed(tokens, start, end)
                if first < last and self._tells(tokens[first:last], expected, whole):
                    yield expected.text[places[first].start() : places[last - 1].end()], whole

    def _single(self, word: str) -> Iterator[tuple[str, str]]:
        if re.fullmatch(r"[A-Za-z]\w{3,}", word):
            yield from ((word, text) for text, tokens in self._texts.items() if word in tokens)

    def _tells(self, run: list[str], expected: Expected, whole: str) -> bool:
        """Whether a run of words is enough to be a text that somebody has to know."""
        words = sum(token.isalpha() and len(token) > 1 for token in run)
        if expected.is_message:
            return words >= MESSAGE_WORDS
        text = self._texts[whole]
        first, last = _trimmed(text, 0, len(text))
        return words >= VALUE_WORDS and run == text[first:last] and " " in whole.strip()


def _trimmed(tokens: list[str], start: int, end: int) -> tuple[int, int]:
    """The bounds of a run without what joins it to its neighbours: punctuation before it, what is left open after."""
    while start < end and not WORD.fullmatch(tokens[start]) and tokens[start] in JOINTS:
        start += 1
    while start < end and tokens[end - 1] in JOINTS and tokens[start:end].count(tokens[end - 1]) % 2:
        end -= 1
    return start, end


def _common(left: list[str], start: int, right: list[str], at: int) -> int:
    length = 0
    while start + length < len(left) and at + length < len(right) and left[start + length] == right[at + length]:
        length += 1
    return length
