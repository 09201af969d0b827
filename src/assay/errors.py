"""Every error that assay raises on purpose, and how a person is told.

    AssayError                 code, message, hint, context
    |-- InputError             what the user gave is wrong                         exit 1
    |   |-- TaskDefinitionError  a task folder is broken: file, key, found, expected
    |   `-- ProjectError       no project here, or one that cannot be used
    |-- PrerequisiteError      the machine lacks something: says what to type      exit 1
    |-- Rejection              a candidate cannot become a task: carries a Reason value
    |-- InfrastructureError    something around the work broke: becomes a Failure  exit 4
    |   |-- ProviderError      an index, a remote repository, a model endpoint (RefusedError: for good)
    |   |-- SandboxError       a sandbox could not be started or read
    |   |-- EnvironmentBuildError  a build step failed: step, last lines
    |   |-- VerifierError      no verdict was reached (failing tests are not an error)
    |   `-- StoreError         the database or the blob store: Locked, SchemaTooNew, DiskFull
    `-- (anything else is a bug of ours: exit 3, with a report file)

Invariant: an InfrastructureError never becomes a reward. It is recorded as a `Failure` at its boundary.
"""

from __future__ import annotations


class AssayError(Exception):
    """Base of all expected errors.

    `message` says what happened and to which thing, `hint` what to do next; `context` holds what a program
    may want to read (JSON-able values only).
    """

    code = "error"

    def __init__(self, message: str, *, hint: str | None = None, **context: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.context = context

    def __str__(self) -> str:
        return self.message


class InputError(AssayError):
    """What the user gave is wrong."""

    code = "input"


class TaskDefinitionError(InputError):
    """A task folder does not say what a task must say."""

    code = "task-definition"


class ProjectError(InputError):
    """There is no project here, or not one that this version can use."""

    code = "project"


class PrerequisiteError(AssayError):
    """The machine lacks something that the user can install or allow."""

    code = "prerequisite"


class Rejection(AssayError):
    """A candidate cannot become a task. `reason` is a value of `assay.model.reason.Reason`."""

    code = "rejection"

    def __init__(self, reason: str, message: str, **context: object) -> None:
        super().__init__(message, hint=None, **context)
        self.reason = reason


class InfrastructureError(AssayError):
    """Something around the work broke. Says nothing about the candidate.

    `boundary` names where (see `assay.model.failure`), `retryable` whether the same call may succeed later.
    """

    code = "infrastructure"
    boundary = "sandbox"
    retryable = True


class ProviderError(InfrastructureError):
    """A package index, a remote repository or a model endpoint did not do its part."""

    code = "provider"
    boundary = "provider"


class RefusedError(ProviderError):
    """A model endpoint refuses whatever it is asked about one task, and will do so again."""

    code = "refused"
    retryable = False


class SandboxError(InfrastructureError):
    """A sandbox could not be started, used or read."""

    code = "sandbox"
    boundary = "sandbox"


class EnvironmentBuildError(InfrastructureError):
    """One step of building an environment failed; `step` names it, `tail` holds its last lines."""

    code = "environment"
    boundary = "environment"
    retryable = False

    def __init__(self, message: str, *, step: str, tail: str = "", hint: str | None = None, **context: object) -> None:
        super().__init__(message, hint=hint, **context)
        self.step = step
        self.tail = tail


class VerifierError(InfrastructureError):
    """No verdict was reached. Failing tests are not an error."""

    code = "verifier"
    boundary = "verifier"


class UnguardedError(VerifierError):
    """The tests of a task are such that this candidate could be a forger as well as a solver: no reward."""

    code = "unguarded"
    retryable = False


class StoreError(InfrastructureError):
    """The database or the blob store could not do its part."""

    code = "store"
    boundary = "store"


class StoreLockedError(StoreError):
    """Another process holds what is needed for longer than we wait."""

    code = "store-locked"


class SchemaTooNewError(StoreError):
    """The store was written by a newer assay."""

    code = "store-too-new"
    retryable = False


class DiskFullError(StoreError):
    """No space is left where the project lives."""

    code = "disk-full"
