"""The base of a task as one archive, so that a folder can be judged where its origin cannot be reached.

Same tree, same bytes: sorted, without times, owners or the name of the program that packed it.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from dataclasses import replace

from assay.core.task_files import dockerfile
from assay.model.task import BASE_ARCHIVE, Task
from assay.model.tree import FileState, Tree

TOP = "base"
"""The one folder of the archive, as in every source distribution."""


def packed(tree: Tree) -> bytes:
    """The tree as a .tar.gz with everything below one folder."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=buffer, mode="wb", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as archive,
    ):
        for path, state in sorted(tree.items()):
            entry = tarfile.TarInfo(f"{TOP}/{path}")
            if state.mode == "120000":
                entry.type, entry.linkname = tarfile.SYMTYPE, os.fsdecode(state.data)
                archive.addfile(entry)
            else:
                entry.size, entry.mode = len(state.data), 0o755 if state.mode == "100755" else 0o644
                archive.addfile(entry, io.BytesIO(state.data))
    return buffer.getvalue()


def self_contained(task: Task, base: Tree) -> Task:
    """The task with its base in the folder, and an image that is built from that."""
    text = dockerfile(task.assay.source, task.assay.environment, packed=True)
    files = {BASE_ARCHIVE: FileState(packed(base)), "environment/Dockerfile": FileState(text.encode())}
    return replace(task, files={**task.files, **files})
