"""What is believed about how often a model solves a task, and the band of rates that is wanted.

A prior is a mixture of Beta distributions, or weights on a grid of rates where side information has bent it. Both are
distributions over one number: the rate at which this model, with this agent and these limits, solves the task.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, FiniteFloat, model_validator

from assay.model.base import Frozen

Rate = Annotated[FiniteFloat, Field(ge=0, le=1)]
Positive = Annotated[FiniteFloat, Field(gt=0)]
TOLERANCE = 1e-6
"""By how much weights may miss 1: they come back from files as text."""


class Band(Frozen):
    """Rates of solving that make a task worth training on, both ends included."""

    low: Rate = 0.1
    high: Rate = 0.9
    grey: Annotated[FiniteFloat, Field(ge=0, lt=0.5)] = 0.0
    """Half-width of the zone around each edge in which neither answer counts as wrong."""

    @model_validator(mode="after")
    def _is_a_band(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"a band goes from a lower to a higher rate, not from {self.low} to {self.high}")
        if self.low + self.grey >= self.high - self.grey:
            raise ValueError(f"a grey zone of {self.grey} leaves nothing of the band {self.low}:{self.high}")
        return self

    def __str__(self) -> str:
        """As it is typed: `0.1:0.9`."""
        return f"{self.low:g}:{self.high:g}"


class BetaPart(Frozen):
    """One distribution of a mixture: Beta(a, b) with this weight."""

    weight: Positive = 1.0
    a: Positive
    b: Positive


class BetaMixture(Frozen):
    """A prior as a sum of Beta distributions; one part for most."""

    parts: Annotated[tuple[BetaPart, ...], Field(min_length=1)]
    origin: str = ""
    """Where it comes from, for people: `default`, `412 trials of 103 tasks here`."""

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        total = sum(part.weight for part in self.parts)
        if abs(total - 1) > TOLERANCE:
            raise ValueError(f"the weights of a mixture sum to 1, not to {total:g}")
        return self


class GridPrior(Frozen):
    """A prior as weights on rates; between them there is nothing."""

    rates: Annotated[tuple[Rate, ...], Field(min_length=1)]
    weights: tuple[Annotated[FiniteFloat, Field(ge=0)], ...]
    origin: str = ""

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        if len(self.rates) != len(self.weights):
            raise ValueError(f"{len(self.rates)} rates have {len(self.weights)} weights")
        if abs(sum(self.weights) - 1) > TOLERANCE:
            raise ValueError(f"the weights of a grid sum to 1, not to {sum(self.weights):g}")
        return self


Prior = BetaMixture | GridPrior


class Tally(Frozen):
    """How a number of trials of one task ended. Trials without a verdict stand beside the others, never among them."""

    resolved_count: Annotated[int, Field(ge=0)] = 0
    scored_count: Annotated[int, Field(ge=0)] = 0
    void_count: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        if self.resolved_count > self.scored_count:
            raise ValueError(f"{self.resolved_count} of {self.scored_count} cannot have been resolved")
        return self


class Solver(Frozen):
    """Who tries a task: an agent with a model. Other limits or sampling make another solver: name them apart."""

    agent: str
    model: str


class Record(Frozen):
    """What is known of one solver on one task, from this calibration or from any earlier one."""

    task: str
    """Whatever tells tasks apart, best with the content's hash: a changed task has no history."""
    solver: Solver
    tally: Tally


def beta(a: float, b: float, origin: str = "") -> BetaMixture:
    """A prior of one Beta distribution."""
    return BetaMixture(parts=(BetaPart(a=a, b=b),), origin=origin)


class Posterior(Frozen):
    """What is believed of one task's rate: mean, interval, and the shares of belief in, below and above the band."""

    mean: Rate
    low: Rate
    high: Rate
    level: Rate
    """The share of belief between `low` and `high`."""
    in_band: Rate
    too_hard: Rate
    too_easy: Rate


DEFAULT_PRIOR = beta(0.155, 0.231, "default: public logs of 13 systems, 80 tasks")
"""Before a project has trials of its own: fitted to public logs of Terminal-Bench core 0.1.1, 5 trials each."""
