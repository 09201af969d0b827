"""Calibration over scripted trials: what is placed, what is never placed, what each rollout is spent on."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from assay.adapters.exchange.harbor import HarborExporter, HarborImporter
from assay.adapters.format.harbor import HarborFormat
from assay.core.calibration.curve import DifficultyReport
from assay.core.hashing import task_digest
from assay.errors import AssayError, InputError, ProviderError
from assay.model.agent import AgentChoice, Entrant
from assay.model.calibration import Band, beta
from assay.model.calibration_run import CalibrateOptions, CalibrationRun
from assay.model.difficulty import difficulties_of
from assay.model.event import Event, Note
from assay.model.exchange import ExportOptions
from assay.model.options import RunOptions
from assay.model.plan import PlanOptions
from assay.model.trial import Trial
from assay.model.trial_record import TrialRecord
from assay.stages.calibrate import calibrate
from assay.stages.difficulty import difficulty_report
from assay.stages.exporting import export_tasks
from assay.stages.toolbox import Toolbox
from assay.stages.trial_records import trial_of
from assay.stages.trials import TrialRunner, TrialSettings
from assay.testing.puzzle import puzzle
from assay.testing.store import MemoryStore
from assay.testing.trials import ScriptedCraft, bare_toolbox

pytestmark = pytest.mark.anyio

ALWAYS: Mapping[str, float] = {"never": 0.0, "middle": 0.5, "always": 1.0}


class Bench:
    """A folder of tasks, a store, and agents that solve each task at a rate."""

    def __init__(self, folder: Path, rates: Mapping[str, float]) -> None:
        self.rates = rates
        self.paths = tuple(puzzle(folder / name) for name in rates)
        for path in self.paths:  # content alone tells tasks apart
            (path / "instruction.md").write_text(f"Make `double.py N` print twice N ({path.name}).\n")
        tasks = HarborFormat()
        self.digests = {path.name: task_digest(tasks.read(path)) for path in self.paths}
        self.store = MemoryStore()
        self.events: list[Event] = []

    def craft(
        self, model: str = "m", script: Callable[[str, int], bool | AssayError] | None = None, agent: str = "scripted"
    ) -> ScriptedCraft:
        def by_rate(task: str, number: int) -> bool:
            return random.Random(f"{model}{task}{number}").random() < self.rates[task]

        entrant = Entrant(agent=agent, model=model)
        return ScriptedCraft(script=script or by_rate, entrant=entrant, digest=self.digests.__getitem__, usd=0.1)

    def tools(self) -> Toolbox:
        return replace(bare_toolbox(self.store), tasks=HarborFormat())

    async def run(
        self, craft: ScriptedCraft | None = None, plan: PlanOptions | None = None, **more: object
    ) -> CalibrationRun:
        tools = self.tools()
        craft = craft or self.craft()
        runner = TrialRunner(craft, tools, TrialSettings(concurrent=8), self.events.append)
        wanted = RunOptions(self.paths, AgentChoice("scripted", craft.entrant.model))
        options = CalibrateOptions(wanted, plan or PlanOptions(), **more)  # type: ignore[arg-type]
        return await calibrate(options, runner, tools, self.events.append)

    def judged_wrong(self) -> None:
        """A person says of every patch that the scripted agent left that it is wrong."""
        for path in self.paths:
            HarborFormat().add_to_bank(path, b"resolved", right=False)

    def report(self) -> DifficultyReport:
        def read(record: TrialRecord) -> Trial:
            return trial_of(record, self.store, whole=False)

        return difficulty_report("demo", self.paths, HarborFormat(), self.store, read)


def placings(run: CalibrationRun) -> dict[str, str]:
    return {one.task: one.difficulty.placing if one.difficulty else "-" for one in run.tasks}


async def test_each_task_is_placed_with_evidence_beside_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ALWAYS)
    run = await bench.run()
    assert placings(run) == {"never": "too-hard", "middle": "in", "always": "too-easy"}
    assert run.stopped == ""
    for path in bench.paths:
        evidence = HarborFormat().read_evidence(path, "difficulty")
        assert evidence is not None
        assert evidence.task_digest == bench.digests[path.name]
        (found,) = difficulties_of(evidence)
        assert found.entrant == Entrant(agent="scripted", model="m")
        assert found.tally.scored_count >= 2
        assert found.posterior.low <= found.posterior.mean <= found.posterior.high
        assert found.usd == pytest.approx(0.1 * found.tally.scored_count)
        assert found.audit == "none"
    assert any("not audited" in event.text for event in bench.events if isinstance(event, Note))


async def test_the_same_line_asks_for_nothing_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ALWAYS)
    first = await bench.run()
    craft = bench.craft()
    again = await bench.run(craft)
    assert not craft.attempts
    assert again.new_rollouts == 0
    assert placings(again) == placings(first)


async def test_another_entrant_stands_beside(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ALWAYS)
    await bench.run()
    await bench.run(bench.craft("other"))
    await bench.run(plan=PlanOptions(band=Band(low=0.2, high=0.8)))
    found = difficulties_of(HarborFormat().read_evidence(bench.paths[0], "difficulty"))
    assert sorted((one.entrant.model, str(one.band)) for one in found) == [
        ("m", "0.1:0.9"),
        ("m", "0.2:0.8"),
        ("other", "0.1:0.9"),
    ]


async def test_memory_never_places_a_task_without_a_rollout(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {f"t{i}": float(i % 2) for i in range(20)})
    wish = PlanOptions(target_error=0.1)
    for model in ("a", "b", "c"):
        await bench.run(bench.craft(model), wish)
    craft = bench.craft("d")
    run = await bench.run(craft, wish)
    assert all(one.difficulty is not None and one.difficulty.tally.scored_count >= 1 for one in run.tasks)
    assert {task for task, _ in craft.attempts} == set(bench.rates)
    fresh = await Bench(tmp_path / "fresh", bench.rates).run(bench.craft("d"), wish)
    assert run.new_rollouts < fresh.new_rollouts


async def test_trials_without_a_verdict_count_for_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"lucky": 1.0, "flaky": 1.0})
    down = ProviderError("the endpoint is down")

    def script(task: str, number: int) -> bool | AssayError:
        return down if task == "flaky" and number % 2 else True

    run = await bench.run(bench.craft(script=script))
    by_name = {one.task: one for one in run.tasks}
    flaky = by_name["flaky"].difficulty
    assert flaky is not None
    assert flaky.tally.void_count > 0
    assert flaky.tally.resolved_count == flaky.tally.scored_count
    assert run.new_void > 0


async def test_a_task_that_never_gets_a_verdict_is_not_placed_and_not_asked_for_ever(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"good": 0.5, "void": 0.5})

    def script(task: str, number: int) -> bool | AssayError:
        return ProviderError("nobody there") if task == "void" else number % 2 == 0

    run = await bench.run(bench.craft(script=script))
    void = next(one for one in run.tasks if one.task == "void")
    assert void.difficulty is None
    assert void.problem
    assert HarborFormat().read_evidence(bench.paths[1], "difficulty") is None


async def test_a_budget_of_rollouts_is_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {f"t{i}": i / 11 for i in range(12)})
    craft = bench.craft()
    run = await bench.run(craft, rollout_budget=40)
    assert craft.attempts.total() == run.new_rollouts <= 40
    assert run.new_rollouts > 30
    craft = bench.craft()
    more = await bench.run(craft, rollout_budget=10)
    assert more.new_rollouts <= 10


async def test_a_harvest_stops_when_it_has_its_tasks(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {f"t{i:02}": 0.5 for i in range(30)})
    craft = bench.craft()
    run = await bench.run(craft, PlanOptions(prior=beta(1, 1), accept=3, precision=0.9))
    accepted = [one for one in run.tasks if one.difficulty and one.difficulty.placing == "in"]
    assert 3 <= len(accepted) < 30
    assert len({task for task, _ in craft.attempts}) < 30


async def test_a_patch_that_a_person_calls_wrong_changes_the_history(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"tricked": 1.0})
    first = await bench.run()
    assert placings(first) == {"tricked": "too-easy"}
    bench.judged_wrong()
    report = bench.report()
    (placed,) = report.curves[0].tasks
    assert placed.is_recounted
    assert placed.placing == "undecided"
    again = await bench.run()
    (line,) = again.tasks
    assert line.difficulty is not None
    assert line.difficulty.tally.resolved_count == 0
    assert line.difficulty.placing == "too-hard"
    (review,) = bench.report().reviews
    assert review.task == "tricked"
    assert len(review.best) > 0


async def test_a_changed_task_has_no_difficulty(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ALWAYS)
    await bench.run()
    (bench.paths[1] / "instruction.md").write_text("Make it print three times N.\n")
    report = bench.report()
    assert report.curves[0].counts == {"too-hard": 1, "in": 0, "too-easy": 1, "undecided": 1}


async def test_a_broken_task_keeps_no_other_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ALWAYS)
    (bench.paths[0] / "task.toml").write_text("x = [")
    run = await bench.run()
    assert [one.task for one in run.tasks if one.problem] == ["never"]
    assert placings(run)["middle"] == "in"


async def test_an_unknown_checkpoint_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ALWAYS)
    with pytest.raises(InputError, match="no trial here"):
        await bench.run(checkpoint="yesterday")


async def test_decisions_are_tried_again_with_fresh_rollouts(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ALWAYS)
    craft = bench.craft()
    run = await bench.run(craft, recheck_share=1.0)
    assert run.recheck is not None
    assert run.recheck.task_count == 3
    assert run.recheck.disagreeing == ()
    assert craft.attempts.total() == run.new_rollouts + 3 * 32
    assert {one.difficulty.rechecked for one in run.tasks if one.difficulty} == {True}


async def test_what_was_measured_goes_out_with_the_folder_and_comes_back_as_no_part_of_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ALWAYS)
    await bench.run()
    out = tmp_path / "out"
    (written, *_) = await export_tasks(
        HarborExporter(), ExportOptions("harbor", bench.paths[:1], out), bench.tools(), bench.events.append
    )
    assert written.problem is None
    (table,) = HarborFormat().read(out / "never").config["metadata"]["assay_difficulty"]
    assert (table["agent"], table["model"], table["placing"], table["band"]) == (
        "scripted",
        "m",
        "too-hard",
        [0.1, 0.9],
    )
    (reading,) = HarborImporter().read(out / "never", None)
    assert reading.task is not None
    assert task_digest(reading.task) == bench.digests["never"]
    assert [loss.field for loss in reading.losses] == ["metadata.assay_difficulty"]
    (bench.paths[0] / "instruction.md").write_text("Make it otherwise.\n")
    await export_tasks(
        HarborExporter(),
        ExportOptions("harbor", bench.paths[:1], tmp_path / "later"),
        bench.tools(),
        bench.events.append,
    )
    assert "assay_difficulty" not in HarborFormat().read(tmp_path / "later" / "never").config["metadata"]


async def test_who_solves_nothing_is_no_history(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ALWAYS)
    await bench.run(bench.craft("", lambda task, number: True, agent="oracle"))
    craft = bench.craft()
    run = await bench.run(craft)
    fresh = await Bench(tmp_path / "fresh", ALWAYS).run(bench.craft())
    assert run.new_rollouts == fresh.new_rollouts
    assert run.prior == fresh.prior
