"""The curve: how the tasks of a set lie for an entrant, what the set will give a trainer, and what certainty costs.

It places tasks, never people: nothing here knows who wrote a task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from assay.core.calibration.posterior import losses, share_below, updated
from assay.core.calibration.programme import Programme, Schedule, deciding, evaluate
from assay.core.calibration.tables import tables_of
from assay.model.calibration import Band, Prior
from assay.model.difficulty import AuditState, Difficulty, Placing

BINS = 10
"""Of the drawn distribution, from rate 0 to 1."""
WAVES = Schedule((2, 4, 8, 16, 32, 64))
"""Of the further rollouts that more certainty may cost."""
ROUNDS = 12
"""Halvings of the price on the way to a wanted error."""
PLACINGS: tuple[Placing, ...] = ("too-hard", "in", "too-easy", "undecided")


@dataclass(frozen=True, slots=True)
class Placed:
    """A task and what is known of it for one entrant; None where it was never calibrated for it."""

    task: str
    difficulty: Difficulty | None
    is_changed: bool = False
    """Whether the task has changed since."""
    is_recounted: bool = False
    """Whether its trials count otherwise now: more were made, or a person judged one of their patches."""

    @property
    def stale(self) -> bool:
        """Whether the measurement is not what would be measured now."""
        return self.is_changed or self.is_recounted

    @property
    def placing(self) -> Placing:
        """Where it lies; what is stale is not known."""
        return "undecided" if self.difficulty is None or self.stale else self.difficulty.placing


@dataclass(frozen=True, slots=True)
class Certainty:
    """What another, smaller error would cost."""

    expected_error: float
    """Share of the tasks that would then be placed wrongly."""
    mean_rollouts: float
    """More, of all tasks together."""
    usd: float | None
    """At what a rollout has cost so far; None when that is unknown."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A set of tasks as one entrant finds them."""

    entrant: str
    band: Band
    tasks: tuple[Placed, ...]
    """The hardest first; those without a measurement last."""
    counts: Mapping[Placing, int]
    """`undecided` holds those that were never measured, too."""
    bins: tuple[float, ...]
    """Expected number of measured tasks by rate, from 0 to 1 in equal steps."""
    signal_all: float | None
    """Expected share of groups of `GROUP` rollouts with signal, over all measured tasks; None without any."""
    signal_in: float | None
    """The same over the tasks placed in the band."""
    expected_error: float | None
    """Expected share of wrong placings among those that were decided."""
    rollout_count: int
    void_count: int
    usd: float | None
    more: tuple[Certainty, ...] = ()
    """What a half and a quarter of today's error would cost."""

    @property
    def measured(self) -> tuple[Placed, ...]:
        """Tasks with a rollout, as they are now."""
        return tuple(one for one in self.tasks if one.difficulty is not None and not one.stale)


def curve_of(entrant: str, band: Band, tasks: Iterable[Placed], *, with_costs: bool = True) -> Curve:
    """The curve of one entrant over a set."""
    placed = sorted(tasks, key=lambda one: (one.difficulty is None or one.stale, _mean(one), one.task))
    known = [one.difficulty for one in placed if one.difficulty is not None and not one.stale]
    decided = [one for one in known if one.placing != "undecided"]
    inside = [one for one in known if one.placing == "in"]
    prices = [one.usd for one in known]
    return Curve(
        entrant=entrant,
        band=band,
        tasks=tuple(placed),
        counts={name: sum(one.placing == name for one in placed) for name in PLACINGS},
        bins=_bins(known),
        signal_all=_average([one.signal_share for one in known]),
        signal_in=_average([one.signal_share for one in inside]),
        expected_error=_average([one.expected_error for one in decided]),
        rollout_count=sum(one.tally.scored_count for one in known),
        void_count=sum(one.tally.void_count for one in known),
        usd=None if not prices or None in prices else sum(price for price in prices if price is not None),
        more=_more(known) if with_costs else (),
    )


def _mean(one: Placed) -> float:
    return one.difficulty.posterior.mean if one.difficulty is not None else 1.0


def _average(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def belief(difficulty: Difficulty) -> Prior:
    """What is believed of the rate now."""
    return updated(difficulty.prior, difficulty.tally)


def _bins(known: Sequence[Difficulty]) -> tuple[float, ...]:
    """Each task counts as one, spread over the rates that it may have."""
    sums = [0.0] * BINS
    for one in known:
        now = belief(one)
        edges = [0.0, *(share_below(now, (i + 1) / BINS) for i in range(BINS - 1)), 1.0]
        for i in range(BINS):
            sums[i] += edges[i + 1] - edges[i]
    return tuple(sums)


def _more(known: Sequence[Difficulty]) -> tuple[Certainty, ...]:
    """What it takes to place all measured tasks with a half and a quarter of today's expected error."""
    if not known:
        return ()
    states = [(belief(one).model_copy(update={"origin": ""}), one.band) for one in known]
    today = sum(min(losses(*state)) for state in states) / len(states)
    rollouts = sum(one.tally.scored_count + one.tally.void_count for one in known)
    prices = [one.usd for one in known]
    each = None if None in prices or not rollouts else sum(price or 0.0 for price in prices) / rollouts
    found = []
    for share in (0.5, 0.25):
        more = _cheapest(states, share * today)
        if more is not None:
            error, mean = more
            found.append(Certainty(error, mean, None if each is None else mean * each))
    return tuple(found)


def _cheapest(states: Sequence[tuple[Prior, Band]], error: float) -> tuple[float, float] | None:
    """Error and further rollouts in all at the highest price that keeps the error; None where WAVES do not reach it."""
    low, high, best = 1e-7, 0.5, None
    for _ in range(ROUNDS):
        price = (low * high) ** 0.5
        outcomes = [_at(price, *state) for state in states]
        mean_error = sum(one[0] for one in outcomes) / len(outcomes)
        if mean_error <= error:
            low, best = price, (mean_error, sum(one[1] for one in outcomes))
        else:
            high = price
    return best


@lru_cache(maxsize=4096)
def _at(price: float, prior: Prior, band: Band) -> tuple[float, float]:
    programme = _programme(prior, band)
    outcome = evaluate(programme.solve(price), programme.tables)
    return outcome.error, outcome.mean_rollouts


@lru_cache(maxsize=1024)
def _programme(prior: Prior, band: Band) -> Programme:
    return deciding(tables_of(prior, band, WAVES.cap), WAVES, starting=False)


@dataclass(frozen=True, slots=True)
class Attempted:
    """A failed trial, and how near it came."""

    trial_id: str
    reason: str
    passed_count: int
    total_count: int


@dataclass(frozen=True, slots=True)
class Review:
    """A task that nobody has solved: hard and broken look the same, so a person has to look."""

    task: str
    entrant: str
    scored_count: int
    audit: AuditState
    best: tuple[Attempted, ...] = ()
    """The failed trials that came nearest, the nearest first."""


@dataclass(frozen=True, slots=True)
class DifficultyReport:
    """What `assay status --difficulty` shows."""

    project: str
    curves: tuple[Curve, ...]
    reviews: tuple[Review, ...] = ()
    task_count: int = 0
    """Tasks that were looked at, measured or not."""
