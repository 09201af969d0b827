"""Parts left out."""

from __future__ import annotations

from assay.core.variants.ablation import ablations
from assay.core.variants.changes import read_gold
from assay.core.variants.diffs import diff_of
from assay.model.tree import FileState
from assay.model.variant import Variant

GOLD = b'''import os
import sys


@cached
@wraps(f)
def load(path, strict=False):
    """Read it."""
    try:
        text = read(path)
    except OSError:
        return None
    except ValueError as error:
        log.debug("no")
        raise Bad(path) from error
    else:
        count(path)
    if strict:
        check(text)
    elif path:
        pass; note(path)
    else:
        forget(path)
    for line in text:
        if line: continue
        return line
    assert isinstance(text, str)
    del text
    return os.sep
'''


def parts(new: bytes = GOLD, old: bytes | None = b"") -> dict[str, Variant]:
    base = {} if old is None else {"a.py": FileState(old)}
    return {v.what: v for v in ablations(read_gold(base, {"a.py": FileState(new)}))}


def changed_lines(variant: Variant, new: bytes = GOLD) -> list[str]:
    lines = diff_of({"a.py": FileState(new)}, variant)
    return [line for line in lines if line[:1] in "+-" and line[:2] != "@@"]


def test_statements_branches_and_decorators_go_one_by_one() -> None:
    found = parts()
    assert changed_lines(found["`import os` left out"]) == ["-import os"]
    assert changed_lines(found["`text = read(path)` left out"]) == ["-        text = read(path)", "+        pass"]
    assert changed_lines(found["`@cached` left out"]) == ["-@cached"]
    assert changed_lines(found["branch `except OSError` left out"]) == ["-    except OSError:", "-        return None"]
    assert changed_lines(found["branch `elif path` left out"]) == ["-    elif path:", "-        pass; note(path)"]
    assert changed_lines(found["`note(path)` left out"]) == ["-        pass; note(path)", "+        pass; pass"]
    assert changed_lines(found["`continue` left out"]) == ["-        if line: continue", "+        if line: pass"]
    assert changed_lines(found["`raise Bad(path) from error` left out"])[0].endswith("from error")


def test_what_says_nothing_stays() -> None:
    what = " ".join(parts())
    assert "log.debug" not in what
    assert "wraps" not in what
    assert "Read it" not in what
    assert "isinstance" not in what
    assert "del text" not in what


def test_only_changed_statements_go() -> None:
    new = b"def f(a):\n    if a:\n        b = a\n        c = 2\n    return c\n"
    old = b"def f(a):\n    if a:\n        b = a\n    return c\n"
    assert set(parts(new, old)) == {"line 4 left out"}  # the statement alone is the same program
    new = b"def f(a):\n    if a:\n        b = 1\n        c = 2\n    return c\n"
    assert set(parts(new, old)) == {"lines 3 to 4 as before", "`b = 1` left out", "`c = 2` left out"}


def test_a_new_functions_lines_are_those_that_run_when_it_is_called() -> None:
    new = b"x = 1\n\n\ndef f(a):\n    '''Doc.'''\n    return a\n"
    found = parts(new, b"x = 1\n")
    assert {variant.lines for variant in found.values()} == {frozenset({6})}


def test_line_ends_encodings_and_missing_ends_are_kept() -> None:
    new = "# coding: latin-1\r\nx = 'é'\r\ny = 'è'".encode("latin-1")
    for variant in ablations(read_gold({"a.py": FileState(b"# coding: latin-1\r\n")}, {"a.py": FileState(new)})):
        state = variant.files["a.py"]
        assert state is not None
        assert b"\n" not in state.data.replace(b"\r\n", b"")
        state.data.decode("latin-1")


def test_a_line_in_the_middle_of_a_statement_runs_with_its_first_one() -> None:
    old = b"def f(a):\n    b = g(\n        a,\n        1,\n    )\n    return b\n"
    (variant, *_) = parts(old.replace(b"1,", b"2,"), old).values()
    assert (variant.line, variant.lines) == (4, frozenset({2, 3, 4, 5}))
