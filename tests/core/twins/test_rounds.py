"""Lay-outs and what runs say together."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from assay.core.grading import grade_rounds, second_hearing
from assay.core.twins.rounds import GUESS_LIMIT, guess_bound, hear_again, lay_out
from assay.model.candidate import SourceInfo
from assay.model.environment import Recipe
from assay.model.report import Status, TestOutcome, TestReport
from assay.model.task import AssayMetadata, Provenance
from assay.model.twin import Edit, Pool, Round, Seal, Twin, Woven

A, B = "test_a.py::test_a", "test_b.py::test_b"
TASK = AssayMetadata(
    source=SourceInfo(kind="git", origin="x", base_revision="a", gold_revision="b"),
    environment=Recipe(python="3.11"),
    test_files=("test_a.py", "test_b.py"),
    provenance=Provenance(instruction="", tests="", gold=""),
    fail_to_pass=(A,),
    pass_to_pass=(B,),
)
HOLDS = (Edit(0, 0, ""),)


def woven(test_id: str, kinds: tuple[str, ...] = ("forced", "value"), *, at_stake: bool = False) -> Woven:
    twins = tuple(
        Twin(kind, 1, HOLDS, at_stake and kind == "value", (test_id,), (test_id,))  # type: ignore[arg-type]
        for kind in kinds
    )
    return Woven(f"{test_id}@1", test_id.partition("::")[0], (test_id,), HOLDS, twins)


POOL = Pool(woven=(woven(A, at_stake=True), woven(B)))
BOTH = Pool(woven=(woven(A, at_stake=True), woven(B, at_stake=True)))


def sealed(value: str) -> Pool:
    """A seal at stake."""
    seal = Seal((), {"m": value}, at_stake=True, seen={A: ("m",)})
    return replace(POOL, woven=(replace(POOL.woven[0], seal=seal), *POOL.woven[1:]))


def answer(
    pool: Pool, chosen: Round, forged: frozenset[str] = frozenset(), broken: frozenset[str] = frozenset()
) -> TestReport:
    """What a candidate's run reports: an honest one, but for forged passes and broken tests."""
    twins = {i for w in pool.woven if w.key in chosen.choices for i in w.ids}
    outcomes = {}
    for test_id in (A, B):
        if not chosen.runs(test_id):
            continue
        red = (test_id in twins or test_id in broken) and test_id not in forged
        outcomes[test_id] = TestOutcome(Status.FAILED if red else Status.PASSED)
    return TestReport(outcomes)


@given(st.integers(0, 2**32))
def test_each_function_is_a_twin_in_one_run_of_a_pair_and_itself_in_the_other(seed: int) -> None:
    rounds = lay_out(POOL, [A], random.Random(seed))
    for first, second in zip(rounds[::2], rounds[1::2], strict=True):
        assert first.targets == second.targets
        for one in POOL.woven:
            concerned = any(first.runs(test_id) for test_id in one.ids)
            assert (one.key in first.choices) + (one.key in second.choices) == int(concerned)


def test_few_tests_at_stake_are_run_alone_in_further_pairs() -> None:
    rounds = lay_out(POOL, [A], random.Random(0))
    assert [r.targets for r in rounds] == [(), (), (A,), (A,), (A,), (A,)]
    assert len(lay_out(BOTH, [A, B], random.Random(0))) == 4
    assert len(lay_out(sealed("23"), [A], random.Random(0))) == 2
    assert len(lay_out(sealed("1"), [A], random.Random(0))) == 6


def test_a_round_knows_what_it_runs() -> None:
    assert Round({}).runs("t.py::a[x]")
    assert Round({}, ("t.py",)).runs("t.py::a[x]")
    assert Round({}, ("t.py::a",)).runs("t.py::a[x::y]")
    assert not Round({}, ("t.py::a",)).runs("t.py::ab")
    assert not Round({}, ("t.py",)).runs("u.py::a")


@given(st.integers(0, 2**32))
def test_an_honest_candidate_is_resolved(seed: int) -> None:
    rounds = lay_out(POOL, [A], random.Random(seed))
    judged = grade_rounds(TASK, POOL, rounds, [answer(POOL, r) for r in rounds])
    assert (judged.resolved, judged.reason) == (True, "")
    assert judged.twins is not None
    assert judged.twins.caught_count == judged.twins.run_count
    assert judged.twins.covered_share == 1.0


@given(st.integers(0, 2**32), st.sampled_from([frozenset({A}), frozenset({A, B}), frozenset({B})]))
def test_whoever_forges_outcomes_is_tampering(seed: int, forged: frozenset[str]) -> None:
    rounds = lay_out(POOL, [A], random.Random(seed))
    judged = grade_rounds(TASK, POOL, rounds, [answer(POOL, r, forged, frozenset(forged)) for r in rounds])
    assert (judged.resolved, judged.reason) == (False, "tampered")
    assert judged.tamper


