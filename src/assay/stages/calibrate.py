"""Calibration: as few rollouts as will place each task of a set in, above or below a band, and what they say.

Round by round: what is known of each task gives the size of its next wave and what that is worth; the waves that are
worth their price are run; what came of them sharpens the prior of the others. A trial without a verdict counts for
nothing, and no task is placed without a rollout of the entrant itself, whatever others did on it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import anyio

from assay import __version__
from assay.core.calibration import planning
from assay.core.calibration.choice import Chooser, Look, Rule, expected_error, next_up
from assay.core.calibration.fitting import fit_prior
from assay.core.calibration.history import free_attempts, is_solver, records_of, solver_of, tally_of, usd_of
from assay.core.calibration.memory import remember
from assay.core.calibration.posterior import posterior, signal_share, updated
from assay.core.calibration.pricing import price_for
from assay.core.hashing import task_digest
from assay.errors import InputError
from assay.model.calibration import GridPrior, Prior, Solver, Tally
from assay.model.calibration_run import Calibrated, CalibrateOptions, CalibrationRun
from assay.model.difficulty import GROUP, KEY, STAGE, Difficulty, Placing, difficulties_of
from assay.model.event import Note, OnEvent
from assay.model.evidence import Evidence
from assay.model.plan import Plan, PlanOptions
from assay.model.trial_record import TrialRecord
from assay.model.trial_run import TrialEnd, Wish
from assay.stages.calibrate_tasks import Subject, read_subjects
from assay.stages.rechecking import marked, recheck_some
from assay.stages.toolbox import Toolbox
from assay.stages.trials import TrialRunner

SMALLEST_ROUND = 8
"""Rollouts of a round at least, where a budget bounds them: fewer would leave the machine idle."""
BUDGET_SHARE = 4
"""A round spends at most this part of what is left of a budget, so that later rounds know more."""
FIRST = 2
"""Rollouts of a task at least before a prior that somebody gave is acted on: one alone says nothing of its spread."""
BOUNDLESS_PRICE = 1e-9
"""Of a rollout where a budget, not a price, says when to stop."""


@dataclass(frozen=True)
class Knowledge:
    """What a round begins with."""

    chooser: Chooser
    plan: Plan
    priors: Mapping[str, Prior]
    """By task digest."""
    records: Mapping[str, Sequence[TrialRecord]]
    """The entrant's own, by task digest."""
    looks: Mapping[str, Look]

    def tally(self, subject: Subject) -> Tally:
        """What the entrant has done on a task."""
        return tally_of(self.records.get(subject.digest, ()), subject.judged)


