"""Trials as rows that trainers read: the data set types of TRL, and OpenAI's rows for fine-tuning.

Only what was scored teaches: a trial with a failure says nothing about the agent, and one that nobody judged says
nothing at all. Both stay out and are told. Rows of a task only meet when the agents were given the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from assay.core.exchange.chat import Chat, Message, Style, chat_of
from assay.core.hashing import json_digest
from assay.errors import InputError
from assay.model.loss import Loss
from assay.model.trial import Trial

Shape = Literal["sft", "prompt-only", "dpo", "kto", "reward", "stepwise", "openai-sft"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
PAIRS_PER_TASK = 8
STEP_LABEL = "label"
"""In a step's `extra`: whether it was a good one, where somebody said so."""
PAIRING = (
    "the first resolved trial of a task with its first unresolved one, the second with the second, and so on (in order "
    "of agent, model and attempt), each trial in one pair, only where prompt, tools and the task's content are the same"
)
OF_TRIALS = ("agent_version", "started_at", "patch", "ended", "reason", "verdict", "cost", "extra")
"""Fields of a trial that no row has."""
OF_ROWS = ("task", "task_digest", "agent", "model", "attempt", "reward")
"""Fields that OpenAI's rows have no place for."""


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What a row has from its task, when the task is at hand."""

    slug: str
    digest: str = ""
    licence: str = ""
    """SPDX expression, or what the source says."""
    instruction: str = ""


@dataclass(frozen=True, slots=True)
class RowOptions:
    """How rows are made."""

    reasoning: bool = True
    """Whether what the agent thought comes along."""
    pairs_per_task: int = PAIRS_PER_TASK


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `subject` is the task that it comes from."""

    subject: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pairing:
    """How many pairs were made of one task's trials, which all were given the same."""

    task: str
    resolved_count: int
    unresolved_count: int
    pair_count: int
    rule: str = PAIRING


Made = Row | Loss | Pairing


@dataclass(frozen=True, slots=True)
class _Scored:
    """A trial with its messages."""

    trial: Trial
    chat: Chat

    @property
    def given(self) -> str:
        """What must be the same in a pair."""
        return json_digest([self.trial.task, self.trial.task_digest, self.chat.prompt, self.chat.tools])


def rows(
    shape: Shape,
    trials: Iterable[Trial],
    facts: Mapping[str, TaskFacts] | None = None,
    options: RowOptions | None = None,
) -> Iterator[Made]:
    """Rows of one shape, what was lost on the way, and how pairs were made. Trials are taken one by one, and kept only
    where pairs are made of them. Raises InputError for a shape that there is not.
    """
    if shape not in SHAPES:
        raise InputError(f"there is no shape {shape!r}", hint=f"the known ones are: {', '.join(SHAPES)}", shape=shape)
    maker = _Maker(facts or {}, options or RowOptions(), "openai" if shape == "openai-sft" else "trl")
    makers: dict[Shape, Callable[[Iterable[Trial]], Iterator[Made]]] = {
        "sft": maker.sft,
        "openai-sft": maker.openai_sft,
        "prompt-only": maker.prompts,
        "dpo": maker.dpo,
        "kto": maker.kto,
        "reward": maker.reward,
        "stepwise": maker.stepwise,
    }
    yield from makers[shape](trials)


def task_prompts(tasks: Iterable[TaskFacts]) -> Iterator[Made]:
    """Prompt-only rows of tasks that nobody has tried yet; `assay.environment` takes them for its `reset`."""
    for task in tasks:
        if not task.instruction.strip():
            yield Loss(subject=task.slug, field="instruction", reason="the task has no prompt")
            continue
        prompt = [{"role": "user", "content": task.instruction}]
        data = {"prompt": prompt, "tools": None, "task": task.slug, "task_digest": task.digest, "licence": task.licence}
        yield Row(task.slug, data)


