"""A small puzzle as a task's folder, judged in a second without an index and without an environment to build; and a
sandbox that cannot be had.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Never

from assay.errors import SandboxError
from assay.model.sandbox import SandboxSpec

PROGRAM = "import sys\n\nprint(int(sys.argv[1]))\n"
SOLVED = PROGRAM.replace("int(sys.argv[1])", "int(sys.argv[1]) * 2")
INSTRUCTION = "Make `double.py N` print twice N.\n"
GOLD = """\
diff --git a/double.py b/double.py
--- a/double.py
+++ b/double.py
@@ -1,3 +1,3 @@
 import sys
\x20
-print(int(sys.argv[1]))
+print(int(sys.argv[1]) * 2)
"""
WRONG = GOLD.replace("* 2", "+ 1")
"""A patch that does not solve it, as GOLD does."""
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


class NoSandbox:
    """One that cannot be opened."""

    def open(self, spec: SandboxSpec) -> Never:
        """Raises SandboxError."""
        raise SandboxError("no room for a sandbox")


def puzzle(folder: Path) -> Path:
    """Write the task; its name is the folder's."""
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    config = f"""\
schema_version = "1.4"

[task]
name = "examples/{folder.name}"

[metadata.assay]
test_files = ["tests/hidden.cases.toml"]
fail_to_pass = ["tests/hidden.cases.toml::four"]
pass_to_pass = ["tests/hidden.cases.toml::none"]

[metadata.assay.source]
kind = "puzzle"
origin = "examples/{folder.name}"
base_revision = "1"
gold_revision = "1"
licence = "Apache-2.0"

[metadata.assay.environment]
python = "{python}"
install = "none"

[metadata.assay.limits]
wall_seconds = 60

[metadata.assay.provenance]
instruction = "a person"
tests = "a person"
gold = "a person"
"""
    files = {
        "task.toml": config,
        "instruction.md": INSTRUCTION,
        "environment/workspace/double.py": PROGRAM,
        "solution/gold.patch": GOLD,
        "tests/files/tests/hidden.cases.toml": CASES,
    }
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder
