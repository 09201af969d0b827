"""What a person asks of a long command, as values: the same for the command line and for a program."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assay.model.agent import AgentChoice
from assay.model.audit import CheckId
from assay.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class MineOptions:
    """Which candidates to look at, and when to stop."""

    source: str
    """`kind:origin`, such as `pypi:python-slugify` or `git:../some/clone`."""
    limit: int | None = None
    """Stop at this many verified tasks; None looks at every candidate."""
    max_candidates: int | None = None
    """Look at no more candidates than this."""
    since: datetime | None = None
    """Aware; changes before it are not looked at."""
    until: datetime | None = None
    """Aware; changes after it are not looked at."""
    revisions: str | None = None
    """The source's own notation: `>=2,<4` for packages, `v1..v2` for git."""
    paths: tuple[str, ...] = ()
    """Only changes that touch one of these patterns (git)."""
    match: str = ""
    """Only changes whose message matches this regular expression (git)."""
    best_first: bool = False
    """The most promising changes first (git)."""
    exclude: tuple[Path, ...] = ()
    """Files with rows of benchmarks, in SWE-bench's format, that must not become tasks."""
    model: str = ""
    """A model that drafts prompts; empty for none."""
    model_url: str = ""
    """Where it answers; empty for the environment's ASSAY_MODEL_URL."""
    budget_cpu_hours: float | None = None
    """Begin no candidate after this much was spent."""
    jobs: int | None = None
    """Candidates worked on at the same time; None leaves it to the machine."""
    sandbox: str = "bubblewrap"
    i_know_it_is_unsafe: bool = False
    """Needed for the sandbox `none`, which runs other people's code as the user."""


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What to judge. Neither agent nor patch: prove the task itself again, from scratch."""

    task: Path
    agent: str | None = None
    patch: Path | None = None
    runs: int = 2
    """How often each run is repeated, in a fresh sandbox, before it is believed."""
    replay: Verdict | None = None
    """A verdict to be reached again, with the same patch, twins and lay-out."""
    sandbox: str = "bubblewrap"
    i_know_it_is_unsafe: bool = False


@dataclass(frozen=True, slots=True)
class AttackOptions:
    """What to try on a task."""

    task: Path
    only: tuple[str, ...] = ()
    """Names of attacks; empty for all."""
    jobs: int = 2
    """Attacks judged at the same time."""
    sandbox: str = "bubblewrap"
    i_know_it_is_unsafe: bool = False


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """What to look at in a task."""

    task: Path
    only: tuple[CheckId, ...] = ()
    """Checks to make; empty for all."""
    runs: int | None = None
    """Runs for stability; None leaves it to the project's settings."""
    attacks: tuple[str, ...] = ()
    """Names of the attacks that `hackability` tries; empty for all."""
    right: tuple[Path, ...] = ()
    """Patches that a person judged right: they join the task's bank, and the tests must accept them."""
    wrong: tuple[Path, ...] = ()
    """Patches that a person judged wrong: they join the task's bank, and the tests must reject them."""
    fix: bool = False
    """Whether to look for repairs, too; they are proposed and never applied."""
    fresh: bool = False
    """Whether to ignore what earlier audits of the same content found."""
    jobs: int = 2
    """Runs at the same time."""
    sandbox: str = "bubblewrap"
    i_know_it_is_unsafe: bool = False


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Who is to try which tasks, how often, and for how much."""

    tasks: tuple[Path, ...]
    """Their folders."""
    choice: AgentChoice
    attempts: int = 1
    """Of each task."""
    concurrent: int | None = None
    """Trials in flight; None leaves it to the machine and the agent."""
    jobs: int | None = None
    """Tasks that are prepared at a time; None leaves it to the project and the machine."""
    budget_usd: float | None = None
    """Begin no trial when it is spent."""
    out: Path | None = None
    """A file for the trials, as `assay export` reads it."""
    sandbox: str = "bubblewrap"
    i_know_it_is_unsafe: bool = False


@dataclass(frozen=True, slots=True)
class DifficultyOptions:
    """Whose curves are drawn, over which tasks."""

    tasks: tuple[Path, ...] = ()
    """Their folders; empty for all of the project's."""
    model: str = ""
    """Only this model's curves; empty for all."""
