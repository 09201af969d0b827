"""Which variants are tried, how they are shown, and which are the same program."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.core.variants.choice import chosen, first_to_leave_out
from assay.core.variants.diffs import MAX_LINES, diff_of
from assay.core.variants.equivalence import distinct
from assay.model.tree import FileState, Tree
from assay.model.variant import Variant, VariantFamily


def variant(line: int, kind: str = "k", family: VariantFamily = "mutant", rank: int = 0) -> Variant:
    return Variant(f"{family}:a.py:{line}:{kind}", family, kind, "w", "a.py", line, lines=frozenset({line}), rank=rank)


VARIANTS = st.lists(
    st.builds(variant, st.integers(1, 9), st.sampled_from("abc"), st.sampled_from(["mutant", "wrong-fix"])),
    unique_by=lambda v: v.key,
)


@given(VARIANTS, st.integers(0, 12), st.sets(st.integers(1, 9)), st.text(max_size=3))
def test_a_choice_is_small_covered_and_repeatable(pool: list[Variant], count: int, lines: set[int], seed: str) -> None:
    picked = chosen(pool, count, {"a.py": lines}, seed)
    wrong = [v for v in pool if v.family == "wrong-fix"]
    assert picked[: len(wrong)] == wrong
    assert len(picked) <= max(count, len(wrong))
    assert len({v.key for v in picked}) == len(picked)
    assert all(v.line in lines for v in picked[len(wrong) :])
    assert chosen(list(reversed(pool)), count, {"a.py": lines}, seed)[len(wrong) :] == picked[len(wrong) :]


def test_a_choice_is_spread_over_lines_and_kinds_the_changed_ones_first() -> None:
    pool = [variant(line, kind, rank=line // 3) for line in (1, 2, 3, 4) for kind in "ab"]
    assert [v.rank for v in chosen(pool, 8, None, "s")] == [0] * 4 + [1] * 4
    two = chosen(pool, 2, None, "s")
    assert {v.line for v in two} == {1, 2}
    assert {v.kind for v in two} == {"a", "b"}


def test_where_few_tests_look_is_left_out_first() -> None:
    pool = [variant(line, "statement") for line in (1, 2, 3, 4)] + [variant(5, "hunk")]
    lines = {"": {"a.py": {2}}, "t::one": {"a.py": {3, 4}}, "t::two": {"a.py": {3}}}
    assert [v.line for v in first_to_leave_out(pool, lines)] == [5, 4, 3, 2, 1]
    assert [v.line for v in first_to_leave_out(pool, {})] == [5, 1, 2, 3, 4]


def edited(text: str) -> Variant:
    return Variant("k", "mutant", "k", "w", "a.py", 1, {"a.py": FileState(text.encode())})


GOLD: Tree = {"a.py": FileState(b'"""Doc."""\nx = 1\n\n\ndef f(a):\n    """Doc."""\n    return a\n')}


def test_equal_programs_are_one() -> None:
    same = ["x = 1\n\n# z\ndef f(a): return a\n", "x = (1)\ndef f(a):\n  'Other.'\n  return (a)\n"]
    other = ["x = 1.0\ndef f(a): return a\n", "x = True\ndef f(a): return a\n", "x = 1\ndef f(b): return b\n"]
    assert distinct(map(edited, [*same, "x = (", *other, *other]), GOLD) == [edited(text) for text in other]


def test_a_diff_shows_three_lines_around_and_no_file() -> None:
    assert diff_of(GOLD, edited(GOLD["a.py"].data.decode().replace("x = 1", "x = 2"))) == (
        "@@ -1,5 +1,5 @@",
        ' """Doc."""',
        "-x = 1",
        "+x = 2",
        " ",
        " ",
        " def f(a):",
    )


def test_long_diffs_are_cut_and_several_files_named() -> None:
    long = edited("".join(f"y{n} = {n}\n" for n in range(100)))
    lines = diff_of(GOLD, long)
    assert len(lines) == MAX_LINES and lines[-1].startswith("... ")
    both = Variant("k", "ablation", "hunk", "w", "a.py", 1, {"a.py": None, "b.bin": FileState(b"\0\1")})
    assert diff_of(GOLD, both) == ("a.py", "a.py is not there", "b.bin", "b.bin differs; it is no text")
