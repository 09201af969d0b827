"""What tests need and nobody can know."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.audit.hidden_names import Question, hidden_names, unread
from assay.model.audit import Finding
from assay.model.tree import FileState
from assay.stages.audit.hidden_names import answer

BASE = b"def old(text):\n    if not text:\n        raise ValueError('nothing given')\n    return text\n"
GOLD = b"""\
MODES = {"quick_mode": 1, "strict": 2}
LIMIT = 4711
KEYS = ["text", "given", "nothing"]


class Cutter:
    def __init__(self, width, depth=0):
        self.width = width

    def slice_up(self, text):
        return {"cut_text": text}


def old(text, limit=0):
    if not text:
        raise ValueError('nothing given')
    if limit < 0:
        raise ValueError(f"limit {limit} is below the bottom line")
    return text


def shorten(text, places, mark):
    return text
"""
SAY_ALL = "Add `limit` to `old`, and `shorten(text, places, mark)`, `Cutter(width, depth)` and its `slice_up`."


def found(test: str, prompt: str = SAY_ALL, *, tests: tuple[str, ...] = ("t/test_x.py::test_it",)) -> list[Finding]:
    """Findings for one hidden test file."""
    return list(
        hidden_names(
            Question(
                {"pkg.py": FileState(BASE)},
                {"pkg.py": FileState(GOLD)},
                {"t/test_x.py": FileState(test.encode())},
                prompt,
                tests,
            )
        )
    )


def kinds(test: str, prompt: str = SAY_ALL) -> list[tuple[str, str]]:
    return [(finding.kind, finding.subject) for finding in found(test, prompt)]


@pytest.mark.parametrize(
    ("code", "kind", "subject"),
    [
        ("pkg.shorten('x', 1, '')", "hidden-function", "pkg.shorten"),
        ("pkg.Cutter(1)", "hidden-class", "pkg.Cutter"),
        ("pkg.LIMIT", "hidden-attribute", "pkg.LIMIT"),
        ("assert hasattr(pkg, 'LIMIT')", "hidden-attribute", "pkg.LIMIT"),
        ("getattr(pkg, 'shorten')('x', 1, '')", "hidden-function", "pkg.shorten"),
        ("mock.patch.object(pkg, 'shorten')", "hidden-function", "pkg.shorten"),
        ("pkg.old('x', limit=1)", "hidden-parameter", "pkg.old(limit)"),
    ],
)
def test_a_name_is_hidden_until_somebody_says_it(code: str, kind: str, subject: str) -> None:
    test = f"import pkg\n\ndef test_it():\n    {code}\n"
    assert (kind, subject) in kinds(test, "Work.")
    assert kinds(test, "Add shorten(text, places, mark), LIMIT, Cutter(width), and limit.") == []


def test_a_name_with_a_default_is_not_needed() -> None:
    assert kinds("import pkg\n\ndef test_it():\n    getattr(pkg, 'LIMIT', 3)\n", "Work.") == []


def test_a_finding_says_which_test_and_what_to_add() -> None:
    (finding,) = found("import pkg\n\n\ndef test_it():\n    pkg.LIMIT\n", "Work.")
    assert (finding.path, finding.line, finding.evidence) == ("t/test_x.py", 5, ("t/test_x.py::test_it",))
    assert finding.advice == "add to the Interface section: - `pkg.LIMIT` (constant)"


def test_what_only_other_tests_need_does_not_count() -> None:
    test = "import pkg\n\ndef test_it():\n    pkg.old('x')\n\ndef test_other():\n    pkg.shorten('x', 1, '')\n"
    assert kinds(test, "Work.") == []


def test_what_helpers_fixtures_and_parameters_use_counts() -> None:
    test = (
        "import pkg, pytest\n\ndef helper():\n    return pkg.LIMIT\n\n@pytest.fixture\ndef cutter():\n"
        "    return pkg.Cutter\n\n@pytest.mark.parametrize('f', [pkg.shorten])\ndef test_it(cutter, f):\n"
        "    helper()\n"
    )
    assert {kind for kind, _ in kinds(test, "Work.")} == {"hidden-attribute", "hidden-class", "hidden-function"}


def test_an_import_fails_every_test_of_its_file() -> None:
    assert kinds("from pkg import shorten\n\ndef test_it():\n    pass\n", "Work.") == [
        ("hidden-function", "pkg.shorten")
    ]
    forgiven = (
        "try:\n    from pkg import shorten\nexcept ImportError:\n    shorten = None\n\ndef test_it():\n    pass\n"
    )
    assert kinds(forgiven, "Work.") == []


@pytest.mark.parametrize(
    "check",
    [
        "with pytest.raises(ValueError, match='is below the bottom'): old('x', -1)",
        "with pytest.raises(ValueError) as e: 1\n    assert str(e.value) == 'limit -1 is below the bottom line'",
        "with self.assertRaisesRegex(ValueError, r'-1 is below .* line'): pass",
    ],
)
def test_a_message_is_hidden_until_somebody_says_it(check: str) -> None:
    test = f"import pytest\nfrom pkg import old\n\ndef test_it():\n    {check}\n"
    assert [kind for kind, _ in kinds(test)] == ["hidden-message"]
    assert kinds(test, SAY_ALL + " Say “limit N is below the bottom line”.") == []


def test_a_message_of_the_base_is_known() -> None:
    assert (
        kinds("import pkg, pytest\ndef test_it():\n    with pytest.raises(ValueError, match='nothing given'): 1\n")
        == []
    )


def test_keys_flags_and_numbers() -> None:
    head = "import pkg\n\ndef test_it():\n    "
    assert kinds(head + "assert pkg.old('x')['cut_text'] == 1\n") == [("hidden-literal", "cut_text")]
    assert kinds(head + "pkg.old('x', limit='quick_mode')\n") == [("hidden-literal", "quick_mode")]
    assert kinds(head + "assert pkg.old('x') == 4711\n") == [("hidden-literal", "4711")]
    assert kinds(head + "assert pkg.old('x')['cut_text'] == 1\n", SAY_ALL + " The key is `cut_text`.") == []


def test_what_a_test_hands_in_itself_is_its_own() -> None:
    assert kinds("import pkg\n\ndef test_it():\n    assert pkg.old({'cut_text': 1}) == {'cut_text': 1}\n") == []


def test_an_order_counts_when_its_parts_are_known_and_it_is_not() -> None:
    test = "import pkg\n\ndef test_it():\n    assert pkg.old('') == ['text', 'given', 'nothing']\n"
    assert kinds(test) == [("hidden-order", "text, given, nothing")]
    assert kinds(test, SAY_ALL + " Yield text, then given, then nothing.") == []


def test_how_something_new_is_called_counts_too() -> None:
    test = "from pkg import shorten\n\ndef test_it():\n    shorten('x', 1, mark='')\n"
    assert kinds(test, "Add `shorten`.") == [("hidden-parameter", "pkg.shorten(mark)")]
    assert kinds(test.replace("mark=", ""), "Add `shorten`.")[0][0] == "hidden-order"


@pytest.mark.parametrize(
    ("names", "count"), [("m1, m2", 0), ("a, b", 0), ("one, other", 1), ("n, s", 1), ("text, text2, depth", 1)]
)
def test_alike_parameters_have_no_order(names: str, count: int) -> None:
    gold = {"pkg.py": FileState(BASE + f"\n\ndef same({names}):\n    return True\n".encode())}
    test = f"from pkg import same\n\ndef test_it():\n    assert same({names.replace(', ', '_, ')}_)\n"
    test = re.sub(r"\b\w+_\b", "1", test)
    question = Question(
        {"pkg.py": FileState(BASE)},
        gold,
        {"t/test_x.py": FileState(test.encode())},
        "Add `same`.",
        ("t/test_x.py::test_it",),
    )
    assert [f.kind for f in hidden_names(question)] == ["hidden-order"] * count


def test_tests_that_are_not_there_are_unknown() -> None:
    question = Question({}, {}, {"t/test_x.py": FileState(b"def test_it(): pass\n")}, "", ("t/test_x.py::Missing::x",))
    assert unread(question) == ("t/test_x.py::Missing::x",)
    assert answer(question).status == "unknown"
    assert answer(Question({}, {}, question.hidden, "", ("t/test_x.py::test_it",))).status == "pass"


@given(st.binary(max_size=200), st.text(max_size=60))
def test_any_bytes_are_read_without_an_error(source: bytes, name: str) -> None:
    files = {"pkg.py": FileState(source), "t/test_x.py": FileState(source)}
    question = Question({"pkg.py": FileState(source[:9])}, files, files, name, (f"t/test_x.py::{name}",))
    assert isinstance(hidden_names(question), tuple)
    assert isinstance(unread(question), tuple)
