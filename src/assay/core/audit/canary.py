"""A made-up fix that is put where a real one could lie, so that a search that finds nothing can be believed."""

from __future__ import annotations

import gzip
import io
import random
import zipfile

from assay.core.audit.needles import Needles, needles
from assay.model.tree import FileChange, FileState

KEY = "canary"
PLACES = ("text", "wheel", "gzip", "diff", "compiled", "home", "temporary")
"""The forms and places in which it has to be found."""


class Canary:
    """One of them. `seed` decides its names, so that no two are alike."""

    def __init__(self, seed: str) -> None:
        draw = random.Random(seed)
        self._name = "canary_" + "".join(draw.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(10))
        numbers = [draw.randrange(10**6, 10**7) for _ in range(4)]
        self.source = (
            f"def {self._name}(given, {self._name}_limit={numbers[0]}):\n"
            f"    {self._name}_total = given * {numbers[1]} + {self._name}_limit\n"
            f"    if {self._name}_total > {numbers[2]}:\n"
            f'        raise ValueError("{self._name} is over its limit", {self._name}_total, {numbers[3]})\n'
            f"    return {self._name}_total - {self._name}_limit\n"
        )

    @property
    def needles(self) -> Needles:
        """What is searched for."""
        change = FileChange(f"{self._name}.py", None, FileState(self.source.encode()))
        return needles(KEY, [change], {})

    def files(self, folder: str) -> dict[str, FileState | None]:
        """What to lay over an environment's packages, which are in `folder`."""
        wheel = io.BytesIO()
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{self._name}/__init__.py", self.source)
        diff = "".join(f"+{line}\n" for line in self.source.splitlines())
        data = {
            f"{self._name}_text/module.py": self.source.encode(),
            f"{self._name}_wheel/{self._name}-1.0-py3-none-any.whl": wheel.getvalue(),
            f"{self._name}_gzip/notes.gz": gzip.compress(self.source.encode(), mtime=0),
            f"{self._name}_diff/fix.patch": f"--- a/x.py\n+++ b/x.py\n@@ -0,0 +1,5 @@\n{diff}".encode(),
        }
        return {f"{folder}/{path}": FileState(content) for path, content in data.items()}

    def planted(self) -> list[tuple[str, str, str]]:
        """What the search itself writes first: kind, path and source."""
        return [
            ("compiled", f"~/.cache/{self._name}_compiled/__pycache__/{self._name}.cpython.pyc", self.source),
            ("text", f"~/{self._name}_home/notes.txt", self.source),
            ("text", f"/tmp/{self._name}_temporary/left-over.py", self.source),
        ]

    def missing(self, paths: list[str]) -> list[str]:
        """The forms and places in which it was not found."""
        return [place for place in PLACES if not any(f"{self._name}_{place}/" in path for path in paths)]
