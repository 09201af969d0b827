"""Cases in a real sandbox: programs and servers, and all that a candidate may do to its driver."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from assay.adapters.framework.cases import CasesFramework
from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox
from assay.adapters.store.layers import LayerStore
from assay.errors import TaskDefinitionError
from assay.model.report import Status, TestReport, Trouble
from assay.model.sandbox import Limits
from assay.model.tree import FileState
from assay.ports.framework import Selection
from assay.stages.running import NORMAL, Conditions, Runner
from assay.testing.interpreter import own_environment

pytestmark = pytest.mark.sandbox

FRAMEWORK = CasesFramework()
NAME = "tests/a.cases.toml"


def run(
    tmp_path: Path, program: str, cases: str, *, limits: Limits | None = None, conditions: Conditions = NORMAL
) -> TestReport:
    """Run cases over a repository that holds `main.py`."""

    async def go() -> TestReport:
        layers = LayerStore(tmp_path / "layers")
        base = await layers.put({"main.py": FileState(program.encode())})
        hidden = {NAME: FileState(cases.encode())}
        assert FRAMEWORK.inside({**hidden, "data.txt": None}) == {"data.txt": None}
        runner = Runner(BubblewrapSandbox(tmp_path / "sandboxes"), layers, FRAMEWORK, "test")
        selection = Selection(files=(NAME,), hidden=hidden)
        bounds = limits or Limits(wall_seconds=30)
        return (await runner.test(own_environment(), [base], selection, bounds, conditions=conditions)).report

    return anyio.run(go)


def command(*cases: str, seconds: float = 5) -> str:
    text = f'command = [{own_environment().python!r}, "main.py"]\nseconds = {seconds}\n'.replace("'", '"')
    return text + "".join(f"[[case]]\n{case}\n" for case in cases)


DOUBLE = """
import os, sys
numbers = [int(word) for word in sys.argv[1:]] + [int(line) for line in sys.stdin]
if os.path.exists("more.txt"):
    numbers.append(int(open("more.txt").read()))
print(2 * sum(numbers))
"""


def test_arguments_input_and_files(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        DOUBLE,
        command(
            'name = "arguments"\narguments = ["1", "2"]\nexpect.text = "6"',
            'name = "input"\nstdin = "4\\n5\\n"\nexpect.numbers = [18]',
            'name = "file"\nfiles = {"more.txt" = "7"}\nexpect.text = "14"',
            'name = "the file is gone"\nexpect.text = "0"',
            'name = "wrong"\nexpect.text = "1"',
            'name = "refuses"\narguments = ["x"]\nexpect = {status = 1, stderr = ["ValueError"]}',
        ),
    )
    assert report.problems == ()
    assert report.complete
    wanted = dict.fromkeys(["arguments", "input", "file", "the file is gone", "refuses"], Status.PASSED)
    assert {i.partition("::")[2]: o.status for i, o in report.outcomes.items()} == {**wanted, "wrong": Status.FAILED}
    assert "line 1: expected '1', found '0'" in report.outcomes[f"{NAME}::wrong"].message


SERVER = """
import http.server, json, sys
seen = []
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        value = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        seen.append(value["a"])
        self.answer(201, {"sum": sum(seen)})
    def do_GET(self):
        self.answer(200 if self.path == "/" else 404, seen)
    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
REQUESTS = """
[[case]]
name = "remembers"
[[case.request]]
method = "POST"
path = "/"
json = {a = 2}
expect = {status = 201, json = {sum = 2}}
[[case.request]]
method = "POST"
path = "/"
json = {a = 3}
expect = {status = 201, json = {sum = 5}}
[[case]]
name = "starts anew"
[[case.request]]
path = "/"
expect.json = []
[[case.request]]
path = "/none"
expect.status = 404
"""


def http(requests: str = REQUESTS, seconds: float = 5) -> str:
    text = f'command = [{own_environment().python!r}, "main.py", "{{port}}"]\nseconds = {seconds}\n'
    return text.replace("'", '"') + requests


def test_servers_are_asked_on_loopback(tmp_path: Path) -> None:
    report = run(tmp_path, SERVER, http())
    assert report.problems == ()
    assert [outcome.status for outcome in report.outcomes.values()] == [Status.PASSED, Status.PASSED]


