"""The check `amplified`: the same tests in another order, at another time, in another place, under another user."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from assay.core.audit import amplified
from assay.core.audit.amplified import ALONE, BASE, GOLD, STILL, Side, Trial
from assay.model.audit import CheckResult
from assay.stages.audit.cold import attempt
from assay.stages.audit.conditions import CLOCK_CONTROL, axes, loaded, merged, survey, unshifted
from assay.stages.audit.ground import Ground
from assay.stages.running import Conditions

MOST_ALONE = 12
"""Functions that are run alone."""
MOST_HINTS = 4
"""Tests that mind the order and are looked at alone."""
BASE_KINDS = ("order-reversed", "time-zone-east", "locale-c", "clock-year")
"""What could make a test pass on the base; only the files of these tests are run for it. Hash seeds are drawn anew in
every run of `stability`, and neither user, home nor load makes a missing feature appear."""
XDIST = "pytest-xdist"


async def check(ground: Ground) -> CheckResult:
    """Try all conditions, several at a time, and each alone where something flips."""
    ground.say("amplified")
    place = await survey(ground)
    kinds, unknown = axes(place)
    bench = _Bench(ground, {one.name: one for kind in kinds for one in kind}, unknown=list(unknown))
    python = ground.prepared.stand.environment.python
    bench.known |= {"load": loaded(python), **({CLOCK_CONTROL: unshifted(place)} if place.faketime else {})}
    whole = [tuple(one.name for one in row) for row in amplified.rounds(kinds)]
    on_base = tuple(name for name in BASE_KINDS if name in bench.known)
    await bench.run([(GOLD, names) for names in (*whole, *_workers(ground, bench))] + [(BASE, on_base)])
    await alone(bench)
    await bench.split()
    await bench.confirm()
    if bench.late:
        bench.unknown.append("load: not tried: the time for this check was over")
    else:  # with nothing beside it but its own load, so that it is the load that is tried
        await bench.run([(GOLD, ("load",))])
        await bench.confirm()
    hints = await bench.hints()
    return amplified.judge(bench.told(), unknown=bench.unknown, hints=hints)


def _workers(ground: Ground, bench: _Bench) -> list[tuple[str, ...]]:
    """Tests shared out among processes, if the project does so itself."""
    if not amplified.uses_workers(ground.base):
        return []
    if not any(line.startswith(f"{XDIST}==") for line in ground.prepared.stand.environment.recipe.lock):
        bench.unknown.append(f"workers: the project shares its tests out, and the environment lacks {XDIST}")
        return []
    bench.known["workers"] = Conditions("workers", workers=2)
    return [("workers",)]


@dataclass(slots=True)
class _Bench:
    """All trials of one task."""

    ground: Ground
    known: dict[str, Conditions]
    """Conditions by name."""
    trials: list[Trial] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.ground.tools.clock.monotonic()

    @property
    def late(self) -> bool:
        """Whether no further condition shall be begun."""
        return self.ground.tools.clock.monotonic() - self.began > self.ground.settings.check_seconds

    async def run(self, wanted: Iterable[tuple[Side, tuple[str, ...]]]) -> None:
        """One run for each; as many at a time as the runner has slots for."""
        async with anyio.create_task_group() as group:
            for side, names in wanted:
                if names:
                    group.start_soon(self.one, side, names)

    async def one(self, side: Side, names: tuple[str, ...], ids: tuple[str, ...] | None = None) -> Trial | None:
        """A run under these conditions, of all tests or of some."""
        task = self.ground.task.assay
        candidate: Path | None = self.ground.applied.layer if side == GOLD else None
        files = tuple(dict.fromkeys(test_id.partition("::")[0] for test_id in task.fail_to_pass))
        conditions = merged([self.known[name] for name in names if name != ALONE])
        run = await attempt(
            self.ground, candidate, ids=ids or (), files=files if side == BASE else (), conditions=conditions
        )
        if isinstance(run, str):
            self.unknown.append(f"{' + '.join(names)}, {side}: {run}")
            return None
        trial = amplified.read(task, side, names, run.report, ids)
        self.trials.append(trial)
        return trial

    async def split(self) -> None:
        """Each condition of a run in which something flipped, alone; and the shifter of clocks without a shift."""
        flipped = [trial for trial in self.trials if trial.subjects and len(trial.names) > 1]
        wanted = dict.fromkeys((trial.side, (name,)) for trial in flipped for name in trial.names)
        if flipped and self.late:
            self.unknown.append("what flipped was not tried condition by condition: the time for this check was over")
            return
        gold = any(trial.side == GOLD for trial in flipped)
        if gold:
            wanted[GOLD, (STILL,)] = None
        if gold and CLOCK_CONTROL in self.known:
            wanted[GOLD, (CLOCK_CONTROL,)] = None
        await self.run(wanted)

    async def confirm(self) -> None:
        """Once more, whatever flipped and was run only once."""
        runs: dict[tuple[Side, tuple[str, ...]], list[Trial]] = {}
        for trial in self.trials:
            runs.setdefault(trial.key, []).append(trial)
        single = [t for t in self.trials if t.subjects and len(t.names) == 1 and t.names != (ALONE,)]
        again = [*single, *amplified.unexplained(self.trials)]
        await self.run(dict.fromkeys(trial.key for trial in again if len(runs[trial.key]) == 1))

    async def hints(self) -> dict[str, str]:
        """For tests that mind the order, what they do alone."""
        minding = (t for t in self.trials if t.side == GOLD and len(t.names) == 1 and t.names[0].startswith("order"))
        subjects = [s for s in dict.fromkeys(s for trial in minding for s in sorted(trial.flipped)) if "::" in s]
        found: dict[str, str] = {}
        for test_id in subjects[:MOST_HINTS]:
            seen = next((t for t in self.trials if t.names == (ALONE,) and test_id in t.tests), None)
            trial = seen or await self._look(test_id)
            if trial is not None:
                fails = bool(trial.subjects)
                found[test_id] = (
                    "alone it fails: it needs what another test does before it"
                    if fails
                    else "alone it passes: a test that ran before it disturbs it"
                )
        return found

    async def _look(self, test_id: str) -> Trial | None:
        run = await attempt(self.ground, self.ground.applied.layer, ids=(test_id,), conditions=merged(()))
        return (
            None
            if isinstance(run, str)
            else amplified.read(self.ground.task.assay, GOLD, (ALONE,), run.report, (test_id,))
        )

    def told(self) -> list[Trial]:
        """The trials that say something: not those whose flips the shifter of clocks does by itself."""
        broken = {s for trial in self.trials if trial.names == (CLOCK_CONTROL,) for s in trial.subjects}
        if broken:
            self.unknown.append(f"clock: libfaketime disturbs these even without a shift: {', '.join(sorted(broken))}")
        return [
            Trial(t.side, t.names, t.tests - broken, {s: o for s, o in t.flipped.items() if s not in broken}, t.whole)
            if any(name.startswith("clock") for name in t.names)
            else t
            for t in self.trials
            if t.names != (CLOCK_CONTROL,)
        ]


async def alone(bench: _Bench) -> None:
    """Each fail-to-pass function in a run of its own; what fails there is run once more. Of many, those that flipped
    in company come first.
    """
    by_function = amplified.functions(bench.ground.task.assay.fail_to_pass)
    flipped = {subject.partition("[")[0] for trial in bench.trials for subject in trial.subjects}
    chosen, left = amplified.sample(list(by_function), 0 if bench.late else MOST_ALONE, flipped)
    if left:
        bench.unknown.append(f"alone: {len(left)} of {len(by_function)} functions were not tried: {', '.join(left)}")

    async def one(ids: Sequence[str]) -> None:
        trial = await bench.one(GOLD, (ALONE,), tuple(ids))
        if trial is not None and trial.subjects:
            await bench.one(GOLD, (ALONE,), tuple(ids))

    async with anyio.create_task_group() as group:
        for name in chosen:
            group.start_soon(one, by_function[name])
