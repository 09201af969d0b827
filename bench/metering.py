"""What a command cost, with what a daemon did for it: CPU of a control group, because containers are nobody's children.

The group has the daemon and its containers in it, and the command is moved into it. On a machine where docker has no
other guests, this starts one that is (v1 of control groups, which docker 20.10 uses):

    mkdir -p /sys/fs/cgroup/{cpu,cpuacct,memory,pids}/peers/daemon
    (echo $BASHPID > /sys/fs/cgroup/cpuacct/peers/daemon/cgroup.procs
     exec dockerd --iptables=false --bridge=none --cgroup-parent /peers/containers --host unix:///run/peers.sock \\
         --data-root /var/lib/peers --exec-root /run/peers --pidfile /run/peers.pid) &
    export DOCKER_HOST=unix:///run/peers.sock

and `--group /sys/fs/cgroup/cpuacct/peers` measures it.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 3600.0


@dataclass(frozen=True)
class Cost:
    """What a command took, in seconds, and what it said."""

    wall: float
    cpu: float
    """NaN when no control group was given."""
    exit_status: int
    said: str


def metered(argv: Sequence[str], cwd: Path, variables: Mapping[str, str], group: Path | None) -> Cost:
    """Run a command and wait for it. Raises what `subprocess` raises."""
    line = list(argv)
    if group is not None:
        (group / "clients").mkdir(exist_ok=True)
        enter = f'echo $$ > "{group}/clients/cgroup.procs" && exec "$@"'
        line = ["sh", "-c", enter, "sh", *argv]
    before, used = time.perf_counter(), _used(group)
    done = subprocess.run(
        line, cwd=cwd, env={**os.environ, **variables}, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    wall, cpu = time.perf_counter() - before, _used(group) - used
    return Cost(wall, cpu, done.returncode, done.stdout + done.stderr)


def _used(group: Path | None) -> float:
    """CPU seconds of a group and of all below it, of processes that have ended too."""
    return float("nan") if group is None else int((group / "cpuacct.usage").read_text()) / 1e9


def spread(values: Sequence[float]) -> str:
    """The smallest and the largest."""
    return f"{min(values):.1f} to {max(values):.1f}"
