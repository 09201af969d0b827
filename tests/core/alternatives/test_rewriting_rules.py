"""Each rule by example: what it writes, and what it leaves alone."""

from __future__ import annotations

import textwrap

import pytest

from assay.core.alternatives.change import Change
from assay.core.alternatives.making import alternatives
from assay.model.tree import FileState
from assay.model.variant import Variant

PATH = "src/pkg/mod.py"


def made(new: str, old: str = "", prompt: str = "", tests: str = "", **others: str) -> tuple[Variant, ...]:
    """All rewrites of a module that changes from `old` to `new`; `others` are modules beside it, on both sides."""
    rest = {f"src/pkg/{name}.py": FileState(text.encode()) for name, text in others.items()}
    state = FileState(textwrap.dedent(new).encode())
    base = {**rest, **({PATH: FileState(textwrap.dedent(old).encode())} if old else {})}
    hidden = {"tests/test_mod.py": FileState(tests.encode())}
    return alternatives(Change(base, {**rest, PATH: state}, {PATH: state}, prompt, hidden), limit=1000)


def texts(kind: str, variants: tuple[Variant, ...]) -> list[str]:
    """The module as each rewrite of a kind leaves it."""
    states = [variant.files[PATH] for variant in variants if variant.kind == kind]
    return [state.data.decode() for state in states if state is not None]


def in_function(body: str, parameters: str = "a, b, c, xs") -> str:
    return f"def f({parameters}):\n" + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n"


WRITTEN = [
    ("rename-local", "total = a\nreturn [total, b]", "total_value = a\nreturn [total_value, b]"),
    ("inline-return", "total = a + b\nreturn total", "return a + b"),
    ("inline-local", "size = len(a)\nif size > 3:\n    return b\nreturn c", "if (len(a)) > 3:\n    return b\nreturn c"),
    ("extract-return", "return a + b", "result = a + b\nreturn result"),
    ("extract-condition", "if a is None:\n    b()\nc()", "condition = a is None\nif condition:\n    b()\nc()"),
    ("reorder-statements", "one = 1\ntwo = a\nreturn [one, two]", "two = a\none = 1\nreturn [one, two]"),
    ("swap-branches", "if a:\n    b()\nelse:\n    c()", "if not a:\n    c()\nelse:\n    b()"),
    ("swap-branches", "if not (a or b):\n    b()\nelse:\n    c()", "if a or b:\n    c()\nelse:\n    b()"),
    ("if-expression", "if a:\n    d = b\nelse:\n    d = c, 1\nreturn d", "d = b if a else (c, 1)\nreturn d"),
    ("conditional-expression", "return b if a else c", "if a:\n    return b\nelse:\n    return c"),
    (
        "comprehension-loop",
        "return [x for x in xs if x > a]",
        "found = []\nfor x in xs:\n    if x > a:\n        found.append(x)\nreturn found",
    ),
    ("message", 'raise ValueError("no such thing here")', 'raise ValueError("This was refused")'),
    (
        "message",
        "raise ValueError(f\"no such thing: {a!r} in {b['k']}\")",
        'raise ValueError("This was refused" f" {a!r} {b[\'k\']}")',
    ),
    ("message", 'raise ValueError("no thing %s here" % a)', 'raise ValueError("This was refused %s" % a)'),
    (
        "message",
        'raise ValueError("no {} such thing {name!r}".format(a, name=b))',
        'raise ValueError("This was refused {} {name!r}".format(a, name=b))',
    ),
    ("message", 'raise ValueError("the xs are too long")', 'raise ValueError("This was refused (xs)")'),
    ("container", "ys = [a, b]\nfor x in ys:\n    c(x)", "ys = (a, b,)\nfor x in ys:\n    c(x)"),
    ("container", "known = a, b\nreturn c in known", "known = [a, b]\nreturn c in known"),
    ("swap-equality", 'return a == "x"', 'return "x" == a'),
    ("empty-container", "return a or {}", "return a or dict()"),
    ("format", 'return f"{{{a}}} and so on"', "return '{{{}}} and so on'.format(a)"),
]


