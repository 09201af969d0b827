"""Tasks as an environment for training loops: `reset`, tools, `get_reward`.

    from assay.environment import environment_factory

    make = environment_factory("tasks")           # a task's folder, or a folder of them
    environment = make()
    prompt = environment.reset(task="python-slugify-9.2.0")
    print(environment.run_command("ls"))
    reward = environment.get_reward()             # 1.0, 0.0, or None when no verdict was reached

`make` is what TRL's `GRPOTrainer(environment_factory=...)` takes: it offers every public method but `reset` and
`get_reward` to the model as a tool, and leaves a sample out whose reward is None. Commands run in a sandbox over the
task's base. The reward is a cold verdict on the patch as it is read out from outside. `open_attempt` and `judge` are
the same for programs that are asynchronous themselves.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from anyio.from_thread import BlockingPortal, start_blocking_portal

from assay import app
from assay.errors import AssayError, InputError
from assay.model.sandbox import ExecResult
from assay.model.verdict import Verdict
from assay.stages.attempt import Attempt, attempt, judge_patch, prepare_attempts
from assay.stages.judging import Prepared
from assay.stages.toolbox import Toolbox

AGENT = "environment"
"""How verdicts name who tried."""
COMMAND_SECONDS = 120.0
SHOWN_CHARS = 16_000
"""Of a command's output; the middle is left out."""
CONFIG = "task.toml"


class StepResult(NamedTuple):
    """What `step` gives back."""

    observation: str
    reward: float | None
    """Only at the end; None there when no verdict was reached."""
    done: bool
    info: dict[str, Any]


@asynccontextmanager
async def open_attempt(
    task: Path, *, project: Path | None = None, sandbox: str = "bubblewrap", i_know_it_is_unsafe: bool = False
) -> AsyncIterator[Attempt]:
    """An attempt at the task in this folder. Raises TaskDefinitionError, PrerequisiteError, InfrastructureError."""
    async with app.workbench(project, task.parent, sandbox=sandbox, unsafe=i_know_it_is_unsafe) as tools:
        prepared = await prepare_attempts(task, tools, _silent)
        async with attempt(prepared, tools) as one:
            yield one


async def judge(
    task: Path,
    patch: bytes,
    *,
    agent: str = AGENT,
    project: Path | None = None,
    sandbox: str = "bubblewrap",
    i_know_it_is_unsafe: bool = False,
) -> Verdict:
    """The cold verdict on a patch. Raises as `open_attempt` does."""
    async with app.workbench(project, task.parent, sandbox=sandbox, unsafe=i_know_it_is_unsafe) as tools:
        return await judge_patch(await prepare_attempts(task, tools, _silent), agent, patch, tools)


def as_text(result: ExecResult) -> str:
    """A command's end as an agent reads it."""
    text = result.stdout.decode("utf-8", "replace")
    if len(text) > SHOWN_CHARS:
        half = SHOWN_CHARS // 2
        text = f"{text[:half]}\n[{len(text) - 2 * half} characters left out]\n{text[-half:]}"
    if result.stopped:
        end = f"[stopped: the {result.stopped} limit]"
    elif result.signal is not None:
        end = f"[ended by signal {result.signal}]"
    else:
        end = f"[exit status {result.exit_status}]"
    return f"{text}\n{end}" if text and not text.endswith("\n") else f"{text}{end}"


def environment_factory(
    tasks: str | Path,
    *,
    project: str | Path | None = None,
    sandbox: str = "bubblewrap",
    i_know_it_is_unsafe: bool = False,
) -> Callable[[], TaskEnvironment]:
    """A maker of environments over the tasks in a folder, which share what can be shared.

    Nothing is started before the first `reset`. Raises InputError when there is no task.
    """
    bench = _Bench(Path(tasks), None if project is None else Path(project), sandbox, unsafe=i_know_it_is_unsafe)

    def make() -> TaskEnvironment:
        return TaskEnvironment(bench)

    return make


