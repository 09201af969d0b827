"""Which parts of a change mean something to a program."""

from __future__ import annotations

import pytest

from assay.core.variants.ablation import ablations
from assay.core.variants.changes import read_gold
from assay.model.tree import FileState

BASE = b'''import os
from typing import List


def area(a, b):
    """The area."""
    total = a * b
    return total


def shout(text):
    if not text:
        raise ValueError("no text")
    return text.upper()
'''


def hunks(new: bytes, old: bytes | None = BASE, path: str = "src/shop/area.py") -> list[str]:
    base = {} if old is None else {path: FileState(old)}
    gold = read_gold(base, {path: FileState(new)})
    return [variant.what for variant in ablations(gold) if variant.kind == "hunk"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"""The area."""', b'"""How large it is."""'),
        (b"total = a * b", b"# how large\n    total = (a * b)"),
        (b"def area(a, b):", b"def area(a: int, b: int = ...) -> int:".replace(b" = ...", b"")),
        (b"total = a * b", b"total: int = a * b"),
        (b'"no text"', b'f"there is no {text!r}"'),
        (b"import os\nfrom typing import List\n", b"from typing import List, Dict\nimport os\n"),
        (b"    total = a * b\n", b"    logger.debug('so far')\n    total = a * b\n"),
        (b"import os\n", b"import os\n__version__ = '2'\n"),
        (b"import os\n", b"import os\nif TYPE_CHECKING:\n    from x import y\n"),
        (b"import os\n", b"import os\nif sys.platform == 'win32':\n    import winreg\n"),
        (b"    return total\n", b"    return total\n\n\nif False:  # pragma: no cover\n    area(1, 2)\n"),
    ],
)
def test_what_only_people_read_is_no_part(before: bytes, after: bytes) -> None:
    assert BASE.count(before) == 1
    assert hunks(BASE.replace(before, after)) == []


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (b"a * b", b"a + b", ["line 7 as before"]),
        (b"    return total\n", b"    total += 1\n    return total\n", ["line 8 left out"]),
        (b'    if not text:\n        raise ValueError("no text")\n', b"", ["the deleted lines are back"]),
        (b"ValueError", b"TypeError", ["line 13 as before"]),
    ],
)
def test_what_a_program_reads_is_one(before: bytes, after: bytes, what: list[str]) -> None:
    assert hunks(BASE.replace(before, after)) == what


PARSER = b"""import argparse


def parser():
    made = argparse.ArgumentParser(description="Cuts")
    made.add_argument("--limit", default=3, help="how much")
    return made
"""


def test_help_is_no_part_and_what_an_option_does_is_one() -> None:
    assert hunks(PARSER.replace(b"how much", b"how many"), PARSER) == []
    assert hunks(PARSER.replace(b'"Cuts"', b'"Cuts " + NAME'), PARSER) == []
    assert hunks(PARSER.replace(b', help="how much"', b""), PARSER) == []
    assert hunks(PARSER.replace(b"default=3", b"default=4"), PARSER) == ["line 6 as before"]
    assert hunks(PARSER.replace(b"made.add_argument", b"made.other"), PARSER) == ["line 6 as before"]
    other = PARSER.replace(b"made.add_argument", b"made.other")
    assert hunks(other.replace(b"how much", b"how many"), other) == ["line 6 as before"]


def test_what_is_imported_for_annotations_alone_is_no_part() -> None:
    old = b"from shop import Old, New\n\n\ndef f(a) -> Old:\n    return a\n"
    assert hunks(old.replace(b"-> Old", b"-> New"), old) == []
    assert hunks(old.replace(b"return a", b"return New(a)"), old) == ["line 5 as before"]


def test_what_every_class_is_anyway_is_no_part() -> None:
    old = b"class Writer:\n    def write(self):\n        return 1\n"
    assert hunks(old.replace(b"Writer:", b"Writer(object):"), old) == []
    assert hunks(old.replace(b"Writer:", b"Writer(list):"), old) == ["line 1 as before"]


def test_an_alias_of_types_is_no_part() -> None:
    old = b"from typing import Callable, Union\n\nWriter = Callable[[str], None]\n"
    assert hunks(old.replace(b"None", b"object"), old) == []
    assert hunks(old + b"Teardown = Union[int, str]\n", old) == []
    assert hunks(old + b"TABLE = NAMES[1]\n", old) == ["line 4 left out"]


def test_a_new_file_is_one_part_unless_nothing_is_in_it() -> None:
    assert hunks(b"x = 1\n", None) == ["the new file left out"]
    assert hunks(b'"""Nothing."""\n', None) == []
    assert hunks(b"__title__ = 'shop'\n__author_email__ = 'info@example.org'\n", None) == []
    assert hunks(b"", None) == []


def test_hunks_that_need_each_other_go_together() -> None:
    new = BASE.replace(b"    total = a * b\n", b"    if a > b:\n        total = a * b\n    else:\n        total = b\n")
    new = BASE.replace(b"    total = a * b\n    return total\n", b"    try:\n        total = a * b\n        keep(a)\n"
                       b"        more(b)\n        return total\n    except KeyError:\n        return 0\n")  # fmt: skip
    gold = read_gold({"a.py": FileState(BASE)}, {"a.py": FileState(new)})
    assert gold.untried == []
    for variant in ablations(gold):
        state = variant.files["a.py"]
        assert state is not None
        compile(state.data, "a.py", "exec", dont_inherit=True)


def test_moved_and_indented_lines_are_not_changed_ones() -> None:
    new = BASE.replace(b"    total = a * b\n", b"    if a:\n        total = a * b\n")
    (file,) = read_gold({"a.py": FileState(BASE)}, {"a.py": FileState(new)}).files
    assert file.changed == {7}


def test_other_files_count_whole_and_documents_not_at_all() -> None:
    base = {"shop/data.json": FileState(b"{}"), "shop/old.py": FileState(b"x = 1\n"), "README.md": FileState(b"a")}
    changed = {
        "shop/data.json": FileState(b"[]"),
        "shop/old.py": None,
        "README.md": FileState(b"b"),
        "shop/types.pyi": FileState(b"x: int"),
        "shop/fast.c": FileState(b"int x;"),
        "notes/one.yaml": FileState(b"what is new"),
    }
    found = {v.path: dict(v.files) for v in ablations(read_gold(base, changed))}
    assert found == {
        "shop/data.json": {"shop/data.json": FileState(b"{}")},
        "shop/old.py": {"shop/old.py": FileState(b"x = 1\n")},
    }


def test_a_file_that_moved_does_not_come_back() -> None:
    text = b"def f():\n    return 1\n"
    changed = {"shop/area.py": None, "shop/area/__init__.py": FileState(text)}
    found = ablations(read_gold({"shop/area.py": FileState(text)}, changed))
    assert {variant.path for variant in found} == {"shop/area/__init__.py"}


@pytest.mark.parametrize(
    "data", [b"def f(:\n", b"\xff\xfe\x00", b"print 'x'\n", b"x = 1\rx = 2\n", b"# coding: nonsense\n", b"a\0b"]
)
def test_what_does_not_parse_is_one_part(data: bytes) -> None:
    gold = read_gold({"a.py": FileState(b"x = 1\n")}, {"a.py": FileState(data)})
    (variant,) = ablations(gold)
    assert variant.files == {"a.py": FileState(b"x = 1\n")}
