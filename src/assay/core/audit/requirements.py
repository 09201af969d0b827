"""Which sentences of a prompt no test exercises, and which assertions no sentence asks for.

By rule, from words alone: a sentence counts when it holds something that a test could spell out (a name, an option, a
quoted text, an exception), and it is exercised when the tests spell out any of it. So both lists are short and leave
much out; they are work for a reviewer and never fail a task.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from assay.core.audit.hidden_names import Question
from assay.core.audit.reached import Piece, pieces
from assay.core.interface import changed_code
from assay.core.prompts import COMMON
from assay.core.prose import SENTENCE
from assay.core.syntax import Function, parse
from assay.model.audit import Finding
from assay.model.tree import FileState

MAX_EACH = 4
"""Findings of either kind."""
STEM_CHARACTERS = 5
"""Letters by which ordinary words are compared, so that `separators` meets `separator`."""
MIN_WORD = 4
CODE = re.compile(r"`([^`\n]+)`|(?<![\w*])\*((?=\w*[_.])[A-Za-z_][\w.]*)\*(?![\w*])")
LINK = re.compile(r"`[^`\n]*`__?(?!\w)")
"""A reference of reStructuredText, such as the number of an issue."""
QUOTED = re.compile(r"(?<!\w)(?:\"([^\"\n]{2,60})\"|'([^'\n]{2,60})'|“([^”\n]{2,60})”)(?!\w)")
PLAIN = re.compile(
    r"(?<![\w-])(?:--[a-z][\w-]+|[A-Za-z]\w*(?:Error|Exception|Warning)|[A-Za-z]\w*_\w+|\w+(?:\.\w+)*\(\))"
)
"""What is code without being marked: options, exceptions, names with underscores, calls."""
WORD = re.compile(r"[A-Za-z_]\w*")
ASIDE = re.compile(
    r"\s*(?:Thanks?|See|Merged? (?:remote-tracking |remote )?(?:branch|pull request|tag))\b"
    r"|.*\bdef \w+\(|.*\b(?:un(?:changed|affected)|left alone)\b",
    re.DOTALL | re.IGNORECASE,
)
"""Sentences that ask for nothing: they thank, refer, tell of a merge, show an example, or keep what is."""
COMPLAINT = re.compile(
    r"(?i)\b(?:fix\w*|bugs?|avoids?|prevents?|crash\w*|instead|previously|no longer|unhandled|wrongly)\b"
)
RAISES = re.compile(r"(?i)\b(?:raises?|raised|throws?|thrown)\b")
FRAME = re.compile(
    r"^(?:# .*|This is the source of .*|## .*|These do not exist yet.*|Your work is judged by .*|"
    r"- (?:option |message )?`[^`]+`(?: \(\w+\))?(?::.*)?)$"
)
"""Lines that lay a prompt out and ask for nothing."""
ERROR = re.compile(r"\w+(?:Error|Exception|Warning)")
EXCEPTIONS = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)
ORDINARY = frozenset(
    {
        *keyword.kwlist,
        *(n for n in dir(builtins) if n not in EXCEPTIONS),
        "self",
        "None",
        "True",
        "False",
        "args",
        "kwargs",
        "pytest",
        "test",
        "tests",
    }
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One assertion of a test."""

    path: str
    line: int
    test: str
    text: str
    words: frozenset[str]


def requirements(question: Question) -> tuple[Finding, ...]:
    """At most MAX_EACH sentences that no test exercises and as many assertions that no sentence asks for."""
    tree = {**question.gold, **{p: s for p, s in question.hidden.items() if s is not None}}
    code = [piece for piece in pieces(question.hidden, tree, question.fail_to_pass) if not piece.imported]
    if not code:
        return ()
    packages = {part for path in changed_code(question.base, question.gold) for part in _import_names(path)}
    return (*_untested(question, code, packages), *_unasked(question, code, packages))


def _import_names(path: str) -> list[str]:
    """Packages around a file; of a module in no package, its own name."""
    *folders, file = path.removeprefix("src/").split("/")
    return folders or [file.removesuffix(".py")]


def sentences(prompt: str) -> tuple[str, ...]:
    """What a prompt says, sentence by sentence; headings, names of the Interface section and the frame left out."""
    found: list[str] = []
    point: list[str] = []

    def close() -> None:
        found.extend(s.strip() for s in SENTENCE.split(" ".join(point)) if s.strip() and not ASIDE.match(s))
        point.clear()

    for line in prompt.splitlines():
        text = line.strip()
        if not text or FRAME.match(text):
            close()
        elif re.match(r"[-*+] |\d+[.)] ", text):
            close()
            point.append(re.sub(r"^(?:[-*+]|\d+[.)]) ", "", text))
        else:
            point.append(text)
    close()
    return tuple(found)


def checkable(sentence: str) -> frozenset[str]:
    """What of a sentence a test could spell out: names, the words of quoted texts, options."""
    sentence = LINK.sub(" ", sentence)
    prose = re.sub(r"`[^`]*`", " ", sentence)
    spans = [span for match in CODE.findall(sentence) if _is_call(span := match[0] or match[1])]
    spans += [next(filter(None, match)) for match in QUOTED.findall(prose)] + PLAIN.findall(prose)
    words = {word for span in spans for word in WORD.findall(span[2:].replace("-", "_") if span[:2] == "--" else span)}
    words = {word for word in words if len(word) > 2 and word not in ORDINARY}
    if all(ERROR.fullmatch(word) or word in EXCEPTIONS for word in words) and _is_complaint(sentence):
        return frozenset()
    return frozenset(words)


