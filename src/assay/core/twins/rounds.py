"""Which test is a twin in which run, and what the runs say together.

Each function is met once per run. A coin decides in which of the two runs of a pair it is a twin; in the other one it
is itself. Nothing inside a run tells which of the two it is, so a candidate that forges outcomes without knowing the
right ones gets through with the probability of guessing every coin.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from assay.core.twins.cases import stem
from assay.core.twins.values import is_guessable, plain_value
from assay.model.report import OPAQUE, Status, TestOutcome, TestReport
from assay.model.twin import Edit, Pool, Round, Seal, Twin, Woven

GUESSES_WANTED = 6
"""Coins that a blind guess must win: below it the functions at stake are run alone in further pairs of runs."""
GUESS_LIMIT = 2.0**-GUESSES_WANTED
"""The greatest `guess_bound` with which a verdict may reward anybody."""
RIDDLE_SHARE = 2 / 3
FORCED_SHARE = 1 / 4


def lay_out(pool: Pool, fail_to_pass: Collection[str], draw: random.Random) -> tuple[Round, ...]:
    """The runs of one verdict. Where no test at stake is sealed, and they are few, they are run alone several times
    more: each pair of runs is two more coins to win for each of them.
    """
    rounds = list(_pair(pool.woven, set(fail_to_pass), draw, ()))
    riddles = [w for w in pool.woven if set(w.ids) & set(fail_to_pass) and any(_is_riddle(t) for t in w.twins)]
    alone = tuple(sorted({i.partition("[")[0] for w in riddles for i in w.ids}))
    while riddles and guess_bound(pool, rounds, fail_to_pass) > GUESS_LIMIT:
        rounds += _pair(riddles, set(fail_to_pass), draw, alone, known=rounds)
    if pool.plain:
        files = tuple(sorted({i.partition("::")[0] for i in pool.plain}))
        rounds.append(Round({}, files, woven=False))
    return tuple(rounds)


def hear_again(pool: Pool, ids: Collection[str], draw: random.Random) -> tuple[Round, ...]:
    """The runs of a second hearing: these tests alone, with as many coins as a first one asks for."""
    alone = tuple(sorted({i.partition("[")[0] for i in ids}))
    # All others are themselves: one of them may be called by a test that is heard.
    heard = [w for w in pool.woven if set(w.ids) & set(ids)]
    rounds: list[Round] = []
    for _ in range(math.ceil(GUESSES_WANTED / (2 * len(alone)))):
        rounds += _pair(heard, set(ids), draw, alone, known=rounds)
    return tuple(replace(chosen, again=True) for chosen in rounds)


def guess_bound(pool: Pool, rounds: Sequence[Round], fail_to_pass: Collection[str]) -> float:
    """The probability that whoever forges all tests at stake wins every coin of these runs; 0.0 when one of them is
    sealed, so that there is nothing to guess. Only twins that are riddles count, and only where the base fails:
    `forced` gives itself away by its last line, `raises` to those who know which exception the library raises,
    `inverted` to those who turn whatever they do not know, passed or failed; and what passes at the base needs no
    forger.
    """
    at_stake = [w for w in pool.woven if set(w.ids) & set(fail_to_pass)]
    if any(_is_sealed(w, fail_to_pass) for w in at_stake):
        return 0.0
    drawn = [w.twins[r.choices[w.key]] for r in rounds for w in at_stake if w.key in r.choices and not r.again]
    return round(0.25 ** sum(_is_riddle(twin) for twin in drawn), 9)


def _is_riddle(twin: Twin) -> bool:
    return twin.kind == "value" and twin.at_stake


def _is_sealed(woven: Woven, fail_to_pass: Collection[str]) -> bool:
    seal = woven.seal
    if seal is None or not seal.at_stake:
        return False
    marks = {m for i in woven.ids if i in fail_to_pass for m in seal.seen.get(seal.names.get(i, i), ())}
    return any(not is_guessable(plain_value(seal.expected[m])) for m in marks if m in seal.expected)


def _pair(
    woven: Sequence[Woven],
    fail_to_pass: set[str],
    draw: random.Random,
    targets: tuple[str, ...],
    known: Sequence[Round] = (),
) -> tuple[Round, Round]:
    pair: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for one in woven:
        if one.twins:
            used = {r.choices[one.key] for r in known if one.key in r.choices}
            share = 0.0 if not set(one.ids) & fail_to_pass else RIDDLE_SHARE if not targets else 1.0
            pair[draw.randrange(2)][one.key] = _pick(one, share, used, draw)
    return Round(pair[0], targets), Round(pair[1], targets)


def _pick(woven: Woven, riddle_share: float, used: set[int], draw: random.Random) -> int:
    """Where the change shows (`riddle_share` above 0), the expectation that it is about in this share of all cases,
    again if need be. Elsewhere any.
    """
    places = list(range(len(woven.twins)))
    changed = [n for n in places if woven.twins[n].kind != "forced"]
    if riddle_share and changed:
        riddles = [n for n in changed if _is_riddle(woven.twins[n])]
        chosen = riddles if riddles and draw.random() < riddle_share else changed
        return draw.choice([n for n in chosen if n not in used] or chosen)
    forced = [n for n in places if n not in changed]
    return draw.choice(forced if forced and (not changed or draw.random() < FORCED_SHARE) else changed or places)


def edits_by_file(pool: Pool, chosen: Round) -> dict[str, list[Edit]]:
    """What is changed in which file for one run."""
    edits: dict[str, list[Edit]] = {}
    for woven in pool.woven if chosen.woven else ():
        place = chosen.choices.get(woven.key)
        edits.setdefault(woven.path, []).extend(_itself(woven, chosen) if place is None else woven.twins[place].edits)
    return edits


def _itself(woven: Woven, chosen: Round) -> tuple[Edit, ...]:
    return woven.seal.edits if chosen.sealed and woven.seal else woven.real


@dataclass(slots=True)
class Findings:
    """What the runs of a verdict say together."""

    statuses: dict[str, Status] = field(default_factory=dict)
    """The worst outcome of each test of the lists, over the runs in which it was itself."""
    messages: dict[str, str] = field(default_factory=dict)
    covered: set[str] = field(default_factory=set)
    """Tests that had a twin in this verdict."""
    run: dict[str, int] = field(default_factory=dict)
    """Twins that were run, by kind."""
    caught: int = 0
    """Twins that failed, as they must."""
    green: list[str] = field(default_factory=list)
    """Twins that passed although the test itself passed as well: both cannot be true."""
    unclear: list[str] = field(default_factory=list)
    """Twins that neither passed nor failed."""
    doubtful: set[str] = field(default_factory=set)
    """The tests that those are twins of."""
    strangers: list[str] = field(default_factory=list)
    """Ids that no honest run reports."""
    sealed: set[str] = field(default_factory=set)
    """Tests whose expected values were held outside."""


def read_rounds(
    pool: Pool,
    rounds: Sequence[Round],
    reports: Sequence[TestReport],
    counted: Iterable[str],
    others: Collection[str],
    volatile: Collection[str],
) -> Findings:
    """Compare the reports with what each run was made of.

    `counted` are the tests of the lists, `others` ids that count for nothing, `volatile` stems of ids that change.
    """
    reader = _Reader(pool, list(counted), set(others), set(volatile))
    reader.heard_again = {i for i in counted for r in rounds if r.again and r.runs(i)} - set(pool.plain)
    for chosen, report in zip(rounds, reports, strict=True):
        reader.take(chosen, report)
    return reader.conclude()


class _Reader:
    """Reads one report after the other."""

    def __init__(self, pool: Pool, counted: list[str], others: set[str], volatile: set[str]) -> None:
        self._counted, self._others, self._volatile = counted, others, volatile
        self._owner = {i: w for w in pool.woven for i in w.ids}
        self._by_stem = {stem(i): w for w in pool.woven for i in w.ids}
        self._plain, self._come_and_go = set(pool.plain), set(pool.volatile)
        self._found = Findings()
        self._green: list[tuple[Woven, str]] = []
        self.heard_again: set[str] = set()
        """Tests for which a second hearing counts, and not the first one."""

    def take(self, chosen: Round, report: TestReport) -> None:
        """One run."""
        known = self._others | set(self._counted)
        for woven, twin in self._twins(chosen):
            known |= set(twin.reported)
            self._twin(woven, twin, chosen, report)
        for woven in self._by_stem.values():
            if woven.seal and chosen.sealed and chosen.woven and woven.key not in chosen.choices:
                known |= set(woven.seal.reported)
        for test_id in self._counted:
            if self._is_itself(test_id, chosen):
                self._real(test_id, chosen, report)
        self._found.strangers += [i for i in report.outcomes if i not in known and stem(i) not in self._volatile]

    def _twins(self, chosen: Round) -> list[tuple[Woven, Twin]]:
        owners = {w.key: w for w in self._by_stem.values()}
        return [(owners[key], owners[key].twins[place]) for key, place in chosen.choices.items() if key in owners]

    def _is_itself(self, test_id: str, chosen: Round) -> bool:
        if not chosen.runs(test_id) or (test_id in self.heard_again and not chosen.again):
            return False
        if test_id in self._plain:
            return not chosen.woven
        owner = self._owner.get(test_id)
        return chosen.woven and (owner is None or owner.key not in chosen.choices)

    def _real(self, test_id: str, chosen: Round, report: TestReport) -> None:
        woven = self._owner.get(test_id)
        seal = woven.seal if woven and chosen.sealed and chosen.woven else None
        reported = seal.names.get(test_id, test_id) if seal else test_id
        status, message = status_in(report, reported), message_in(report, reported)
        if status is Status.MISSING and stem(test_id) in self._come_and_go:
            return
        if seal and status is Status.PASSED:
            self._found.sealed.add(test_id)
            message = unexpected_value(seal, report.outcomes[reported], seal.seen.get(reported, ()))
            status = Status.FAILED if message else status
        if self._found.statuses.get(test_id, Status.PASSED) is Status.PASSED:
            self._found.statuses[test_id] = status
            self._found.messages[test_id] = message

    def _twin(self, woven: Woven, twin: Twin, chosen: Round, report: TestReport) -> None:
        failing = [i for i in twin.failing if chosen.runs(i)]
        failing = [i for i in failing if i in report.outcomes or stem(i) not in self._come_and_go]
        if not failing:
            return
        self._found.covered |= set(woven.ids)
        self._found.run[twin.kind] = self._found.run.get(twin.kind, 0) + len(failing)
        for test_id in failing:
            status = status_in(report, test_id)
            if status is Status.FAILED:
                self._found.caught += 1
            elif status in (Status.PASSED, Status.XPASSED):
                self._green.append((woven, test_id))
            elif chosen.again or not self.heard_again & set(woven.ids):
                self._found.unclear.append(test_id)
                self._found.doubtful |= set(woven.ids)

    def conclude(self) -> Findings:
        """A green twin accuses only when the test itself was green too; else the value was simply another one."""
        found = self._found
        for woven, test_id in self._green:
            reals = [i for i in woven.ids if stem(i) == stem(test_id)]
            same = [i for i in reals if i == test_id] or reals
            if all(found.statuses.get(i) is Status.PASSED for i in same):
                found.green.append(test_id)
        return found


OPAQUE_VALUE = "what was computed is no plain data"


def unexpected_value(seal: Seal, outcome: TestOutcome, wanted: Sequence[str]) -> str:
    """What speaks against the values that a sealed test computed; empty when all are the expected ones."""
    for mark, value in outcome.values:
        if value is OPAQUE:
            return OPAQUE_VALUE
        if mark not in seal.expected or not same_value(plain_value(seal.expected[mark]), value):
            return f"expected {seal.expected.get(mark, 'nothing')[:200]}, computed {_shown(value)}"[:500]
    reached = {mark for mark, _ in outcome.values}
    missing = [mark for mark in wanted if mark not in reached]
    return f"never computed what is expected to be {seal.expected[missing[0]][:200]}" if missing else ""


def _shown(value: object) -> str:
    """A value that a candidate computed, for people: Python refuses to write some of them down."""
    try:
        return repr(value)
    except (ValueError, RecursionError):
        return "what is too large to be shown"


def same_value(expected: object, value: object) -> bool:
    """Equality of plain data; whatever cannot be compared is not equal."""
    try:
        return bool(expected == value)
    except (TypeError, ValueError, RecursionError):
        return False


def sealed_well(woven: Mapping[str, Woven], plain: TestReport, report: TestReport) -> dict[str, Woven]:
    """The functions, with those seals under which every test computed the expected values with the reference change."""
    made = {}
    for key, one in woven.items():
        stems = {stem(i) for i in one.ids}
        before = [i for i in plain.outcomes if stem(i) in stems]
        after = [i for i in report.outcomes if stem(i) in stems]
        seal = one.seal
        if seal is not None:
            names = dict(zip(before, after, strict=False))
            good = len(before) == len(after) and all(_kept(seal, report, names[i]) for i in one.ids if i in names)
            seen = {i: tuple(dict.fromkeys(mark for mark, _ in report.outcomes[i].values)) for i in after}
            good = good and any(seen.get(names.get(i, "")) for i in one.ids)
            changed = {i: name for i, name in names.items() if i != name}
            seal = replace(seal, reported=tuple(after), names=changed, seen=seen) if good else None
        made[key] = replace(one, seal=seal)
    return made


def _kept(seal: Seal, report: TestReport, test_id: str) -> bool:
    outcome = report.outcomes[test_id]
    return outcome.status is Status.PASSED and not unexpected_value(seal, outcome, ())


def status_in(report: TestReport, test_id: str) -> Status:
    """The outcome of a test; an error when its file could not be collected."""
    status = report.status(test_id)
    if status is Status.MISSING and test_id.partition("::")[0] in report.uncollected:
        return Status.ERROR
    return status


def message_in(report: TestReport, test_id: str) -> str:
    """What went wrong, in the framework's words; empty when it passed."""
    outcome = report.outcomes.get(test_id) or report.uncollected.get(test_id.partition("::")[0])
    if outcome is None or outcome.status is Status.PASSED:
        return ""
    return f"{outcome.error_type}: {outcome.message}".strip(": ")[:500]


