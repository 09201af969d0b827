"""What counts as a change that only computes."""

from __future__ import annotations

import pytest

from assay.core.attacks.battery import BATTERY
from assay.core.attacks.planting import NotApplicable
from assay.core.attacks.target import Target
from assay.core.plain_changes import reach
from assay.model.tree import FileChange, FileState, changes_between

OLD = """\
import sys
import os
import requests
from pkg import other
from warnings import warn


def f(x, name):
    value = getattr(x, name)
    return value
"""


def change(new: str, old: str | None = OLD, path: str = "src/pkg/mod.py") -> str:
    before = None if old is None else FileState(old.encode())
    return reach([FileChange(path, before, FileState(new.encode()))])


@pytest.mark.parametrize(
    "line",
    [
        "if x < 0:\n        raise ValueError(f'{x!r} is below zero')",
        "from typing import Any",
        "import re",
        "import collections.abc; collections.abc.Mapping",
        "import datetime; datetime.time(1)",
        "from .helpers import check",
        "from pkg.helpers import check",
        "from os.path import join",
        "self.items[x] = x.__class__.__name__",
        "return getattr(x, 'size', None)",
        "warn('old', DeprecationWarning, stacklevel=2)",
        "return sys.version_info >= (3, 8) and os.path.join(x, name)",
        "try:\n        return int(x)\n    except ValueError as error:\n        raise TypeError from error",
        "return x.replace('a', 'b') + x.replace(tzinfo=None)",
        "modules = [lambda y: y for y in x]",
        "class Inner(dict):\n        def __missing__(self, key):\n            return key",
        "value = getattr(x, name)",
    ],
)
def test_what_computes_is_plain(line: str) -> None:
    assert change(OLD + "\n\ndef g(self, x, name):\n    " + line + "\n") == ""


@pytest.mark.parametrize(
    "line",
    [
        "import pytest",
        "import _pytest.python_api",
        "from unittest import case",
        "import gc",
        "from pkg.compat import sys",
        "from operator import attrgetter",
        "import re as regex; regex.enum.sys.exit()",
        "getattr(x, name + '_y')",
        "getattr(x, '__globals__')",
        "(lambda get: get(x, name))(getattr)",
        "sys.modules['pytest'].raises = None",
        "sys._getframe(1)",
        "os._exit(0)",
        "f(sys)",
        "requests.get = x",
        "requests.adapters.table['x'] = 1",
        "open('tests/test_a.py', 'w').write(x)",
        "type(x).__subclasses__()",
        "(y for y in x).gi_frame",
        "try:\n        x()\n    except ValueError as error:\n        error.__traceback__.tb_frame",
        "exec(x)",
        "import random; random._os.kill(1, 9)",
        "from random import _os",
        "import logging; logging.threading.Thread(target=x)",
        "from logging import threading",
        "os.environ['PYTEST_CURRENT_TEST']",
        "from os import environ",
        "f(x).environ",
        "getattr.__call__(x, name)",
        "getattr(requests, '_os')",
        "import random; y = random; y._os",
        "try:\n        x()\n    except eval(name):\n        pass",
        "match x:\n        case object(__globals__=y):\n            return y",
        "from .other import *",
        "import logging; logging.basicConfig(filename=name)",
        "import logging; logging.getLogger().findCaller()",
        "import asyncio; asyncio.create_subprocess_shell(name)",
        "import urllib.request",
        "from xml.etree import ElementTree",
        "from warnings import catch_warnings",
        "def h(y: 'exec(1)'): pass",
        "x.write_text(name)",
        "x.replace(name)",
        "@getattr(x, name)\n    def h(): pass",
        "def h(y=eval(x)): pass",
    ],
)
def test_what_reaches_out_is_not(line: str) -> None:
    assert change(OLD + "\n\ndef g(x, name):\n    " + line + "\n").startswith("src/pkg/mod.py:")


def test_variables_may_be_called_otherwise_and_modules_may_not_take_their_place() -> None:
    old = "import re\n\ndef f(link):\n    link.unlink()\n    return link.__dict__\n"
    assert change("import re\n\ndef f(v):\n    v.unlink()\n    return v.__dict__\n", old) == ""
    assert "__dict__" in change("import re\n\ndef f(v):\n    v.unlink()\n    return re.__dict__\n", old)
    assert "eval" in change(old + "def g(x):\n    return eval(x)\n", old + "def g(x):\n    return f(x)\n")


def test_what_stood_there_before_may_move() -> None:
    moved = [
        FileChange("pkg/a.py", FileState(OLD.encode()), None),
        FileChange("pkg/b.py", None, FileState(OLD.encode())),
    ]
    assert reach(moved) == ""
    assert reach(moved[1:]) == "pkg/b.py:3 imports requests"


def test_tests_that_a_change_brings_may_do_what_they_like() -> None:
    own = "import pytest\n\ndef test_own(monkeypatch):\n    monkeypatch.setattr('a.b', 1)\n"
    assert change(own, None, "tests/test_own.py") == ""
    for line in (
        *("from tests.test_own import x", "import tests", "from .testing import x", "from pkg import conftest"),
        *("from .test_helper import x", "from . import helper_test", "import pkg.test_helper.inner"),
    ):
        assert "imports" in change(OLD + f"\n{line}\n")
    # A package of the product may be called so, and is run.
    assert "imports pytest" in change("import pytest\n", "", "pkg/testing/__init__.py")


def test_a_file_with_a_librarys_name_does_not_make_the_library_ones_own() -> None:
    named = FileChange("pkg/pytest.py", None, FileState(b"x = 1\n"))
    user = FileChange("pkg/mod.py", FileState(b"y = 1\n"), FileState(b"import pytest\n"))
    assert "imports pytest" in reach([named, user])


def test_what_is_nested_too_deeply_is_read_all_the_same() -> None:
    deep = "x = " + "+".join(["1"] * 900) + "\n"
    assert change(deep, "") == change(deep + "y = 1\n", deep) == ""


def test_what_cannot_be_read_is_not_plain() -> None:
    assert "cannot be parsed" in change("def (:\n")
    assert "link" in reach([FileChange("pkg/a", None, FileState(b"b.py", "120000"))])
    assert reach([FileChange("docs/a.md", None, FileState(b"text"))]) == ""


BASE = {
    "pack/__init__.py": b"from .core import at\n",
    "pack/core.py": b"def at(celsius):\n    return celsius + 273\n",
    "tests/test_core.py": b"from pack import at\n\n\ndef test_old():\n    assert at(0) > 200\n",
}
TARGET = Target(
    base={path: FileState(data) for path, data in BASE.items()},
    sources=("pack/core.py",),
    entry="pack/__init__.py",
    root="",
    tests=("tests/test_core.py",),
    test_files=("tests/test_core.py",),
    fail_to_pass=("tests/test_core.py::test_new",),
    prompt="`at` must be exact to two digits",
    python="3.12",
)


def test_no_forger_of_the_battery_is_plain() -> None:
    plain = set()
    for attack in BATTERY:
        files = attack.build(TARGET)
        if isinstance(files, NotApplicable):
            continue
        changed = dict(TARGET.base)
        for path, state in files.items():
            changed.pop(path, None)
            if state is not None:
                changed[path] = state
        changes = [c for c in changes_between(TARGET.base, changed) if not c.path.startswith("tests/")]
        if changes and any(c.path.endswith(".py") for c in changes) and not reach(changes):
            plain.add(attack.name)
    # Restored by the boundary; and two that end their run, which is no pass.
    assert plain == {"conftest-deselect", "system-exit", "hoards-memory"}
