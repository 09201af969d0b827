"""The program that starts an agent inside: forwards to the socket, bounds the output, ends as the command does."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from assay.adapters.agent.command import INSIDE
from assay.wiring import interpreters, load_settings


def oldest() -> str:
    """The oldest Python from 3.6 on that this machine has."""
    known = [one for one in anyio.run(interpreters(load_settings()).find) if one.minor.startswith("3.")]
    versions = {tuple(map(int, one.minor.split("."))): str(one.executable) for one in known}
    return versions[min(versions)] if versions else sys.executable


@pytest.fixture
def door(tmp_path: Path) -> Iterator[str]:
    """A socket whose one caller gets back what it says."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def serve() -> None:
            caller, _ = listening.accept()
            with caller:
                caller.sendall(b"heard " + caller.recv(100))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path


def started(python: str, line: str, tmp_path: Path, **more: Any) -> subprocess.CompletedProcess[bytes]:
    told = {
        "argv": ["bash", "-c", line], "variables": {"A": "caf\u00e9"}, "files": {str(tmp_path / "p"): "Solve it."},
        "socket": "", "port": 0, "output_bytes": 1000, **more,
    }  # fmt: skip
    argv = [python, "-I", "-S", "-W", "error", str(INSIDE / "assay_start.py")]
    return subprocess.run(argv, input=json.dumps(told).encode(), capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize("python", [sys.executable, oldest()], ids=["this", "oldest"])
def test_a_command_runs_with_its_files_its_way_out_and_its_end(python: str, door: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    line = f"exec 3<>/dev/tcp/127.0.0.1/{port}; echo word >&3; cat <&3; echo $A; cat {tmp_path}/p; exit 7"
    done = started(python, line, tmp_path, socket=door, port=port)
    assert (done.returncode, done.stderr) == (7, b"")
    assert done.stdout.decode() == "heard word\ncaf\u00e9\nSolve it."


def test_of_a_long_output_the_ends_are_kept(tmp_path: Path) -> None:
    done = started(sys.executable, "echo first; head -c 1000000 /dev/zero; echo last; kill -9 $$", tmp_path)
    assert done.returncode == 137
    assert done.stdout.startswith(b"first\n")
    assert done.stdout.endswith(b"last\n")
    assert b" bytes left out]" in done.stdout
    assert len(done.stdout) < 100_000
