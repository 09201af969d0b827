"""What of the host a sandbox sees: its programs and libraries, read-only, and a made-up `/etc`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assay.adapters.sandbox.staging import HOME, HOST_NAME, INSIDE_UID
from assay.model.sandbox import SandboxSpec

PACKAGE_PLACES = ("/usr/lib/python3/dist-packages",)
"""Python packages of the system: a newer release of the package under test could lie there."""
PACKAGE_PATTERNS = ("lib/python3*",)
SHOWN_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "timezone", "mime.types")
SHOWN_ETC_ONLINE = ("ssl", "ca-certificates", "pki", "resolv.conf")

FILES = {
    "passwd": f"root:x:0:0:root:/root:/bin/sh\nsandbox:x:{INSIDE_UID}:{INSIDE_UID}:sandbox:{HOME}:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": f"root:x:0:\nsandbox:x:{INSIDE_UID}:\nnogroup:x:65534:\n",
    "hosts": f"127.0.0.1 localhost {HOST_NAME}\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    "hostname": f"{HOST_NAME}\n",
}


def shown_etc(names: Sequence[str] = SHOWN_ETC) -> list[Path]:
    """The parts of the host's `/etc` that programs need and that say nothing about the host's people."""
    return [path for name in names if (path := Path("/etc") / name).exists()]


def shared_folders() -> list[Path]:
    """Folders of the host that every sandbox shows, each through a view of its own.

    A lock works through a read-only bind, so that two sandboxes could speak through any file that both see as the
    same one. An overlay gives each its own.
    """
    folders = [path for path in shown_etc() if path.is_dir()]
    return [Path("/usr"), *folders]


def write_etc(folder: Path, online: bool) -> None:
    """Fill a session's own `/etc`: synthetic files, and places for what is bound from the host."""
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    for shown in shown_etc():
        if shown.is_dir():
            (folder / shown.name).mkdir()
        else:
            (folder / shown.name).write_bytes(shown.read_bytes())
    for shown in shown_etc(SHOWN_ETC_ONLINE) if online else ():
        place = folder / shown.name
        if shown.is_dir():
            place.mkdir()
        else:
            place.touch()


def system_arguments(stage: Path) -> list[str]:
    """Bubblewrap's arguments for `/usr`, as it is staged, and the links or folders beside it."""
    arguments = ["--ro-bind", f"{stage}/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/") / name
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    return arguments


def etc_arguments(online: bool) -> list[str]:
    """Bubblewrap's arguments for what a session with the network sees of the host's `/etc` besides."""
    shown = shown_etc(SHOWN_ETC_ONLINE) if online else []
    return [part for path in shown for part in ("--ro-bind", str(path.resolve()), str(path))]


def hidden_places(spec: SandboxSpec) -> list[str]:
    """What must look empty: the system's Python packages, and what the session asks for, where it exists."""
    own = [*PACKAGE_PLACES, *(str(p) for pattern in PACKAGE_PATTERNS for p in Path("/usr/local").glob(pattern))]
    found = [place for place in own if Path(place).is_dir() and not spec.image]
    return found + [place for place in spec.hidden if _exists(place, spec)]


def _exists(place: str, spec: SandboxSpec) -> bool:
    covering = [mount for mount in spec.mounts if Path(place).is_relative_to(mount.target)]
    if not covering and spec.image:
        return True  # nobody has looked; a place that is not there is as good as empty
    if not covering:
        return Path(place).is_relative_to("/usr") and Path(place).is_dir()
    mount = max(covering, key=lambda m: len(m.target))
    inner = Path(place).relative_to(mount.target)
    return any((layer / inner).is_dir() for layer in mount.layers)
