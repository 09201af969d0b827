"""What a long piece of work says while it runs: one union that progress displays, logs and live views read.

Events are told, never asked: nothing waits for an answer, and work goes on the same when nobody listens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assay.model.attack import AttackResult
from assay.model.audit import CheckResult
from assay.model.exchange import Converted
from assay.model.ledger import Decision
from assay.model.prediction import Graded
from assay.model.trial_run import TrialCount, TrialEnd


@dataclass(frozen=True, slots=True)
class Stage:
    """A subject has entered a stage."""

    subject: str
    """A candidate's title or a task's slug, for people."""
    stage: str
    """As in the ledger: `fetch`, `environment`, `split`, `base`, `gold`, `write`, `verify`."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A candidate has its decision; it is in the store already."""

    decision: Decision
    path: Path | None = None
    """The task's folder when it is verified."""


@dataclass(frozen=True, slots=True)
class Count:
    """How far the work is. `total` is None as long as nobody knows it."""

    done: int
    total: int | None
    verified: int = 0
    rejected: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Attacked:
    """An attack has its answer."""

    result: AttackResult


@dataclass(frozen=True, slots=True)
class Checked:
    """A check of an audit has ended."""

    result: CheckResult
    task: str
    """The task's slug."""


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for people."""

    text: str


@dataclass(frozen=True, slots=True)
class Log:
    """Lines about one subject that are kept, but shown only to those who ask."""

    subject: str
    text: str


Event = Stage | Decided | Attacked | Checked | Converted | Graded | TrialEnd | TrialCount | Count | Note | Log

OnEvent = Callable[[Event], None]
"""Called on the event loop's thread; must return quickly."""
