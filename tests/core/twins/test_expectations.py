"""Every kind of expectation: its twin fails where the test itself passes, and nothing else of the file changes."""

from __future__ import annotations

import ast
import random
import textwrap
import unittest
from collections.abc import Callable, Mapping

import pytest

from assay.core.twins.cases import Library
from assay.core.twins.weaving import design, write
from assay.model.twin import Edit, Frames, Twin, Woven

PATH = "tests/test_x.py"


def weave(
    body: str, ids: tuple[str, ...], seed: int = 0, traces: Mapping[str, Frames] | None = None
) -> tuple[bytes, list[Woven], dict[str, str]]:
    data = textwrap.dedent(body).encode()
    library = Library(lambda path: data if path == PATH else None)
    woven, missing = design(library, [f"{PATH}::{i}" for i in ids], traces or {}, random.Random(seed))
    return data, woven, missing


def only(body: str, seed: int = 0) -> tuple[bytes, Woven]:
    data, woven, missing = weave(body, ("test_it",), seed)
    assert missing == {}
    return data, woven[0]


def outcome(data: bytes, run: Callable[[dict[str, object]], None]) -> str:
    """`passed`, or the name of what was raised."""
    names: dict[str, object] = {"__name__": "test_x"}
    try:
        exec(compile(data, PATH, "exec"), names)  # noqa: S102  a file of this test
        run(names)
    except BaseException as error:  # noqa: BLE001  whatever a test may raise
        return type(error).__name__
    return "passed"


def call(names: dict[str, object]) -> None:
    test = names["test_it"]
    assert callable(test)
    test()


EXPECTATIONS = {
    "number": "assert 1 + 1 == 2",
    "left": "assert 'ab' == 'a'.ljust(1) + 'b'",
    "text": "assert 'a-b'.upper() == 'A-B'",
    "triple quotes": 'assert "a" + "b" == """ab"""',
    "two pieces": 'assert "a" + "b" == ("a" "b")',
    "list": "assert sorted([2, 1]) == [1, 2]",
    "empty list": "assert list('') == []",
    "empty dict": "assert dict() == {}",
    "dict": "assert dict(a=1) == {'a': 1}",
    "set": "assert set('ab') == {'a', 'b'}",
    "negative": "assert -abs(3) == -3",
    "none": "assert {}.get('a') == None",
    "bool": "assert bool(1) == True",
    "bytes": "assert b'a' * 2 == b'aa'",
    "float": "assert 1 / 4 == 0.25",
    "membership": "assert 'a' in 'abc'",
    "no membership": "assert 'z' not in 'abc'",
    "identity": "assert {}.get('a') is None",
    "no identity": "assert object() is not None",
    "order": "assert 1 < 2",
    "inequality": "assert 1 != 2",
    "truth": "assert 'abc'.startswith('a')",
    "falsehood": "assert not 'abc'.startswith('b')",
    "both": "assert 'a' in 'abc' and 1 + 1 == 2",
    "through a name": "expected = [1, 2]; assert sorted([2, 1]) == expected",
    "unpacked": "given, expected = 'a', 'A'; assert given.upper() == expected",
    "table": """
        for given, expected in [("a", "A"), ("b", "B")]:
            assert given.upper() == expected
        """,
    "table of a dict": """
        for given, expected in {"a": "A"}.items():
            assert given.upper() == expected
        """,
    "object": "value = object(); other = value; assert value == other",
    "parentheses": "assert ((1 + 1)\n == (2))",
    "assistant": """
        def check(given, expected):
            assert given.upper() == expected
        check("a", "A")
        """,
    "early return": "assert 1 + 1 == 2; return",
    "with": "import contextlib\nwith contextlib.suppress(ValueError):\n    assert 1 + 1 == 2",
    "comment": "assert 1 + 1 == 2  # a comment",
}


def body_of(expectation: str) -> str:
    return "def test_it():\n" + textwrap.indent(textwrap.dedent(expectation).strip(), "    ") + "\n"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("expectation", EXPECTATIONS.values(), ids=EXPECTATIONS.keys())
