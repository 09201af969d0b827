"""`assay show TRIAL`: who tried, what came of it, and what the agent did, step by step.

All of it was written by an agent or by what it ran, so everything passes through `output.text_line`, which lets no
control character through.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from assay.cli import output
from assay.cli.trial_lines import answer
from assay.core.patch_size import patch_size
from assay.core.trial_keys import SHOWN_DIGITS
from assay.model.report import Status

if TYPE_CHECKING:
    from assay.model.agent import TrialLimits
    from assay.model.json_values import JsonObject
    from assay.model.summary import TrialView
    from assay.model.trajectory import Content, Step, ToolCall
    from assay.model.trial import Trial, TrialCost

FEW = 8
"""Tests and files that are shown unless all are asked for."""
LINE_CHARACTERS = 400
SAID_LINES = 12
"""Of what the agent, the user or the system says."""
SEEN_LINES = 10
"""Of what came back from a call; the end counts more than the beginning, since errors stand there."""
SEEN_FIRST = 3


def emit_trial(view: TrialView) -> None:
    """The trial as one object."""
    record = view.record
    output.emit(
        "trial-view",
        id=record.id,
        task=record.task,
        attempt=record.attempt,
        state=record.state,
        run_id=record.run_id,
        ended_at=record.ended_at,
        entrant=view.entrant,
        entrant_digest=record.entrant_digest,
        trial=view.trial.model_dump(mode="json", exclude_none=True),
        earlier=[
            {"state": one.state, "ended_at": one.ended_at, "boundary": one.boundary, "message": one.message}
            for one in view.earlier
        ],
    )


def print_trial(view: TrialView, *, everything: bool) -> None:
    """The trial for people."""
    record, trial = view.record, view.trial
    what = output.one_line(f"{record.task}#{record.attempt}: {answer(record)}")
    output.text_line(f"{record.id[:SHOWN_DIGITS]}  {what}")
    for line in output.columns(list(_facts(view))):
        output.text_line(f"  {line}")
    if trial.verdict is not None:
        bad = [test for test in trial.verdict.tests if test.status is not Status.PASSED]
        lines = [f"{test.status.value}  {output.one_line(test.id)}" for test in bad]
        _section(f"tests that did not pass ({len(bad)})", _some(lines, everything))
        _section("problems", [output.one_line(text) for text in trial.verdict.problems])
    _print_patch(trial, everything)
    steps = trial.trajectory.steps if trial.trajectory else ()
    output.text_line()
    output.text_line(f"what the agent did ({output.count(len(steps), 'step')})" if steps else "no trajectory was kept")
    for step in steps:
        _print_step(step, everything)
    if not everything and (steps or trial.patch):
        output.text_line()
        output.text_line("--all shows everything in full, and the patch")


def _facts(view: TrialView) -> Iterator[tuple[str, str]]:
    record, trial, entrant = view.record, view.trial, view.entrant
    yield "agent", " ".join(filter(None, (entrant.agent, entrant.agent_version)))
    if entrant.model:
        yield "model", entrant.model
    yield "limits", _limits(entrant.limits)
    took = f", worked {output.seconds(record.wall_seconds)}" if record.wall_seconds is not None else ""
    ended = f", ended: {output.one_line(trial.ended)}" if trial.ended else ""
    yield "begun", f"{record.started_at:%Y-%m-%d %H:%M}{took}{ended}"
    yield "spent", _spent(trial.cost)
    if trial.verdict is not None and trial.verdict.total_count:
        yield "tests", f"{trial.verdict.passed_count}/{trial.verdict.total_count} passed"
    for one in view.earlier:
        yield "earlier", f"{one.ended_at:%Y-%m-%d %H:%M}  {output.one_line(answer(one))}"
    yield "task", f"{record.task_digest[:16]} (its digest when it was tried)"


def _limits(limits: TrialLimits) -> str:
    parts = [output.seconds(limits.wall_seconds)]
    if limits.step_count is not None:
        parts.append(output.count(limits.step_count, "call"))
    if limits.tokens is not None:
        parts.append(f"{limits.tokens:,} tokens")
    if limits.usd is not None:
        parts.append(output.dollars(limits.usd))
    return ", ".join(parts)


def _spent(cost: TrialCost | None) -> str:
    if cost is None:
        return "unknown"
    parts = [output.dollars(cost.usd) if cost.usd is not None else "dollars unknown"]
    if cost.model_call_count is not None:
        parts.append(output.count(cost.model_call_count, "call"))
    if cost.prompt_tokens is not None:
        cached = f" ({cost.cached_tokens:,} of them cached)" if cost.cached_tokens else ""
        parts.append(f"{cost.prompt_tokens:,} tokens read{cached}")
    if cost.completion_tokens is not None:
        parts.append(f"{cost.completion_tokens:,} written")
    return ", ".join(parts)


def _print_patch(trial: Trial, everything: bool) -> None:
    if trial.patch is None:
        _section("patch", ["none could be read"])
    elif not trial.patch:
        _section("patch", ["no change"])
    elif everything:
        _section("patch", trial.patch.decode(errors="backslashreplace").splitlines())
    else:
        size = patch_size(trial.patch)
        title = f"patch: {output.count(len(size.paths), 'file')}, +{size.added_count} -{size.removed_count} lines"
        _section(title, _some([output.one_line(path) for path in size.paths], everything))


def _print_step(step: Step, everything: bool) -> None:
    output.text_line()
    words = [str(step.step_id), step.source, step.model_name or ""]
    output.tinted_line("  ".join(output.one_line(word) for word in words if word), "strong")
    most = None if everything else SAID_LINES
    if step.reasoning_content:
        _block("thinks: ", step.reasoning_content, most)
    _block("", _text(step.message), most)
    for call in step.tool_calls or ():
        _block("$ ", _called(call), most)
    for result in step.observation.results if step.observation else ():
        lines = _text(result.content or "").splitlines()
        _lines("> ", lines if everything else [_short(line) for line in _ends(lines)])


def _called(call: ToolCall) -> str:
    """The one argument of most tools as it is; others as JSON."""
    arguments: JsonObject = call.arguments
    only = next(iter(arguments.values())) if len(arguments) == 1 else None
    return f"{call.function_name}: {only if isinstance(only, str) else json.dumps(arguments, ensure_ascii=False)}"


def _text(content: Content) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.text or f"[{part.type}: {part.source.path if part.source else ''}]" for part in content)


def _block(mark: str, text: str, most: int | None) -> None:
    lines = text.strip("\n").splitlines() if text.strip() else []
    if most is not None and len(lines) > most:
        lines = [*lines[:most], _left_out(len(lines) - most)]
    _lines(mark, lines if most is None else [_short(line) for line in lines])


def _ends(lines: list[str]) -> list[str]:
    if len(lines) <= SEEN_LINES:
        return lines
    last = SEEN_LINES - SEEN_FIRST
    return [*lines[:SEEN_FIRST], _left_out(len(lines) - SEEN_LINES), *lines[-last:]]


def _short(line: str) -> str:
    """A line as far as anybody reads it: a file in base64 is one of a hundred thousand characters."""
    rest = len(line) - LINE_CHARACTERS
    return line if rest <= 0 else f"{line[:LINE_CHARACTERS]}… and {rest:,} more characters"


def _lines(mark: str, lines: Sequence[str]) -> None:
    for number, line in enumerate(lines):
        output.text_line(f"    {mark if number == 0 else ' ' * len(mark)}{line}".rstrip())


def _left_out(count: int) -> str:
    return f"… {output.count(count, 'more line')} …"


def _some(lines: Sequence[str], everything: bool) -> list[str]:
    if everything or len(lines) <= FEW:
        return list(lines)
    return [*lines[:FEW], f"… and {len(lines) - FEW} more (--all shows them)"]


def _section(title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    output.text_line()
    output.text_line(title)
    for line in lines:
        output.text_line(f"  {line}".rstrip())