def _is_call(span: str) -> bool:
    """Whether marked code is an option, a name or a call; other code is there for the person who writes the change."""
    if span.startswith("--"):
        return True
    try:
        node = ast.parse(span.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return isinstance(node, ast.Name | ast.Attribute | ast.Call)


def _is_complaint(sentence: str) -> bool:
    """Whether an exception is named as what went wrong, which no test needs to spell out."""
    return bool(COMPLAINT.search(sentence)) or not RAISES.search(sentence)


def _untested(question: Question, code: Sequence[Piece], packages: set[str]) -> Iterator[Finding]:
    spelled = {word.casefold() for piece in code for word in _spelled(piece.node)}
    spelled |= {w.casefold() for test in question.fail_to_pass for w in re.split(r"[\W_]+", test) if len(w) >= MIN_WORD}
    stems = {word[:STEM_CHARACTERS] for word in spelled if len(word) >= STEM_CHARACTERS}
    found = []
    for sentence in sentences(question.prompt):
        words = {word.strip("_").casefold() for word in checkable(sentence) if word not in packages}
        parts = {part for word in words for part in word.split("_") if len(part) >= STEM_CHARACTERS}
        if words and not words & spelled and not {part[:STEM_CHARACTERS] for part in parts} & stems:
            found.append((len(words), sentence, sorted(words)))
    for _, sentence, listed in sorted(found, key=lambda item: -item[0])[:MAX_EACH]:
        nearest = max(code, key=lambda piece: len(_stems(sentence) & _stems(_name(piece))))
        shared = _stems(sentence) & _stems(_name(nearest))
        yield Finding(
            kind="untested-sentence",
            what=f"no test that fails on the base mentions {', '.join(f'`{w}`' for w in listed[:4])}",
            subject=sentence,
            evidence=(f"nearest: {nearest.test}",) if shared else (),
            advice="test what the sentence says, or take it out of the prompt",
        )


def _unasked(question: Question, code: Sequence[Piece], packages: set[str]) -> Iterator[Finding]:
    said = _stems(question.prompt)
    words = {word.casefold() for word in WORD.findall(question.prompt)}
    parts = {part for word in words for part in word.split("_")}
    changed = _defined(question)
    seen: set[tuple[str, ...]] = set()
    for claim in _claims(question, code, packages):
        names = {word.casefold() for word in claim.words}
        asked = names & (words | parts) or {n[:STEM_CHARACTERS] for n in names if len(n) >= STEM_CHARACTERS} & said
        key = tuple(sorted(claim.words & changed)) or (claim.test.partition("[")[0],)
        if asked or not claim.words or key in seen:
            continue
        seen.add(key)
        yield Finding(
            kind="unasked-assertion",
            what=f"{claim.test} has no telling word in common with the prompt",
            subject=claim.test,
            path=claim.path,
            line=claim.line,
            evidence=(claim.text,),
            advice="say in the prompt what is asserted here, or do not assert it",
        )
        if len(seen) == MAX_EACH:
            return


def _defined(question: Question) -> set[str]:
    """Functions and classes of the changed files."""
    return {
        node.name
        for path in changed_code(question.base, question.gold)
        if (tree := parse(question.gold.get(path))) is not None
        for node in ast.walk(tree)
        if isinstance(node, Function | ast.ClassDef)
    }


def _claims(question: Question, code: Sequence[Piece], packages: set[str]) -> Iterator[Claim]:
    """The first assertion of every test function, with all the words of the function and of its file's name: what a
    test calls before it asserts belongs to what is asserted. A test that the base has word for word fails there for
    what is around it, and asserts nothing new.
    """
    known = {path: _dumps(question.base.get(path)) for path in {piece.path for piece in code}}
    for piece in code:
        name = _name(piece)
        if not isinstance(piece.node, Function) or not name.lower().startswith("test"):
            continue
        if ast.dump(piece.node) in known[piece.path]:
            continue
        first = next((node for node in ast.walk(piece.node) if _is_assertion(node)), None)
        if first is None:
            continue
        words = {w for w in _spelled(piece.node) if w not in ORDINARY and w not in packages and len(w) >= MIN_WORD}
        stem = PurePosixPath(piece.path).stem
        words |= {part for part in f"{name}_{stem}".split("_") if len(part) >= MIN_WORD and part not in ORDINARY}
        text = " ".join(ast.unparse(first).split())[:160]
        line = getattr(first, "lineno", piece.node.lineno)
        yield Claim(piece.path, line, piece.test, text, frozenset(words - COMMON))


def _dumps(state: FileState | None) -> frozenset[str]:
    """The functions of a file, to be compared."""
    tree = parse(state)
    return frozenset(ast.dump(node) for node in ast.walk(tree) if isinstance(node, Function)) if tree else frozenset()


def _is_assertion(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
    return name.startswith("assert") or name in ("raises", "warns")


def _spelled(node: ast.AST) -> set[str]:
    """Names and the words of texts in some code."""
    words: set[str] = set()
    for inner in ast.walk(node):
        for field in ("id", "attr", "arg", "name"):
            value = getattr(inner, field, None)
            if isinstance(value, str):
                words |= {value, *value.split(".")}
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and len(inner.value) < 2000:
            words |= set(WORD.findall(inner.value))
            words |= {word.replace("-", "_") for word in re.findall(r"--([a-z][\w-]+)", inner.value)}
    return {word.strip("_") for word in words if word.strip("_")}


def _name(piece: Piece) -> str:
    return str(getattr(piece.node, "name", "")) or piece.test.partition("[")[0].rpartition("::")[2]


def _stems(text: str) -> set[str]:
    words = (part.casefold() for word in WORD.findall(text) for part in word.split("_"))
    return {word[:STEM_CHARACTERS] for word in words if len(word) >= MIN_WORD and word not in COMMON}
