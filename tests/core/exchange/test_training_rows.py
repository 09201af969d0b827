"""What becomes of trials in each shape, and what stays out."""

from __future__ import annotations

from typing import Any

import pytest

from assay.core.exchange.card import CardFacts, Config, card, licence_of
from assay.core.exchange.columns import columns_of
from assay.core.exchange.shapes import Made, Pairing, Row, RowOptions, TaskFacts, rows, task_prompts
from assay.errors import InputError
from assay.model.failure import Failure
from assay.model.loss import Loss
from assay.model.trajectory import Trajectory
from assay.model.trial import Trial

FACTS = {"t": TaskFacts("t", "d", "MIT", "Fix it.")}


def trajectory(prompt: str = "Fix it.", **agent: Any) -> Trajectory:
    step = {"step_id": 2, "source": "agent", "message": "ok", "reasoning_content": "hm", **agent}
    return Trajectory.model_validate(
        {"agent": {"name": "a", "version": "1"}, "steps": [{"step_id": 1, "source": "user", "message": prompt}, step]}
    )


def trial(attempt: int, resolved: bool | None, **fields: Any) -> Trial:
    reward = None if resolved is None else float(resolved)
    made = {"trajectory": trajectory(), "reward": reward, **fields}
    return Trial(task="t", agent="a", attempt=attempt, resolved=resolved, **made)


FAILED = trial(9, None, failure=Failure(boundary="sandbox", kind="sandbox", message="gone", retryable=True))
UNJUDGED = trial(8, None)


def told(made: list[Made]) -> dict[str, str]:
    return {one.subject: one.reason for one in made if isinstance(one, Loss) and not one.field}


def data(made: list[Made]) -> list[dict[str, Any]]:
    return [dict(one.data) for one in made if isinstance(one, Row)]


@pytest.mark.parametrize("shape", ["sft", "kto", "dpo", "reward", "stepwise", "openai-sft"])
def test_what_was_not_scored_is_in_no_row(shape: Any) -> None:
    made = list(rows(shape, [trial(1, True), trial(2, False), FAILED, UNJUDGED], FACTS))
    assert data(made)
    assert told(made)[FAILED.name] == "a failure at the boundary sandbox: no score"
    assert told(made)[UNJUDGED.name] == "never judged as resolved or not"
    assert not [row for row in data(made) if row.get("attempt") in (8, 9)]


def test_only_what_resolved_is_imitated() -> None:
    made = list(rows("sft", [trial(1, True), trial(2, False)], FACTS))
    (row,) = data(made)
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
    assert row["messages"][1]["reasoning_content"] == "hm"
    assert (row["task"], row["reward"], row["licence"]) == ("t", 1.0, "MIT")
    assert told(made) == {"t / a / 2": "not resolved: nothing to imitate"}
    quiet = list(rows("sft", [trial(1, True)], FACTS, RowOptions(reasoning=False)))
    assert "reasoning_content" not in data(quiet)[0]["messages"][1]
    assert any(one.field == "steps[].reasoning_content" for one in quiet if isinstance(one, Loss))


def test_pairs_are_of_one_task_and_one_prompt() -> None:
    other = trial(5, False, trajectory=trajectory("Another prompt."))
    changed = trial(6, False, task_digest="other")
    made = list(rows("dpo", [trial(3, True), trial(1, True), trial(2, False), other, changed, FAILED], FACTS))
    (row,) = data(made)
    assert (row["chosen_attempt"], row["rejected_attempt"]) == (1, 2)
    assert row["prompt"] == [{"role": "user", "content": "Fix it."}]
    assert row["chosen"] == row["rejected"] == [{"role": "assistant", "content": "ok", "reasoning_content": "hm"}]
    pairings = [one for one in made if isinstance(one, Pairing)]
    assert [(p.resolved_count, p.unresolved_count, p.pair_count) for p in pairings] == [(2, 1, 1), (0, 1, 0), (0, 1, 0)]
    assert told(made)["t / a / 3"] == told(made)["t / a / 5"] == "no trial of the other kind for a pair"
    many = [trial(n, n % 2 == 0) for n in range(1, 9)]
    made = list(rows("dpo", many, FACTS, RowOptions(pairs_per_task=3)))
    assert len(data(made)) == 3
    assert told(made)["t / a / 8"] == "3 pairs of this task are enough"