@pytest.mark.parametrize(
    ("kind", "before", "after"), WRITTEN, ids=[f"{kind}-{n}" for n, (kind, *_) in enumerate(WRITTEN)]
)
def test_what_a_rule_writes(kind: str, before: str, after: str) -> None:
    assert in_function(after) in texts(kind, made(in_function(before)))


LEFT_ALONE = [
    ("rename-local", "total = a\nreturn locals()"),
    ("rename-local", "total = a\nreturn f'{total=}'"),
    ("rename-local", "total = a\ndef g():\n    nonlocal total\n    total = 1\nreturn total"),
    ("rename-local", "total = a\nreturn [total for total in xs]"),
    ("rename-local", "try:\n    a()\nexcept OSError as error:\n    b(error)"),
    ("rename-local", "import json\nreturn json"),
    ("rename-local", "a = a + b\nreturn a"),
    ("inline-return", "try:\n    y = a()\n    return y\nfinally:\n    b(y)"),
    ("inline-return", "b(y)\ny = a\nreturn y"),
    ("inline-return", "b(lambda: y)\ny = a\nreturn y"),
    ("inline-local", "y = a()\nreturn y.b"),
    ("inline-local", "y = a + 1\nreturn b() + y"),
    ("extract-condition", "if a:\n    b()"),
    ("extract-condition", "if a > b:\n    b()"),
    ("extract-condition", "if c:\n    b()\nelif a is None:\n    b()"),
    ("reorder-statements", "one = a\ntwo = one\nreturn [one, two]"),
    ("reorder-statements", "one = a()\ntwo = b()\nreturn [one, two]"),
    ("swap-branches", "if a:\n    b()\nelif c:\n    c()\nelse:\n    a()"),
    ("comprehension-loop", "x = a\ny = [x for x in xs]\nreturn x, y"),
    ("comprehension-loop", "return [lambda: x for x in xs]"),
    ("comprehension-loop", "return [x for ys in xs for x in ys]"),
    ("message", 'raise KeyError("name")'),
    ("message", "raise ValueError(a)"),
    ("container", "known = [a, b]\nknown.append(c)\nreturn c in known"),
    ("container", "known = [a, b]\nfor x in known:\n    a(x)\nreturn known"),
    ("swap-equality", "return a == b"),
    ("swap-equality", "return a == b == 'x'"),
    ("format", 'return f"{a}{b}"'),
    ("format", 'return f"{a!r} here"'),
]


@pytest.mark.parametrize(("kind", "body"), LEFT_ALONE, ids=[f"{kind}-{n}" for n, (kind, _) in enumerate(LEFT_ALONE)])
def test_what_a_rule_leaves_alone(kind: str, body: str) -> None:
    assert texts(kind, made(in_function(body))) == []


HELPER = "def _part(x):\n    return x + 1\n\n\ndef f(x):\n    return _part(x)\n"


def test_a_new_private_helper_gets_another_name() -> None:
    (text,) = texts("rename-helper", made(HELPER))
    assert text == HELPER.replace("_part", "_own_part")


@pytest.mark.parametrize(
    ("text", "others"),
    [
        (HELPER, {"prompt": "There is a helper `_part`."}),
        (HELPER, {"old": "def _part(x):\n    return x\n"}),
        (HELPER, {"other": "from pkg.mod import _part\n"}),
        (HELPER + "\n__all__ = ['_part']\n", {}),
        (HELPER + "\nREGISTRY = {'part': _part}\n", {}),
        (HELPER, {"other": "def g(x, k):\n    return getattr(x, '_' + k)\n"}),
        (HELPER, {"other": "def g(x, k):\n    return getattr(x, f'_pa{k}')\n"}),
        ("@register\n" + HELPER, {}),
    ],
)
def test_a_name_that_somebody_may_know_stays(text: str, others: dict[str, str]) -> None:
    assert texts("rename-helper", made(text, **others)) == []


CLASS = (
    "class A:\n    def __init__(self, x):\n        self._held = x\n\n    def get(self):\n        return self._held\n"
)


def test_a_new_private_attribute_gets_another_name() -> None:
    assert texts("rename-attribute", made(CLASS)) == [CLASS.replace("_held", "_own_held")]
    for text in (
        CLASS + "\n    def of(self, other):\n        return other._held\n",
        CLASS.replace("class A:", "class A(Base):"),
        CLASS.replace("class A:", "@dataclass\nclass A:"),
        CLASS + "\n    def __repr__(self):\n        return str(self.__dict__)\n",
    ):
        assert texts("rename-attribute", made(text)) == []


