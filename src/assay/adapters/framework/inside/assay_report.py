"""The pytest plug-in that tells assay, over an inherited pipe, how every single test ends.

Runs inside the sandbox with the repository's own interpreter: Python 3.6 and later, pytest 3.6 and later, standard
library only. One JSON object a line; the last one counts the others, so that a loss shows. Nothing is asserted in
here, and pytest is told not to look for it: PYTEST_DONT_REWRITE.
"""

import collections
import collections.abc
import decimal
import fractions
import json
import os
import re
import signal
import sys

import pytest

CHUNK = 500
MESSAGE_CHARACTERS = 2000
REPEAT_SECONDS = 5.0
FRAMES = 20
MAX_TEXT = 100000
MAX_ITEMS = 10000
ERROR_LINE = re.compile(r"^E\s+([A-Za-z_][\w.]*)(?:: (.*))?$", re.MULTILINE)


class TestTimeout(BaseException):
    """Not an Exception, so that a test's own handlers let it pass."""

    __test__ = False


class Channel:
    """The pipe. Forked children of tests inherit this object and must not speak."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.owner = os.getpid()
        self.count = 0
        if descriptor >= 0:
            os.set_inheritable(descriptor, False)

    def tell(self, kind, **fields):
        if self.descriptor < 0 or os.getpid() != self.owner:
            return
        fields["e"] = kind
        if kind == "finish":
            fields["count"] = self.count
        self.count += 1
        data = json.dumps(fields).encode("ascii") + b"\n"
        while data:
            data = data[os.write(self.descriptor, data) :]


class Eye:
    """Sees the values that tests compute, for expectations that are held outside."""

    def __init__(self, channel):
        self.channel = channel
        self.test = ""

    def see(self, mark, value):
        if os.getpid() == self.channel.owner:
            try:
                told = plain(value, 0)
            except Exception:  # whatever a candidate's object does when it is looked at
                told = None
            self.channel.tell("value", id=self.test, mark=mark, value=told)
        return True


class Opaque(Exception):
    """Not plain data."""


def plain(value, depth):
    """A value as tagged JSON, by its content: an equality of its class's own making counts for nothing."""
    if value is None or value is True or value is False:
        return ["c", value]
    if depth > 30:
        raise Opaque
    kinds = (("s", str), ("b", bytes), ("i", int), ("f", float), ("l", list), ("t", tuple), ("d", dict))
    for tag, kind in (*kinds, ("e", set), ("e", frozenset)):
        if isinstance(value, kind):
            return [tag, PLAIN[tag](value, depth + 1)]
    return akin(value, depth + 1)


def akin(value, depth):
    """What is no plain data, and equals some."""
    if isinstance(value, (fractions.Fraction, decimal.Decimal)):
        return ["q", "%d/%d" % ratio(value)]
    if isinstance(value, collections.abc.Mapping):
        return plain(dict(value), depth)
    if isinstance(value, collections.abc.Set):
        return plain(frozenset(value), depth)
    if isinstance(value, (collections.UserString, collections.UserList)):
        return plain(value.data, depth)
    if type(value).__module__.split(".")[0] == "numpy" and getattr(value, "shape", None) == ():
        return plain(value.item(), depth)
    raise Opaque


def ratio(value):
    exact = fractions.Fraction(value)  # raises for an infinity, which is then opaque
    return exact.numerator, exact.denominator


def many(values, depth):
    found = [plain(item, depth) for item in values]
    if len(found) > MAX_ITEMS:
        raise Opaque
    return found


PLAIN = {
    "s": lambda value, depth: str.__str__(value)[:MAX_TEXT],
    "b": lambda value, depth: value[:MAX_TEXT].hex(),
    "i": lambda value, depth: hex(int(value)),
    "f": lambda value, depth: float.__repr__(float(value)),
    "l": lambda value, depth: many(list.__iter__(value), depth),
    "t": lambda value, depth: many(tuple.__iter__(value), depth),
    "e": many,
    "d": lambda value, depth: [[plain(k, depth), plain(v, depth)] for k, v in list(dict.items(value))[:MAX_ITEMS]],
}


def name_of(nodeid):
    """Before 3.9, pytest wrote the instance of a class into the id; later versions take the id without it as well."""
    name, bracket, parameters = nodeid.partition("[")
    return name.replace("::()", "") + bracket + parameters


