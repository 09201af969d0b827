"""Defects of the rest of a task: its prompt, its environment, and its reference change."""

from __future__ import annotations

import ast
import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace

from assay.core.leaks import added_blocks
from assay.model.task import Task
from assay.model.tree import FileState, changes_between
from bench.planting_tests import appended
from bench.soil import Planting, Soil, added_lines, module_of, parsed, with_tests

BULLET = re.compile(r"^- `([^`]+)`.*$", re.MULTILINE)
MOST = 3


def hidden_name(soil: Soil) -> Iterator[Planting]:
    """A line of the Interface section is gone, or the tests want a new name that the prompt calls otherwise."""
    ways = [_removed, _renamed]
    soil.draw.shuffle(ways)
    ways.append(_untold)
    for way in ways:
        yield from way(soil)


def _removed(soil: Soil) -> Iterator[Planting]:
    interface = soil.task.instruction.partition("## Interface")[2]
    for match in BULLET.finditer(interface):
        name = re.split(r"[(\s]", match.group(1))[0].rpartition(".")[2]
        rest = soil.task.instruction.replace(match.group() + "\n", "")
        if name and not _word(name, rest) and not _in_base(soil, name):
            yield Planting(soil.task.with_instruction(rest), f"without `{match.group(1)}`", marks=(name,))


def _renamed(soil: Soil) -> Iterator[Planting]:
    for match in BULLET.finditer(soil.task.instruction.partition("## Interface")[2]):
        name = re.split(r"[(\s]", match.group(1))[0].rpartition(".")[2]
        if (
            len(name) < 6
            or "(module)" in match.group()
            or not name.isidentifier()
            or _in_base(soil, name)
            or name.startswith("__")
        ):
            continue
        other = f"{name}_of" if name[0].islower() else f"{name}Kind"
        pattern = re.compile(rf"\b{re.escape(name)}\b".encode())
        gold = {
            path: FileState(pattern.sub(other.encode(), soil.gold[path].data), soil.gold[path].mode)
            for path in soil.changed
            if pattern.search(soil.gold[path].data)
        }
        files = {
            path: FileState(pattern.sub(other.encode(), state.data), state.mode) if path.endswith(".py") else state
            for path, state in soil.task.files.items()
            if path.startswith("tests/files/")
        }
        if gold and any(state != soil.task.files[path] for path, state in files.items()):
            lists = (soil.task.assay.fail_to_pass, soil.task.assay.pass_to_pass)
            if any(_word(name, test_id) for ids in lists for test_id in ids):
                continue
            task = _with_files(soil, files)
            yield Planting(task, f"`{name}` is `{other}` in change and tests", marks=(other,), gold=gold)


def _untold(soil: Soil) -> Iterator[Planting]:
    """Something new that a test calls and the prompt does not speak of."""
    for path in soil.changed:
        module = module_of(path)
        if not module or path not in soil.base:
            continue
        name, code, test = soil.draw.choice(UNTOLD)
        files, ids = appended(soil, test.format(module=module), f"test_{name}")
        if not files:
            return
        gold = {path: FileState(soil.gold[path].data.rstrip() + b"\n\n\n" + code.encode(), soil.gold[path].mode)}
        yield Planting(with_tests(soil.task, files, failing=ids), f"a new `{name}`", marks=(name,), gold=gold)


UNTOLD = (
    ("neighbour_pairs",
     "def neighbour_pairs(values):\n    items = list(values)\n    return list(zip(items, items[1:]))\n",
     """
     def test_neighbour_pairs():
         from {module} import neighbour_pairs
         assert neighbour_pairs([1, 2, 3]) == [(1, 2), (2, 3)]
         assert neighbour_pairs("ab") == [("a", "b")]
     """),
    ("LONGEST_ENTRY", "LONGEST_ENTRY = 4711\n",
     """
     def test_LONGEST_ENTRY():
         import {module} as module
         assert module.LONGEST_ENTRY == 4711
     """),
    ("StepCounter", "class StepCounter(object):\n    def __init__(self, width=1):\n        self.width = width\n\n"
     "    def after(self, count):\n        return count * self.width\n",
     """
     def test_StepCounter():
         from {module} import StepCounter
         assert StepCounter(width=3).after(4) == 12
         assert StepCounter().after(5) == 5
     """),
)  # fmt: skip


def _with_files(soil: Soil, files: dict[str, FileState]) -> Task:
    return replace(soil.task, files={**soil.task.files, **files})


def _word(name: str, text: str) -> bool:
    return bool(re.search(rf"\b{re.escape(name)}\b", text))


def _in_base(soil: Soil, name: str) -> bool:
    return any(_word(name, s.data.decode("utf-8", "replace")) for p, s in soil.base.items() if p.endswith(".py"))