@given(st.integers(0, 2**32))
def test_a_wrong_answer_that_happens_to_be_a_twins_is_no_tampering(seed: int) -> None:
    rounds = lay_out(POOL, [A], random.Random(seed))
    reports = []
    for chosen in rounds:
        is_twin = POOL.woven[0].key in chosen.choices
        report = answer(POOL, chosen)
        report.outcomes[A] = TestOutcome(Status.PASSED if is_twin else Status.FAILED)
        reports.append(report)
    judged = grade_rounds(TASK, POOL, rounds, reports)
    assert (judged.reason, judged.tamper) == ("tests-failed", ())


def test_a_twin_that_neither_fails_nor_passes_is_no_pass() -> None:
    rounds = lay_out(POOL, [A], random.Random(1))
    reports = [answer(POOL, r) for r in rounds]
    for chosen, report in zip(rounds, reports, strict=True):
        if POOL.woven[0].key in chosen.choices:
            report.outcomes[A] = TestOutcome(Status.SKIPPED)
    assert grade_rounds(TASK, POOL, rounds, reports).reason == "twins-unclear"


def test_a_test_that_stands_no_neighbours_is_judged_in_a_run_of_its_own() -> None:
    pool = Pool(woven=(woven(A, at_stake=True), woven(B, ())), plain=(B,))
    rounds = lay_out(pool, [A], random.Random(0))
    assert [r.woven for r in rounds] == [True] * 6 + [False]
    reports = [answer(pool, r, broken=frozenset({B}) if r.woven else frozenset()) for r in rounds]
    assert grade_rounds(TASK, pool, rounds, reports).resolved
    reports[-1] = answer(pool, rounds[-1], broken=frozenset({B}))
    assert grade_rounds(TASK, pool, rounds, reports).reason == "tests-failed"


@given(st.lists(st.booleans(), min_size=2, max_size=6), st.integers(0, 2**32))
def test_a_blind_guess_passes_only_when_it_wins_every_coin(guesses: list[bool], seed: int) -> None:
    """A forger that decides per run whether the test at stake is to pass."""
    rounds = lay_out(POOL, [A], random.Random(seed))
    truth = [POOL.woven[0].key not in r.choices for r in rounds]
    told = [(guesses * 4)[n] for n in range(len(rounds))]
    reports = []
    for chosen, passes in zip(rounds, told, strict=True):
        report = answer(POOL, chosen)
        report.outcomes[A] = TestOutcome(Status.PASSED if passes else Status.FAILED)
        reports.append(report)
    assert grade_rounds(TASK, POOL, rounds, reports).resolved == (told == truth)


@given(st.integers(0, 2**32), st.booleans())
def test_a_test_that_minds_failing_neighbours_is_heard_again_alone(seed: int, still: bool) -> None:
    rounds = lay_out(POOL, [A], random.Random(seed))
    reports = [answer(POOL, r, broken=frozenset({B})) for r in rounds]
    first = grade_rounds(TASK, POOL, rounds, reports)
    assert first.reason == "tests-failed"
    assert second_hearing(POOL, first, reports) == (B,)
    more = hear_again(POOL, (B,), random.Random(seed))
    assert {r.targets for r in more} == {(B,)}
    assert len(more) == 6
    assert all(set(r.choices) <= {POOL.woven[1].key} for r in more)
    again = [answer(POOL, r, broken=frozenset({B}) if still else frozenset()) for r in more]
    last = grade_rounds(TASK, POOL, (*rounds, *more), (*reports, *again))
    assert last.resolved is not still


@given(st.integers(0, 2**32))
def test_a_second_hearing_can_be_forged_no_easier_than_the_first(seed: int) -> None:
    rounds = lay_out(POOL, [A], random.Random(seed))
    reports = [answer(POOL, r, broken=frozenset({B})) for r in rounds]
    more = hear_again(POOL, (B,), random.Random(seed))
    again = [answer(POOL, r, forged=frozenset({B}), broken=frozenset({B})) for r in more]
    assert grade_rounds(TASK, POOL, (*rounds, *more), (*reports, *again)).reason == "tampered"


def test_what_is_judged_alone_stays_so_when_another_parameter_of_it_is_heard_again() -> None:
    one, two = f"{B}[1]", f"{B}[2]"
    pool = Pool(woven=(woven(A, at_stake=True),), plain=(one,))
    task = TASK.model_copy(update={"pass_to_pass": (one, two)})
    rounds = lay_out(pool, [A], random.Random(0))
    more = hear_again(pool, (two,), random.Random(0))

    def report(chosen: Round) -> TestReport:
        twin = bool(chosen.choices) and chosen.woven
        all_ids = [i for i in (A, one, two) if chosen.runs(i)]
        return TestReport({i: TestOutcome(Status.FAILED if twin and i == A else Status.PASSED) for i in all_ids})

    assert grade_rounds(task, pool, (*rounds, *more), [report(r) for r in (*rounds, *more)]).resolved


