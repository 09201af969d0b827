"""What calibrating a set would cost, before a cent is spent: the question, and the answer with its policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from assay.model.base import Frozen
from assay.model.calibration import Band, Prior

Action = Literal["continue", "in", "out"]
DEFAULT_MATCH = 8
DEFAULT_PRECISION = 0.95


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What is wanted: at most one of `match`, `target_error`, `budget` and `accept`; without one, to match fixed 8."""

    prior: Prior | None = None
    """What is believed of the population; None for the project's own history."""
    band: Band = field(default_factory=Band)
    match: int | None = None
    """As few errors as with this many rollouts for every task."""
    target_error: float | None = None
    """The share of tasks that may be answered wrongly."""
    budget: float | None = None
    """Mean rollouts a task that may be spent."""
    accept: int | None = None
    """Tasks to fill a set with, rejecting freely."""
    precision: float = DEFAULT_PRECISION
    """The share of the accepted that must be in the band."""
    cap: int | None = None
    """The most rollouts for one task; None leaves it to what is wanted."""
    waves: tuple[int, ...] = ()
    """After how many rollouts a task is looked at; empty for whatever serves best."""
    one_by_one: bool = False
    tasks: int | None = None
    usd_per_rollout: float | None = None


class PolicyLine(Frozen):
    """What to do after n scored rollouts of which k solved; `next` is the size of the wave to start, 0 to stop."""

    n: int
    k: int
    action: Action
    next: int


class FixedDesign(Frozen):
    """So many rollouts for every task, and the share of wrong answers."""

    rollouts: int
    error: float


class HarvestCost(Frozen):
    """What filling a set takes."""

    penalty: float
    """What accepting a task outside the band weighs, in accepted tasks inside."""
    rollouts_per_accepted: float
    rollouts_per_good: float
    """Rollouts for each accepted task that is in the band."""
    candidates_per_accepted: float


class Plan(Frozen):
    """The answer. Mean and error are exact for the prior, and follow from `policy` alone."""

    prior: Prior
    band: Band
    cap: int
    waves: str
    """`free`, `one by one`, or the ends: `2,4,8,16,32`."""
    price: float
    """Errors that a rollout must save to be worth it."""
    mean_rollouts: float
    error: float
    floor_rollouts: float
    """Fewer than this, no policy takes that errs so rarely."""
    most_rollouts: int
    mean_waves: float
    accepted_share: float
    """The share of tasks that is answered IN."""
    precision: float
    """The share of those that is in the band."""
    fixed: FixedDesign | None = None
    harvest: HarvestCost | None = None
    tasks: int | None = None
    """Tasks that are looked at, where their number is known."""
    rollouts: float | None = None
    """What they take altogether, on average."""
    usd: float | None = None
    """For `rollouts`; for one task where `tasks` is not known."""
    policy: tuple[PolicyLine, ...]