ONE = 'name = "one"\nexpect.text = "42"'
HOSTILE = {
    "floods": "while True: print('42' * 1000)",
    "hangs": "import time; time.sleep(60)",
    "daemon holds the pipe": "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)",
    "dies": "import os; os.kill(os.getpid(), 9)",
    "not there": None,
    "kills the driver": "import os; os.kill(os.getppid(), 9)",
    "kills everybody": "import os; os.kill(-1, 9)",
    "speaks on every pipe": """
import base64, json, os
line = json.dumps({"e": "case", "group": 0, "case": 0, "seconds": 0, "results":
    [{"stop": "", "status": 0, "out": base64.b64encode(b"41").decode(), "err": ""}]}).encode() + b"\\n"
end = json.dumps({"e": "finish", "count": 1}).encode() + b"\\n"
for pid in [p for p in os.listdir("/proc") if p.isdigit()]:
    for n in range(64):
        try:
            with open("/proc/%s/fd/%d" % (pid, n), "wb", buffering=0) as pipe:
                pipe.write(line + end)
        except OSError:
            pass
""",
    "looks for the answer": """
import os, re
found = b""
for pid in [p for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()]:
    for name in ("environ", "cmdline"):
        try:
            found += open("/proc/%s/%s" % (pid, name), "rb").read()
        except OSError:
            pass
    try:
        with open("/proc/%s/maps" % pid) as maps, open("/proc/%s/mem" % pid, "rb") as memory:
            for line in maps:
                start, end = (int(x, 16) for x in line.split()[0].split("-"))
                try:
                    memory.seek(start)
                    found += memory.read(end - start)
                except (OSError, ValueError, OverflowError):
                    pass
    except OSError:
        pass
for above, folders, files in os.walk("/assay"):
    for name in files:
        found += open(os.path.join(above, name), "rb").read()
match = re.search(rb"MARK-(\\d+)-MARK", found)
print(match.group(1).decode() if match else "nothing")
""",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_hostile_program_passes(tmp_path: Path, name: str) -> None:
    program = HOSTILE[name]
    wanted = "MARK-42-MARK" if name == "looks for the answer" else "42"
    cases = command(ONE.replace('"42"', f'"{wanted}"'), seconds=1.5)
    if program is None:
        cases = f'command = ["absent"]\n[[case]]\n{ONE}'
    report = run(tmp_path, program or "", cases)
    assert not report.passed()
    if name == "looks for the answer":
        assert "found 'nothing'" in report.outcomes[f"{NAME}::one"].message
    if name == "hangs":
        assert report.status(f"{NAME}::one") is Status.TIMEOUT
    if name in ("kills the driver", "kills everybody"):
        assert not report.complete
        assert {problem.kind for problem in report.problems} & {Trouble.KILLED, Trouble.EARLY_EXIT, Trouble.NOT_STARTED}


@pytest.mark.parametrize(
    "program",
    [
        "import time; time.sleep(60)",
        "raise SystemExit(3)",
        "import socket, sys\ns = socket.create_server(('127.0.0.1', int(sys.argv[1])))\nwhile True:\n"
        "    c, _ = s.accept()\n    c.sendall(b'nonsense\\r\\n' * 10)\n    c.close()",
        "import socket, sys, time\ns = socket.create_server(('127.0.0.1', int(sys.argv[1])))\nwhile True:\n"
        "    c, _ = s.accept()\n    c.sendall(b'HTTP/1.0 200 OK\\r\\n')\n    try:\n        while True:\n"
        "            c.sendall(b'X: y\\r\\n')\n            time.sleep(0.1)\n    except OSError:\n        pass",
    ],
    ids=["deaf", "gone", "nonsense", "drips"],
)
def test_no_hostile_server_passes(tmp_path: Path, program: str) -> None:
    one = '[[case]]\nname = "one"\n[[case.request]]\npath = "/"\nexpect.json = []\n'
    report = run(tmp_path, program, http(one, seconds=1.0))
    assert report.problems == ()
    assert not report.passed()
    assert len(report.outcomes) == 1


def test_the_limits_of_the_task_hold(tmp_path: Path) -> None:
    report = run(tmp_path, "import time; time.sleep(9)", command(ONE, seconds=20), limits=Limits(wall_seconds=1))
    assert report.stopped == "wall"
    assert not report.complete


def test_a_file_that_is_not_there_is_the_tasks_fault() -> None:
    with pytest.raises(TaskDefinitionError, match="found nothing"):
        FRAMEWORK.plan(own_environment(), Selection(files=(NAME,)))


def test_single_cases_can_be_chosen() -> None:
    hidden = {NAME: FileState(command(ONE, ONE.replace("one", "two")).encode())}
    plan = FRAMEWORK.plan(own_environment(), Selection(ids=(f"{NAME}::two",), hidden=hidden))
    assert plan.command.stdin.count(b'"arguments"') == 1


def test_cases_run_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    names = [f"case {number}" for number in range(6)]
    cases = command(*(f'name = "{name}"\nexpect.text = "0"' for name in names))
    plain = [name.partition("::")[2] for name in run(tmp_path / "0", DOUBLE, cases).outcomes]
    orders = {}
    for order in ("reversed", "random:1", "random:2"):
        report = run(tmp_path / order, DOUBLE, cases, conditions=Conditions(order=order))
        orders[order] = [name.partition("::")[2] for name in report.outcomes]
        assert set(report.passed()) == {f"{NAME}::{name}" for name in names}
    assert plain == names
    assert orders["reversed"] == names[::-1]
    assert len({tuple(order) for order in orders.values()}) > 1
