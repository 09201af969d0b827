"""The policy of failures, row by row."""

from __future__ import annotations

from typing import get_args

import pytest

from assay import errors
from assay.core.failure_policy import BY_BOUNDARY, BY_KIND, Policy, policy
from assay.errors import InfrastructureError
from assay.model.failure import Boundary, Failure

TABLE = {
    ("provider", "provider"): Policy(1, "nothing", "trial"),
    ("provider", "refused"): Policy(1, "nothing", "trial"),
    ("environment", "environment"): Policy(0, "task", "task"),
    ("sandbox", "sandbox"): Policy(2, "nothing", "trial"),
    ("sandbox", "infrastructure"): Policy(2, "nothing", "trial"),
    ("verifier", "verifier"): Policy(1, "task", "task"),
    ("verifier", "unguarded"): Policy(1, "task", "task"),
    ("task", "task-definition"): Policy(0, "task", "task"),
    ("store", "store"): Policy(1, "nothing", "run"),
    ("store", "store-locked"): Policy(1, "nothing", "run"),
    ("store", "store-too-new"): Policy(0, "nothing", "run"),
    ("store", "disk-full"): Policy(0, "nothing", "run"),
    ("budget", "budget"): Policy(0, "nothing", "run"),
    ("agent", "agent"): Policy(1, "agent", "trial"),
}
CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, InfrastructureError)]


def failure(boundary: Boundary, kind: str, *, retryable: bool = True) -> Failure:
    return Failure(boundary=boundary, kind=kind, message="m", retryable=retryable)


@pytest.mark.parametrize(("place", "wanted"), TABLE.items(), ids=str)
def test_each_row(place: tuple[Boundary, str], wanted: Policy) -> None:
    assert policy(failure(*place)) == wanted


@pytest.mark.parametrize("place", TABLE, ids=str)
def test_what_will_not_change_is_not_tried_again(place: tuple[Boundary, str]) -> None:
    found = policy(failure(*place, retryable=False))
    assert found.retry_count == 0
    assert (found.counts_against, found.voids) == (TABLE[place].counts_against, TABLE[place].voids)


def test_the_list_of_boundaries_is_closed_and_whole() -> None:
    assert set(BY_BOUNDARY) == set(get_args(Boundary))
    assert {boundary for boundary, _ in BY_KIND} <= set(BY_BOUNDARY)
    assert {boundary for boundary, _ in TABLE} == set(BY_BOUNDARY)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_of_ours_has_its_row(kind: type[InfrastructureError]) -> None:
    error = kind("m", step="s") if kind is errors.EnvironmentBuildError else kind("m")
    found = Failure.of(error)
    assert (found.boundary, found.kind) in TABLE
    policy(found)


def test_an_unknown_kind_is_treated_like_its_boundary() -> None:
    assert policy(failure("sandbox", "somebody-elses")) == BY_BOUNDARY["sandbox"]
