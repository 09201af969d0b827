"""What a calibration is asked for, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from assay.model.difficulty import Difficulty
from assay.model.options import RunOptions
from assay.model.plan import PlanOptions


@dataclass(frozen=True, slots=True)
class CalibrateOptions:
    """Whose rate is measured on which tasks, how surely, and for how much."""

    run: RunOptions
    """Tasks, agent, how many at a time; its `attempts` are not looked at: how many there will be is the question."""
    plan: PlanOptions = field(default_factory=PlanOptions)
    """Band, prior, waves, and the error, precision or fixed design that is wanted."""
    rollout_budget: int | None = None
    """New rollouts of the whole set; spent where they are worth most."""
    checkpoint: str = ""
    """The model that this one was trained from, by its name."""
    has_memory: bool = True
    """Whether results of other models and agents sharpen the prior."""
    recheck_share: float = 0.0
    """Share of the decided tasks that are tried again with fresh rollouts."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A task, as the calibration leaves it."""

    task: str
    path: Path
    difficulty: Difficulty | None = None
    new_rollouts: int = 0
    """Scored in this run."""
    problem: str = ""
    """What kept it from (more) rollouts."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """What the fresh rollouts say of the decisions, all shares of the tasks that were tried again."""

    task_count: int
    disagreeing: tuple[str, ...]
    upper: float
    """95 % bound of the share that disagrees (Clopper and Pearson); 1.0 without a task."""
    predicted: float
    """The share that would disagree if the beliefs were exact: wrong decisions found, and right ones doubted."""
    predicted_error: float
    """The share of wrong decisions that the beliefs admit."""
    error_upper: float
    """`upper` without the audit's own errors: (upper - doubted) / (found - doubted), with the share of wrong decisions
    that it would find and of right ones that it would doubt (Rogan and Gladen 1978); 1.0 where it cannot tell."""
    chance: float
    """The probability of so many disagreements or more, were the beliefs exact. Small: they are not."""


@dataclass(frozen=True, slots=True)
class CalibrationRun:
    """The end of a calibration."""

    entrant: str
    entrant_digest: str
    tasks: tuple[Calibrated, ...]
    prior: str
    """Where the population's prior came from."""
    price: float
    """Errors that a rollout had to save to be worth it."""
    expected_error: float | None
    """Expected share of wrong placings among the decided; None when nothing was decided."""
    new_rollouts: int
    new_void: int
    usd: float
    """Spent by this run, as far as it is known."""
    stopped: str = ""
    """Why it ended before all was decided; empty when it did not."""
    recheck: Recheck | None = None


@dataclass(frozen=True, slots=True)
class Monitored:
    """What a set has left to teach an entrant."""

    entrant: str
    entrant_digest: str
    task_count: int
    """Tasks with two scored rollouts or more."""
    signal: float
    """How often two rollouts of a task differ: the mean of 2 p (1 - p), on which group-relative training feeds."""
    standard_error: float
    upper: float
    """One-sided 95 % bound."""
    retired_below: float
    is_saturated: bool
    """Whether `upper` is below that: the set has little left to teach."""
    outgrown: tuple[str, ...]
    """Tasks that are almost surely solved more than nine times in ten."""
    unknown: tuple[str, ...]
    """Tasks without two scored rollouts."""
    new_rollouts: int
    usd: float
    stopped: str = ""
