"""The same change is the same in other clothes, and another one is another."""

from __future__ import annotations

import difflib
import random
import re
import subprocess
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.adapters.patch.git import GitPatchWriter
from assay.core.change_identity import ChangeIdentity, identify
from assay.model.tree import FileChange, FileState

WORD = st.from_regex(r"[a-z]{4,9}", fullmatch=True)
LINE = st.builds("{}{} = {}({})".format, st.sampled_from(["", "    "]), WORD, WORD, WORD)
BASE = st.lists(LINE, min_size=4, max_size=20, unique_by=lambda line: line.strip())
PATHS = ("src/demo/core.py", "src/demo/more.py")


def edited(draw: random.Random, base: list[str]) -> list[str]:
    """Two lines that are surely new, somewhere; and one that is gone."""
    lines = list(base)
    del lines[draw.randrange(len(lines))]
    for name in ("first", "second"):
        lines.insert(draw.randrange(len(lines) + 1), f"    {name}_answer = compute({draw.randrange(100)})")
    return lines


def diff(path: str, old: list[str], new: list[str], context: int = 3) -> str:
    lines = difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm="", n=context)
    return f"diff --git a/{path} b/{path}\n" + "".join(f"{line}\n" for line in lines)


def told(patch: str | bytes) -> ChangeIdentity:
    identity = identify(patch)
    assert identity is not None
    return identity


@given(BASE, BASE, st.randoms(use_true_random=False))
def test_clothes_do_not_matter(first: list[str], second: list[str], draw: random.Random) -> None:
    news = [edited(draw, first), edited(draw, second)]
    pairs = list(zip(PATHS, (first, second), news, strict=True))
    plain = told("".join(diff(*pair) for pair in pairs))
    assert plain.telling
    assert told("".join(diff(*pair) for pair in reversed(pairs))) == plain
    assert told("".join(diff(*pair, context=0) for pair in pairs)) == plain
    assert told("".join(diff(path.replace("src/demo", "lib"), old, new) for path, old, new in pairs)) == plain
    assert told("".join(diff(*pair) for pair in pairs).replace("\n", "\r\n")) == plain
    assert told("".join(diff(*pair) for pair in pairs).rstrip("\n")) == plain
    assert told(f"From: someone\n\n{''.join(diff(*pair) for pair in pairs)}-- \n2.40.1\n".encode()) == plain

    def dressed(lines: list[str]) -> list[str]:
        return [f"    {line.replace(' = ', '=')} \t" for line in lines]

    shifted = [(path, ["# above", "", *dressed(old)], ["# above", "", *dressed(new)]) for path, old, new in pairs]
    assert told("".join(diff(*pair) for pair in shifted)) == plain


@given(BASE, st.randoms(use_true_random=False), WORD)
def test_another_token_is_another_change(base: list[str], draw: random.Random, token: str) -> None:
    new = edited(draw, base)
    other = [line.replace("second_answer", f"{token}_answers") for line in new]
    assert told(diff(PATHS[0], base, new)).digest != told(diff(PATHS[0], base, other)).digest
    assert told(diff(PATHS[0], base, new)).digest != told(diff("src/demo/else.py", base, new)).digest


@given(st.one_of(st.text(), st.binary(), st.text('@-+ ,0129ab/\n\\"')))
def test_junk_is_no_change_and_no_error(junk: str | bytes) -> None:
    identify(junk)
    assert identify("") is None
    assert identify("Binary files a/x.png and b/x.png differ\n") is None


@pytest.mark.parametrize("how", [("--patience", "-U12"), ("--histogram", "--no-renames"), ("--minimal", "-U0")])
def test_a_benchmarks_diff_and_our_own_patch_agree(tmp_path: Path, how: tuple[str, ...]) -> None:
    old = b"def twice(x):\n    return 2 * x\n\n\ndef thrice(x):\n    return 3 * x\n\n\ndef last(x):\n    return x\n"
    new = old.replace(b"def last", b"def half(x):\n    return x // 2\n\n\ndef last").replace(b"3 * x", b"x + x + x")
    changes = [
        FileChange("demo/maths.py", FileState(old), FileState(new.rstrip(b"\n"))),
        FileChange("demo/gr\u00fc\u00dfe.py", FileState(b"a = 1\r\n"), FileState("b = 'Gr\u00fc\u00dfe'\r\n".encode())),
        FileChange("demo/icon.bin", FileState(bytes(range(256))), FileState(bytes(range(255, -1, -1)) * 9)),
        FileChange("old/moved.py", FileState(old), None),
        FileChange("new/moved.py", None, FileState(old.replace(b"2 * x", b"x + x"))),
    ]
    for side in ("old", "new"):
        for change in changes:
            state = change.old if side == "old" else change.new
            if state is not None:
                place = tmp_path / side / change.path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(state.data)
    # As a benchmark would have it: with documentation beside it, which is not ours.
    (tmp_path / "new" / "CHANGES.rst").write_text("A long word about the change\nand another long word\n")
    command = ["git", "diff", "--no-index", *how, "old", "new"]
    raw = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).stdout
    shown = re.sub(r"(?m)^((?:---|\+\+\+) \"?[ab]/)(?:old|new)/", r"\1", raw.decode())
    assert told(shown) == told(anyio.run(GitPatchWriter().diff, changes))


SMALL = "--- a/src/x.py\n+++ b/src/x.py\n@@ -9,1 +9,1 @@\n-    if a > b:\n+    if a >= b:\n"


@pytest.mark.parametrize("patch", [SMALL, diff("x.py", ["a"], ["a", "a_long_call(with_many, arguments)"])])
def test_what_is_too_small_is_the_same_only_within_its_repository(patch: str) -> None:
    identity = told(patch)
    assert not identity.telling
    assert identity.key("git:a/one") == identity.key("git:a/one") != identity.key("git:b/two")


def test_a_telling_change_is_the_same_in_every_repository() -> None:
    identity = told(diff("x.py", ["a"], ["first_call(argument)", "second_call(argument)"]))
    assert identity.key("git:a/one") == identity.key("git:b/two")


def test_lines_that_only_moved_are_told_by_their_order() -> None:
    base = ["first_call(argument)", "second_call(argument)", "third_call(argument)"]
    one, other = diff("x.py", base, base[1:] + base[:1]), diff("x.py", base, [base[1], base[0], base[2]])
    assert told(one).telling
    assert told(one) == told(one.replace("+first", "+  first"))
    assert told(one) != told(diff("x.py", base, base[::-1]))
    assert told(other).telling


def test_a_removed_line_that_looks_like_a_header_is_a_line() -> None:
    patch = "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,1 @@\n--- a comment in another language\n+x = compute(argument)\n z\n"
    other = patch.replace("comment", "remark")
    assert told(patch).digest != told(other).digest
