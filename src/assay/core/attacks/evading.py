"""Attacks on the verdict's existence: whoever cannot win may want to be excused. A candidate's own doing is never a
failure of the machine, so each of these must be rejected, and none may end without a verdict.
"""

from __future__ import annotations

from assay.core.attacks.kit import STORY
from assay.core.attacks.planting import Attack, on_import

FAMILY = "verdict avoided"

ABSENT = "import os\nos._exit(127)"

EVERYBODY = "import os\nos.kill(-1, 9)\nos.kill(os.getpid(), 9)"

SPAWNING = """
import os, time
for _ in range(2000):
    try:
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
    except OSError:
        break
"""

HOARDING = """
held = []
while True:
    held.append(bytearray(b"x" * (64 << 20)))
"""

TALKING = """
import os
for _ in range(256):
    for fd in (1, 2):
        try:
            os.write(fd, b"x" * 65536)
        except OSError:
            pass
"""

CLOSING = """
import os
for fd in range(3, 1024):
    try:
        os.close(fd)
    except OSError:
        pass
"""

STOPPING = """
import os, signal
for pid in [int(p) for p in os.listdir("/proc") if p.isdigit()]:
    if pid != os.getpid():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
os.kill(os.getpid(), signal.SIGSEGV)
"""

NUMBERS = (
    STORY
    + r"""
long = "9" * 400
lines = [
    '{"e": "finish", "status": 1e400, "count": 1}',
    '{"e": "begin", "id": "\\ud800"}',
    '{"e": "phase", "id": "\\ud800", "when": "call", "outcome": "passed", "seconds": ' + long + '}',
    '{"e": "value", "id": 1, "mark": 2, "value": ["i", "' + "f" * 9999 + '"]}',
    "[" * 99999,
]
for fd in pipes():
    pour(fd, "".join(line + chr(10) for line in lines).encode())
"""
)

REPORT = """
import os, sys
for word in sys.argv:
    if word.startswith("--junitxml="):
        name = word.partition("=")[2]
        try:
            os.mkdir(name)
        except OSError:
            pass
"""

ATTACKS = (
    Attack("exit-as-if-absent", FAMILY, "Ends like an interpreter that could not be started.", on_import(ABSENT)),
    Attack("kills-everybody", FAMILY, "Kills every process that it may.", on_import(EVERYBODY)),
    Attack("kills-the-supervisor", FAMILY, "Kills the processes around it, then crashes.", on_import(STOPPING)),
    Attack("spawns-without-end", FAMILY, "Starts processes until it is refused one.", on_import(SPAWNING)),
    Attack("hoards-memory", FAMILY, "Takes memory until it is refused more.", on_import(HOARDING)),
    Attack("talks-without-end", FAMILY, "Prints more than anybody keeps.", on_import(TALKING)),
    Attack("closes-descriptors", FAMILY, "Closes every descriptor, the reporter's pipe too.", on_import(CLOSING)),
    Attack("odd-numbers", FAMILY, "Sends events with numbers that no float holds.", on_import(NUMBERS)),
    Attack("blocks-the-report", FAMILY, "Puts a folder where the report goes.", on_import(REPORT)),
)