def admitted(pool: Mapping[str, Woven], slot_reports: Sequence[tuple[int, TestReport]]) -> dict[str, Woven]:
    """The functions with those twins that failed, by an assertion, with the reference change."""
    made: dict[str, Woven] = {}
    for key, woven in pool.items():
        stems = {stem(i) for i in woven.ids}
        twins = []
        for place, report in slot_reports:
            if place < len(woven.twins):
                twin = _tried(woven.twins[place], report, stems)
                twins += [twin] if twin.failing else []
        made[key] = replace(woven, twins=tuple(twins))
    return made


def _tried(twin: Twin, report: TestReport, stems: set[str]) -> Twin:
    reported = tuple(i for i in report.outcomes if stem(i) in stems)
    failing = tuple(i for i in reported if _fails_honestly(twin, report, i))
    return Twin(twin.kind, twin.line, twin.edits, twin.at_stake, reported, failing)


ASSERTIONS = frozenset(
    {"AssertionError", "Failed", "Failure", "ExceptionInfo", "FailureException"}
    | {"DocTestFailure", "MultipleDoctestFailures"}
)


def _fails_honestly(twin: Twin, report: TestReport, test_id: str) -> bool:
    outcome = report.outcomes[test_id]
    if outcome.status is not Status.FAILED:
        return False
    return twin.kind == "raises" or outcome.error_type in ASSERTIONS or outcome.error_type.endswith("AssertionError")
