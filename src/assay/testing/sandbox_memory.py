"""The fake sandbox's file system: a table from absolute paths to nodes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assay.adapters.sandbox import overlay
from assay.errors import SandboxError
from assay.model.sandbox import MIB, Mount, SandboxSpec, Stop

SYSTEM_FOLDERS = ("/usr", "/usr/bin", "/etc", "/proc", "/dev", "/dev/pts", "/home")
DEVICES = ("full", "null", "random", "tty", "urandom", "zero")


class Stopped(Exception):
    """The program ran into a limit that ends it."""

    def __init__(self, limit: Stop) -> None:
        super().__init__(limit)
        self.limit: Stop = limit


@dataclass
class Folder:
    """A folder; its entries are the paths below it."""

    mode: int = 0o755


@dataclass
class Link:
    """A symbolic link."""

    target: bytes


@dataclass
class Special:
    """A pipe, a socket or a device."""


@dataclass
class File:
    """A file; hard links are the same object under several paths."""

    data: bytes = b""
    mode: int = 0o644
    hole_bytes: int = 0
    """Zeros at the end that take no room."""

    @property
    def size(self) -> int:
        """Apparent size."""
        return len(self.data) + self.hole_bytes

    def content(self) -> bytes:
        """All bytes."""
        return self.data + bytes(self.hole_bytes)


Node = Folder | File | Link | Special


def fail(code: int, path: str = "") -> OSError:
    """The error that the kernel would give."""
    return OSError(code, os.strerror(code), path)


class Disk:
    """All files of one session."""

    def __init__(self, spec: SandboxSpec, home: str) -> None:
        self._spec = spec
        self._temporary = ("/tmp", "/dev/shm", home)
        self._read_only = (home,) if spec.read_only_home else ()
        self._nodes: dict[str, Node] = {"/": Folder()}
        self._unloaded: dict[str, Mount] = {}
        for path in (*SYSTEM_FOLDERS, *self._temporary):
            self._nodes[path] = Folder()
        for name in DEVICES:
            self._nodes[f"/dev/{name}"] = Special()
        for mount in spec.mounts:
            if not mount.layers and not mount.writable:
                raise SandboxError(f"the mount {mount.target} has no layers and is not writable")
            if not all(layer.is_dir() for layer in mount.layers):
                raise SandboxError(f"a layer of {mount.target} is not there")
            self._unloaded[mount.target] = mount

    def _load(self, path: str) -> None:
        """Read the layers of the mount that a path is in, when it is first looked at."""
        for target in [target for target in self._unloaded if is_below(path, target)]:
            mount = self._unloaded.pop(target)
            self._parents(target)
            self._nodes[target] = Folder()
            for name, state in overlay.merged(mount.layers).items():
                inner = f"{target}/{name}"
                if any(is_below(inner, hidden) for hidden in self._spec.hidden):
                    self._nodes.update({h: Folder() for h in self._spec.hidden if is_below(inner, h)})
                    continue
                self._parents(inner)
                link = state.mode == "120000"
                mode = 0o755 if state.mode == "100755" else 0o644
                self._nodes[inner] = Link(state.data) if link else File(state.data, mode)

    def live(self, path: str) -> Path | None:
        """Where on the host a path of a live mount is."""
        for mount in self._spec.mounts:
            if mount.live and is_below(path, mount.target):
                return mount.layers[0] / path[len(mount.target) + 1 :]
        return None

    def _parents(self, path: str) -> None:
        for parent in Path(path).parents:
            self._nodes.setdefault(str(parent), Folder())

    def reset(self, target: str) -> None:
        """Put a mount back to its layers' state."""
        for path in [path for path in self._nodes if is_below(path, target)]:
            del self._nodes[path]
        self._unloaded[target] = self.writable_mount(target)

    def forget_temporary(self) -> None:
        """Every command starts with an empty /tmp and home."""
        targets = [mount.target for mount in self._spec.mounts]
        for path in list(self._nodes):
            temporary = any(is_below(path, place) and path != place for place in self._temporary)
            if temporary and not any(is_below(path, target) or is_below(target, path) for target in targets):
                del self._nodes[path]

    def writable_mount(self, target: str) -> Mount:
        """The mount with this target. Raises SandboxError when it cannot be written."""
        for mount in self._spec.mounts:
            if mount.target == target and mount.writable:
                return mount
        raise SandboxError(f"{target} is no writable mount of this session")

    def lookup(self, path: str) -> Node | None:
        """What is at a path, links not followed."""
        path = os.path.normpath(path)
        self._load(path)
        return self._nodes.get(path)

    def get(self, path: str) -> Node:
        """What is at a path; raises as the kernel would."""
        node = self.lookup(path)
        if node is None:
            raise fail(errno.ENOENT, path)
        return node

    def is_writable(self, path: str) -> bool:
        """Whether programs may change a path."""
        covering = [mount for mount in self._spec.mounts if is_below(path, mount.target)]
        if covering:
            return max(covering, key=lambda mount: len(mount.target)).writable
        return any(
            is_below(path, place) and path != place and place not in self._read_only for place in self._temporary
        )

    def put(self, path: str, node: Node) -> None:
        """Make a new node."""
        path = os.path.normpath(path)
        self._check(path)
        parent = self.lookup(str(Path(path).parent))
        if parent is None:
            raise fail(errno.ENOENT, path)
        if not isinstance(parent, Folder):
            raise fail(errno.ENOTDIR, path)
        self._nodes[path] = node

    def _check(self, path: str) -> None:
        if not self.is_writable(path):
            raise fail(errno.EROFS, path)

    def check_writable(self, path: str) -> None:
        """Raise unless an existing path may be changed."""
        self._check(os.path.normpath(path))
        self.get(path)

    def make(self, path: str, node: Node) -> None:
        """Make a node where there must be none."""
        if self.lookup(path) is not None:
            raise fail(errno.EEXIST, path)
        self.put(path, node)

    def delete(self, path: str, *, folder: bool) -> Node:
        """Remove a file, or an empty folder."""
        path = os.path.normpath(path)
        self._check(path)
        node = self.get(path)
        if isinstance(node, Folder) != folder:
            raise fail(errno.ENOTDIR if folder else errno.EISDIR, path)
        if folder and self.names(path):
            raise fail(errno.ENOTEMPTY, path)
        return self._nodes.pop(path)

    def names(self, path: str) -> list[str]:
        """A folder's entries."""
        path = os.path.normpath(path)
        if not isinstance(self.get(path), Folder):
            raise fail(errno.ENOTDIR, path)
        prefix = path.rstrip("/") + "/"
        below = (other[len(prefix) :] for other in self._nodes if other.startswith(prefix) and other != "/")
        return sorted({inner for inner in below if "/" not in inner})

    def below(self, target: str) -> Iterator[tuple[str, Node]]:
        """Everything in a mount, by relative path."""
        self._load(target)
        for path, node in self._nodes.items():
            if is_below(path, target) and path != target:
                yield path[len(target) + 1 :], node

    def _written(self) -> list[File]:
        files: dict[int, File] = {}
        for mount in self._spec.mounts:
            if mount.writable:
                base = overlay.merged(mount.layers)
                for path, node in self.below(mount.target):
                    if isinstance(node, File) and (path not in base or base[path].data != node.data):
                        files[id(node)] = node
        return list(files.values())

    def written_bytes(self) -> int:
        """Bytes on disk of the writable mounts."""
        return sum(len(file.data) for file in self._written())

    def largest_bytes(self) -> int:
        """The largest new file."""
        return max((file.size for file in self._written()), default=0)

    def is_full(self, path: str, more_bytes: int) -> bool:
        """Whether writing that much more to a temporary place finds no room."""
        place = next((place for place in self._temporary if is_below(path, place)), None)
        if place is None:
            return False
        used = sum(len(node.data) for at, node in self._nodes.items() if isinstance(node, File) and is_below(at, place))
        return used + more_bytes > self._spec.limits.disk_mib * MIB


def is_below(path: str, place: str) -> bool:
    """Whether a path is a place or inside it."""
    return path == place or path.startswith(place.rstrip("/") + "/")
