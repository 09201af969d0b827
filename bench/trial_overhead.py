"""What assay adds to a trial, and two hundred trials in flight. Needs the package index for the first.

The first is one trial of an agent that works in its sandbox (a line of shell) from claim to record, beside the same
tests run by bare pytest, of the same hour. A verdict runs the tests twice, side by side, and so does the comparison:
what is left is assay's own: the sandboxes, the agent's start, the patch, the judge, the store.

The second lets 200 agents wait for their model at the same time, through their gates, until the last of them has asked;
then all are answered, judged and kept. Memory is that of the whole tree of processes, sandboxes and agents included.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio

from assay import app
from assay.adapters.agent.command import CommandAgent
from assay.adapters.model.endpoint import Endpoint
from assay.adapters.model.gate import LoopbackGate
from assay.model.agent import AgentSettings, Entrant, ModelSettings
from assay.model.event import Event
from assay.model.trial_run import TrialCount, Wish
from assay.stages.toolbox import Toolbox
from assay.stages.trial_craft import Trying
from assay.stages.trials import TrialRunner, TrialSettings
from assay.testing.puzzle import puzzle
from bench.project import mined
from bench.timing import Row, children_seconds
from bench.verdict_cost import COUNT, MORE, TEST, bare

TIMES = 7
RUNS = 2
"""Of the tests in a verdict."""
IN_FLIGHT = 200
MIB = 1024 * 1024
ASK = """\
exec 3<>/dev/tcp/127.0.0.1/4141
body='{"model": "stub", "messages": [{"role": "user", "content": "go"}]}'
printf 'POST /v1/chat/completions HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n' >&3
printf 'Authorization: Bearer %s\\r\\n' {token} >&3
printf 'Content-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n%s' ${#body} "$body" >&3
grep -q '"done"' <&3 && sed -i 's/int(sys.argv\\[1\\])/int(sys.argv[1]) * 2/' double.py
"""
"""The lightest of agents: a shell that asks once and does the work when it is answered."""
ANSWER = b"""{"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "done"}}],
"usage": {"prompt_tokens": 1, "completion_tokens": 1}}"""


def run(folder: Path) -> list[Row]:
    """Ratio and overhead of a trial; memory, time and losses of many."""
    more = "".join(MORE.format(number=number) for number in range(COUNT - 1))
    base, gold = (
        {"busy.py": f"def answer(n):\n    return [n, '{value}']\n",
         "tests/test_busy.py": TEST.format(seconds=0.0, value=value) + more}
        for value in ("old", "new")
    )  # fmt: skip
    project, task = mined(folder / "trial", "busy", base, gold)
    trial, plain, trial_cpu, plain_cpu = anyio.run(_one_by_one, project, task, folder / "trial" / "busy")
    return [
        _row("trial over its tests, wall", trial / plain, "times", "-"),
        _row("trial without its tests, wall", trial - plain, "s", "< 0.5"),
        _row("trial over its tests, CPU", trial_cpu / plain_cpu, "times", "-"),
        _row("trial without its tests, CPU", trial_cpu - plain_cpu, "s", "< 0.5"),
        *anyio.run(_many, folder / "many"),
    ]


async def _one_by_one(project: Path, task: Path, repository: Path) -> tuple[float, float, float, float]:
    """Medians: wall of a trial and of its tests run by bare pytest, CPU of the two."""
    agent = CommandAgent(AgentSettings(command="sed -i s/old/new/ busy.py"))
    found: list[tuple[float, float, float, float]] = []
    async with app.workbench(project, task.parent) as tools:
        runner = _runner(agent, None, tools, 1, [])
        await runner.run([Wish(task, 1)])  # the task is prepared, as it is for all trials but one
        for number in range(TIMES):
            before, cpu = time.perf_counter(), children_seconds()
            async with anyio.create_task_group() as group:
                for _ in range(RUNS):
                    group.start_soon(anyio.to_thread.run_sync, bare, repository)
            plain, plain_cpu = time.perf_counter() - before, children_seconds() - cpu
            before, cpu = time.perf_counter(), time.process_time() + children_seconds()
            [end] = await runner.run([Wish(task, number + 2)])
            ours, ours_cpu = time.perf_counter() - before, time.process_time() + children_seconds() - cpu
            found.append((ours, plain, ours_cpu, plain_cpu))
            if not end.resolved:
                raise RuntimeError(f"the agent's change was not accepted: {end}")
    trial, plain, trial_cpu, plain_cpu = (statistics.median(column) for column in zip(*found, strict=True))
    return trial, plain, trial_cpu, plain_cpu


def _runner(
    agent: CommandAgent, gate: LoopbackGate | None, tools: Toolbox, in_flight: int, events: list[Event]
) -> TrialRunner:
    entrant = Entrant(agent="command", model="stub" if gate else "", settings=agent.settings)
    craft = Trying(agent, entrant, gate, tools, events.append)
    return TrialRunner(craft, tools, TrialSettings(in_flight, 2), events.append)


async def _many(folder: Path) -> list[Row]:
    app.init_project(folder)
    task = puzzle(folder / "tasks" / "double")
    events: list[Event] = []
    with _patient_endpoint(IN_FLIGHT) as endpoint, _memory() as memory:
        async with app.workbench(folder, task.parent) as tools:
            gate = LoopbackGate(
                Endpoint("stub", endpoint.url, "key"), ModelSettings(input_usd=1, output_usd=1), folder / "gates"
            )
            agent = CommandAgent(AgentSettings(command=ASK), has_model=True)
            before = time.perf_counter()
            ends = await _runner(agent, gate, tools, IN_FLIGHT, events).run(
                [Wish(task, number + 1) for number in range(IN_FLIGHT)]
            )
            taken = time.perf_counter() - before
    counts = [event for event in events if isinstance(event, TrialCount)]
    about = f"{IN_FLIGHT} trials in flight"
    return [
        _row(f"{about}: asked their model at the same time", endpoint.most, "trials", str(IN_FLIGHT)),
        _row(f"{about}: lost", IN_FLIGHT - sum(end.resolved is True for end in ends), "trials", "0"),
        _row(f"{about}: counted", counts[-1].resolved, "trials", str(IN_FLIGHT)),
        _row(f"{about}: resident, all processes", memory.most / MIB, "MiB", "< 2048"),
        _row(f"{about}: of that assay itself", memory.most_own / MIB, "MiB", "-"),
        _row(f"{about}: from the first to the last", taken, "s", "-"),
    ]


def _row(name: str, value: float, unit: str, aim: str) -> Row:
    return {"name": name, "value": value, "unit": unit, "aim": aim}


@dataclass
class Patient:
    """Answers nobody before so many have asked."""

    wanted: int
    url: str = ""
    most: int = 0
    all_here: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def _patient_endpoint(wanted: int) -> Iterator[Patient]:
    patient = Patient(wanted)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            with patient.lock:
                patient.most += 1
                if patient.most >= patient.wanted:
                    patient.all_here.set()
            patient.all_here.wait()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    class Server(ThreadingHTTPServer):
        request_queue_size = 2 * wanted
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    patient.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield patient
    finally:
        patient.all_here.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Memory:
    """The largest sums that were seen. Of shared pages each process counts its share, so that none counts twice."""

    most: int = 0
    most_own: int = 0


@contextmanager
def _memory() -> Iterator[Memory]:
    memory, ended = Memory(), threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            own = _share(os.getpid())
            memory.most_own = max(memory.most_own, own)
            memory.most = max(memory.most, own + sum(_share(pid) for pid in _descendants(os.getpid())))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()


def _share(pid: int) -> int:
    """Proportional set size in bytes; 0 when the process has gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0)


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(place.name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory(prefix="assay-bench-") as place:
        for row in run(Path(place)):
            print(f"{row['name']:<60}{row['value']:>10.2f} {row['unit']:<8} aim {row['aim']}")
