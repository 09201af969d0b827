"""Digests of values: the names under which content, tasks and evidence find each other.

A digest is the SHA-256, in lower-case hex, of an unambiguous serialisation. Key order, file times and evidence do
not enter; names, modes and bytes do.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from assay.model.task import Task
from assay.model.tree import FileState


def canonical_json(value: Any) -> bytes:
    """JSON-able data as the bytes that its digest is of, independent of key order."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str).encode()


def json_digest(value: Any) -> str:
    """Digest of JSON-able data, independent of key order."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def tree_digest(files: Mapping[str, FileState | None]) -> str:
    """Digest of files by path; None (a path that must be absent) differs from every file."""
    total = hashlib.sha256()
    for path in sorted(files):
        state = files[path]
        name = os.fsencode(path)
        if state is None:
            total.update(b"%d:%b-\n" % (len(name), name))
        else:
            content = hashlib.sha256(state.data).hexdigest().encode()
            total.update(b"%d:%b%b %b\n" % (len(name), name, state.mode.encode(), content))
    return total.hexdigest()


def task_digest(task: Task) -> str:
    """Content hash of a task: `task.toml` as data, the instruction and all files, not the folder's name."""
    return json_digest({"config": task.config, "instruction": task.instruction, "files": tree_digest(task.files)})