class Reporter:
    """Hooks."""

    def __init__(self, channel, seconds, root):
        self.channel = channel
        self.seconds = seconds
        self.root = os.path.realpath(root) + os.sep

    def pytest_sessionstart(self, session):
        self.channel.tell("start", pytest=pytest.__version__, python=sys.version.split()[0])

    def pytest_collection_finish(self, session):
        ids = [name_of(item.nodeid) for item in session.items]
        for first in range(0, len(ids), CHUNK):
            self.channel.tell("collected", ids=ids[first : first + CHUNK])

    def pytest_collectreport(self, report):
        if report.failed:
            kind, message = error_in_text(str(report.longrepr))
            self.channel.tell("uncollected", id=name_of(report.nodeid), type=kind, message=message)

    def pytest_runtest_logstart(self, nodeid, location):
        EYE.test = name_of(nodeid)
        self.channel.tell("begin", id=name_of(nodeid))

    def pytest_runtest_logfinish(self, nodeid, location):
        self.channel.tell("end", id=name_of(nodeid))

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        outcome = yield
        if call.excinfo is not None:
            report = outcome.get_result()
            report.assay_error = self.describe(call.excinfo)
            if report.outcome == "failed":
                report.longrepr = printable(report)

    def pytest_runtest_logreport(self, report):
        kind, message, frames = getattr(report, "assay_error", None) or ("", "", [])
        if not kind and report.outcome == "failed":
            kind, message = error_in_text(str(report.longrepr))
        if not kind and report.outcome == "skipped" and isinstance(report.longrepr, tuple):
            message = str(report.longrepr[-1])[:MESSAGE_CHARACTERS]
        self.channel.tell(
            "phase",
            id=name_of(report.nodeid),
            when=report.when,
            outcome=report.outcome,
            xfail=hasattr(report, "wasxfail"),
            seconds=float(getattr(report, "duration", 0.0) or 0.0),
            type=kind,
            message=message,
            where=frames[-1] if frames else "",
            frames=frames,
        )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session, exitstatus):
        self.channel.tell("finish", status=int(session.exitstatus))

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item):
        self.arm()
        yield
        disarm()

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item):
        self.arm()
        yield
        disarm()

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item):
        self.arm()
        yield
        disarm()

    def arm(self):
        if self.seconds > 0:
            signal.signal(signal.SIGALRM, self.expire)
            # Again and again, for tests that swallow everything.
            signal.setitimer(signal.ITIMER_REAL, self.seconds, REPEAT_SECONDS)

    def expire(self, signum, frame):
        raise TestTimeout("ran longer than %g seconds" % self.seconds)

    def describe(self, excinfo):
        kind = getattr(excinfo.type, "__name__", "")
        try:
            message = str(excinfo.value)[:MESSAGE_CHARACTERS]
        except Exception:
            message = ""
        return kind, message, self.frames(excinfo.tb)

    def frames(self, traceback):
        found = []
        while traceback is not None:
            name = os.path.realpath(traceback.tb_frame.f_code.co_filename)
            if name.startswith(self.root):
                found.append("%s:%d" % (name[len(self.root) :], traceback.tb_lineno))
            traceback = traceback.tb_next
        return found[: FRAMES // 2] + found[-FRAMES // 2 :] if len(found) > FRAMES else found


def disarm():
    signal.setitimer(signal.ITIMER_REAL, 0)


def printable(report):
    """What the failure looks like; its type and message alone where it cannot be written out. pytest 6.0.0 and 6.0.1
    break off the run over a message of several lines, when they are asked for no traceback.
    """
    try:
        str(report.longrepr)
    except Exception:
        return "%s: %s" % report.assay_error[:2]
    return report.longrepr


def error_in_text(text):
    """Type and message of the last error in a rendered traceback."""
    found = ERROR_LINE.findall(text)
    if found:
        kind, message = found[-1] if not found[0][0].endswith(("Error", "Exception")) else found[0]
        return kind.rpartition(".")[2], message[:MESSAGE_CHARACTERS]
    lines = text.strip().splitlines()
    return "", (lines[-1] if lines else "")[:MESSAGE_CHARACTERS]


CHANNEL = Channel(int(os.environ.pop("ASSAY_CHANNEL_FD", "-1")))
EYE = Eye(CHANNEL)
see = EYE.see
SECONDS = float(os.environ.pop("ASSAY_TEST_SECONDS", "0"))


def pytest_configure(config):
    if not hasattr(config, "workerinput") and not hasattr(config, "slaveinput"):
        config.pluginmanager.register(Reporter(CHANNEL, SECONDS, os.getcwd()), "assay-reporter")
