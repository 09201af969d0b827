"""Which Pythons this machine has: uv's, pyenv's, the system's.

Only interpreters are started, with `-I -S -c`, one time for each path and modification time.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from assay.adapters.process import Program, run
from assay.model.environment import Interpreter

_ASK = "import sys,json;print(json.dumps(['%d.%d.%d'%sys.version_info[:3],sys.base_prefix]))"
_NAME = re.compile(r"^python3(\.\d+)?$")
_OLDEST = (3, 6)


class Interpreters:
    """Finds interpreters in the folders given."""

    def __init__(self, *, home: Path, path: str, pyenv_root: Path | None = None, uv_folder: Path | None = None) -> None:
        self._versions = [pyenv_root or home / ".pyenv", uv_folder or home / ".local/share/uv/python"]
        self._path = [Path(p) for p in path.split(os.pathsep) if p.startswith("/") and "shims" not in p]
        self._answers: dict[tuple[Path, int], Interpreter | None] = {}

    def _candidates(self) -> Iterable[Path]:
        pyenv, managed = self._versions
        folders = [*sorted((pyenv / "versions").glob("*/bin")), *sorted(managed.glob("*/bin"))]
        folders += [Path("/usr/bin"), Path("/usr/local/bin"), *sorted(Path("/opt").glob("*/bin")), *self._path]
        seen: set[Path] = set()
        for folder in folders:
            try:
                names = sorted(p.name for p in folder.iterdir() if _NAME.match(p.name))
            except OSError:
                continue
            for name in names:
                real = (folder / name).resolve()
                if real not in seen and real.is_file() and not (folder.parent / "pyvenv.cfg").exists():
                    seen.add(real)
                    yield real

    async def find(self) -> list[Interpreter]:
        """All of Python 3.6 and later, newest first, one for each minor version."""
        found: dict[str, Interpreter] = {}
        for path in self._candidates():
            key = (path, path.stat().st_mtime_ns)
            if key not in self._answers:
                self._answers[key] = await self._ask(path)
            answer = self._answers[key]
            if answer and _numbers(answer.minor) >= _OLDEST:
                known = found.get(answer.minor)
                if known is None or _numbers(known.version) < _numbers(answer.version):
                    found[answer.minor] = answer
        return sorted(found.values(), key=lambda i: _numbers(i.version), reverse=True)

    async def _ask(self, path: Path) -> Interpreter | None:
        finished = await run(Program((str(path), "-I", "-S", "-c", _ASK)))
        try:
            version, prefix = json.loads(finished.stdout)
        except (ValueError, TypeError):
            return None
        return Interpreter(version, Path(prefix), path)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in version.split("."))
