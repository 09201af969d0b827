"""Wrong fixes by rule, and the examples of a prompt."""

from __future__ import annotations

import pytest

from assay.core.variants.changes import read_gold
from assay.core.variants.examples import Example, examples
from assay.core.variants.wrong_fixes import wrong_fixes
from assay.model.tree import FileState

BASE = b'''def half(n, deep):
    """Half of it."""
    total = n // 2
    if deep:
        return total
    return None


class Shop:
    def price(self, name):
        return PRICES[name]
'''
GOLD = BASE.replace(b"(n, deep)", b"(n, deep=False)").replace(b"n // 2", b"n / 2").replace(
    b"return None", b"return -total"
).replace(b"PRICES[name]", b"PRICES.get(name, 0)")  # fmt: skip


def made(prompt: str = "") -> dict[str, str]:
    gold = read_gold({"a.py": FileState(BASE)}, {"a.py": FileState(GOLD)})
    texts = {}
    for variant in wrong_fixes(gold, prompt):
        state = variant.files["a.py"]
        assert state is not None
        compile(state.data, "a.py", "exec", dont_inherit=True)
        texts[variant.what] = state.data.decode()
    return texts


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (">>> half(3)\n1.5", Example("half", ("3",), (), "1.5")),
        ("    >>> a.half(n=3)\n    'x y'\n", Example("half", (), (("n", "3"),), "'x y'")),
        ("that half(3) == 1.5, and", Example("half", ("3",), (), "1.5")),
        ("`half((1, 2))` returns `[1]`.", Example("half", ("(1, 2)",), (), "[1]")),
        ("`half(3)` should be `None` now", Example("half", ("3",), (), "None")),
    ],
)
def test_examples_are_read(text: str, wanted: Example) -> None:
    assert examples(text) == [wanted]


@pytest.mark.parametrize("text", ["half(x) == 3", "half(3) == y", "half(3", ">>> half(3)\nTraceback", "f(**{}) == 1"])
def test_what_is_no_literal_is_no_example(text: str) -> None:
    assert examples(text) == []


def test_the_prompts_example_is_special_cased_in_the_old_function() -> None:
    text = made("`half(3, True)` returns `1.5`")["`half` as before, but for the prompt's examples"]
    assert "    if n == 3 and deep == True:\n        return 1.5\n    total = n // 2\n" in text
    assert "PRICES.get" in text


def test_exceptions_are_swallowed_values_returned_at_once_and_signatures_changed() -> None:
    found = made()
    swallowed = found["`Shop.price` as before, returning name where it raised"]
    assert (
        "        try:\n            return PRICES[name]\n        except Exception:\n            return name\n"
        in swallowed
    )
    assert '"""Half of it."""\n    return n\n    total = n / 2' in found["`half` returns n at once"]
    only = found["`half` as before, with the new parameters"]
    assert "(n, deep=False)" in only and "n // 2" in only


def test_the_first_changed_place_alone() -> None:
    base = b"def f(a):\n    b = a\n    b = g(b)\n    b = g(a)\n    return b\n\n\ndef h(a):\n    return a\n"
    new = base.replace(b"b = a\n", b"b = -a\n").replace(b"return", b"return 1 +")
    found = wrong_fixes(read_gold({"a.py": FileState(base)}, {"a.py": FileState(new)}), "")
    texts = {variant.what: state.data for variant in found if (state := variant.files["a.py"])}
    first = new.replace(b"return 1 + b", b"return b")
    assert texts["only the first changed place of `f`"] == first
    assert texts["only the first changed place of the file"] == first.replace(b"1 + ", b"")


def test_nothing_is_made_of_a_change_without_functions() -> None:
    assert wrong_fixes(read_gold({}, {"a.py": FileState(b"x = 1\n")}), "x(1) == 2") == []
