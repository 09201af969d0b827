"""The pytest plug-in that mends what a clock shifted by libfaketime breaks in the interpreter.

Up to 0.9.10, libfaketime answers `clock_nanosleep` with "Invalid argument" when it is told to leave the monotonic
clock alone, and `time.sleep` of Python 3.11 and later is made of it. Loaded only under a shifted clock. Runs inside
the sandbox: Python 3.6 and later, pytest 3.6 and later.
"""

import select
import time


def sleep(seconds):
    """As `time.sleep`, by another system call."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


try:
    time.sleep(0.000001)
except OSError:
    time.sleep = sleep
