"""Many trials: each made once whatever happens, nothing spent on what is broken, nothing lost in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import pytest

from assay import app
from assay.adapters.exchange.trials import read_trials
from assay.core.trial_keys import entrant_digest, seed_of
from assay.errors import (
    DiskFullError,
    InputError,
    PrerequisiteError,
    ProviderError,
    SandboxError,
    TaskDefinitionError,
    VerifierError,
)
from assay.model.agent import AgentChoice, Entrant, TrialLimits
from assay.model.calibration import Tally
from assay.model.event import Event, Note
from assay.model.options import RunOptions
from assay.model.summary import TrialView
from assay.model.trial_run import TrialCount, TrialEnd, Wish
from assay.stages.trial_records import entrant_of, trial_of
from assay.stages.trials import TrialRunner, TrialSettings
from assay.testing.puzzle import GOLD, WRONG, puzzle
from assay.testing.store import MemoryStore
from assay.testing.trials import ScriptedCraft, bare_toolbox

pytestmark = pytest.mark.anyio

DOWN = ProviderError("the endpoint is down")
BROKE = SandboxError("no sandbox")


def wishes(*tasks: str, k: int = 1) -> list[Wish]:
    return [Wish(Path("tasks") / task, attempt) for task in tasks for attempt in range(1, k + 1)]


def runner(
    craft: ScriptedCraft, store: MemoryStore, events: list[Event] | None = None, settings: TrialSettings | None = None
) -> TrialRunner:
    emit = (events if events is not None else []).append
    return TrialRunner(craft, bare_toolbox(store), settings or TrialSettings(), emit)


async def run(craft: ScriptedCraft, store: MemoryStore, wanted: Sequence[Wish], **more: object) -> list[TrialEnd]:
    return await runner(craft, store, None, TrialSettings(**more)).run(wanted)  # type: ignore[arg-type]


def told(ends: Sequence[TrialEnd]) -> list[str]:
    return [
        "held"
        if end.held_back
        else type(end.problem).__name__
        if end.problem
        else "void"
        if end.is_void
        else str(end.resolved)
        for end in ends
    ]


def solves(*numbers: int) -> Callable[[str, int], bool]:
    return lambda task, number: number in numbers


async def test_trials_are_made_once_and_recalled_afterwards() -> None:
    store, events, craft = MemoryStore(), list[Event](), ScriptedCraft(solves(1, 3), usd=0.25)
    wanted = wishes("a", "b", k=3)
    made = runner(craft, store, events)
    ends = await made.run(wanted)
    assert told(ends) == ["True", "False", "True"] * 2
    assert [(end.task, end.attempt) for end in ends] == [(wish.path.name, wish.attempt) for wish in wanted]
    assert craft.prepared == {"a": 1, "b": 1}
    assert made.count == TrialCount(6, 6, 4, 2, 0, 0, 1.5)
    again = await run(craft, store, [*wanted, *wishes("a", k=4)])
    assert [end.recalled for end in again] == [True] * 6 + [False]
    assert max(craft.attempts.values()) == 1
    assert [one.tally for one in store.tallies(made.entrant_digest)] == [
        Tally(resolved_count=2, scored_count=4),
        Tally(resolved_count=2, scored_count=3),
    ]
    assert sum(entry.cost.usd for entry in store.ledger("a")) == pytest.approx(1.0)


async def test_what_is_kept_is_the_trial_itself() -> None:
    store, craft = MemoryStore(), ScriptedCraft(solves(1))
    (end,) = await run(craft, store, wishes("a"))
    assert end.record is not None
    trial = trial_of(end.record, store)
    assert trial.trajectory is not None and trial.verdict is not None
    assert (trial.resolved, trial.patch, trial.trajectory.steps[1].message) == (True, b"resolved", "done")
    assert trial_of(end.record, store, whole=False).trajectory is None
    assert entrant_of(end.record, store) == craft.entrant
    assert (end.record.tokens, end.record.model_call_count, end.record.state) == (12, 1, "scored")


async def test_another_entrant_has_trials_of_its_own() -> None:
    store = MemoryStore()
    first, second = (Entrant(agent="x", limits=TrialLimits(step_count=n)) for n in (1, 2))
    for entrant in (first, second):
        ends = await run(ScriptedCraft(solves(1), entrant), store, wishes("a"))
        assert not ends[0].recalled
    assert len(store.trials()) == 2
    assert seed_of("t", entrant_digest(first), 1) != seed_of("t", entrant_digest(second), 1)
    assert seed_of("t", "e", 1) == seed_of("t", "e", 1) != seed_of("t", "e", 2)


async def test_a_fault_is_tried_again_as_the_policy_says_and_is_no_score() -> None:
    store = MemoryStore()
    craft = ScriptedCraft(lambda task, number: BROKE if number == 1 else DOWN if number == 2 else True, usd=0.5)
    ends = await run(craft, store, wishes("a", k=3))
    assert told(ends) == ["void", "void", "True"]
    assert craft.attempts == {("a", 1): 3, ("a", 2): 2, ("a", 3): 1}
    (tally,) = store.tallies()
    assert (tally.tally, tally.usd) == (Tally(resolved_count=1, scored_count=1, void_count=5), 3.0)
    craft.script = solves(1, 2, 3)
    assert told(await run(craft, store, wishes("a", k=3))) == ["True"] * 3
    assert sum(entry.cost.usd for entry in store.ledger()) == pytest.approx(4.0)


async def test_what_has_worked_is_only_judged() -> None:
    store, craft = MemoryStore(), ScriptedCraft(solves(1), usd=0.5)
    craft.judge_script = lambda task, number: BROKE
    assert told(await run(craft, store, wishes("a"))) == ["void"]
    assert [one.state for one in store.trials()] == ["worked", "void"]
    craft.judge_script = lambda task, number: None
    assert told(await run(craft, store, wishes("a"))) == ["True"]
    assert (craft.attempts["a", 1], craft.judged["a", 1]) == (1, 2)
    (tally,) = store.tallies()
    assert (tally.tally, tally.usd) == (Tally(resolved_count=1, scored_count=1, void_count=1), 0.5)
    assert sum(entry.cost.usd for entry in store.ledger()) == 0.5


async def test_a_run_that_dies_between_agent_and_judge_has_paid_once() -> None:
    class Killed(BaseException):
        pass

    def die(task: str, number: int) -> None:
        raise Killed

    store, craft = MemoryStore(), ScriptedCraft(solves(1))
    craft.judge_script = die
    first = runner(craft, store)
    with pytest.raises(Killed):
        await first.run(wishes("a"))
    craft.judge_script = lambda task, number: None
    assert told(await run(craft, store, wishes("a"))) == ["True"]
    assert craft.attempts["a", 1] == 1


@pytest.mark.parametrize("error", [VerifierError("no report"), TaskDefinitionError("not a task")])
async def test_a_task_that_is_broken_costs_no_further_trial(error: VerifierError | TaskDefinitionError) -> None:
    store, craft = MemoryStore(), ScriptedCraft(lambda task, number: error if task == "a" else True)
    ends = await run(craft, store, wishes("a", "b", k=4), concurrent=1)
    first = "void" if isinstance(error, VerifierError) else "TaskDefinitionError"
    rest = "VerifierError" if isinstance(error, VerifierError) else "TaskDefinitionError"
    assert told(ends) == [first, rest, rest, rest, *["True"] * 4]
    assert craft.attempts["a", 1] == (2 if isinstance(error, VerifierError) else 1)
    assert craft.attempts["a", 2] == 0


async def test_a_task_that_cannot_be_prepared_is_prepared_once() -> None:
    store, craft = MemoryStore(), ScriptedCraft(solves(1))
    craft.prepare_script = lambda task: PrerequisiteError("no such Python") if task == "a" else None
    assert told(await run(craft, store, wishes("a", "b", k=2), concurrent=4)) == [
        "PrerequisiteError", "PrerequisiteError", "True", "False"
    ]  # fmt: skip
    assert craft.prepared["b"] == 1
    assert not [key for key in craft.attempts if key[0] == "a"]


async def test_it_stops_when_the_endpoint_is_down_and_the_next_run_goes_on() -> None:
    store, events, craft = MemoryStore(), list[Event](), ScriptedCraft(lambda task, number: DOWN)
    made = runner(craft, store, events, TrialSettings(concurrent=2))
    ends = await made.run(wishes("a", k=100))
    assert told(ends).count("held") >= 90
    assert "the endpoint is down" in made.stopped
    assert [event.text for event in events if isinstance(event, Note)] == [
        f"stopping: {made.stopped}; the same line goes on"
    ]
    assert told(await made.run(wishes("b"))) == ["held"]
    craft.script = solves(1)
    assert told(await run(craft, store, wishes("a", k=9))) == ["True", *["False"] * 8]


async def test_faults_here_and_there_do_not_stop_it() -> None:
    craft = ScriptedCraft(lambda task, number: DOWN if number % 5 else True)
    ends = await run(craft, MemoryStore(), wishes("a", k=50), concurrent=1)
    assert told(ends) == ["void", "void", "void", "void", "True"] * 10


async def test_the_same_complaint_again_and_again_stops_it_and_different_ones_do_not() -> None:
    wrong = ScriptedCraft(lambda task, number: InputError("the key is refused"))
    assert told(await run(wrong, MemoryStore(), wishes("a", k=9), concurrent=1)) == ["InputError"] * 3 + ["held"] * 6
    lacking = ScriptedCraft(lambda task, number: InputError(f"no prediction for {number}"))
    assert told(await run(lacking, MemoryStore(), wishes("a", k=9), concurrent=1)) == ["InputError"] * 9


@pytest.mark.parametrize("error", [PrerequisiteError("mini is not installed"), DiskFullError("full")])
async def test_an_agent_that_cannot_be_used_and_a_full_disk_end_it(error: Exception) -> None:
    craft = ScriptedCraft(lambda task, number: error)  # type: ignore[arg-type,return-value]
    store = MemoryStore()
    if isinstance(error, DiskFullError):
        assert told(await run(craft, store, wishes("a", k=9), concurrent=1)) == ["void", *["held"] * 8]
        return
    with pytest.raises(PrerequisiteError):
        await run(craft, store, wishes("a", k=9))
    other = store.begin_run([], bare_toolbox(store).clock.now())
    assert store.claim(f"trial:{'0' * 12}", other)


async def test_no_trial_begins_when_the_budget_is_spent() -> None:
    store, craft = MemoryStore(), ScriptedCraft(solves(1), usd=0.3)
    made = runner(craft, store, None, TrialSettings(concurrent=8, budget_usd=1.0))
    ends = await made.run(wishes("a", k=20))
    assert told(ends).count("held") == 16
    assert made.purse.spent_usd == pytest.approx(1.2)
    assert "budget of $1" in made.stopped
    assert craft.most_in_flight <= 3
    assert told(await run(craft, store, wishes("a", k=20), budget_usd=4.0)).count("held") == 2


async def test_two_processes_share_the_work_and_do_nothing_twice() -> None:
    store, gate = MemoryStore(), anyio.Event()
    craft = ScriptedCraft(solves(1), gate=gate)
    first, second = runner(craft, store), runner(craft, store)
    found: list[list[TrialEnd]] = []

    async def go(one: TrialRunner) -> None:
        found.append(await one.run(wishes("a", k=8)))

    async with anyio.create_task_group() as group:
        group.start_soon(go, first)
        group.start_soon(go, second)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert [told(ends) for ends in found] == [["True", *["False"] * 7]] * 2
    assert max(craft.attempts.values()) == 1


async def test_what_is_interrupted_is_begun_again_and_nothing_is_held() -> None:
    store, craft = MemoryStore(), ScriptedCraft(solves(1), gate=anyio.Event())
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(runner(craft, store).run, wishes("a", k=3))
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
    assert store.trials() == []
    craft.gate = None
    assert told(await run(craft, store, wishes("a", k=3))) == ["True", "False", "False"]


async def test_trials_in_flight_are_bounded_and_prepared_tasks_are_let_go() -> None:
    craft = ScriptedCraft(solves(1))
    names = [f"t{n}" for n in range(40)]
    await run(craft, MemoryStore(), wishes(*names, k=5), concurrent=7)
    assert craft.most_in_flight <= 7
    assert craft.prepared == dict.fromkeys(names, 1)


@pytest.mark.sandbox
async def test_real_trials_end_as_verdicts_and_are_exported(tmp_path: Path) -> None:
    app.init_project(tmp_path)
    names = ("one", "two", "broken")
    paths = tuple(puzzle(tmp_path / "tasks" / name) for name in names)
    (paths[2] / "solution" / "gold.patch").write_text(WRONG)
    predictions = tmp_path / "preds.jsonl"
    lines = [("one", GOLD), ("one", WRONG), ("two", GOLD), ("broken", GOLD)]
    predictions.write_text(
        "\n".join(
            json.dumps({"instance_id": name, "model_name_or_path": "m", "model_patch": patch}) for name, patch in lines
        )
    )
    choice = AgentChoice("patch", predictions=predictions)
    out = tmp_path / "trials.jsonl"
    options = RunOptions(paths, choice, attempts=2, concurrent=3, jobs=2, out=out)
    ends = (await app.run(options, tmp_path, lambda event: None)).ends
    # There is one prediction for `two`; the other attempt is nobody's score.
    assert told(ends) == ["True", "False", "True", "InputError", "VerifierError", "VerifierError"]
    written = [one.trial for one in read_trials(out) if one.trial is not None]
    assert [(one.task, one.attempt, one.resolved) for one in written] == [
        ("one", 1, True), ("one", 2, False), ("two", 1, True)
    ]  # fmt: skip
    view = app.show(tmp_path, "one#2")
    assert isinstance(view, TrialView)
    assert (view.trial.patch, view.trial.reason) == (WRONG.encode(), "tests-failed")
    again = (await app.run(options, tmp_path, lambda event: None)).ends
    assert [end.recalled for end in again] == [True, True, True, False, False, False]
