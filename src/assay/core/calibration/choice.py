"""What to do next with each task of a set, trial by trial: what `assay calibrate` asks after every wave.

    chooser = Chooser(Rule(band, free_waves(32), price=0.0134))
    looks = [chooser.look(prior_of_task, tally_of_task) for ...]
    for position in next_up(looks):            # largest index first, for as long as the budget lasts
        start looks[position].next_rollouts more rollouts

A task's prior may be its own (what other models did, an earlier checkpoint) and its count any: infrastructure takes
trials out of waves. Nothing is answered before the first rollout of the target itself, however sure the prior is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from assay.core.calibration.harvest import harvesting
from assay.core.calibration.posterior import losses, updated
from assay.core.calibration.programme import Programme, Schedule, deciding
from assay.core.calibration.tables import tables_of
from assay.model.calibration import Band, Prior, Tally

Answer = Literal["in", "out"]
Decision = Literal["in", "out", "undecided"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a calibration decides by: `Plan` has the price (and the penalty) for a wanted error, budget or precision."""

    band: Band
    schedule: Schedule
    price: float
    """Errors that a rollout must save to be worth it."""
    penalty: float | None = None
    """In a harvest: what accepting a task outside the band weighs. None where every task is to be answered."""


@dataclass(frozen=True, slots=True)
class Look:
    """Where a task stands. In a harvest, `in` is accepted and `out` rejected."""

    decision: Decision
    lean: Answer
    """The better answer as things are, for a budget that ends here."""
    error: float
    """The probability that `lean` is wrong; the mean over a set is its expected error."""
    in_band: float
    """The probability that the task is in the band."""
    index: float
    """What the next wave saves for each of its rollouts, at best; -inf where none is left. Who has most goes first."""
    next_rollouts: int
    """The size of the wave that would be next; 0 where none is left."""


@dataclass(frozen=True, slots=True)
class Chooser:
    """Looks at tasks under one rule; what it worked out for a prior it keeps."""

    rule: Rule
    _programmes: dict[Prior, Programme] = field(default_factory=dict, repr=False)
    _looks: dict[tuple[Prior, int, int], Look] = field(default_factory=dict, repr=False)

    def look(self, prior: Prior, tally: Tally) -> Look:
        """Where a task with this prior stands after these trials; those without a verdict do not count."""
        key = (prior, tally.scored_count, tally.resolved_count)
        known = self._looks.get(key)
        if known is None:
            known = self._looks[key] = self._look(prior, tally)
        return known

    def _look(self, prior: Prior, tally: Tally) -> Look:
        n, k = tally.scored_count, tally.resolved_count
        known = updated(prior, tally)
        wrong_in, wrong_out = losses(known, self.rule.band)
        sharp = self.rule.band.model_copy(update={"grey": 0.0})
        in_band = losses(known, sharp)[1]
        lean: Answer = "in" if self._accepts(in_band, wrong_in, wrong_out) else "out"
        error = wrong_in if lean == "in" else wrong_out
        if n >= self.rule.schedule.cap:
            return Look(lean, lean, error, in_band, -np.inf, 0)
        programme = self._programme(prior)
        index = float(programme.indices(np.array([[n, k]]))[0])
        wave = programme.best_wave(n, k, self.rule.price)
        going = n == 0 or index > self.rule.price
        return Look("undecided" if going else lean, lean, error, in_band, index, wave)

    def _accepts(self, in_band: float, wrong_in: float, wrong_out: float) -> bool:
        if self.rule.penalty is None:
            return wrong_in <= wrong_out
        return in_band > self.rule.penalty * (1 - in_band)

    def _programme(self, prior: Prior) -> Programme:
        known = self._programmes.get(prior)
        if known is None:
            tables = tables_of(prior, self.rule.band, self.rule.schedule.cap)
            if self.rule.penalty is None:
                known = deciding(tables, self.rule.schedule)
            else:
                known = harvesting(tables, self.rule.schedule, self.rule.penalty)
            self._programmes[prior] = known
        return known


def next_up(looks: Sequence[Look]) -> list[int]:
    """The positions of the undecided tasks: the largest index first.

    Whoever has a budget starts waves in this order and looks again after each (reference/quality.md, 12).
    """
    return sorted((i for i, look in enumerate(looks) if look.decision == "undecided"), key=lambda i: -looks[i].index)


def expected_error(looks: Iterable[Look]) -> float:
    """The expected share of wrong answers, were all tasks answered now; 0.0 without tasks."""
    errors = [look.error for look in looks]
    return sum(errors) / len(errors) if errors else 0.0
