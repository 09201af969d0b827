"""A whole task that is proved in no time, for tests of what is done with tasks; and a sandbox that cannot be had."""

from __future__ import annotations

from pathlib import Path
from typing import Never

from assay.errors import SandboxError
from assay.model.sandbox import SandboxSpec

CONFIG = """\
schema_version = "1.4"
task.name = "examples/double"
[metadata.assay]
test_files = ["tests/hidden.cases.toml"]
fail_to_pass = ["tests/hidden.cases.toml::four"]
pass_to_pass = ["tests/hidden.cases.toml::none"]
source = { kind = "puzzle", origin = "x", base_revision = "1", gold_revision = "1" }
environment = { python = "3.11", install = "none" }
provenance = { instruction = "a person", tests = "a person", gold = "a person" }
"""
CASES = """\
command = ["python", "double.py"]
[[case]]
name = "four"
arguments = ["4"]
expect.text = "8"
[[case]]
name = "none"
arguments = ["0"]
expect.text = "0"
"""
PATCH = "--- a/double.py\n+++ b/double.py\n@@ -1,2 +1,2 @@\n import sys\n-print(int(sys.argv[1]))\n+print({})\n"
RIGHT, WRONG = PATCH.format("int(sys.argv[1]) * 2"), PATCH.format("int(sys.argv[1]) + 1")


def write_double(folder: Path) -> Path:
    """Write the task `double`, which needs no environment and no index; `RIGHT` solves it, `WRONG` does not."""
    for name, text in {
        "task.toml": CONFIG,
        "instruction.md": "Double it.\n",
        "environment/workspace/double.py": "import sys\nprint(int(sys.argv[1]))\n",
        "solution/gold.patch": RIGHT,
        "tests/files/tests/hidden.cases.toml": CASES,
    }.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


class NoSandbox:
    """One that cannot be opened."""

    def open(self, spec: SandboxSpec) -> Never:
        """Raises SandboxError."""
        raise SandboxError("no room for a sandbox")
