"""The bank of solutions as files: `evidence/bank/right/<name>.patch` and `evidence/bank/wrong/<name>.patch`.

Named by content, so that adding one twice changes nothing; what is not named by its content is no evidence.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from assay.adapters.format.folder import MAX_TOTAL_BYTES, broken, read_bytes, replace_file
from assay.errors import InputError
from assay.model.bank import MAX_SOLUTION_BYTES, MAX_SOLUTIONS, Bank, Solution

EVIDENCE = "evidence"
BANK = f"{EVIDENCE}/bank"
FOLDERS = {True: f"{BANK}/right", False: f"{BANK}/wrong"}
SUFFIX = ".patch"


def read_bank(root: Path) -> Bank:
    """All solutions below a task folder. Raises TaskDefinitionError for links, devices, huge files, a name that is
    not its content's, and a solution that is right and wrong at once.
    """
    solutions: list[Solution] = []
    if _is_folder(root, EVIDENCE) and _is_folder(root, BANK):
        for is_right, folder in FOLDERS.items():
            if _is_folder(root, folder):
                solutions += _read_folder(root, folder, is_right=is_right)
    right = {solution.name for solution in solutions if solution.is_right}
    for solution in solutions:
        if not solution.is_right and solution.name in right:
            raise broken(
                f"{FOLDERS[False]}/{solution.name}{SUFFIX}", "", "a solution that is right as well", "one of the two"
            )
    return Bank(tuple(solutions))


def add_to_bank(root: Path, patch: bytes, *, right: bool) -> Path:
    """Keep a solution; its file. Raises InputError for a patch that is empty, too large, or kept as the opposite,
    and TaskDefinitionError when the bank that is there cannot be read.
    """
    if not patch.strip():
        raise InputError("the patch is empty, and doing nothing is judged anyway", hint="give the solution's patch")
    if len(patch) > MAX_SOLUTION_BYTES:
        raise InputError(
            f"the patch has {len(patch)} bytes; no more than {MAX_SOLUTION_BYTES} are kept",
            hint="give the change alone, without build products",
        )
    solution, bank = Solution(patch, right), read_bank(root)
    path = f"{FOLDERS[right]}/{solution.name}{SUFFIX}"
    for known in bank.solutions:
        if known.name == solution.name and known.is_right != right:
            said = "right" if known.is_right else "wrong"
            raise InputError(
                f"{root.name}: this patch is in the bank already, as {said}",
                hint=f"remove {FOLDERS[known.is_right]}/{known.name}{SUFFIX} first, if that is a mistake",
            )
    if len(bank.solutions) >= MAX_SOLUTIONS and solution not in bank.solutions:
        raise InputError(
            f"{root.name}: the bank holds {MAX_SOLUTIONS} solutions already", hint=f"remove some below {BANK}"
        )
    replace_file(root / path, patch)
    return root / path


def _is_folder(root: Path, name: str) -> bool:
    """Whether a folder is there. Raises TaskDefinitionError for anything else of that name."""
    if not os.path.lexists(root / name):
        return False
    try:
        mode = (root / name).lstat().st_mode
    except OSError as error:
        raise broken(name, "", error.strerror or str(error), "a folder") from error
    if not stat.S_ISDIR(mode):
        raise broken(name, "", "a link" if stat.S_ISLNK(mode) else "a file or device", "a folder")
    return True


def _read_folder(root: Path, folder: str, *, is_right: bool) -> list[Solution]:
    try:
        names = sorted(place.name for place in (root / folder).iterdir() if not place.name.startswith("."))
    except OSError as error:
        raise broken(folder, "", error.strerror or str(error), "a folder that can be read") from error
    if len(names) > MAX_SOLUTIONS:
        raise broken(folder, "", f"{len(names)} files", f"at most {MAX_SOLUTIONS} solutions")
    solutions, total = [], 0
    for name in names:
        place = f"{folder}/{name}"
        data, _ = read_bytes(root / folder / name, place)
        total += len(data)
        if len(data) > MAX_SOLUTION_BYTES or total > MAX_TOTAL_BYTES:
            raise broken(place, "", f"{len(data)} bytes", f"patches of at most {MAX_SOLUTION_BYTES} bytes each")
        solution = Solution(data, is_right)
        if name != f"{solution.name}{SUFFIX}":
            raise broken(place, "", "a file that is not named by its content", f"{solution.name}{SUFFIX}")
        solutions.append(solution)
    return solutions