class TaskEnvironment:
    """One place to try tasks in, one after the other. Not for several threads at once.

    Every plain public method here, but for `reset` and `get_reward`, is a tool for the model: its docstring is what the
    model reads. What is no tool (`step`, `close`, `patch`, `verdict`) is a property.
    """

    def __init__(self, bench: _Bench) -> None:
        self._bench = bench
        self._opened: ExitStack | None = None
        self._attempt: Attempt | None = None
        self._verdict: Verdict | None = None

    def reset(self, task: str | None = None, prompt: object = None, **row: object) -> str | None:
        """Begin the task of this name (the only one without a name), in a fresh sandbox.

        Gives the task's prompt, or None when the row brings one already; other columns of the row are not needed.
        Raises InputError for a task that there is not, and AssayError when the task cannot be set up.
        """
        self._close()
        self._attempt, self._opened = self._bench.open(task)
        return None if prompt else self._attempt.task.instruction

    def run_command(self, command: str) -> str:
        """
        Run a shell command in the repository's root directory and return its output and exit status.

        Files persist between commands. Variables and the working directory do not.

        Args:
            command: The bash command to run.
        """
        return self._do(lambda one: self._bench.call(one.run, command, COMMAND_SECONDS))

    def write_file(self, path: str, content: str) -> str:
        """
        Write a file of the repository, replacing it when it is there.

        Args:
            path: The file's path, relative to the repository's root directory.
            content: The whole new content of the file.
        """
        return self._do(lambda one: self._bench.call(one.put, path, content))

    def get_reward(self) -> float | None:
        """1.0 when the attempt as it is now resolves the task, 0.0 when not; None when no verdict was reached, which is
        no score at all (`verdict` says why). Raises InputError before the first `reset`.
        """
        if self._verdict is None:
            self._verdict = self._bench.call(self._current.judge, AGENT)
        reward = self._verdict.reward
        return None if reward is None else float(reward)

    @property
    def step(self) -> Callable[[str | Mapping[str, Any] | None], StepResult]:
        """One action: a shell command, a tool call (`{"name": ..., "arguments": {...}}`), or None to hand in."""
        return self._step

    @property
    def close(self) -> Callable[[], None]:
        """End the attempt and remove what it did. Doing it twice does no harm."""
        return self._close

    @property
    def patch(self) -> bytes:
        """What the attempt has changed so far, as git's patch."""
        patch: bytes = self._bench.call(self._current.patch)
        return patch

    @property
    def verdict(self) -> Verdict | None:
        """The verdict behind the last reward; None when none was asked for since something was done."""
        return self._verdict

    @property
    def _current(self) -> Attempt:
        if self._attempt is None:
            raise InputError("there is no attempt yet", hint="call reset first")
        return self._attempt

    def _do(self, work: Callable[[Attempt], ExecResult]) -> str:
        one = self._current
        self._verdict = None
        try:
            return as_text(work(one))
        except InputError as error:
            return f"[not done: {error.message}]"

    def _step(self, action: str | Mapping[str, Any] | None) -> StepResult:
        if action is None:
            reward = self.get_reward()
            verdict = self._verdict
            reason = verdict.reason if verdict else ""
            failure = verdict.failure.message if verdict and verdict.failure else ""
            return StepResult("", reward, True, {"reason": reason, "failure": failure})
        if isinstance(action, str):
            return StepResult(self.run_command(action), None, False, {})
        tools: dict[str, Callable[..., str]] = {"run_command": self.run_command, "write_file": self.write_file}
        tool, arguments = tools.get(str(action.get("name"))), action.get("arguments")
        if tool is None or not isinstance(arguments, Mapping):
            return StepResult(f"[no such tool; there are {', '.join(tools)}]", None, False, {})
        try:
            return StepResult(tool(**arguments), None, False, {})
        except TypeError as error:
            return StepResult(f"[wrong arguments: {error}]", None, False, {})

    def _close(self) -> None:
        opened, self._opened, self._attempt, self._verdict = self._opened, None, None, None
        if opened is not None:
            opened.close()

    def __enter__(self) -> TaskEnvironment:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()


class _Bench:
    """What environments of one factory share: an event loop in a thread of its own, the ports, prepared tasks."""

    def __init__(self, folder: Path, project: Path | None, sandbox: str, *, unsafe: bool) -> None:
        self.tasks = _tasks(folder)
        self._project, self._sandbox, self._unsafe = project, sandbox, unsafe
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._tools: Toolbox | None = None
        self._prepared: dict[str, Prepared] = {}
        weakref.finalize(self, self._stack.close)  # also when the interpreter ends

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Await a coroutine function in the loop."""
        return self._started()[0].call(function, *arguments)

    def open(self, name: str | None) -> tuple[Attempt, ExitStack]:
        """A fresh attempt, and what ends it."""
        path = self._path(name)
        portal, tools = self._started()
        with self._lock:
            if path.name not in self._prepared:
                self._prepared[path.name] = portal.call(prepare_attempts, path, tools, _silent)
        stack = ExitStack()
        opening: AbstractContextManager[Attempt] = portal.wrap_async_context_manager(
            attempt(self._prepared[path.name], tools)
        )
        return stack.enter_context(opening), stack

    def _path(self, name: str | None) -> Path:
        if name is None and len(self.tasks) == 1:
            return next(iter(self.tasks.values()))
        if name not in self.tasks:
            what = f"there is no task {name!r}" if name else "there are several tasks, and none was named"
            known = ", ".join(list(self.tasks)[:5])
            raise InputError(what, hint=f"the row's column `task` names one of: {known}", task=name)
        return self.tasks[name]

    def _started(self) -> tuple[BlockingPortal, Toolbox]:
        with self._lock:
            if self._portal is None or self._tools is None:
                try:
                    self._portal = self._stack.enter_context(start_blocking_portal())
                    folder = next(iter(self.tasks.values())).parent
                    opening = app.workbench(self._project, folder, sandbox=self._sandbox, unsafe=self._unsafe)
                    self._tools = self._stack.enter_context(self._portal.wrap_async_context_manager(opening))
                except AssayError:
                    self._stack.close()
                    self._portal = None
                    raise
            return self._portal, self._tools


def _tasks(folder: Path) -> dict[str, Path]:
    folder = folder.absolute()
    if (folder / CONFIG).is_file():
        return {folder.name: folder}
    found = {place.parent.name: place.parent for place in sorted(folder.glob(f"*/{CONFIG}"))}
    if not found:
        raise InputError(f"{folder}: found no task in it", hint=f"name a folder that holds {CONFIG}, or one of such")
    return found


def _silent(_: object) -> None:
    """Training loops have a progress of their own."""
