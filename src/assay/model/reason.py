"""The closed list of reasons for which a candidate does not become a task.

A reason says something about the candidate. What says something about our machine or the network is a
`Failure` (see `assay.model.failure`), is tried again by the next run, and is never counted as a rejection.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a candidate was rejected."""

    NO_SDIST = "no-sdist"
    """The release has no source archive."""
    UNSAFE_SOURCE = "unsafe-source"
    """The archive or repository tries to leave its tree, or is larger than any honest one."""
    NO_TESTS = "no-tests"
    """The source carries no tests."""
    NO_TEST_CHANGE = "no-test-change"
    """The change does not touch tests."""
    NO_SOURCE_CHANGE = "no-source-change"
    """Without tests, documentation and packaging, nothing of the change is left."""
    CHANGE_TOO_LARGE = "change-too-large"
    """The change is larger than the project's limits for one task."""
    NO_INTERPRETER = "no-interpreter"
    """No Python on this machine satisfies what the project asks for."""
    ENVIRONMENT = "environment"
    """Every rung of the ladder failed to build an environment."""
    TESTS_NOT_COLLECTED = "tests-not-collected"
    """The framework collects no test of the change, even with the reference change."""
    NO_FAIL_TO_PASS = "no-fail-to-pass"
    """No test fails before and passes after."""
    GOLD_FAILS = "gold-fails"
    """Tests that should pass with the reference change do not."""
    BASE_BROKEN = "base-broken"
    """The base fails for another cause than the missing change."""
    FLAKY = "flaky"
    """Runs of the same code disagreed."""
    TIMEOUT = "timeout"
    """Tests did not end within the limits."""
    RESOURCES = "resources"
    """Tests went over memory, process, disk or output limits."""
    LEAK = "leak"
    """The prompt cannot be written without giving the change away."""
    HIDDEN_TEXT = "hidden-text"
    """Tests expect a text of the change that no reader could guess and that the prompt does not tell."""
    NO_PROMPT = "no-prompt"
    """Neither the maintainers' words nor the tests say what is wanted."""
    NEEDS_NETWORK = "needs-network"
    """Tests need the network."""
    LICENCE = "licence"
    """The licence is not on the project's allow list."""
    BENCHMARK = "benchmark"
    """The change is in a benchmark that was excluded. Holds for these exclusions alone."""
    DUPLICATE = "duplicate"
    """The same change is a task already. Holds as long as that task is there."""