def told_fix(soil: Soil) -> Iterator[Planting]:
    """Added lines of the reference change, quoted in the prompt in one of several ways."""
    changes = [c for c in changes_between(soil.base, soil.gold) if c.path.endswith(".py")]
    blocks = [block for change in changes for block in added_blocks(change)]
    lines = sorted({line for block in blocks for line in block}, key=lambda line: (-len(line), line))
    lines = [line for line in lines if not line.startswith(("import ", "from ", "def ", "class ", "@"))]
    if not lines:
        return
    known = set(lines)
    longest = max(blocks, key=lambda block: sum(len(line) for line in block if line in known))
    path = soil.changed[0]
    said = {
        "a line in a sentence": f"A maintainer writes that `{lines[0]}` would do.",
        "a block": "This worked in our fork:\n\n```python\n"
        + "\n".join([line for line in longest if line in known][:8])
        + "\n```",
        "a line of a diff": f"--- a/{path}\n+++ b/{path}\n@@ -1,3 +1,4 @@\n+{lines[0]}",
        "a line with other blanks": "Try " + re.sub(r"\s+", "  ", lines[0]) + " there.",
        "two lines": "".join(f"> {line}\n" for line in lines[:2]),
    }
    what = soil.draw.choice(sorted(said))
    before, gap, after = soil.task.instruction.rpartition("\n\nYour work is judged")
    text = f"{before}\n\n{said[what]}{gap}{after}" if gap else f"{after}\n\n{said[what]}\n"
    yield Planting(soil.task.with_instruction(text), what)


def fixed_release(soil: Soil) -> Iterator[Planting]:
    """The package after the change, somewhere in the environment."""
    roots = [path.removeprefix("src/").split("/")[0] for path in soil.changed]
    prefix = "src/" if soil.changed and soil.changed[0].startswith("src/") else ""
    if not roots:
        return
    package = {
        path.removeprefix(prefix): state
        for path, state in soil.gold.items()
        if path.startswith(prefix) and path.removeprefix(prefix).split("/")[0] == roots[0] and "/tests/" not in path
    }
    name, release = soil.task.assay.source.origin, soil.task.assay.source.gold_revision or "1"
    python = soil.task.assay.environment.python
    site = f"lib/python{python}/site-packages"
    ways = {
        "in site-packages": {f"{site}/{path}": state for path, state in package.items()},
        "as a wheel": {f"share/wheels/{name}-{release}-py3-none-any.whl": FileState(zipped(package))},
        "as a source archive": {
            f"share/cache/{name}-{release}.tar.gz": FileState(tarred(package, f"{name}-{release}"))
        },
        "inside another package": {f"{site}/vendor_of_tools/_vendor/{p}": s for p, s in package.items()},
        "for another Python": {f"lib/python3.5/site-packages/{path}": state for path, state in package.items()},
    }
    names = sorted(ways)
    soil.draw.shuffle(names)
    for what in names[:2]:
        folder = min(ways[what], key=len).rpartition("/")[0] if len(ways[what]) > 1 else min(ways[what])
        yield Planting(soil.task, what, marks=(f"/{folder}",), environment=ways[what])


def zipped(files: dict[str, FileState]) -> bytes:
    """A zip of these, packed."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, state in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(path), state.data, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def tarred(files: dict[str, FileState], top: str) -> bytes:
    """A packed tar of these below one folder."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for path, state in sorted(files.items()):
            member = tarfile.TarInfo(f"{top}/{path}")
            member.size = len(state.data)
            archive.addfile(member, io.BytesIO(state.data))
    return made.getvalue()


UNNEEDED = (
    ("a function that nobody calls", "_planted_pairs",
     "def _planted_pairs(values):\n    items = list(values)\n    return list(zip(items, items[1:]))\n"),
    ("a constant that nobody reads", "_PLANTED_LIMIT", "_PLANTED_LIMIT = 64 * 1024\n"),
    ("a class that nobody makes", "_PlantedCursor",
     "class _PlantedCursor(object):\n    def __init__(self, start=0):\n        self.start = start\n\n"
     "    def move(self, count):\n        self.start += count\n        return self.start\n"),
    ("a table that nobody reads", "_PLANTED_NAMES", '_PLANTED_NAMES = {\n    "one": 1,\n    "two": 2,\n}\n'),
    ("an import that nobody needs", "planted_string", "import string as planted_string\n"),
)  # fmt: skip


def unneeded_hunk(soil: Soil) -> Iterator[Planting]:
    """Something that nobody needs, in a file of the change, as far from its other hunks as can be."""
    what, name, text = soil.draw.choice(UNNEEDED)
    for path in soil.changed[:MOST]:
        data = soil.gold[path].data.decode("utf-8", "replace")
        tree = parsed(soil.gold[path].data)
        if tree is None or path not in soil.base or not tree.body:
            continue
        lines = data.splitlines(keepends=True)
        new = set(added_lines(soil.base[path], soil.gold[path]))
        changed = [number for number, line in enumerate(lines, start=1) if line.rstrip("\n") in new]
        ends = [node.end_lineno or node.lineno for node in tree.body[_head(tree.body) :]] or [len(lines)]
        at = max(ends, key=lambda end: min((abs(end - number) for number in changed), default=0))
        if lines[at - 1][-1:] != "\n":
            lines[at - 1] += "\n"
        lines.insert(at, f"\n\n{text}")
        state = FileState("".join(lines).encode(), soil.gold[path].mode)
        yield Planting(soil.task, f"{what}, in {path}", marks=(name,), gold={path: state})


def _head(body: list[ast.stmt]) -> int:
    """How many statements stand before the first definition: nothing is put among docstring and imports."""
    return next((i for i, n in enumerate(body) if isinstance(n, ast.FunctionDef | ast.ClassDef)), len(body) - 1)