@dataclass
class Calibration:
    """One run."""

    options: CalibrateOptions
    runner: TrialRunner
    tools: Toolbox
    emit: OnEvent
    subjects: Sequence[Subject]
    stuck: dict[str, str] = field(default_factory=dict)
    """Tasks that a round brought no score for, and why: not asked again in this run."""
    new_rollouts: dict[str, int] = field(default_factory=dict)
    new_void: int = 0

    async def run(self) -> Knowledge:
        """Rounds until nothing is worth another rollout; what is known then. Raises as `TrialRunner.run` does."""
        while True:
            known = await anyio.to_thread.run_sync(self.know)
            wishes = self.next_round(known)
            if not wishes or self.runner.stopped:
                return known
            await self._round(wishes)

    def know(self) -> Knowledge:
        """Priors, rule and the state of each task, from the store. Blocking."""
        store, options = self.tools.store, self.options
        digests = {subject.digest for subject in self.subjects}
        own: dict[str, list[TrialRecord]] = {}
        for record in store.trials(self.runner.entrant_digest, digests):
            own.setdefault(record.task_digest, []).append(record)
        population, priors = self._priors(own)
        plan = planning.plan(self._wish(), population)
        penalty = plan.harvest.penalty if plan.harvest is not None else None
        price = self._price(plan, priors)
        chooser = Chooser(Rule(plan.band, planning.schedule_of(options.plan), price, penalty))
        known = Knowledge(chooser, plan, priors, own, {})
        looks = {one.digest: chooser.look(priors[one.digest], known.tally(one)) for one in self.subjects}
        return replace(known, looks=looks)

    def _price(self, plan: Plan, priors: Mapping[str, Prior]) -> float:
        """Errors that a rollout must save: as planned, unless tasks have priors of their own or a budget decides."""
        if self._has_budget:
            return BOUNDLESS_PRICE
        is_shared = set(priors.values()) <= {plan.prior}
        if plan.harvest is not None or is_shared:
            return plan.price
        wanted = self.options.plan.target_error
        if wanted is None:
            wanted = plan.fixed.error if plan.fixed is not None else plan.error
        return price_for(priors.values(), plan.band, plan.cap, wanted)

    def _wish(self) -> PlanOptions:
        """What the plan is made for; a budget of the whole set only bounds the waves."""
        wish = self.options.plan
        return replace(wish, match=None, target_error=None, budget=None) if self._has_budget else wish

    @property
    def _has_budget(self) -> bool:
        return self.options.rollout_budget is not None

    def _priors(self, own: Mapping[str, Sequence[TrialRecord]]) -> tuple[Prior, Mapping[str, Prior]]:
        """The population's prior, and each task's."""
        given = self.options.plan.prior
        judged = {one.digest: one.judged for one in self.subjects}
        if isinstance(given, GridPrior):
            return given, {one.digest: given for one in self.subjects}
        me = self.runner.entrant_digest
        everybody = [one for one in self.tools.store.trials() if is_solver(one.agent) or one.entrant_digest == me]
        if given is not None or not self.options.has_memory:
            # What is believed gives way to what this set shows: a prior that was kept could be wrong for ever.
            mine = [one for one in everybody if one.entrant_digest == me]
            fitted = fit_prior((record.tally for record in records_of(mine, judged)), given)
            return fitted, {one.digest: fitted for one in self.subjects}
        entrant = self.runner.entrant
        target = Solver(agent=entrant.agent, model=f"{entrant.model} {me[:12]}")
        digests = [one.digest for one in self.subjects]
        found = remember(records_of(everybody, judged), target, digests, self._checkpoint(everybody))
        return found.population, {digest: found.prior(digest) for digest in digests}

    def _checkpoint(self, trials: Sequence[TrialRecord]) -> Solver | None:
        """The entrant that has the checkpoint as its model, the same agent before another. Raises InputError."""
        name = self.options.checkpoint
        if not name:
            return None
        theirs = [one for one in trials if one.model == name and one.state == "scored"]
        if not theirs:
            raise InputError(
                f"the model {name!r} has no trial here to remember", hint="--checkpoint names a model that was run"
            )
        same = [one for one in theirs if one.agent == self.runner.entrant.agent] or theirs
        counts: dict[Solver, int] = {}
        for one in same:
            counts[solver_of(one)] = counts.get(solver_of(one), 0) + 1
        return max(counts, key=lambda solver: (counts[solver], solver.model))

    def next_round(self, known: Knowledge) -> list[Wish]:
        """The trials of the next round, those that are worth most first."""
        wanted = [one for one in self.subjects if one.digest not in self.stuck]
        looks = [known.looks[one.digest] for one in wanted]
        order = next_up(looks)
        most_tasks, most_rollouts = self._room(known, len(order))
        wishes: list[Wish] = []
        for i in order[:most_tasks]:
            subject, look = wanted[i], looks[i]
            size = look.next_rollouts
            if self.options.plan.prior is not None and not known.tally(subject).scored_count:
                size = max(size, FIRST)
            size = min(size, most_rollouts - len(wishes))
            if size <= 0:
                break
            records = known.records.get(subject.digest, ())
            wishes += [Wish(subject.path, number) for number in free_attempts(records, size)]
        return wishes

    def _room(self, known: Knowledge, waiting: int) -> tuple[int, int]:
        """How many tasks and rollouts the next round may have."""
        options = self.options
        tasks = waiting
        if options.plan.accept is not None:
            accepted = sum(look.decision == "in" for look in known.looks.values())
            missing = options.plan.accept - accepted
            each = known.plan.harvest.candidates_per_accepted if known.plan.harvest else 1.0
            tasks = math.ceil(missing * each) if missing > 0 else 0
        if options.rollout_budget is None:
            return tasks, 10**9
        left = options.rollout_budget - sum(self.new_rollouts.values()) - self.new_void
        return tasks, max(0, min(left, max(SMALLEST_ROUND, left // BUDGET_SHARE)))

    async def _round(self, wishes: Sequence[Wish]) -> None:
        by_path = {one.path: one for one in self.subjects}
        scored: dict[str, int] = {}
        last: dict[str, TrialEnd] = {}
        for wish, end in zip(wishes, await self.runner.run(wishes), strict=True):
            digest = by_path[wish.path].digest
            last[digest] = end
            scored.setdefault(digest, 0)
            if end.resolved is not None:
                scored[digest] += 1
                self.new_rollouts[digest] = self.new_rollouts.get(digest, 0) + (not end.recalled)
            else:
                last[digest] = end
                self.new_void += end.is_void
        for digest, count in scored.items():
            if not count:
                self.stuck[digest] = _why(last[digest])


def _why(end: TrialEnd) -> str:
    if end.problem is not None:
        return end.problem.message
    if end.held_back:
        return end.held_back
    return f"no verdict ({end.record.boundary}): {end.record.message}" if end.record else "no verdict"


async def calibrate(options: CalibrateOptions, runner: TrialRunner, tools: Toolbox, emit: OnEvent) -> CalibrationRun:
    """Place the tasks for the runner's entrant; evidence is written beside each. Raises InputError for a wish that
    cannot be met, TaskDefinitionError never: a task that cannot be read is told in its line.
    """
    subjects, broken = await anyio.to_thread.run_sync(read_subjects, options.run.tasks, tools)
    unaudited = [one.slug for one in subjects if one.audit == "none"]
    if unaudited:
        emit(Note(text=_unaudited(unaudited, len(subjects))))
    run = Calibration(options, runner, tools, emit, subjects)
    known = await run.run()
    lines = [await anyio.to_thread.run_sync(_conclude, run, known, subject) for subject in subjects]
    recheck = None
    if options.recheck_share and not runner.stopped:
        pairs = [(line, known.records.get(one.digest, ())) for one, line in zip(subjects, lines, strict=True)]
        recheck, agrees = await recheck_some(
            pairs, options.recheck_share, known.plan.prior, known.plan.band, runner, emit
        )
        lines = [marked(line, agrees) for line in lines]
    for subject, line in zip(subjects, lines, strict=True):
        if line.difficulty is not None:
            await anyio.to_thread.run_sync(_keep, subject, line.difficulty, tools)
    decided = [known.looks[one.digest] for one in subjects if known.looks[one.digest].decision != "undecided"]
    return CalibrationRun(
        entrant=runner.entrant.name,
        entrant_digest=runner.entrant_digest,
        tasks=(*lines, *broken),
        prior=known.plan.prior.origin,
        price=known.chooser.rule.price,
        expected_error=expected_error(decided) if decided else None,
        new_rollouts=sum(run.new_rollouts.values()),
        new_void=run.new_void,
        usd=runner.purse.spent_usd,
        stopped=runner.stopped,
        recheck=recheck,
    )


def _unaudited(names: Sequence[str], total: int) -> str:
    who = names[0] if len(names) == 1 else f"{len(names)} of {total} tasks"
    verb = "was" if len(names) == 1 else "were"
    return f"{who} {verb} not audited as now: a broken verifier looks like a hard task; type: assay audit TASK..."


def _conclude(run: Calibration, known: Knowledge, subject: Subject) -> Calibrated:
    """What is known of one task now."""
    tally, look, prior = known.tally(subject), known.looks[subject.digest], known.priors[subject.digest]
    new, why = run.new_rollouts.get(subject.digest, 0), run.stuck.get(subject.digest, "")
    if not tally.scored_count:
        return Calibrated(subject.slug, subject.path, None, new, why)
    band = known.chooser.rule.band
    belief = posterior(prior, tally, band)
    placing: Placing = "undecided"
    if look.decision == "in":
        placing = "in"
    elif look.decision == "out":
        placing = "too-hard" if belief.too_hard >= belief.too_easy else "too-easy"
    difficulty = Difficulty(
        entrant=run.runner.entrant,
        entrant_digest=run.runner.entrant_digest,
        band=band,
        prior=prior,
        tally=tally,
        posterior=belief,
        placing=placing,
        expected_error=look.error,
        signal_share=signal_share(updated(prior, tally), GROUP),
        usd=usd_of(known.records.get(subject.digest, ())),
        audit=subject.audit,
        decided_at=run.tools.clock.now(),
    )
    return Calibrated(subject.slug, subject.path, difficulty, new, why)


def _keep(subject: Subject, difficulty: Difficulty, tools: Toolbox) -> None:
    """Beside the task, with what is known of other entrants; of an older content nothing stays. Blocking."""
    if task_digest(tools.tasks.read(subject.path)) != subject.digest:
        return  # it was changed while its trials ran: they are in the store, and say nothing of what it is now
    before = tools.tasks.read_evidence(subject.path, STAGE)
    kept = difficulties_of(before) if before is not None and before.task_digest == subject.digest else ()
    key = (difficulty.entrant_digest, str(difficulty.band))
    others = [one for one in kept if (one.entrant_digest, str(one.band)) != key]
    evidence = Evidence(
        stage=STAGE,
        task_digest=subject.digest,
        assay_version=__version__,
        created_at=tools.clock.now(),
        data={KEY: [one.model_dump(mode="json") for one in (*others, difficulty)]},
    )
    tools.tasks.write_evidence(subject.path, evidence)
