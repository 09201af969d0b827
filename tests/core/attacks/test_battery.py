"""The battery as data: many mechanisms, files that can be laid, and no use of what an attacker cannot see."""

from __future__ import annotations

import ast

import pytest

from assay.core.attacks.battery import BATTERY, BY_NAME
from assay.core.attacks.planting import Attack, NotApplicable
from assay.core.attacks.target import Target
from assay.model.tree import FileState

SOURCE = FileState(b'"""Doc."""\n\nfrom __future__ import annotations\n\n\ndef twice(x):\n    return 2 * x\n')
TEST = FileState(b"from pack.core import twice\n\n\ndef test_twice():\n    assert twice(2) == 4\n")
TARGET = Target(
    base={"pack/__init__.py": FileState(b"from .core import twice\n"), "pack/core.py": SOURCE, "tests/test_a.py": TEST},
    sources=("pack/core.py",),
    entry="pack/__init__.py",
    root="",
    tests=("tests/test_a.py",),
    test_files=("tests/test_a.py",),
    fail_to_pass=("tests/test_a.py::test_more",),
    pass_to_pass=("tests/test_a.py::test_twice",),
    prompt="twice(3) should give 7: `twice(3) == 7`",
    python="3.11",
)
BARE = Target(base={}, sources=(), entry="", root="")
each = pytest.mark.parametrize("attack", BATTERY, ids=lambda attack: attack.name)


def test_there_are_many_and_no_two_are_alike() -> None:
    assert len(BATTERY) >= 25
    assert len(BY_NAME) == len(BATTERY) == len({attack.what for attack in BATTERY})
    assert len({attack.mechanism for attack in BATTERY}) >= 8
    built = [repr(attack.build(TARGET)) for attack in BATTERY]
    assert len(set(built)) == len(built)


@each
def test_an_attack_is_files_that_can_be_read(attack: Attack) -> None:
    files = attack.build(TARGET)
    if isinstance(files, NotApplicable):
        pytest.skip(files.reason)
    assert files
    for path, state in files.items():
        assert not path.startswith(("/", "../"))
        if state is not None and path.endswith(".py") and state.mode != "120000":
            ast.parse(state.data, feature_version=(3, 7))


@each
def test_where_there_is_nothing_to_attack_it_says_so(attack: Attack) -> None:
    files = attack.build(BARE)
    assert isinstance(files, NotApplicable) or files