RAISING = "def f(x):\n    if x < 0:\n        raise ValueError('numbers below zero have no root')\n    return x\n"


@pytest.mark.parametrize(
    "others",
    [
        {"prompt": "It raises ValueError, saying that numbers below\nzero have no root."},
        {"prompt": "Numbers below zero are refused."},
        {"other": "TEXT = 'numbers below zero have no root'\n"},
        {"other": "def g():\n    raise ValueError('in general, numbers below zero are complex')\n"},
        {"other": "def g(e):\n    return 'below zero' in str(e)\n"},
        {"old": RAISING.replace("x < 0", "x <= 0").replace("    return x\n", "")},
    ],
)
def test_a_message_that_is_known_or_read_stays(others: dict[str, str]) -> None:
    assert texts("message", made(RAISING)) != []
    assert texts("message", made(RAISING, **others)) == []


def test_words_of_the_prompt_stay_in_a_message() -> None:
    (text,) = texts("message", made(RAISING, prompt="The error tells about the root."))
    assert "'numbers" not in text
    assert '"This was refused (root)"' in text


def test_a_warning_that_configuration_names_stays() -> None:
    text = "import warnings\n\n\ndef f():\n    warnings.warn('old way of calling it', DeprecationWarning)\n"
    state = FileState(text.encode())
    settings = {"pyproject.toml": FileState(b"filterwarnings = ['error', 'ignore:old way:DeprecationWarning']")}
    found = alternatives(Change(settings, {PATH: state, **settings}, {PATH: state}, "", {}), limit=99)
    assert texts("warning-text", found) == []
    assert texts("warning-text", made(text)) == [text.replace("'old way of calling it'", '"Please take note"')]


def test_annotations_go_where_nobody_reads_them() -> None:
    text = "def f(a: int, *b: str, c: 'x' = 3) -> list[int]:\n    return [a, b, c]\n"
    assert texts("drop-annotations", made(text)) == ["def f(a, *b, c = 3):\n    return [a, b, c]\n"]
    assert texts("drop-annotations", made(text, tests="import inspect\n")) == []
    assert texts("drop-annotations", made("@register\n" + text)) == []


def test_only_what_is_new_is_rewritten() -> None:
    old = "def f(a):\n    total = a + 1\n    return total\n"
    assert made(old + "\n\ndef g(x):\n    return x\n", old) == ()
    found = made(old.replace("+ 1", "+ 2"), old)
    assert {variant.kind for variant in found} == {"rename-local", "inline-return"}
    assert all(variant.function == "f" and variant.lines for variant in found)


def test_line_ends_and_encodings_survive() -> None:
    text = "# coding: latin-1\r\ndef f(a):\r\n    # caf\u00e9\r\n    s = '\u00e9', a\r\n    return s\r\n".encode(
        "latin-1"
    )
    state = FileState(text, "100755")
    found = alternatives(Change({}, {PATH: state}, {PATH: state}, "", {}))
    (inlined,) = [v.files[PATH] for v in found if v.kind == "inline-return"]
    assert inlined == FileState(text.replace(b"s = '\xe9', a\r\n    return s", b"return ('\xe9', a)"), "100755")


def test_nonsense_has_no_rewrites() -> None:
    for data in (b"\xff\xfe", b"def f(:", b"print 'x'", b"\0", b"x = 1\rdef f():\n  return x + 1", b"(" * 5000):
        state = FileState(data)
        assert alternatives(Change({}, {PATH: state}, {PATH: state}, "", {})) == ()


def test_few_of_a_kind_and_the_same_each_time() -> None:
    text = "\n\n".join(in_function(f"total = a + {n}\nreturn total").replace("f(", f"f{n}(") for n in range(30))
    state = FileState(text.encode())
    found = alternatives(Change({}, {PATH: state}, {PATH: state}, "", {}), limit=5)
    assert found == alternatives(Change({}, {PATH: state}, {PATH: state}, "", {}), limit=5)
    assert len(found) == len({variant.key for variant in found}) == 5
    assert len({variant.kind for variant in found}) == 3
