"""Questions about the shape of a tree."""

from __future__ import annotations

import os

from assay.model.tree import FileState, Tree


def link_stays_inside(path: str, target: bytes) -> bool:
    """Whether a symbolic link at `path` leads below the tree's root, whatever other links there are.

    It may first go up, through real folders, and then only down: then no link on the way can lead it out, since
    each of those stays inside as well.
    """
    text = os.fsdecode(target)
    if not text or text.startswith("/") or "\0" in text:
        return False
    parts = [part for part in text.split("/") if part not in ("", ".")]
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    return ups <= path.count("/") and ".." not in parts[ups:]


def size_bytes(tree: Tree) -> int:
    """Bytes of all files."""
    return sum(len(state.data) for state in tree.values())


def is_lfs_pointer(state: FileState) -> bool:
    """Whether Git LFS put a pointer where the content should be."""
    return len(state.data) < 1024 and state.data.startswith(b"version https://git-lfs.github.com/spec/")
