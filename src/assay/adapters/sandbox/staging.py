"""How a session's places are put together: which mounts, in which order, seen from which path.

Debian's bubblewrap cannot mount overlays, and an ordinary user cannot see into root's folders. So a small shell
script first enters a mount namespace of its own, mounts everything that the sandbox shall see on a private tmpfs
(the stage), gives up root if it had it, and only then becomes bubblewrap, which binds from the stage.

Paths inside overlay options may hold neither commas nor colons: layers are named through short links in the session's
folder, relative to it.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.errors import SandboxError
from assay.model.sandbox import MIB, Mount, SandboxSpec

EMPTY = "none"
"""An empty folder of the session. An overlay of nothing over a folder shows it as files of its own."""
STAGES = ("/mnt", "/media", "/srv", "/opt", "/var/tmp", "/tmp", "/run")
"""Where the stage may be mounted: an existing folder that everybody may enter and that holds nothing we need."""
HOME = "/home/sandbox"
INSIDE_UID = 1000
HOST_NAME = "sandbox"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NESTING = ("--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_DAC_OVERRIDE")
"""To mount overlays, whose work folder nobody may enter. User namespaces stay forbidden all the same."""

# An init that outlives the command, reports how it ended, and takes all its descendants along. It keeps bubblewrap's
# stderr for itself, so that messages about the sandbox never mix with the command's.
# Its first word goes to a pipe that only assay reads: if assay died while the sandbox was being made, it ends here.
INIT = """\
echo assay-begin >&2 || exit 1
e=$1 t=$2 n=$3 f=$4 c=$5; shift 5
ulimit -c 0; ulimit -n "$n"; ulimit -f "$f"; ulimit -t "$c"; [ -z "$t" ] || ulimit -p "$t" 2>/dev/null || ulimit -u "$t"
(exec env -i -- "$@" 2>"/proc/self/fd/$e")
s=$?
[ $s = 0 ] || stat -f -c 'assay-free %a %d %n' /tmp "$HOME" >&2
exit $s
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """What one session shows, ready to be mounted."""

    place: Path
    fstab: str
    binds: tuple[str, ...]
    """Arguments for bubblewrap."""


def choose_stage(paths: Sequence[Path]) -> Path:
    """A folder to mount the stage on, such that no path in use lies below it. Raises SandboxError if there is none."""
    for name in STAGES:
        place = Path(name)
        if place.is_dir() and not place.is_symlink() and not any(path.is_relative_to(place) for path in paths):
            return place
    raise SandboxError(
        "no folder is free to put a sandbox together in",
        hint="keep the project and its layers out of at least one of " + ", ".join(STAGES),
    )


def _escape(path: str) -> str:
    return "".join(f"\\{ord(c):03o}" if c in " \t\n\\#" else c for c in path)


def _source(index: int, mount: Mount, place: Path) -> str:
    """The line of fstab that stages a mount."""
    target = place / str(index)
    if mount.live:
        return f"l/{index}.0 {target} none bind,X-mount.mkdir 0 0"
    lower = ":".join(f"l/{index}.{i}" for i in range(len(mount.layers)))
    if mount.writable and mount.layers:
        options = f"lowerdir={lower},upperdir=up/{index},workdir=wk/{index}"
    elif mount.layers:
        options = f"lowerdir={EMPTY}:{lower}"
    else:
        return f"up/{index} {target} none bind,X-mount.mkdir 0 0"
    return f"overlay {target} overlay {options},userxattr,X-mount.mkdir 0 0"


def plan(spec: SandboxSpec, folder: Path, hidden: Sequence[str], shared: Sequence[Path]) -> Stage:
    """Lay out a session whose own bytes live in `folder`; `shared` are folders of the host, staged at their own paths.

    Raises SandboxError for a mount that makes no sense.
    """
    layers = [layer for mount in spec.mounts for layer in mount.layers]
    place = choose_stage([folder, *layers])
    lines = [f"assay {place} tmpfs mode=0755,size=1m 0 0"]
    binds: list[str] = []
    for index, mount in enumerate(spec.mounts):
        if not mount.layers and not mount.writable:
            raise SandboxError(f"the mount {mount.target} has no layers and is not writable", target=mount.target)
        lines.append(_source(index, mount, place))
        binds += ["--bind" if mount.writable else "--ro-bind", f"{place}/{index}", mount.target]
    lines.append(f"{_escape(str(folder / 'etc'))} {place}/etc none bind,X-mount.mkdir 0 0")
    lines += [f"overlay {place}{one} overlay lowerdir={EMPTY}:{one},userxattr,X-mount.mkdir 0 0" for one in shared]
    for hidden_place in hidden:
        binds += ["--tmpfs", hidden_place, "--remount-ro", hidden_place]
    return Stage(place, "\n".join(lines) + "\n", tuple(binds))


def launcher(script: str, uid: int | None) -> list[str]:
    """The command that runs a launch script in fresh namespaces, all of it bound to the life of the caller.

    Each link of the chain dies with the one before it, but whoever changes its user or its privileges loses that bond
    until it is tied anew, and a link that dies too early could leave its child waiting for ever. So bubblewrap gets a
    process namespace of its own, as its first process: whatever it started dies with it. That assay is still
    there when all bonds are tied is what the init's first word asks.
    """
    bound = ["setpriv", "--pdeathsig", "KILL"]
    spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--propagation", "private"]
    own_user = [] if uid is not None else ["unshare", "--user", "--map-root-user"]
    return [*own_user, *bound, *spaces, "/bin/sh", "-c", script]


def launch_script(folder: Path, uid: int | None, groups: Sequence[Path], bwrap: Sequence[str]) -> str:
    """The shell script that mounts the stage and becomes bubblewrap.

    It runs in fresh namespaces. `groups` are the control groups to join first.
    """
    lines = ["set -e"]
    lines += [f"echo 0 > {shlex.quote(str(group / 'cgroup.procs'))}" for group in groups]
    lines += [f"cd {shlex.quote(str(folder))}", "mount -n -a -T fstab", "cd /"]
    drop: list[str] = []
    if uid is not None:
        drop = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--no-new-privs"]
    lines.append(f"exec {shlex.join([*drop, *bwrap])}")
    return "\n".join(lines)


def bwrap_arguments(spec: SandboxSpec, stage: Stage, system: Sequence[str], status_fd: int) -> list[str]:
    """Bubblewrap's own arguments, up to the command."""
    size = str(spec.limits.disk_mib * MIB)
    home = dict(spec.env).get("HOME", HOME)
    uid = str(INSIDE_UID if spec.uid is None else spec.uid)
    return [
        "bwrap",
        *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"),
        *(["--unshare-net"] if spec.network == "none" else []),
        *("--disable-userns", "--as-pid-1", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *(NESTING if spec.nesting else ()),
        *("--clearenv", "--setenv", "PATH", PATH, "--setenv", "HOME", home),
        *("--uid", uid, "--gid", uid, "--hostname", HOST_NAME),
        *("--json-status-fd", str(status_fd)),
        *system,
        *("--ro-bind", f"{stage.place}/etc", "/etc"),
        *("--proc", "/proc", "--dev", "/dev", "--size", size, "--perms", "1777", "--tmpfs", "/dev/shm"),
        *("--size", size, "--perms", "1777", "--tmpfs", "/tmp", "--size", size, "--tmpfs", home),
        *stage.binds,
        *(("--remount-ro", home) if spec.read_only_home else ()),
        *("--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/"),
    ]
