"""One command's life in a container: the script that is its first process, and what that script says.

The script is process 1, which nothing inside can kill, and with whose end the kernel ends everything inside. It
applies limits, keeps a deadline of its own (the client may be dead by then), runs the command, and at the end says
what the container's control groups counted, which are gone a moment later.

It speaks through a named pipe that the command can write to as well. So nothing said after the command began excuses
anything: the words before `assay-ready` were said before it existed, and what is told of its end is taken from the
daemon; a lie about costs or limits only harms who tells it.
"""

from __future__ import annotations

import contextlib
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assay.adapters.sandbox.messages import is_full
from assay.model.sandbox import MIB, Limits

DOOR = "/.assay"
"""Where a session's own folder is seen inside, read-only: its script and its named pipes."""
SCRIPT = "run"
NOTES = "notes"
CHANNEL = "channel"
CHANNEL_FD = 7
GRACE_SECONDS = 5
"""How much later than the deadline outside the one inside is."""
OWN_PROCESSES = 3
"""The script, and its watchdog of two."""

GROUP_FOLDERS = ("", "/memory", "/pids", "/cpuacct", "/cpu,cpuacct")
GROUP_FILES = (
    *("memory.oom_control", "memory.max_usage_in_bytes", "memory.failcnt", "memory.limit_in_bytes", "cpuacct.usage"),
    *("memory.events", "memory.peak", "pids.events", "cpu.stat"),
)

# Only what the shell itself can do between the end of the command and the killing: there may be no room for a process.
TEMPLATE = """\
exec 8>&2 2>{door}/{notes} || exit 125
{channel}read -r up rest </proc/uptime; echo "assay-begin $up" >&2
cd -- {workdir} || exit 125
ulimit -c 0; ulimit -n {files}; ulimit -f {blocks}; ulimit -t {cpu}
(sleep {seconds}; kill -s KILL -- -1) </dev/null >/dev/null 2>&1 7>&- 8>&- &
echo assay-ready >&2
(exec env -i -- {command} 2>&8 8>&-)
s=$?
kill -s KILL -- -1 2>/dev/null
read -r up rest </proc/uptime; echo "assay-over $up" >&2
for d in {folders}; do for f in {names}; do
if [ -r "/sys/fs/cgroup$d/$f" ]; then while read -r l; do echo "assay-group $f $l" >&2; done <"/sys/fs/cgroup$d/$f"; fi
done; done
[ $s = 0 ] || stat -f -c 'assay-free %a %d %n' /tmp {home} >&2
exit $s
"""


def script(
    argv: Sequence[str], variables: Mapping[str, str], workdir: str, limits: Limits, seconds: float, *, channel: bool
) -> str:
    """The first process of a container that runs one command. `variables` must hold HOME."""
    shown = {**variables, "ASSAY_CHANNEL_FD": str(CHANNEL_FD)} if channel else variables
    return TEMPLATE.format(
        door=DOOR,
        notes=NOTES,
        channel=f"exec {CHANNEL_FD}>{DOOR}/{CHANNEL} || exit 125\n" if channel else "",
        workdir=shlex.quote(workdir),
        files=limits.open_file_count,
        blocks=limits.file_size_mib * MIB // 512,
        cpu=max(1, int(limits.cpu_seconds)),
        seconds=math.ceil(seconds) + GRACE_SECONDS,
        command=shlex.join([*(f"{name}={value}" for name, value in shown.items()), *argv]),
        folders=" ".join(shlex.quote(folder) for folder in GROUP_FOLDERS),
        names=" ".join(GROUP_FILES),
        home=shlex.quote(variables["HOME"]),
    )


@dataclass(frozen=True, slots=True)
class Notes:
    """What a script said."""

    began: float | None = None
    """Seconds since the machine's start."""
    ready: bool = False
    """Whether the command was about to be started; if not, nothing of what follows can be its doing."""
    over: float | None = None
    words: str = ""
    """What the shell said of the command's end."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Files of the control groups, as they were at the end."""
    full: bool = False

    @property
    def wall_seconds(self) -> float | None:
        """How long the command took, if its end was told."""
        return None if self.began is None or self.over is None else max(0.0, self.over - self.began)


def read_notes(raw: bytes) -> Notes:
    """Understand what a script said, whatever was written in between."""
    lines = raw.decode(errors="replace").splitlines()
    began = _seconds(lines[0], "assay-begin ") if lines else None
    ready = "assay-ready" in lines[:20] and began is not None
    ends = [index for index, line in enumerate(lines) if line.startswith("assay-over ")]
    last = ends[-1] if ends else len(lines)
    after = lines[last:]
    groups: dict[str, str] = {}
    for line in after:
        word, _, rest = line.partition(" ")
        name, _, text = rest.partition(" ")
        if word == "assay-group" and name in GROUP_FILES:
            groups[name] = groups.get(name, "") + text + "\n"
    return Notes(
        began=began,
        ready=ready,
        over=_seconds(lines[last], "assay-over ") if ends else None,
        words="\n".join(line for line in lines[:last] if not line.startswith("assay-")),
        groups=groups,
        full=is_full("\n".join(after)),
    )


def _seconds(line: str, word: str) -> float | None:
    with contextlib.suppress(ValueError):
        value = float(line.removeprefix(word)) if line.startswith(word) else math.nan
        return value if math.isfinite(value) else None
    return None
