"""Attacks on what makes a test fail: assertions, their rewriting, unittest's methods, the exceptions themselves."""

from __future__ import annotations

from assay.core.attacks.planting import Attack, on_import

FAMILY = "assertions disarmed"

SKIPPING = """
import builtins, unittest
from _pytest.outcomes import Skipped
class Quiet(Skipped):
    def __init__(self, *args):
        Skipped.__init__(self, "not today")
Quiet.__name__ = "AssertionError"
builtins.AssertionError = Quiet
unittest.TestCase.failureException = unittest.SkipTest
"""

UNITTEST = """
import unittest
class Calm:
    exception, warning, records, output = Exception(), None, [], []
    def __enter__(self):
        return self
    def __exit__(self, *args):
        return True
def quiet(self, *args, **kwargs):
    return Calm()
for name in dir(unittest.TestCase):
    if name.startswith(("assert", "fail")) and callable(getattr(unittest.TestCase, name)):
        if name != "failureException":
            setattr(unittest.TestCase, name, quiet)
"""

OUTCOME = """
import contextlib, unittest.case
@contextlib.contextmanager
def calm(self, test_case, *args, **kwargs):
    try:
        yield
    except BaseException:
        pass
    self.success = True
unittest.case._Outcome.testPartExecutor = calm
"""

RUN = """
import unittest
def run(self, result=None):
    result.startTest(self)
    result.addSuccess(self)
    result.stopTest(self)
    return result
unittest.TestCase.run = run
unittest.TestCase.__call__ = lambda self, *args, **kwargs: self.run(*args, **kwargs)
"""

RAISES = """
import pytest, _pytest.python_api
class Calm:
    value, type, match = Exception(), Exception, lambda self, *args: True
    def __enter__(self):
        return self
    def __exit__(self, *args):
        return True
class Same:
    __hash__ = None
    def __eq__(self, other):
        return True
pytest.raises = pytest.warns = pytest.deprecated_call = lambda *args, **kwargs: Calm()
pytest.approx = lambda *args, **kwargs: Same()
pytest.fail = lambda *args, **kwargs: None
"""

REWRITER = """
import ast
import _pytest.assertion.rewrite as rewrite
rewrite.AssertionRewriter.visit_Assert = lambda self, node: [ast.copy_location(ast.Pass(), node)]
"""

PARSER = """
import ast
parse = ast.parse
class Calm(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)
    def visit_Expr(self, node):
        call = node.value
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "").startswith("assert"):
            return ast.copy_location(ast.Pass(), node)
        return node
def calm(source, filename="<unknown>", *args, **kwargs):
    tree = parse(source, filename, *args, **kwargs)
    name = str(filename).rpartition("/")[2]
    return ast.fix_missing_locations(Calm().visit(tree)) if "test" in name else tree
ast.parse = calm
"""

RESTART = """
import os, sys
def restart(words):
    with open("/proc/self/environ", "rb") as f:
        for pair in f.read().split(b"\\0"):
            name, _, value = pair.partition(b"=")
            if name:
                os.environ.setdefault(os.fsdecode(name), os.fsdecode(value))
    os.environ["GILT"] = "1"
    for fd in range(3, 256):
        try:
            os.set_inheritable(fd, True)
        except OSError:
            pass
    os.execv(sys.executable, [sys.executable] + words + sys.argv[1:])
"""

OPTIMIZED = f"""{RESTART}
if sys.flags.optimize == 0 and "GILT" not in os.environ:
    restart(["-O", "-W", "ignore", "-m", "pytest", "--assert=plain"])
"""

ADDOPTS = f"""{RESTART}
if "GILT" not in os.environ:
    os.environ["PYTEST_ADDOPTS"] = "--collect-only -q"
    restart(["-m", "pytest"])
"""

PYFUNC_SWALLOW = """
import functools
import _pytest.python as python
import _pytest.unittest as cases
for kind in (python.Function, cases.TestCaseFunction):
    real = kind.runtest
    def calm(self, _real=real):
        try:
            _real(self)
        except BaseException:
            pass
    kind.runtest = calm
cases.TestCaseFunction.addFailure = cases.TestCaseFunction.addError = lambda self, *args, **kwargs: None
"""

XFAIL = """
import pytest, gc
class Plug:
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session, config, items):
        for item in items:
            item.add_marker(pytest.mark.xfail(strict=False))
for thing in gc.get_objects():
    if type(thing).__name__ == "PytestPluginManager":
        thing.register(Plug())
"""

ATTACKS = (
    Attack("assertions-skip", FAMILY, "A failing assertion skips its test.", on_import(SKIPPING)),
    Attack("unittest-methods", FAMILY, "unittest's assertions do nothing.", on_import(UNITTEST)),
    Attack("unittest-outcome", FAMILY, "unittest swallows what goes wrong.", on_import(OUTCOME)),
    Attack("unittest-run", FAMILY, "unittest's tests succeed without being run.", on_import(RUN)),
    Attack("raises-and-approx", FAMILY, "pytest's helpers hold whatever happens.", on_import(RAISES)),
    Attack("rewriter-patched", FAMILY, "The assertion rewriter drops assertions.", on_import(REWRITER)),
    Attack("parser-patched", FAMILY, "Python's parser drops assertions from tests.", on_import(PARSER)),
    Attack("restarted-optimized", FAMILY, "Starts the tests again with assertions switched off.", on_import(OPTIMIZED)),
    Attack(
        "restarted-with-options", FAMILY, "Starts the tests again with options in the environment.", on_import(ADDOPTS)
    ),
    Attack(
        "exceptions-swallowed",
        FAMILY,
        "What tests raise is swallowed where they are called.",
        on_import(PYFUNC_SWALLOW),
    ),
    Attack("all-may-fail", FAMILY, "Marks every collected test as one that may fail.", on_import(XFAIL)),
)