@dataclass(slots=True)
class _Maker:
    facts: Mapping[str, TaskFacts]
    options: RowOptions
    style: Style
    without_licence: set[str] = field(default_factory=set)

    def sft(self, trials: Iterable[Trial]) -> Iterator[Made]:
        """Whole conversations that resolved their task."""
        for made in self._scored(trials):
            if isinstance(made, _Scored) and made.trial.outcome != "resolved":
                yield Loss(subject=made.trial.name, field="", reason="not resolved: nothing to imitate")
            elif isinstance(made, _Scored):
                yield from self._row(made.trial, {"messages": list(made.chat.messages), **_tools(made.chat)})
            else:
                yield made

    def openai_sft(self, trials: Iterable[Trial]) -> Iterator[Made]:
        """The same, as OpenAI's fine-tuning reads it: nothing besides."""
        for made in self.sft(trials):
            if isinstance(made, Row):
                calls = any(len(message.get("tool_calls", ())) > 1 for message in made.data["messages"])
                tools = {} if made.data["tools"] is None else {"tools": made.data["tools"]}
                messages = [_for_openai(message) for message in made.data["messages"]]
                yield Row(made.subject, {"messages": messages, **tools, "parallel_tool_calls": calls})
            else:
                yield made

    def prompts(self, trials: Iterable[Trial]) -> Iterator[Made]:
        """What agents were given, once each; scored or not does not matter."""
        seen = set()
        for trial in trials:
            chat, losses = self._chat(trial)
            if chat is None:
                yield from losses
                continue
            yield Loss(subject=trial.name, field="", reason="the row has what the agent was given, and nothing else")
            if not chat.prompt:
                yield Loss(subject=trial.name, field="steps", reason="nothing stands before the agent's first message")
                continue
            given = _Scored(trial, chat).given
            if given not in seen:
                seen.add(given)
                data = {"prompt": list(chat.prompt), **_tools(chat), "task": trial.task}
                yield from self._row(trial, {**data, "task_digest": trial.task_digest}, about_trial=False)

    def kto(self, trials: Iterable[Trial]) -> Iterator[Made]:
        """Each conversation with a thumb up or down."""
        for made in self._scored(trials):
            if isinstance(made, _Scored):
                sides = {"prompt": list(made.chat.prompt), "completion": list(made.chat.completion)}
                yield from self._row(made.trial, {**sides, **_tools(made.chat), "label": bool(made.trial.resolved)})
            else:
                yield made

    def dpo(self, trials: Iterable[Trial]) -> Iterator[Made]:
        """Pairs with their prompt beside them."""
        for made in self._pairs(trials):
            if not isinstance(made, tuple):
                yield made
                continue
            good, bad = made
            yield from self._pair_row(
                good,
                bad,
                {
                    "prompt": list(good.chat.prompt),
                    "chosen": list(good.chat.completion),
                    "rejected": list(bad.chat.completion),
                },
            )

    def reward(self, trials: Iterable[Trial]) -> Iterator[Made]:
        """Pairs of whole conversations. A margin only where rewards say more than yes and no."""
        everything = list(self._pairs(trials))
        pairs = [made for made in everything if isinstance(made, tuple)]
        graded = any(one.trial.reward not in (0.0, 1.0) for pair in pairs for one in pair)
        for made in everything:
            if not isinstance(made, tuple):
                yield made
                continue
            good, bad = made
            data: dict[str, Any] = {"chosen": list(good.chat.messages), "rejected": list(bad.chat.messages)}
            if graded:
                data["margin"] = (good.trial.reward or 0.0) - (bad.trial.reward or 0.0)
            yield from self._pair_row(good, bad, data)

    def stepwise(self, trials: Iterable[Trial]) -> Iterator[Made]:
        """Plain text, a label a step: the steps' own where all have one, else what became of the trial."""
        for made in self._scored(trials):
            if not isinstance(made, _Scored):
                yield made
                continue
            trial = made.trial
            completions = _by_step(made.chat.completion)
            own = _step_labels(trial)
            is_own = len(own) == len(completions)
            labels = own if is_own else [bool(trial.resolved)] * len(completions)
            yield Loss(subject=trial.name, field="", reason="roles and calls become text: this shape has strings only")
            if made.chat.tools:
                reason = "this shape has no place for tools"
                yield Loss(subject=trial.name, field="agent.tool_definitions", reason=reason)
            yield from self._row(
                trial,
                {
                    "prompt": _as_text(made.chat.prompt),
                    "completions": completions,
                    "labels": labels,
                    "labels_from": "steps" if is_own else "outcome",
                },
            )

    def _scored(self, trials: Iterable[Trial]) -> Iterator[_Scored | Loss]:
        for trial in trials:
            why = {
                "failed": f"a failure at the boundary {trial.failure.boundary if trial.failure else ''}: no score",
                "unscored": "never judged as resolved or not",
            }.get(trial.outcome)
            if why:
                yield Loss(subject=trial.name, field="", reason=why)
                continue
            chat, losses = self._chat(trial)
            yield from losses
            if chat is not None and not chat.completion:
                yield Loss(subject=trial.name, field="steps", reason="the agent says nothing in it")
            elif chat is not None and not chat.prompt:
                yield Loss(subject=trial.name, field="steps", reason="nothing stands before the agent's first message")
            elif chat is not None:
                yield _Scored(trial, chat)

    def _chat(self, trial: Trial) -> tuple[Chat | None, tuple[Loss, ...]]:
        if trial.trajectory is None:
            return None, (Loss(subject=trial.name, field="trajectory", reason="the trial has none"),)
        carried = chat_of(trial.trajectory, trial.name, self.style, reasoning=self.options.reasoning)
        names = (*OF_TRIALS, *(OF_ROWS if self.style == "openai" else ()))
        absent = [name for name in names if getattr(trial, name) not in (None, "", {})]
        losses = [Loss(subject=trial.name, field=name, reason="a row has no place for it") for name in absent]
        return carried.value, (*losses, *carried.losses)

    def _pairs(self, trials: Iterable[Trial]) -> Iterator[tuple[_Scored, _Scored] | Loss | Pairing]:
        groups: dict[str, list[_Scored]] = {}
        for made in self._scored(trials):
            if isinstance(made, _Scored):
                groups.setdefault(made.given, []).append(made)
            else:
                yield made
        for group in groups.values():
            group.sort(key=lambda one: (one.trial.agent, one.trial.model, one.trial.attempt))
            good = [one for one in group if one.trial.resolved]
            bad = [one for one in group if not one.trial.resolved]
            count = min(len(good), len(bad), self.options.pairs_per_task)
            yield Pairing(group[0].trial.task, len(good), len(bad), count)
            yield from zip(good[:count], bad[:count], strict=True)
            for one in (*good[count:], *bad[count:]):
                full = count == self.options.pairs_per_task
                why = f"{count} pairs of this task are enough" if full else "no trial of the other kind for a pair"
                yield Loss(subject=one.trial.name, field="", reason=why)

    def _pair_row(self, good: _Scored, bad: _Scored, data: dict[str, Any]) -> Iterator[Made]:
        sides = {
            f"{side}_{name}": getattr(one.trial, name)
            for side, one in (("chosen", good), ("rejected", bad))
            for name in ("agent", "model", "attempt", "reward")
        }
        about = {"task": good.trial.task, "task_digest": good.trial.task_digest}
        yield from self._row(good.trial, {**data, **_tools(good.chat), **about, **sides}, about_trial=False)

    def _row(self, trial: Trial, data: dict[str, Any], *, about_trial: bool = True) -> Iterator[Made]:
        """The row with what it comes from. Extra columns do no trainer harm, and nobody can do without the licence."""
        facts = self.facts.get(trial.task)
        if about_trial:
            for name in ("task", "task_digest", "agent", "model", "attempt", "reward"):
                data[name] = getattr(trial, name)
        data["licence"] = facts.licence if facts else ""
        if not data["licence"] and trial.task not in self.without_licence:
            self.without_licence.add(trial.task)
            yield Loss(subject=trial.task, field="licence", reason="nobody knows the licence of the task's code")
        yield Row(trial.task, data)


