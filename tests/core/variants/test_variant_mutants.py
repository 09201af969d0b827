"""Mutants: what each operator makes of a line, and what is left alone."""

from __future__ import annotations

import ast
import importlib.util
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.variants.ablation import ablations
from assay.core.variants.changes import read_gold
from assay.core.variants.equivalence import distinct
from assay.core.variants.mutants import mutants
from assay.core.variants.wrong_fixes import wrong_fixes
from assay.model.tree import FileState, Tree
from assay.model.variant import Variant


def variants_of(text: str) -> list[Variant]:
    return mutants(read_gold({}, {"a.py": FileState(text.encode())}))


def lines_made(text: str) -> set[tuple[str, str]]:
    """Each mutant's kind and the lines that it has and the text has not."""
    found = set()
    for variant in variants_of(text):
        state = variant.files["a.py"]
        assert state is not None
        before = text.splitlines()
        after = [line for line in state.data.decode().splitlines() if line not in before]
        found.add((variant.kind, "\n".join(line.strip() for line in after)))
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x = a + b  # +", {("arithmetic", "x = a - b  # +")}),
        ("x = (a) * (  # *\n  b)", {("arithmetic", "x = (a) // (  # *")}),
        ("x = a ** -b", {("arithmetic", "x = (a * (-b))"), ("sign", "x = a ** b")}),
        ("x |= a", {("arithmetic", "x &= a"), ("assignment", "x = a")}),
        ("x = 'é' < é", {("compare-boundary", "x = 'é' <= é"), ("compare-negated", "x = 'é' >= é")}),
        ("x = a not in b", {("compare-negated", "x = a in b")}),
        ("x = a is  not b", {("compare-negated", "x = a is b")}),
        (
            "x = a and (b or c)",
            {
                ("boolean", "x = a or (b or c)"),
                ("operand-dropped", "x = (b or c)"),
                ("operand-dropped", "x = a"),
                ("boolean", "x = a and (b and c)"),
            },
        ),
        ("x = not (a or b)", {("negation", "x = (a or b)")}),
        ("if a:\n    f()", {("condition-always", "if True:"), ("condition-never", "if False:")}),
        ("if a:\n    f()\nelse:\n    g()", {("branches-swapped", "if not a:")}),
        ("x = a if b else c", {("branches-swapped", "x = c if b else a")}),
        ("x = [a for a in b if c]", {("condition-always", "x = [a for a in b if True]")}),
        ("x = 2", {("constant", "x = 3"), ("constant", "x = 1"), ("constant", "x = 0")}),
        ("x = True", {("constant", "x = False")}),
        ("x = r'\\d'", {("constant-emptied", "x = ''"), ("constant", "x = r'\\dx'")}),
        ('x = b""', {("constant", 'x = b"x"')}),
        ("x = f'{a} {1}'", {("constant-emptied", 'x = ""')}),
        ("def f(a=3): return a", {("default", "def f(a=4): return a"), ("return", "def f(a=3): return None")}),
        ("x = f((a), b, *c)", {("arguments-swapped", "x = f((b), a, *c)")}),
        ("x = f((a), b=(1), )", {("keyword-dropped", "x = f((a), )")}),
        ("x = f(b=a, c=d)", {("keyword-dropped", "x = f(c=d)"), ("keyword-dropped", "x = f(b=a)")}),
        ("x = a[b:c]", {("off-by-one", "x = a[b + 1:c]"), ("off-by-one", "x = a[b:c - 1]")}),
        ("x = range(n)", {("off-by-one", "x = range(n - 1)")}),
        ("x = a[i]", {("off-by-one", "x = a[i + 1]")}),
        ("x = (a + b).strip()", {("call-dropped", "x = (a + b)")}),
        ("x = sorted(a or b)", {("call-dropped", "x = (a or b)")}),
        ("f(a)\ny", {("call-dropped", "pass")}),
        ("def f():\n    raise E(a)", {("raise-dropped", "pass"), ("exception", "raise RuntimeError(a)")}),
        ("try:\n    y\nexcept E:\n    z", {("handler-raises", "raise")}),
        ("for a in b:\n    if a:\n        continue\n    y", {("jump", "break"), ("loop-once", "break")}),
        ("while a:\n    y", {("loop-once", "break"), ("condition-never", "while False:")}),
        ("def f():\n    yield a", {("yield", "yield None")}),
    ],
)
def test_each_operator(text: str, wanted: set[tuple[str, str]]) -> None:
    assert wanted <= lines_made(text)


@pytest.mark.parametrize(
    "text",
    [
        '"""Doc."""\n',
        "x: Literal['a', 1]\n",
        "__all__ = ['a']\n__version__ = '1'\nVERSION = (1, 2)\n",
        "T = TypeVar('T', bound=1)\n",
        "logger.warning('a' + b, 1)\n",
        "warnings.warn('a' + b, stacklevel=2)\n",
        "if TYPE_CHECKING:\n    x = 1\n",
        "if __name__ == '__main__':\n    x = 1 + 2\n",
        "if sys.version_info >= (3, 9):\n    x = 1\nelse:\n    x = 2\n",
        "if os.name == 'nt':\n    x = 1\n",
        "try:\n    import a\nexcept ImportError:\n    a = None\n",
        "def f():  # pragma: no cover\n    return 1 + 2\n",
        "def __hash__(self):\n    return hash((self.a, 1))\n",
        "@overload\ndef f(a=1): ...\n",
        "assert a < 1, 'no'\n",
        "f.__doc__ = 'a'\n",
        "DEFAULT_TIMEOUT = 10\n",
        "@lru_cache(maxsize=10)\ndef f(): ...\n",
    ],
)
def test_what_nobody_should_test_is_left_alone(text: str) -> None:
    assert variants_of(text) == []