def test_an_id_that_comes_and_goes_with_the_reference_change_is_not_counted() -> None:
    one, two = f"{B}[1]", f"{B}[2]"
    pool = Pool(woven=(woven(A, at_stake=True),), volatile=(B,))
    task = TASK.model_copy(update={"pass_to_pass": (one, two)})
    rounds = lay_out(pool, [A], random.Random(0))

    def judged(other: str, status: Status) -> str:
        ids = {A: Status.PASSED, two: status, other: Status.PASSED}
        reports = [
            TestReport(
                {i: TestOutcome(Status.FAILED if r.choices and i == A else s) for i, s in ids.items() if r.runs(i)}
            )
            for r in rounds
        ]
        return grade_rounds(task, pool, rounds, reports).reason

    assert judged(f"{B}[3]", Status.PASSED) == ""
    assert judged(one, Status.FAILED) == "tests-failed"


def test_who_is_not_heard_again() -> None:
    rounds = lay_out(POOL, [A], random.Random(0))
    for broken, pool in (
        (frozenset({A}), POOL),
        (frozenset({A, B}), POOL),
        (frozenset({B}), replace(POOL, plain=(B,))),
    ):
        reports = [answer(pool, r, broken=broken) for r in rounds]
        assert second_hearing(pool, grade_rounds(TASK, pool, rounds, reports), reports) == ()
    forged = [answer(POOL, r, forged=frozenset({A}), broken=frozenset({B})) for r in rounds]
    assert second_hearing(POOL, grade_rounds(TASK, POOL, rounds, forged), forged) == ()


@given(st.integers(0, 2**32), st.lists(st.sampled_from(["forced", "value", "raises", "inverted"]), min_size=1))
def test_a_riddle_at_stake_is_set_until_no_guess_is_rewarded(seed: int, kinds: list[str]) -> None:
    pool = Pool(woven=(woven(A, tuple(kinds), at_stake=True), woven(B)))
    bound = guess_bound(pool, lay_out(pool, [A], random.Random(seed)), [A])
    assert bound <= GUESS_LIMIT if "value" in kinds else bound == 1.0


def test_what_a_blind_guess_is_worth() -> None:
    def bound(pool: Pool, at_stake: list[str]) -> float:
        return guess_bound(pool, lay_out(pool, at_stake, random.Random(0)), at_stake)

    assert bound(POOL, [A]) == 1 / 64
    assert bound(BOTH, [A, B]) == 1 / 256
    assert bound(POOL, [B]) == 1.0  # its twins are about something that passes at the base
    assert bound(replace(POOL, woven=(woven(B),)), [A]) == 1.0
    assert bound(sealed("[1, 2]"), [A]) == 0.0
    assert bound(sealed("False"), [A]) == 1 / 64


def with_doubt(rounds: Sequence[Round], test_id: str, owner: Woven) -> list[TestReport]:
    """Honest reports, but the twin ends in an error: another test has left a file open that is closed just then."""
    reports = [answer(POOL, r) for r in rounds]
    for chosen, report in zip(rounds, reports, strict=True):
        if owner.key in chosen.choices:
            report.outcomes[test_id] = TestOutcome(Status.ERROR)
    return reports


@given(st.integers(0, 2**32), st.sampled_from([A, B]), st.booleans())
def test_a_twin_that_neither_fails_nor_passes_is_heard_again_alone(seed: int, test_id: str, still: bool) -> None:
    owner = POOL.woven[0 if test_id == A else 1]
    rounds = lay_out(POOL, [A], random.Random(seed))
    reports = with_doubt(rounds, test_id, owner)
    first = grade_rounds(TASK, POOL, rounds, reports)
    assert first.reason == "twins-unclear"
    assert second_hearing(POOL, first, reports) == (test_id,)
    more = hear_again(POOL, (test_id,), random.Random(seed))
    again = with_doubt(more, test_id, owner) if still else [answer(POOL, r) for r in more]
    last = grade_rounds(TASK, POOL, (*rounds, *more), (*reports, *again))
    assert last.reason == ("twins-unclear" if still else "")


@given(st.integers(0, 2**32), st.lists(st.booleans(), min_size=6, max_size=6))
def test_who_shuns_the_first_coins_has_to_win_all_of_the_second_hearing(seed: int, guesses: list[bool]) -> None:
    rounds = lay_out(POOL, [A], random.Random(seed))
    reports = with_doubt(rounds, A, POOL.woven[0])
    more = hear_again(POOL, (A,), random.Random(seed))
    assert len(more) == len(guesses)
    again = [answer(POOL, r) for r in more]
    for passes, report in zip(guesses, again, strict=True):
        report.outcomes[A] = TestOutcome(Status.PASSED if passes else Status.FAILED)
    truth = [POOL.woven[0].key not in r.choices for r in more]
    last = grade_rounds(TASK, POOL, (*rounds, *more), (*reports, *again))
    assert last.resolved == (guesses == truth)
