"""How hard a task is for one entrant: what was measured, what follows from it, and what was decided.

There is no difficulty without its entrant (agent, model, limits), its number of rollouts and its date.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, ValidationError, model_validator

from assay.model.agent import Entrant
from assay.model.base import Frozen
from assay.model.calibration import Band, Posterior, Prior, Rate, Tally
from assay.model.evidence import Evidence

STAGE = "difficulty"
"""Its evidence."""
KEY = "difficulties"
"""Under which it stands there."""
GROUP = 8
"""Rollouts of a group, where nobody says otherwise: what most trainers take."""

Placing = Literal["in", "too-hard", "too-easy", "undecided"]
"""Where a task lies for an entrant; `undecided` while nothing was decided, whatever the belief."""
AuditState = Literal["sound", "unsound", "unknown", "none"]
"""What the audit of the task said when it was calibrated: `none` was made, or an older content was audited."""


class Difficulty(Frozen):
    """One entrant at one task, as far as it was measured. A line of `evidence/difficulty.json`."""

    entrant: Entrant
    entrant_digest: str
    band: Band
    prior: Prior
    """What was believed before the first rollout of this entrant at this task."""
    tally: Tally
    posterior: Posterior
    placing: Placing
    expected_error: Rate
    """The probability that the placing is wrong, the grey zone counted; of `undecided`, that the likelier one would."""
    signal_share: Rate
    """The expected share of groups of GROUP rollouts in which some solve and some do not."""
    usd: Annotated[FiniteFloat, Field(ge=0)] | None = None
    """What all rollouts cost, the void ones too; None when the price of one is unknown."""
    audit: AuditState = "none"
    rechecked: bool | None = None
    """Whether fresh rollouts confirmed the placing, when that was tried."""
    decided_at: datetime

    @model_validator(mode="after")
    def _is_measured(self) -> Self:
        if self.placing != "undecided" and not self.tally.scored_count:
            raise ValueError("no band is decided without a rollout of the entrant itself")
        return self


def difficulties_of(evidence: Evidence | None) -> tuple[Difficulty, ...]:
    """What an evidence file holds of difficulty; lines of another version that cannot be read are left out."""
    found = evidence.data.get(KEY) if evidence is not None else None
    read: list[Difficulty] = []
    for line in found if isinstance(found, list) else []:
        try:
            read.append(Difficulty.model_validate(line))
        except ValidationError:
            continue
    return tuple(read)