def test_texts_for_people_are_left_alone_in_what_is_mutated() -> None:
    text = "def f(a):\n    if a:\n        raise E('a long text', 3, f'{a}')\n    return open(a, encoding='utf-8')\n"
    made = {line for _, line in lines_made(text)}
    assert not any("long" in line and "long text" not in line for line in made)
    assert not any("encoding" not in line and "open" in line for line in made)
    assert "raise E('a long text', 4, f'{a}')" in made


def test_shortcuts_past_a_cache_are_no_conditions() -> None:
    kinds = {variant.kind for variant in variants_of("if a in _cache:\n    x = b\n")}
    assert not kinds & {"condition-never", "condition-always", "compare-negated"}


def test_what_changed_lines_call_comes_second() -> None:
    old = "def near(a):\n    return a + 1\n\n\ndef far(a):\n    return a + 2\n\n\ndef f(a):\n    return a\n"
    new = old.replace("return a\n", "return near(a)\n")
    found = mutants(read_gold({"a.py": FileState(old.encode())}, {"a.py": FileState(new.encode())}))
    ranks = {(variant.line, variant.rank) for variant in found}
    assert ranks == {(2, 1), (10, 0)}
    assert [v.rank for v in found] == sorted(v.rank for v in found)


def test_lines_tell_who_can_notice() -> None:
    text = "def f(a=1,\n      b=2):\n    '''Doc.'''\n    c = (a +\n         b)\n    return c\n"
    lines = {(v.kind, v.line): v.lines for v in variants_of(text)}
    assert lines["default", 2] == {4, 5, 6}
    assert lines["arithmetic", 4] == {4, 5}
    assert lines["return", 6] == {6}


PIECES = st.sampled_from(
    [
        "x = 'é' + a  # ünd",
        "if (a\n    or b): x = 1",
        "for i in range(len(a)):\n    if a[i] < 3: break\n    b(i, 'ß', c=1)",
        "class K:\n    y: int = 3\n    def m(self, z=0.5):\n        return self.m(z)[1:z]",
        "try:\n    f(a, b)\nexcept (A, B) as e:\n    raise C('é') from e\nfinally:\n    g()",
        "x = f'{a!r:>{b}}é' if not a else [c for c in b if c]; y = {**a, 'k': -1}",
        "while a:\n    a -= 1",
        "async def h(q, /, *r, s=None):\n    async with q as t:\n        await t(*r, s)\n    return not s",
        "with a as b, c: pass",
        "match a:\n    case 1 | 'é': x = 2\n    case {'k': v}: x = v",
        "x = lambda u, v=2: (\n    u ** v)",
        "@d(1)\ndef g(): yield 1, 2",
        "x = a < b <= c != d\nx += y[::-1]",
        "def outer():\n\tdef inner(): return 1\n\treturn inner() or None",
    ]
)


@settings(deadline=None, max_examples=30)
@given(st.lists(PIECES, min_size=1, max_size=5), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_every_variant_is_another_program_that_differs_where_it_says(
    pieces: list[str], newline: str, ends: bool, marked: bool
) -> None:
    text = newline.join(piece.replace("\n", newline) for piece in pieces) + newline * ends
    data = text.encode("utf-8-sig" if marked else "utf-8")
    gold: Tree = {"a.py": FileState(data)}
    read = read_gold({}, gold)
    found = [*mutants(read), *ablations(read), *wrong_fixes(read, "`g()` returns `3`")]
    assert len({variant.key for variant in found}) == len(found)
    edited = [v for v in found if v.files["a.py"] is not None]
    for variant in edited:
        state = variant.files["a.py"]
        assert state is not None
        compile(state.data, "a.py", "exec", dont_inherit=True)
        before, after = data.splitlines(keepends=True), state.data.splitlines(keepends=True)
        same = next((i for i, (one, two) in enumerate(zip(before, after, strict=False)) if one != two), len(before))
        assert same + 1 >= variant.line - (variant.kind in ("loop-once",))
    mutated = [v for v in edited if v.family == "mutant"]
    assert distinct(mutated, gold) == mutated


@pytest.mark.parametrize("name", ["textwrap", "bisect", "fnmatch", "shlex", "graphlib"])
def test_real_modules_have_variants_that_compile(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    data = Path(spec.origin).read_bytes()
    found = mutants(read_gold({}, {"a.py": FileState(data)}))
    for variant in random.Random(1).sample(found, min(25, len(found))):
        state = variant.files["a.py"]
        assert state is not None
        assert ast.dump(ast.parse(state.data)) != ast.dump(ast.parse(data))
        compile(state.data, "a.py", "exec", dont_inherit=True)
