"""The fake sandbox's own way to run programs made of steps; `sandbox_programs` has Python's."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from assay.model.sandbox import MIB
from assay.testing.sandbox_memory import File, Folder, Link, Special, Stopped, fail
from assay.testing.sandbox_programs import Step

if TYPE_CHECKING:
    from assay.testing.sandbox import FakeRun


async def run_steps(run: FakeRun, steps: list[Step]) -> int:
    """Run steps; what a program would print becomes its output."""
    results: list[tuple[str, Any]] = []
    for name, *arguments in steps:
        if name == "exit":
            return int(arguments[0])
        try:
            if name == "sleep":
                await run.sleep(*arguments)
                results.append(("value", None))
            else:
                results.append(("value", STEPS[name](run, *arguments)))
        except OSError as error:
            results.append(("error", errno.errorcode.get(error.errno or 0, "?")))
    run.emit("stdout", json.dumps(results).encode())
    return 0


def _file(run: FakeRun, path: str) -> File:
    node = run.disk.get(run.path(path))
    if isinstance(node, File):
        return node
    raise fail(errno.EISDIR if isinstance(node, Folder) else errno.ENXIO, path)


def _store(run: FakeRun, path: str, data: bytes, hole_bytes: int = 0) -> None:
    """Write a file's whole content, within the limits."""
    at = run.path(path)
    if run.disk.lookup(at) is None:
        run.disk.put(at, File())
    run.disk.check_writable(at)
    node = _file(run, path)
    bound = run.limits.file_size_mib * MIB
    if len(data) + hole_bytes > bound:
        node.data = data[:bound]
        if signal.SIGXFSZ not in run.ignored:
            raise Stopped("file-size")
        raise fail(errno.EFBIG, path)
    if run.disk.is_full(at, len(data)):
        run.full = True
        raise fail(errno.ENOSPC, path)
    node.data = data
    node.hole_bytes = hole_bytes
    if run.disk.written_bytes() > run.limits.disk_mib * MIB:
        raise Stopped("disk")


def _write(run: FakeRun, path: str, data: str) -> int:
    _store(run, path, data.encode("latin-1"))
    return len(data)


def _append(run: FakeRun, path: str, data: str) -> int:
    node = run.disk.lookup(run.path(path))
    before = node.data if isinstance(node, File) else b""
    _store(run, path, before + data.encode("latin-1"))
    return len(data)


def _rename(run: FakeRun, old: str, new: str) -> None:
    run.disk.check_writable(run.path(old))
    run.disk.put(run.path(new), run.disk.get(run.path(old)))
    run.disk.delete(run.path(old), folder=False)


def _chmod(run: FakeRun, path: str, mode: int) -> None:
    at = run.path(path)
    run.disk.check_writable(at)
    node = run.disk.get(at)
    if isinstance(node, File | Folder):
        node.mode = mode


def _emit(run: FakeRun, stream: str, data: str, count: int) -> None:
    raw = data.encode("latin-1")
    room = run.limits.output_bytes // max(1, len(raw)) + 2
    run.emit(stream, raw * min(count, room))


def _signal(run: FakeRun, number: int) -> None:
    from assay.testing.sandbox import Killed

    if number not in run.ignored:
        raise Killed(number)


def _connect(run: FakeRun, host: str, port: int) -> None:
    raise fail(errno.ECONNREFUSED if host == "127.0.0.1" else errno.ENETUNREACH)


def _knock(run: FakeRun, path: str) -> None:
    place = run.disk.live(run.path(path))
    if place is None or not place.is_socket():
        raise fail(errno.ECONNREFUSED)


def _fork(run: FakeRun, count: int) -> int:
    run.fork(count)
    return count


def _spend(run: FakeRun, seconds: float, reap: bool) -> None:
    if reap:
        run.compute(seconds)
    else:
        run.children_cpu.append((time.monotonic(), seconds))


def _fill_many(run: FakeRun, path: str, count: int, mib: int) -> None:
    for number in range(count):
        _store(run, f"{path}{number}", b"y" * (mib * MIB))


def _deep(run: FakeRun, path: str, levels: int) -> None:
    for _ in range(levels):
        run.disk.make(run.path(path), Folder())
        run.cwd = run.path(path)
        path = "d" * 50
    _store(run, "leaf", b"leaf")


STEPS: dict[str, Callable[..., Any]] = {
    "write": _write,
    "append": _append,
    "read": lambda run, path: _file(run, path).content().decode("latin-1"),
    "delete": lambda run, path: run.disk.delete(run.path(path), folder=False) and None,
    "rmdir": lambda run, path: run.disk.delete(run.path(path), folder=True) and None,
    "rename": _rename,
    "link": lambda run, old, new: run.disk.make(run.path(new), _file(run, old)),
    "symlink": lambda run, target, path: run.disk.make(run.path(path), Link(os.fsencode(target))),
    "chmod": _chmod,
    "mkdir": lambda run, path: run.disk.make(run.path(path), Folder()),
    "fifo": lambda run, path: run.disk.make(run.path(path), Special()),
    "socket": lambda run, path: run.disk.make(run.path(path), Special()),
    "list": lambda run, path: run.disk.names(run.path(path)),
    "exists": lambda run, path: run.disk.lookup(run.path(path)) is not None,
    "env": lambda run: dict(run.env),
    "emit": _emit,
    "stdin": lambda run: run.stdin.decode("latin-1"),
    "cwd": lambda run: run.cwd,
    "signal": _signal,
    "connect": _connect,
    "knock": _knock,
    "daemon": lambda run: _fork(run, 1) == 1,
    "fork": _fork,
    "spin": lambda run, seconds: run.compute(seconds),
    "spend": _spend,
    "grow": lambda run, mib: run.grow(mib),
    "fill": lambda run, path, mib: _store(run, path, b"y" * (mib * MIB)),
    "fill_many": _fill_many,
    "truncate": lambda run, path, size: _store(run, path, b"", size),
    "uid": lambda run: run.uid,
    "deep": _deep,
    "processes": lambda run: run.tasks,
    "caps": lambda run: ["0" * 16] * 5,
    "interfaces": lambda run: ["lo"],
    "host_name": lambda run: "sandbox",
    "files": lambda run: run.limits.open_file_count,
    "note": lambda run, text: text,
    "ignore": lambda run, number: run.ignored.add(number),
    "reach": lambda run, path: run.disk.is_writable(run.path(path)),
}