def test_a_margin_only_where_rewards_say_more_than_yes_and_no() -> None:
    assert "margin" not in data(list(rows("reward", [trial(1, True), trial(2, False)], FACTS)))[0]
    graded = [trial(1, True), trial(2, False, reward=0.25)]
    assert data(list(rows("reward", graded, FACTS)))[0]["margin"] == 0.75


def test_steps_take_their_own_labels_or_the_outcome() -> None:
    (row,) = data(list(rows("stepwise", [trial(1, True)], FACTS)))
    assert (row["completions"], row["labels"], row["labels_from"]) == (["hm\n\nok"], [True], "outcome")
    labelled = trial(1, True, trajectory=trajectory(extra={"label": False}))
    (row,) = data(list(rows("stepwise", [labelled], FACTS)))
    assert (row["labels"], row["labels_from"]) == ([False], "steps")


def test_a_prompt_comes_once() -> None:
    made = list(rows("prompt-only", [trial(1, True), trial(2, False), UNJUDGED], FACTS))
    assert [row["prompt"] for row in data(made)] == [[{"role": "user", "content": "Fix it."}]]
    assert [row["task"] for row in data(list(task_prompts(FACTS.values())))] == ["t"]
    assert [type(one) for one in task_prompts([TaskFacts("empty")])] == [Loss]


def test_copied_context_is_never_trained_on() -> None:
    copied = trial(1, True, trajectory=trajectory(is_copied_context=True))
    made = list(rows("sft", [copied], FACTS))
    assert data(made) == []
    assert {"steps[1]", "steps"} <= {one.field for one in made if isinstance(one, Loss)}


def test_openai_takes_arguments_as_text_and_no_thoughts() -> None:
    call = {"tool_call_id": "c1", "function_name": "bash", "arguments": {"command": "ls", "big": 2**70}}
    result = {"source_call_id": "c1", "content": "src"}
    acting = trajectory(message="", tool_calls=[call], observation={"results": [result]})
    made = list(rows("openai-sft", [trial(1, True, trajectory=acting)], FACTS))
    (row,) = data(made)
    assert set(row) == {"messages", "parallel_tool_calls"}
    assistant, tool = row["messages"][1:]
    assert assistant["content"] is None
    assert assistant["tool_calls"][0]["function"]["arguments"] == f'{{"command": "ls", "big": "{2**70}"}}'
    assert tool == {"role": "tool", "tool_call_id": "c1", "content": "src"}
    lost = {one.field for one in made if isinstance(one, Loss)}
    assert {"steps[].reasoning_content", "agent", "steps[1].tool_calls[0].arguments", "task"} <= lost


def test_a_row_without_a_known_licence_is_told_once() -> None:
    made = list(rows("kto", [trial(1, True), trial(2, False)]))
    assert [one.field for one in made if isinstance(one, Loss)].count("licence") == 1
    with pytest.raises(InputError, match="no shape 'ppo'"):
        list(rows("ppo", []))  # type: ignore[arg-type]


def test_the_card_says_what_people_must_know() -> None:
    made = list(rows("dpo", [trial(1, True), trial(2, False)], FACTS))
    losses = [one for one in made if isinstance(one, Loss)]
    pairings = [one for one in made if isinstance(one, Pairing)]
    config = Config("dpo", columns_of(data(made)[0]), 1, 100)
    text = card(CardFacts("my | set", [config], {"MIT": 1}, losses, pairings, 1))
    assert text.startswith('---\nlicense: mit\npretty_name: "my | set"\n')
    for part in ("path: data/dpo/train-*", "- name: chosen\n    list: json", "num_examples: 1", "| t | 1 | 1 | 1 |"):
        assert part in text
    assert "Nothing was lost." in card(CardFacts("x", [config]))
    assert [licence_of(one) for one in ({"MIT": 1, "BSD": 1}, {"": 1}, {"MIT AND X": 1}, {})] == ["other"] * 4
