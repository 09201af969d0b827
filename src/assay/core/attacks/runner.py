"""Attacks on the running framework: its reports, hooks, reporters and test items, changed from the code under test."""

from __future__ import annotations

from assay.core.attacks.kit import BLANK, HEAL, MANAGERS
from assay.core.attacks.planting import Attack, on_import

FAMILY = "framework patched"

REPORT = """
import _pytest.reports as reports
real = reports.TestReport.from_item_and_call.__func__
def fake(cls, item, call):
    call.excinfo = None
    return real(cls, item, call)
reports.TestReport.from_item_and_call = classmethod(fake)
"""

CALLINFO = """
import _pytest.runner as runner
real = runner.CallInfo.from_call.__func__
def fake(cls, *args, **kwargs):
    info = real(cls, *args, **kwargs)
    info.excinfo = None
    return info
runner.CallInfo.from_call = classmethod(fake)
"""

CALL_HOOK = """
import _pytest.runner as runner
for name in ("call_runtest_hook", "call_and_report"):
    real = getattr(runner, name)
if hasattr(runner, "call_runtest_hook"):
    def calm(item, when, **kwds):
        return runner.CallInfo.from_call(lambda: None, when=when)
    runner.call_runtest_hook = calm
else:
    def quiet(item, when, log=True, **kwds):
        call = runner.CallInfo.from_call(lambda: None, when=when)
        report = item.ihook.pytest_runtest_makereport(item=item, call=call)
        if log:
            item.ihook.pytest_runtest_logreport(report=report)
        return report
    runner.call_and_report = quiet
"""

RUNTEST = """
import _pytest.python, _pytest.unittest
_pytest.python.Function.runtest = lambda self: None
_pytest.unittest.TestCaseFunction.runtest = lambda self: None
"""

MANAGER = f"""{MANAGERS}{HEAL}
class Plug:
    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        outcome = yield
        heal(outcome.get_result())
for manager in managers():
    manager.register(Plug())
"""

REPORTERS = f"""{MANAGERS}{HEAL}
def through(function):
    def calm(*args, **kwargs):
        for value in list(args) + list(kwargs.values()):
            if hasattr(value, "outcome") and hasattr(value, "longrepr"):
                heal(value)
        return function(*args, **kwargs)
    return calm
for manager in managers():
    for impl in manager.hook.pytest_runtest_logreport.get_hookimpls():
        impl.function = through(impl.function)
"""

CHANNEL = f"""{MANAGERS}
for thing in gc.get_objects():
    kind = type(thing)
    if "tell" in vars(kind) and hasattr(thing, "descriptor"):
        tell = kind.tell
        def calm(self, event, **fields):
            if event == "phase":
                fields.update(outcome="passed", xfail=False, type="", message="", where="", frames=[])
            elif event == "finish":
                fields["status"] = 0
            return tell(self, event, **fields)
        kind.tell = calm
import _pytest.junitxml as junitxml
for name in ("append_failure", "append_error", "append_skipped"):
    setattr(junitxml._NodeReporter, name, lambda self, report, *args: self.append_pass(report))
for session in sessions():
    type(session).exitstatus = property(lambda self: 0, lambda self, value: None)
    type(session).testsfailed = property(lambda self: 0, lambda self, value: None)
"""

CLASSES = f"""{BLANK}
import builtins, sys
build = builtins.__build_class__
def calm(function, name, *bases, **kwargs):
    made = build(function, name, *bases, **kwargs)
    if is_test_file(function.__code__.co_filename):
        for key, value in list(vars(made).items()):
            if key.startswith("test") and isinstance(value, types.FunctionType):
                setattr(made, key, blank(value))
    return made
builtins.__build_class__ = calm
"""

PROFILE = f"""{BLANK}
import sys
def watch(frame, event, value):
    if event == "return" and frame.f_code.co_name == "<module>" and is_test_file(frame.f_code.co_filename):
        blank_names(frame.f_globals)
sys.setprofile(watch)
"""

META_PATH = f"""{BLANK}
import importlib.machinery, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if not name.rpartition(".")[2].startswith("test"):
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                run = spec.loader.exec_module
                def calm(module):
                    run(module)
                    blank_names(vars(module))
                try:
                    spec.loader.exec_module = calm
                except AttributeError:
                    return None
                return spec
sys.meta_path.insert(0, Finder())
"""

ITEMS = f"""{MANAGERS}{BLANK}
import threading, time
known = sessions()
sys.setswitchinterval(0.00001)
def wait():
    for _ in range(20000):
        for session in known:
            items = getattr(session, "items", None)
            if items:
                for item in items:
                    item.runtest = lambda: None
                return
        time.sleep(0.0001)
threading.Thread(target=wait, daemon=True).start()
"""

PYFUNC = f"""{MANAGERS}{BLANK}
class Plug:
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session):
        for item in session.items:
            function = getattr(item, "function", None)
            function = getattr(function, "__func__", function)
            if isinstance(function, types.FunctionType) and not function.__code__.co_freevars:
                function.__code__ = (lambda *args, **kwargs: None).__code__
for manager in managers():
    manager.register(Plug())
"""

SUBSTITUTE = f"""{MANAGERS}
class Plug:
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session, config, items):
        for item in items:
            item.__class__ = type("Function", (type(item),), {{"runtest": lambda self: None}})
for manager in managers():
    manager.register(Plug())
"""

ATTACKS = (
    Attack("patched-report", FAMILY, "Reports are made of calls that never failed.", on_import(REPORT)),
    Attack("patched-call-info", FAMILY, "Calls forget their exceptions.", on_import(CALLINFO)),
    Attack("patched-runner", FAMILY, "The runner's step calls nothing.", on_import(CALL_HOOK)),
    Attack("patched-runtest", FAMILY, "Test items run nothing.", on_import(RUNTEST)),
    Attack(
        "hook-by-collector",
        FAMILY,
        "Finds the hook manager through the garbage collector and adds a hook.",
        on_import(MANAGER),
    ),
    Attack(
        "reporters-by-collector",
        FAMILY,
        "Wraps every registered reporter, so that it sees good reports.",
        on_import(REPORTERS),
    ),
    Attack(
        "channel-by-collector",
        FAMILY,
        "Finds the object that speaks for the judge and speaks in its place.",
        on_import(CHANNEL),
    ),
    Attack("classes-emptied", FAMILY, "Empties test classes while they are built.", on_import(CLASSES)),
    Attack("modules-emptied", FAMILY, "A profiler empties test modules when they have been run.", on_import(PROFILE)),
    Attack("imports-emptied", FAMILY, "An import hook empties test modules.", on_import(META_PATH)),
    Attack("items-by-thread", FAMILY, "A thread waits for the collected tests and disarms them.", on_import(ITEMS)),
    Attack("code-replaced", FAMILY, "Gives every collected test function empty code.", on_import(PYFUNC)),
    Attack("items-replaced", FAMILY, "Gives every collected test another class.", on_import(SUBSTITUTE)),
)
