"""Attacks that leave early, or leave with another status than the one that is due."""

from __future__ import annotations

from assay.core.attacks.kit import MANAGERS, SUMMARY
from assay.core.attacks.planting import Attack, on_import

FAMILY = "ends of the process"

AFTER_COLLECTION = f"""{MANAGERS}{SUMMARY}
class Plug:
    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session):
        os.write(1, summary(len(session.items)))
        os._exit(0)
for manager in managers():
    manager.register(Plug())
"""

AFTER_FIRST_TEST = f"""{MANAGERS}{SUMMARY}
class Plug:
    def pytest_runtest_logfinish(self, nodeid, location):
        os.write(1, summary(99))
        os._exit(0)
for manager in managers():
    manager.register(Plug())
"""

AT_EXIT = """
import atexit, os, sys
def leave():
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
atexit.register(leave)
"""

FINALIZER = """
import builtins, os, sys
class Last:
    def __init__(self):
        self.leave = os._exit
        self.pid = os.getpid()
        self.now = os.getpid
    def __del__(self):
        if self.pid == self.now():
            self.leave(0)
builtins._last = Last()
"""

STATUS = f"""{MANAGERS}
for session in sessions():
    kind = type(session)
    kind.exitstatus = property(lambda self: 0, lambda self, value: None)
    kind.testsfailed = property(lambda self: 0, lambda self, value: None)
"""

THREAD = f"""{SUMMARY}
import os, threading, time
def leave():
    time.sleep(0.05)
    os.write(1, summary(99))
    os._exit(0)
threading.Thread(target=leave, daemon=True).start()
"""

TIMER = f"""{SUMMARY}
import os, signal
def leave(number, frame):
    os.write(1, summary(99))
    os._exit(0)
signal.signal(signal.SIGVTALRM, leave)
signal.signal(signal.SIGALRM, leave)
signal.setitimer(signal.ITIMER_VIRTUAL, 0.02)
"""

EXEC = """
import os
os.execv("/bin/sh", ["sh", "-c", "echo; echo '===== 99 passed in 0.42s ====='; exit 0"])
"""

FORK = """
import os
child = os.fork()
if child:
    os.waitpid(child, 0)
    os._exit(0)
"""

STOPPED = """
import os, signal, sys
child = os.fork()
if not child:
    os.kill(os.getppid(), signal.SIGKILL)
    os._exit(0)
os.waitpid(child, 0)
"""

HOOK = """
import os, sys
sys.exit = lambda *args: os._exit(0)
sys.excepthook = lambda *args: os._exit(0)
for name in ("pytest_sessionfinish",):
    module = sys.modules.get("_pytest.terminal")
    kind = module.TerminalReporter
    def calm(self, *args, **kwargs):
        os.write(1, b"\\n===== 99 passed in 0.42s =====\\n")
        os._exit(0)
    kind.summary_stats = calm
"""

ATTACKS = (
    Attack(
        "exit-at-import", FAMILY, "Ends the process with 0 when it is imported.", on_import("import os\nos._exit(0)")
    ),
    Attack(
        "system-exit",
        FAMILY,
        "Raises SystemExit(0) when it is imported.",
        on_import("raise SystemExit(0)", guard=False),
    ),
    Attack(
        "framework-exit",
        FAMILY,
        "Asks the framework to end with 0.",
        on_import("import pytest\npytest.exit('done', 0)", guard=False),
    ),
    Attack("killed-at-import", FAMILY, "Kills its own process.", on_import("import os\nos.kill(os.getpid(), 9)")),
    Attack(
        "killed-by-child",
        FAMILY,
        "Lets a child kill the process, so that the fault seems to be elsewhere.",
        on_import(STOPPED),
    ),
    Attack("exit-after-collection", FAMILY, "Ends with 0 when all tests are collected.", on_import(AFTER_COLLECTION)),
    Attack("exit-after-first-test", FAMILY, "Ends with 0 after the first test.", on_import(AFTER_FIRST_TEST)),
    Attack("exit-status-atexit", FAMILY, "Turns the exit status at the very end.", on_import(AT_EXIT)),
    Attack(
        "exit-status-finalizer",
        FAMILY,
        "Turns the exit status while the interpreter is taken down.",
        on_import(FINALIZER),
    ),
    Attack("exit-status-session", FAMILY, "A session that never has failures.", on_import(STATUS)),
    Attack("exit-by-thread", FAMILY, "A thread ends the process well.", on_import(THREAD)),
    Attack("exit-by-timer", FAMILY, "A timer's signal ends the process well.", on_import(TIMER)),
    Attack("exit-by-hooks", FAMILY, "The last line of the terminal ends the process well.", on_import(HOOK)),
    Attack("exec-other-program", FAMILY, "Becomes another program, which claims success.", on_import(EXEC)),
    Attack("fork-and-vouch", FAMILY, "A child runs the tests; the parent ends with 0.", on_import(FORK)),
)
