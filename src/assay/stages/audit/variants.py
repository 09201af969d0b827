"""The checks `ablation`, `mutants` and `alternatives`: changed reference changes, and what the task's tests say.

What the tests say of a variant is kept by the content of both: a prompt that changes makes other wrong fixes, and only
those are tried anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import TypeAdapter

from assay.core.alternatives.change import Change
from assay.core.alternatives.making import alternatives
from assay.core.audit.ablation import ablation_result
from assay.core.audit.alternatives import judge_alternatives
from assay.core.audit.mutants import mutants_result
from assay.core.audit.survivors import Sight
from assay.core.hashing import json_digest, tree_digest
from assay.core.variants.ablation import ablations
from assay.core.variants.changes import Gold, read_gold
from assay.core.variants.choice import chosen, first_to_leave_out
from assay.core.variants.equivalence import distinct
from assay.core.variants.mutants import mutants
from assay.core.variants.wrong_fixes import wrong_fixes
from assay.model.audit import CheckResult
from assay.model.base import Frozen
from assay.model.variant import Fate, Trial, Variant
from assay.stages.audit.ground import Ground
from assay.stages.audit.memo import Memo
from assay.stages.audit.warm import Known, Trials

MOST_ABLATIONS = 60
"""Hunks and statements that are left out at most; of statements, those that few tests run come first."""
MOST_SEEN = 30
"""Survivors whose answers are compared with those of the reference change."""


class Told(Frozen):
    """What the tests said of one variant."""

    fate: Fate
    by: str = ""
    message: str = ""
    seconds: float = 0.0
    differs: bool | None = None
    """Of one that was accepted: whether the tests were told anything else."""


Account = dict[str, Told]
ACCOUNT: TypeAdapter[Account] = TypeAdapter(Account)


@dataclass(slots=True)
class Explored:
    """Variants and what became of them; those that there was no time for are `untried`."""

    trials: list[Trial]
    differs: Mapping[str, bool | None]
    untried: list[Variant] = field(default_factory=list)
    remembered: bool = False


@dataclass
class Variants:
    """All variants of one task that were tried so far."""

    ground: Ground
    trials: Trials
    memo: Memo
    accepted: list[Trial] = field(default_factory=list)
    """Wrong changes that the task's tests accept and that are seen to compute something else, or are whole parts."""

    @cached_property
    def reference(self) -> Gold:
        """The reference change, read."""
        return read_gold(self.ground.base, self.ground.changed)

    async def ablation(self) -> CheckResult:
        """Leave out every part in turn."""
        known, gold = await self.trials.known(), self.ground.gold
        made = distinct(ablations(self.reference), gold)
        explored = await self._explore(first_to_leave_out(made, known.lines)[:MOST_ABLATIONS])
        untried = [*self.reference.untried, *self._late(explored, len(made) - MOST_ABLATIONS)]
        sight = Sight(_covered(known, self.ground.counted), explored.differs)
        result = ablation_result(explored.trials, sight, gold, self.ground.settings, untried=untried)
        return result.model_copy(update={"remembered": explored.remembered})

    async def mutants(self) -> CheckResult:
        """Make the changed lines wrong in every way that is known, and try plausible wrong fixes."""
        ground, known, gold = self.ground, await self.trials.known(), self.ground.gold
        made = distinct([*wrong_fixes(self.reference, ground.task.instruction), *mutants(self.reference)], gold)
        lines = known.covered if known.lines else None
        picked = chosen(made, ground.settings.mutant_count, lines, ground.task.slug)
        explored = await self._explore(picked)
        keys = {trial.variant.key for trial in explored.trials}
        left_out = [variant for variant in made if variant.key not in keys]
        sight = Sight(_covered(known, ground.counted), explored.differs)
        result = mutants_result(explored.trials, sight, gold, ground.settings, left_out=left_out)
        unknown = (*result.unknown, *self._late(explored, 0))
        return result.model_copy(update={"remembered": explored.remembered, "unknown": unknown})

    async def alternatives(self) -> CheckResult:
        """Put the reference change otherwise. Who is rejected for that is heard once more, cold: nobody is accused
        because of a run that went wrong.
        """
        ground = self.ground
        change = Change(ground.base, ground.gold, ground.changed, ground.task.instruction, ground.task.hidden_tests)
        explored = await self._explore(alternatives(change), confirm=True)
        result = judge_alternatives(explored.trials, ground.gold, ground.settings)
        unknown = (*result.unknown, *self._late(explored, 0))
        return result.model_copy(update={"remembered": explored.remembered, "unknown": unknown})

    def _late(self, explored: Explored, left_out: int) -> list[str]:
        late = [f"{len(explored.untried)} variants were not tried: the time for this check was over"]
        more = [f"{left_out} more parts were not left out: {MOST_ABLATIONS} are tried at most"]
        return [*(late if explored.untried else ()), *(more if left_out > 0 else ())]

    async def _explore(self, variants: Sequence[Variant], *, confirm: bool = False) -> Explored:
        ground = self.ground
        key = [ground.code_digest, "variants", [[v.key, tree_digest(v.files)] for v in variants]]
        account, remembered = await self.memo.get(
            [json_digest(key), ground.settings.check_seconds],
            ACCOUNT,
            lambda: self._told(variants, confirm=confirm),
            keep=lambda made: len(made) == len(variants) and all(told.fate != "unknown" for told in made.values()),
        )
        trials = [
            Trial(v, told.fate, told.by, told.message, told.seconds)
            for v in variants
            if (told := account.get(v.key)) is not None
        ]
        untried = [variant for variant in variants if variant.key not in account]
        explored = Explored(trials, {k: t.differs for k, t in account.items()}, untried, remembered)
        if not confirm:
            self.accepted += [t for t in trials if t.fate == "accepted" and explored.differs.get(t.variant.key)]
        return explored

    async def _told(self, variants: Sequence[Variant], *, confirm: bool) -> Account:
        trials = await self.trials.try_all(variants, seconds=self.ground.settings.check_seconds)
        if confirm:
            trials = [await self.trials.cold(t) if t.fate == "rejected" else t for t in trials]
            return {t.variant.key: Told(fate=t.fate, by=t.by, message=t.message, seconds=t.seconds) for t in trials}
        survivors = [trial.variant for trial in trials if trial.fate == "accepted"]
        differs = await self.trials.answers(survivors[:MOST_SEEN])
        return {
            t.variant.key: Told(
                fate=t.fate, by=t.by, message=t.message, seconds=t.seconds, differs=differs.get(t.variant.key)
            )
            for t in trials
        }


def _covered(known: Known, counted: Sequence[str]) -> dict[str, dict[int, tuple[str, ...]]] | None:
    """Path to line to tests. What runs at an import belongs to every test."""
    if not known.lines:
        return None
    found: dict[str, dict[int, tuple[str, ...]]] = {}
    for test, files in known.lines.items():
        tests = (test,) if test else tuple(counted)
        for path, lines in files.items():
            of_path = found.setdefault(path, {})
            for line in lines:
                of_path[line] = (*of_path.get(line, ()), *tests)
    return found
