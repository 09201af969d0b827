"""A rewrite computes what the original computes: over functions made at random, and over the standard library."""

from __future__ import annotations

import ast
import copy
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.alternatives.change import Change
from assay.core.alternatives.making import alternatives
from assay.model.tree import FileState

PATH = "made.py"


def rewrites(text: str) -> Iterator[tuple[str, str]]:
    state = FileState(text.encode())
    for variant in alternatives(Change({}, {PATH: state}, {PATH: state}, "", {}), limit=10_000):
        after = variant.files[PATH]
        assert after is not None
        yield variant.key, after.data.decode()


NAMES = st.sampled_from(["a", "b", "one", "two", "rest"])
VALUES = st.sampled_from(["0", "1", "'x'", "None", "[1, 2]", "(1, 'x')", "{}", "[]", "-1"])


def expressions(depth: int) -> st.SearchStrategy[str]:
    leaf = NAMES | VALUES
    if not depth:
        return leaf
    inner = expressions(depth - 1)
    return st.one_of(
        leaf,
        st.builds("log({})".format, inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "*", "==", "!=", "is", "in", "and", "or"]), inner),
        st.builds("{} == 'x'".format, NAMES),
        st.builds("not {}".format, NAMES),
        st.builds("len({})".format, inner),
        st.builds("isinstance({}, int)".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("[log(q) for q in {} if {}]".format, inner, inner),
        st.builds("[q for q in {}]".format, inner),
        st.builds("f'<{{{}}}>'".format, NAMES),
        st.builds("(lambda q: {})({})".format, inner, inner),
    )


def indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def statements(depth: int) -> st.SearchStrategy[list[str]]:
    value = expressions(2)
    simple = st.one_of(
        st.builds("{} = {}".format, NAMES, value),
        st.builds("return {}".format, value),
        st.builds("raise ValueError(f'this went wrong: {{{}}}')".format, NAMES),
        st.builds("log({})".format, value),
        st.builds("{} += {}".format, NAMES, value),
    ).map(lambda line: [line])
    pair = st.builds(lambda n, v: [f"{n} = {v}", f"return {n}"], NAMES, value)
    used = st.builds(lambda n, v, w: [f"{n} = {v}", f"if {n} != {w}:", "    log(0)"], NAMES, value, NAMES)
    if not depth:
        return simple | pair | used
    block = blocks(depth - 1)
    return st.one_of(
        simple,
        pair,
        used,
        st.builds(lambda t, x: [f"if {t}:", *indented(x)], value, block),
        st.builds(lambda t, x, y: [f"if {t}:", *indented(x), "else:", *indented(y)], value, block, block),
        st.builds(lambda t, x, y: [f"if {t}:", *indented(x), f"elif {t}:", *indented(y)], value, block, block),
        st.builds(lambda n, t, x: [f"for {n} in {t}:", *indented(x)], NAMES, value, block),
        st.builds(lambda x, y: ["try:", *indented(x), "finally:", *indented(y)], block, block),
        st.builds(lambda x, y: ["try:", *indented(x), "except TypeError:", *indented(y)], block, block),
        st.builds(lambda n, x: [f"def {n}(rest=1):", *indented(x)], NAMES, block),
    )


def blocks(depth: int) -> st.SearchStrategy[list[str]]:
    return st.lists(statements(depth), min_size=1, max_size=3).map(
        lambda parts: [line for part in parts for line in part]
    )


FUNCTIONS = blocks(2).map(
    lambda lines: "\n".join(["def f(a, b=None):", '    """What it does."""', *indented(lines)]) + "\n"
)


def behaviour(text: str) -> list[object]:
    """What a function returns or raises for some arguments, and all that it does on the way."""
    found: list[object] = []
    given_to: list[tuple[object, object]] = [(0, 1), ("x", [1]), ([], {}), (None, (2, "x"))]
    for arguments in given_to:
        seen: list[str] = []

        def log(value: object, seen: list[str] = seen) -> object:
            seen.append(_shown(value))
            if len(seen) > 200:
                raise OverflowError
            return value

        space: dict[str, object] = {"log": log}
        exec(compile(text, PATH, "exec"), space)  # noqa: S102  our own text
        function = space["f"]
        assert callable(function)
        try:
            ended = ("returned", _shown(function(*copy.deepcopy(arguments))))
        except Exception as error:  # noqa: BLE001  any error is an answer
            # A variable without a value is a NameError in a comprehension, and one of its kind out of it.
            ended = ("raised", "NameError" if isinstance(error, NameError) else type(error).__name__)
        found.append((ended, seen))
    return found


