"""What to do about a failure: try again, hold it against something, give up more than the one trial?

One pure table, so that no caller decides for itself. What is not in it: a failure never becomes a reward and never
enters a rate, whatever it is. A candidate that ran into the task's own limits has a verdict and does not come here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from assay.model.failure import Boundary, Failure

CountsAgainst = Literal["nothing", "task", "agent"]
"""Whose record shows it: nobody's (the machine, the network, the money), the task's, the agent's."""
Voids = Literal["trial", "task", "run"]
"""What has no result for it: this trial; all trials of this task until somebody has looked; everything to come."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The answer for one kind of failure."""

    retry_count: int
    """Further tries at once. Failures that say of themselves that nothing will change get none."""
    counts_against: CountsAgainst
    voids: Voids


MACHINE = Policy(retry_count=2, counts_against="nothing", voids="trial")
NETWORK = Policy(retry_count=1, counts_against="nothing", voids="trial")
BROKEN_TASK = Policy(retry_count=0, counts_against="task", voids="task")
END = Policy(retry_count=0, counts_against="nothing", voids="run")

BY_BOUNDARY: Mapping[Boundary, Policy] = {
    "provider": NETWORK,
    "environment": BROKEN_TASK,
    "sandbox": MACHINE,
    "verifier": replace(BROKEN_TASK, retry_count=1),
    "task": BROKEN_TASK,
    "store": replace(END, retry_count=1),
    "budget": END,
    "agent": Policy(retry_count=1, counts_against="agent", voids="trial"),
}
"""The closed list of boundaries; a kind that has no entry of its own is treated like its boundary."""

BY_KIND: Mapping[tuple[Boundary, str], Policy] = {
    ("store", "store-locked"): replace(END, retry_count=1),
    ("store", "store-too-new"): END,
    # Trying again at once would fill what somebody is just making free.
    ("store", "disk-full"): END,
}


def policy(failure: Failure) -> Policy:
    """What to do about it."""
    known = BY_KIND.get((failure.boundary, failure.kind)) or BY_BOUNDARY[failure.boundary]
    return known if failure.retryable else replace(known, retry_count=0)
