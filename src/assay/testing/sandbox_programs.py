"""Small programs as data, which a real sandbox runs with Python and the fake runs by itself.

A program is a list of steps. Each step yields a value or the name of an operating-system error; all of them are
printed as one JSON list at the end. Because the steps travel in the command line, a real sandbox and the fake
receive the very same command, and one contract suite holds for both.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from assay.model.sandbox import ExecResult

Step = list[Any]

RUNNER = r"""
import errno, json, os, resource, signal, socket, sys, time
def raw(text): return text.encode("latin-1")
def put(path, data, flags, mode=0o644):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | flags, mode)
    with open(fd, "wb") as file: file.write(data)
    return len(data)
def emit(stream, data, count):
    fd = {"stdout": 1, "stderr": 2}.get(stream) or int(os.environ["ASSAY_CHANNEL_FD"])
    for _ in range(count):
        left = raw(data)
        while left: left = left[os.write(fd, left):]
def get(path):
    with open(path, "rb") as file: return file.read().decode("latin-1")
def mark(path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644); os.ftruncate(fd, 0); os.close(fd)
def connect(host, port):
    with socket.socket() as s:
        s.settimeout(3)
        try: s.connect((host, port))
        except TimeoutError: raise OSError(errno.ETIMEDOUT, "time-out")
def knock(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(3); s.connect(path)
def bind(path):
    s = socket.socket(socket.AF_UNIX); s.bind(path); s.close()
def daemon():
    if os.fork(): os.wait(); return True
    os.setsid()
    if os.fork(): os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True: time.sleep(60)
def fork(count):
    for _ in range(count):
        if not os.fork():
            while True: time.sleep(60)
    return count
def spin(seconds):
    while time.process_time() < seconds: pass
def spend(seconds, reap):
    pid = os.fork()
    if not pid:
        spin(seconds); os._exit(0)
    if reap: os.waitpid(pid, 0)
def grow(mib):
    kept = []
    for _ in range(mib): kept.append(b"x" * (1 << 20))
def fill(path, mib):
    with open(path, "wb", buffering=0) as file:
        for _ in range(mib):
            left = memoryview(b"y" * (1 << 20))
            while left: left = left[file.write(left):]
def fill_many(path, count, mib):
    for n in range(count): fill(path + str(n), mib)
def deep(path, levels):
    for _ in range(levels):
        os.mkdir(path); os.chdir(path); path = "d" * 50
    put("leaf", b"leaf", os.O_TRUNC)
STEPS = {
    "write": lambda p, d: put(p, raw(d), os.O_TRUNC), "append": lambda p, d: put(p, raw(d), os.O_APPEND),
    "read": get, "delete": os.unlink, "rmdir": os.rmdir, "rename": os.rename, "link": os.link,
    "symlink": os.symlink, "chmod": os.chmod, "mkdir": os.mkdir, "fifo": os.mkfifo, "socket": bind,
    "list": lambda p: sorted(os.listdir(p)), "exists": os.path.lexists, "env": lambda: dict(os.environ),
    "emit": emit, "stdin": lambda: sys.stdin.buffer.read().decode("latin-1"), "cwd": os.getcwd,
    "sleep": time.sleep, "signal": lambda n: os.kill(os.getpid(), n), "connect": connect, "daemon": daemon,
    "fork": fork, "spin": spin, "spend": spend, "grow": grow, "fill": fill, "fill_many": fill_many,
    "truncate": lambda p, n: (put(p, b"", os.O_TRUNC), os.truncate(p, n))[0], "uid": os.getuid, "deep": deep,
    "processes": lambda: len([n for n in os.listdir("/proc") if n.isdigit()]),
    "caps": lambda: [l.split()[1] for l in get("/proc/self/status").splitlines() if l.startswith("Cap")],
    "interfaces": lambda: sorted(n for _, n in socket.if_nameindex()), "host_name": socket.gethostname,
    "files": lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0], "note": lambda text: text,
    "ignore": lambda n: signal.signal(n, signal.SIG_IGN) and None,
    "knock": knock, "reach": lambda p: os.access(p, os.W_OK),
}
results = []
for name, *arguments in json.loads(sys.argv[1]):
    if name == "exit":
        sys.stdout.flush()
        os._exit(arguments[0])
    try: results.append(["value", STEPS[name](*arguments)])
    except OSError as error: results.append(["error", errno.errorcode.get(error.errno, "?")])
    except MemoryError: results.append(["error", "ENOMEM"])
json.dump(results, sys.stdout)
"""


def python() -> str:
    """The interpreter that runs steps: this one, at its own place, which the contract mounts."""
    return os.path.realpath(sys.executable)


def program(*steps: Step) -> tuple[str, ...]:
    """The command that runs some steps, one after the other."""
    return (python(), "-I", "-S", "-c", RUNNER, json.dumps(steps))


def steps_of(argv: tuple[str, ...]) -> list[Step] | None:
    """The steps of a command that `program` made; None for any other."""
    if len(argv) == 6 and argv[4] == RUNNER:
        steps: list[Step] = json.loads(argv[5])
        return steps
    return None


class Outcome:
    """What the steps of a program gave."""

    def __init__(self, result: ExecResult) -> None:
        self.result = result
        try:
            self._answers: list[tuple[str, Any]] = json.loads(result.stdout) if result.stdout else []
        except ValueError:
            self._answers = []

    def value(self, index: int = -1) -> Any:
        """A step's value. Raises AssertionError when it gave none."""
        if not self._answers:
            raise AssertionError(f"the program gave no answers: {describe(self.result)}")
        kind, answer = self._answers[index]
        if kind != "value":
            raise AssertionError(f"step {index} failed with {answer}")
        return answer

    def error(self, index: int = -1) -> str | None:
        """The name of a step's error; None when it worked."""
        if not self._answers:
            raise AssertionError(f"the program gave no answers: {describe(self.result)}")
        kind, answer = self._answers[index]
        return str(answer) if kind == "error" else None


def describe(result: ExecResult) -> str:
    """A result in one line, for messages."""
    ends: Mapping[str, object] = {"exit": result.exit_status, "signal": result.signal, "stopped": result.stopped}
    return f"{dict(ends)} stdout={result.stdout[-300:]!r} stderr={result.stderr[-600:]!r}"