def _shown(value: object) -> str:
    """A value without the names of functions and places in memory."""
    return "a function" if callable(value) else repr(value) if " at 0x" not in repr(value) else "something"


@settings(max_examples=150, deadline=None)
@given(FUNCTIONS)
def test_functions_made_at_random_do_the_same(text: str) -> None:
    try:
        wanted = behaviour(text)
    except SyntaxError:
        return
    for key, after in rewrites(text):
        assert behaviour(after) == wanted, f"{key}\n{text}\nbecame\n{after}"


def module(name: str, text: str) -> types.ModuleType:
    """A module of this text, whatever the interpreter knows under its name."""
    made = types.ModuleType(name)
    made.__package__ = name.rpartition(".")[0]
    sys.modules[f"rewritten_{name}"] = made
    exec(compile(text, f"{name}.py", "exec"), made.__dict__)  # noqa: S102  the standard library's
    return made


TEXTS = [
    "", " ", "a", "Hello, World! how  are\tyou", "x" * 90, "a-b-c d--e", "  indented\n    more\n\nless\n",
    "caf\u00e9 \u00df",
    "&lt;b&gt; &amp; &#65; &#x41; &notit; &bogus;", "http://u:p@h.example:80/p;q/a%20b?x=1&y=&x=%C3%A9#f", "*.py[ab]!?",
    "'quoted' \"double \\\" q\" \\esc # c", "$a ${b} $$ $", "{0} {x!r:>5} {{}}", "\\", "//h/p", "?q", "[!a]*",
]  # fmt: skip
NUMBERS = [[1, 2, 3, 4], [1.5, 2.5, 2.5, 9.0], [3], [5, 1, 4, 1, 5, 9, 2, 6], [-1, 0, 1], [1e9, 1e-9, 3.0]]
RGB = [(0.0, 0.0, 0.0), (1.0, 0.5, 0.25), (0.2, 0.2, 0.9), (0.3, 0.1, 0.1), (1.0, 1.0, 1.0)]