def test_a_twin_fails_by_assertion_and_the_test_itself_passes(expectation: str, seed: int) -> None:
    data, woven = only(body_of(expectation), seed)
    assert outcome(write(data, woven.real), call) == "passed"
    kinds = {twin.kind for twin in woven.twins}
    assert "forced" in kinds
    assert kinds - {"forced"}
    failing = {twin.kind for twin in woven.twins if outcome(write(data, twin.edits), call) == "AssertionError"}
    assert "forced" in failing
    assert failing - {"forced"}, [write(data, t.edits).decode() for t in woven.twins]


def test_an_object_that_equals_everything_turns_the_twin_green() -> None:
    body = """
    class Anything:
        def __eq__(self, other): return True
        __hash__ = None
    def test_it():
        assert Anything() == [1, 2]
    """
    data, woven = only(body)
    value = next(t for t in woven.twins if t.kind == "value")
    assert outcome(write(data, value.edits), call) == "passed"


@pytest.mark.parametrize(
    ("expectation", "is_riddle"),
    [
        ("assert f() == 23", True),
        ("assert f() == [1]", True),
        ("assert 'key' in f()", True),
        ("assert f() == approx(2.5)", True),
        ("assert f() == True", False),
        ("assert f() == approx(0)", False),
        ("assert f() == []", False),
        ("assert '' in f()", False),
        ("assert f() is None", False),
        ("assert f() == g()", False),
        ("assert f()", False),
        ("self.assertIn('key', f())", True),
        ("self.assertRaisesRegex(ValueError, 'no key', f)", True),
        ("self.assertRaises(ValueError, f)", False),
    ],
)
def test_only_a_value_with_alternatives_is_a_riddle(expectation: str, is_riddle: bool) -> None:
    _, made = only(f"def test_it(self):\n    {expectation}\n")
    assert ("value" in {twin.kind for twin in made.twins}) is is_riddle


def test_the_expected_exception_becomes_another_one() -> None:
    body = """
    import pytest
    def test_it():
        with pytest.raises(KeyError):
            {}["a"]
    """
    data, woven = only(body)
    raises = [t for t in woven.twins if t.kind == "raises"]
    assert raises
    for twin in raises:
        assert outcome(write(data, twin.edits), call) == "KeyError"


def test_the_expected_message_changes_too() -> None:
    body = """
    import pytest
    def test_it():
        with pytest.raises(ValueError, match="invalid literal"):
            int("a")
    """
    data, woven = only(body)
    value = [t for t in woven.twins if t.kind == "value"]
    assert any(outcome(write(data, t.edits), call) in ("AssertionError", "Failed") for t in value)


def test_approximations_are_missed_by_more_than_any_tolerance() -> None:
    body = """
    import pytest
    def test_it():
        assert 0.1 + 0.2 == pytest.approx(0.3, rel=0.01)
    """
    for seed in range(20):
        data, woven = only(body, seed)
        value = next(t for t in woven.twins if t.kind == "value")
        assert outcome(write(data, value.edits), call) == "AssertionError"


UNITTEST = """
import unittest
class Base(unittest.TestCase):
    def test_inherited(self):
        self.assertEqual("a".upper(), "A")
class Tests(Base):
    def test_equal(self):
        self.assertEqual(sorted([2, 1]), [1, 2])
    def test_true(self):
        self.assertTrue("abc".startswith("a"))
    def test_in(self):
        self.assertNotIn("z", "abc")
    def test_raises(self):
        with self.assertRaises(KeyError):
            {}["a"]
    def test_almost(self):
        self.assertAlmostEqual(0.1 + 0.2, 0.3)
"""


@pytest.mark.parametrize("name", ["test_inherited", "test_equal", "test_true", "test_in", "test_raises", "test_almost"])
def test_methods_of_unittest_have_both_kinds(name: str) -> None:
    data, woven, missing = weave(UNITTEST, (f"Tests::{name}",))
    assert missing == {}

    def passes(edits: tuple[Edit, ...]) -> bool:
        names: dict[str, object] = {"__name__": "test_x"}
        exec(compile(write(data, edits), PATH, "exec"), names)  # noqa: S102  a file of this test
        case = names["Tests"]
        assert isinstance(case, type)
        result = unittest.TestResult()
        case(name).run(result)
        return result.wasSuccessful()

    assert passes(woven[0].real)
    failing = {twin.kind for twin in woven[0].twins if not passes(twin.edits)}
    assert "forced" in failing
    assert failing - {"forced"}


