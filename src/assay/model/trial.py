"""One try of one agent at one task, and what came of it.

A trial has been scored, or has failed, or was never judged. A failure is a fault around the agent's work and never a
score; what was never judged is not counted either way.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, field_serializer, field_validator, model_validator

from assay.model.base import Frozen
from assay.model.failure import Failure
from assay.model.json_values import JsonObject
from assay.model.trajectory import Trajectory
from assay.model.verdict import Verdict

FORMAT = 1
"""Version of a line of `trials.jsonl`; a larger one is read as far as it goes."""

Outcome = Literal["resolved", "unresolved", "failed", "unscored"]


class TrialCost(Frozen):
    """What the agent spent, without the judge. Cached tokens are among the prompt's. None is unknown, 0 is free."""

    usd: Annotated[FiniteFloat, Field(ge=0)] | None = None
    model_call_count: Annotated[int, Field(ge=0)] | None = None
    prompt_tokens: Annotated[int, Field(ge=0)] | None = None
    completion_tokens: Annotated[int, Field(ge=0)] | None = None
    cached_tokens: Annotated[int, Field(ge=0)] | None = None
    wall_seconds: Annotated[FiniteFloat, Field(ge=0)] | None = None


class Trial(Frozen):
    """One line of `trials.jsonl`. Strict: what was read from newer files has its losses told."""

    format: int = FORMAT
    task: str
    """The task's slug, or the name that another benchmark gives it."""
    task_digest: str = ""
    """Of the content that was tried; empty when nobody knows."""
    agent: str
    agent_version: str = ""
    model: str = ""
    attempt: Annotated[int, Field(ge=1)] = 1
    """Which try of the same agent and model at the same task."""
    started_at: datetime | None = None
    patch: bytes | None = None
    """What the agent left, as git's patch; empty for no change, None when it was not kept."""
    ended: str = ""
    """How the agent itself ended, in its own words: `Submitted`, `LimitsExceeded`, `agent_timeout`."""
    resolved: bool | None = None
    reward: FiniteFloat | None = None
    failure: Failure | None = None
    reason: str = ""
    """Why not resolved, in a word; see `Verdict.reason`."""
    verdict: Verdict | None = None
    """Ours, when assay judged it."""
    cost: TrialCost | None = None
    trajectory: Trajectory | None = None
    extra: JsonObject = Field(default_factory=dict)
    """What the origin said besides."""

    @field_validator("patch", mode="before")
    @classmethod
    def _as_bytes(cls, value: Any) -> Any:
        """Text as UTF-8; `{"base64": ...}` for what is no text."""
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict) and set(value) == {"base64"} and isinstance(value["base64"], str):
            try:
                return base64.b64decode(value["base64"], validate=True)
            except binascii.Error as error:
                raise ValueError(f"no base64: {error}") from error
        return value

    @field_serializer("patch", when_used="json")
    def _as_text(self, value: bytes | None) -> str | dict[str, str] | None:
        if value is None:
            return None
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}

    @model_validator(mode="after")
    def _one_story(self) -> Self:
        if self.failure is not None and (self.resolved is not None or self.reward is not None):
            raise ValueError("a trial has a score or a failure, never both")
        if self.resolved is not None and self.reward is None:
            raise ValueError("what is resolved or not has a reward: 1 and 0 unless the verifier gives another")
        if self.verdict is not None and (
            (self.verdict.resolved, self.verdict.failure) != (self.resolved, self.failure)
            or self.verdict.reward != self.reward
        ):
            raise ValueError("the trial says otherwise than its verdict")
        return self

    @property
    def outcome(self) -> Outcome:
        """What it counts as. A reward alone says nothing about resolved, and counts as unscored here."""
        if self.failure is not None:
            return "failed"
        if self.resolved is None:
            return "unscored"
        return "resolved" if self.resolved else "unresolved"

    @property
    def name(self) -> str:
        """For people and for loss reports: `task / agent / model / attempt`."""
        return " / ".join(part for part in (self.task, self.agent, self.model, str(self.attempt)) if part)

    def judged(self, verdict: Verdict) -> Trial:
        """The same trial with a verdict of ours."""
        update = {
            "verdict": verdict,
            "resolved": verdict.resolved,
            "reward": None if verdict.reward is None else float(verdict.reward),
            "failure": verdict.failure,
            "reason": verdict.reason,
            "task_digest": verdict.task_digest,
        }
        return Trial.model_validate({**dict(self), **update})