Question = Callable[[Any, Any], object]
WAYS = ("rgb_to_yiq", "yiq_to_rgb", "rgb_to_hls", "hls_to_rgb", "rgb_to_hsv", "hsv_to_rgb")
QUESTIONS: dict[str, tuple[Sequence[object], Sequence[Question]]] = {
    "textwrap": (
        TEXTS,
        [
            lambda m, x: [m.wrap(x, width, max_lines=lines) for width in (1, 7, 20, 70) for lines in (None, 1, 2)],
            lambda m, x: [m.wrap(x, width, drop_whitespace=False, fix_sentence_endings=True) for width in (5, 30)],
            lambda m, x: (m.dedent(x), m.indent(x, "> "), m.fill(x, 12, break_long_words=False)),
            lambda m, x: m.shorten(x, 7),
        ],
    ),
    "string": (
        TEXTS,
        [
            lambda m, x: m.Template(x).substitute(a=1, b="x"),
            lambda m, x: m.Template(x).safe_substitute({"a": 2}),
            lambda m, x: (m.Formatter().format(x, "z", x=3), m.capwords(x)),
        ],
    ),
    "shlex": (
        TEXTS,
        [
            lambda m, x: (m.quote(x), m.join(x.split())),
            lambda m, x: m.split(x, comments=True),
            lambda m, x: list(m.shlex(x, posix=True, punctuation_chars=True)),
            lambda m, x: list(m.shlex(x)),
        ],
    ),
    "fnmatch": (TEXTS, [lambda m, x: (m.translate(x), m.fnmatch("x.pya", x), m.filter(TEXTS, x))]),
    "difflib": (
        TEXTS,
        [
            lambda m, x: [m.SequenceMatcher(None, x, y).get_opcodes() for y in TEXTS[3:10]],
            lambda m, x: [list(m.ndiff(x.split(" "), y.split(" "))) for y in TEXTS[3:10]],
            lambda m, x: [list(m.unified_diff(x.split(), y.split(), n=1)) for y in TEXTS[3:10]],
            lambda m, x: m.get_close_matches(x, TEXTS, cutoff=0.2),
        ],
    ),
    "html": (TEXTS, [lambda m, x: (m.escape(x), m.unescape(x), m.escape(x, quote=False))]),
    "urllib.parse": (
        TEXTS,
        [
            lambda m, x: (m.urlparse(x), m.urlunsplit(m.urlsplit(x)), m.quote_plus(x), m.unquote(x)),
            lambda m, x: (m.parse_qs(x), m.urldefrag(x), m.urlsplit(x).port),
            lambda m, x: (m.parse_qsl(x, strict_parsing=True), m.urljoin("http://a/b/c", x)),
            lambda m, x: m.urlencode({"k": x, "l": [x, 1]}, doseq=True),
        ],
    ),
    "colorsys": (RGB, [lambda m, x: [getattr(m, way)(*x) for way in WAYS]]),
    "heapq": (
        NUMBERS,
        [
            lambda m, x: _in_heap(m, list(x)),
            lambda m, x: (m.nlargest(2, x), m.nsmallest(3, x, key=lambda n: -n), m.nlargest(99, x)),
            lambda m, x: list(m.merge(sorted(x, reverse=True), [3, 1], reverse=True)),
        ],
    ),
    "bisect": (
        NUMBERS,
        [
            lambda m, x: [(m.bisect_left(sorted(x), n), m.bisect_right(sorted(x), n, 1)) for n in range(7)],
            lambda m, x: m.bisect_left(sorted(x), 2, -1),
            lambda m, x: _put_in(m, sorted(x)),
        ],
    ),
    "statistics": (
        NUMBERS,
        [
            lambda m, x: (m.mean(x), m.median(x), m.mode(x), m.median_grouped(x), m.multimode(x), m.fmean(x)),
            lambda m, x: (m.pstdev(x), m.stdev(x), m.variance(x), m.pvariance(x, 2)),
            lambda m, x: (m.quantiles(x, n=3), m.quantiles(x, method="inclusive")),
            lambda m, x: (m.harmonic_mean(x), m.geometric_mean(x)),
            lambda m, x: (m.correlation(x, x[::-1]), m.linear_regression(x, x), m.NormalDist(1, 2).cdf(x[0])),
        ],
    ),
}


def _in_heap(m: Any, numbers: list[float]) -> object:
    m.heapify(numbers)
    return m.heappushpop(numbers, 2), m.heapreplace(numbers, 7), m.heappop(numbers), numbers


def _put_in(m: Any, numbers: list[float]) -> object:
    m.insort_left(numbers, 2)
    m.insort_right(numbers, 3, key=abs)
    return numbers


def answers(name: str, m: types.ModuleType) -> list[str]:
    """What a module says to many questions, errors among the answers."""
    inputs, questions = QUESTIONS[name]
    found = []
    for question in questions:
        for asked in inputs:
            try:
                found.append(repr(question(m, asked)))
            except Exception as error:  # noqa: BLE001  any error is an answer
                found.append(type(error).__name__)
    return found


def library(name: str) -> str:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    text = Path(spec.origin).read_text()
    # What the interpreter has in C would take the place of what is rewritten.
    tree = ast.parse(text)
    for node in tree.body:
        if isinstance(node, ast.Try) and any(
            isinstance(n, ast.ImportFrom) and n.module == f"_{name}" for n in node.body
        ):
            lines = text.split("\n")
            return "\n".join([*lines[: node.lineno - 1], *[""] * 3, *lines[node.end_lineno or 0 :]])
    return text


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_standard_library_answers_the_same(name: str) -> None:
    text = library(name)
    wanted = answers(name, module(name, text))
    assert len(set(wanted)) >= 5
    state, count = FileState(text.encode()), 0
    for variant in alternatives(Change({}, {PATH: state}, {PATH: state}, "", {}), limit=40):
        after = variant.files[PATH]
        assert after is not None
        count += 1
        assert answers(name, module(name, after.data.decode())) == wanted, variant.key
    assert count >= 15