def test_every_row_of_a_parametrised_test_is_spoilt() -> None:
    body = """
    import pytest
    @pytest.mark.parametrize("given, expected", [("a", "A"), pytest.param("b", "B", id="bee")])
    def test_it(given, expected):
        assert given.upper() == expected
    """
    data, woven, _ = weave(body, ("test_it[a-A]", "test_it[bee]"))
    assert [w.ids for w in woven] == [(f"{PATH}::test_it[a-A]", f"{PATH}::test_it[bee]")]
    value = next(t for t in woven[0].twins if t.kind == "value")
    changed = write(data, value.edits).decode()
    assert '"A"' not in changed
    assert '"B"' not in changed
    assert '("a", ' in changed


def test_tests_imported_from_a_package_below_a_folder_that_is_none_are_found() -> None:
    files = {
        "tests/pack/test_a.py": b"class TestA:\n    def test_it(self):\n        assert int('2') == 2\n\n"
        b"def test_alone():\n    assert int('3') == 3\n",
        "tests/pack/test_b.py": b"from pack.test_a import TestA, test_alone\n\nclass TestB(TestA):\n    pass\n",
    }
    ids = [f"tests/pack/test_{name}" for name in ("b.py::TestB::test_it", "b.py::TestA::test_it", "b.py::test_alone")]
    woven, missing = design(Library(files.get), ids, {}, random.Random(0))
    assert missing == {}
    assert {one.path for one in woven} == {"tests/pack/test_a.py"}
    assert sorted(i for one in woven for i in one.ids) == sorted(ids)


def test_tests_inherited_from_another_file_are_found() -> None:
    files = {
        "tests/__init__.py": b"class Mixin:\n    def test_a(self):\n        assert 1 + 1 == 2\n",
        "tests/test_y.py": b"from . import Mixin\n\nclass TestY(Mixin):\n    pass\n",
        "tests/test_z.py": b"import tests\n\nclass TestZ(tests.Mixin):\n    pass\n",
    }
    ids = ["tests/test_y.py::TestY::test_a", "tests/test_z.py::TestZ::test_a"]
    woven, missing = design(Library(files.get), ids, {}, random.Random(0))
    assert missing == {}
    assert [(w.path, w.ids) for w in woven] == [("tests/__init__.py", tuple(ids))]


def test_the_expectation_at_which_the_base_fails_comes_first() -> None:
    body = "def test_it():\n    assert 1 == 1\n    x = 2\n    assert x + 1 == 3\n    assert 4 == 4\n"
    for seed in range(10):
        _, woven, _ = weave(body, ("test_it",), seed, {f"{PATH}::test_it": ((PATH, 3),)})
        at_stake: list[Twin] = [t for t in woven[0].twins if t.at_stake]
        assert [t.line for t in at_stake] == [4]


def test_what_cannot_be_woven_is_named_with_its_reason() -> None:
    body = "def test_it(): assert 1 == 1\n"
    _, woven, missing = weave(body, ("test_it", "test_other"))
    assert woven == []
    assert set(missing) == {f"{PATH}::test_it", f"{PATH}::test_other"}
    broken, why = design(Library(lambda _: b"def broken(:\n"), [f"{PATH}::test_it"], {}, random.Random(0))
    assert broken == []
    assert "cannot be parsed" in why[f"{PATH}::test_it"]


@pytest.mark.parametrize("seed", range(3))
def test_woven_files_keep_their_other_bytes(seed: int) -> None:
    body = "# -*- coding: utf-8 -*-\r\nNAME = 'é'  # kept\r\ndef test_it():\r\n    'doc'\r\n    assert 'é' == NAME\r\n"
    library = Library(lambda _: ("\ufeff" + body).encode())
    woven, _ = design(library, [f"{PATH}::test_it"], {}, random.Random(seed))
    data = ("\ufeff" + body).encode()
    for edits in (woven[0].real, *(t.edits for t in woven[0].twins)):
        changed = write(data, edits)
        ast.parse(changed)
        assert changed.startswith(data[: data.index(b"    assert")])
        assert changed.endswith(b"\r\n")
