"""What an attack needs to know of a task: where its payload goes, and what a candidate can see anyway."""

from __future__ import annotations

from dataclasses import dataclass

from assay.core.patches import changed_paths
from assay.core.syntax import is_test_path, module_name, parse
from assay.model.task import Task
from assay.model.tree import Tree


@dataclass(frozen=True, slots=True)
class Target:
    """A task as its attacker sees it. Of the reference change it holds the paths and nothing else."""

    base: Tree
    sources: tuple[str, ...]
    """Python files of the base that the reference change touches, tests left out."""
    entry: str
    """The file that is run when anything of the changed package is imported; empty when there is none."""
    root: str
    """The folder on the module search path below which `entry` lies, with its slash; empty for the repository."""
    tests: tuple[str, ...] = ()
    """Test files that the base shows."""
    test_files: tuple[str, ...] = ()
    """The files that the verifier will run, of which every candidate can guess the names."""
    fail_to_pass: tuple[str, ...] = ()
    pass_to_pass: tuple[str, ...] = ()
    prompt: str = ""
    python: str = ""
    """Version of the task's interpreter, such as `3.12`."""


def target_of(task: Task, base: Tree) -> Target:
    """The target that a task makes."""
    changed = [p for p in changed_paths(task.gold_patch) if p.endswith(".py") and not is_test_path(p)]
    modules = [p for p in changed if module_name(p, base) and p.rpartition("/")[2] not in ("setup.py", "noxfile.py")]
    sources = tuple(p for p in modules if p in base and parse(base[p]) is not None)
    entry = next((e for e in (_entry(p, base) for p in (*sources, *modules)) if e), "")
    return Target(
        base=base,
        sources=sources or ((entry,) if entry else ()),
        entry=entry,
        root=_root(entry, base) if entry else "",
        tests=tuple(
            p for p in base if p.endswith(".py") and is_test_path(p) and p.rpartition("/")[2] not in ("conftest.py",)
        ),
        test_files=task.assay.test_files,
        fail_to_pass=task.assay.fail_to_pass,
        pass_to_pass=task.assay.pass_to_pass,
        prompt=task.instruction,
        python=task.assay.environment.python,
    )


def _root(path: str, base: Tree) -> str:
    name = module_name(path, base)
    stem = path.removesuffix(".py").removesuffix("/__init__")
    return stem.removesuffix((name or "").replace(".", "/"))


def _entry(path: str, base: Tree) -> str:
    """The `__init__` of the outermost package around a module, or the module itself."""
    folder, found = path.rpartition("/")[0], path if path in base else ""
    while folder and f"{folder}/__init__.py" in base:
        found = f"{folder}/__init__.py"
        folder = folder.rpartition("/")[0]
    return found if found and parse(base[found]) is not None else ""