def _tools(chat: Chat) -> dict[str, Any]:
    return {"tools": None if chat.tools is None else list(chat.tools)}


def _for_openai(message: Message) -> Message:
    """OpenAI takes no name on a tool's message, and no empty text beside calls."""
    kept = {key: value for key, value in message.items() if not (key == "name" and message["role"] == "tool")}
    return {**kept, "content": None} if kept.get("tool_calls") and not kept["content"] else kept


def _step_labels(trial: Trial) -> list[bool]:
    """The labels of the agent's own steps, without those that have none."""
    steps = trial.trajectory.steps if trial.trajectory else ()
    own = [step for step in steps if step.source == "agent" and not step.is_copied_context]
    found = [(step.extra or {}).get(STEP_LABEL) for step in own]
    return [label for label in found if isinstance(label, bool)]


def _by_step(completion: Iterable[Message]) -> list[str]:
    """One text a step of the agent, with what came back: the next step makes no sense without it."""
    groups: list[list[Message]] = []
    for message in completion:
        if message["role"] == "assistant" or not groups:
            groups.append([])
        groups[-1].append(message)
    return [_as_text(group) for group in groups]


def _as_text(messages: Iterable[Message]) -> str:
    return "\n\n".join(text for message in messages for text in _texts(message) if text)


def _texts(message: Message) -> Iterator[str]:
    yield message.get("reasoning_content", "")
    content = message["content"]
    yield content if isinstance(content, str) else "\n".join(part["text"] for part in content)
    for call in message.get("tool_calls", ()):
        yield f"{call['function']['name']} {json.dumps(call['function']['arguments'], ensure_ascii=False)}"
