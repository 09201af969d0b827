"""Which tests run and in which order, which lines each runs, and what the code under test answers them: for audits.

Runs inside the sandbox, in a child of assay_nursery. Python 3.6 and later, pytest 3.6 and later, standard library only.
It is loaded before pytest looks for assertions, and there are none in here: PYTEST_DONT_REWRITE.
"""

import collections
import hashlib
import json
import os
import sys
import threading

import pytest

MAX_SHAPE = 3
MAX_VALUES = 20000
"""Answers of one test that are taken into account."""


class Watch:
    """What is wanted of this run, and what it saw."""

    def __init__(self):
        self.order = {}
        self.mode = ""
        self.roots = ()
        self.descriptor = -1
        self.modules = False
        self.test = ""
        self.seen = collections.defaultdict(lambda: collections.defaultdict(set))
        self.digests = {}
        self.counts = collections.Counter()
        self.files = {}
        self.here = ""
        self.report = None
        """The module assay_report, which pytest itself has to load."""


STATE = Watch()


def prepare(tests, mode, watched, descriptor, modules):
    STATE.order = {name: number for number, name in enumerate(tests)}
    STATE.mode, STATE.descriptor, STATE.modules = mode, descriptor, modules
    STATE.here = os.path.realpath(os.getcwd()) + os.sep
    STATE.roots = frozenset(os.path.realpath(path) for path in watched)
    if mode == "lines":  # a conftest may load the repository long before the session starts
        start()


def watched_name(filename):
    """The path in the repository of a file that is watched, or an empty text; remembered."""
    found = STATE.files.get(filename)
    if found is None:
        place = os.path.realpath(filename)
        found = STATE.files[filename] = place[len(STATE.here) :] if place in STATE.roots else ""
    return found


def trace(frame, event, argument):
    name = watched_name(frame.f_code.co_filename)
    if not name:
        return None
    STATE.seen[STATE.test][name].add(frame.f_lineno)

    def local(frame, event, argument):
        if event == "line":
            STATE.seen[STATE.test][name].add(frame.f_lineno)
        return local

    return local


def profile(frame, event, argument):
    """An answer of the code under test to somebody outside of it."""
    if event != "return" or not watched_name(frame.f_code.co_filename):
        return
    caller = frame.f_back
    if caller is None or watched_name(caller.f_code.co_filename) or STATE.counts[STATE.test] > MAX_VALUES:
        return
    sys.setprofile(None)  # looking at values may call code that is watched
    try:
        STATE.counts[STATE.test] += 1
        told = [frame.f_code.co_name, shape(argument, 0), shape(vars_of(frame.f_locals.get("self")), 0)]
        digest = STATE.digests.setdefault(STATE.test, hashlib.sha256())
        digest.update(json.dumps(told).encode("utf-8", "replace"))
    finally:
        sys.setprofile(profile)


def vars_of(value):
    found = getattr(value, "__dict__", None)
    return found if type(found) is dict else None


def shape(value, depth):
    """A value as JSON: plain data by content, other objects by type and content as deep as makes sense."""
    try:
        return STATE.report.plain(value, 0)
    except STATE.report.Opaque:
        pass
    except Exception:  # whatever an object does when it is looked at
        return ["?"]
    kind = type(value).__module__ + "." + type(value).__name__
    if depth >= MAX_SHAPE:
        return ["o", kind]
    if type(value) in (list, tuple):
        return ["m", kind, [shape(item, depth + 1) for item in value[:100]]]
    if type(value) is dict:
        return ["m", kind, [[shape(k, depth + 1), shape(v, depth + 1)] for k, v in list(value.items())[:100]]]
    inner = vars_of(value)
    return ["o", kind, [[str(k), shape(v, depth + 1)] for k, v in list(inner.items())[:50]] if inner else []]


def start():
    if STATE.mode == "lines":
        threading.settrace(trace)
        sys.settrace(trace)
    elif STATE.mode == "values":
        sys.setprofile(profile)


def stop():
    sys.settrace(None)
    threading.settrace(None)
    sys.setprofile(None)


def third_party():
    """Modules that came from elsewhere than the repository, in the order in which they were loaded."""
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None)
        if place and not os.path.realpath(place).startswith(STATE.here) and not name.startswith(("assay_", "__m")):
            yield name


def tell():
    """Send what was seen; called once, after the session."""
    stop()
    if not STATE.mode and not STATE.modules:
        return
    found = {
        "lines": {t: {p: sorted(ls) for p, ls in files.items()} for t, files in STATE.seen.items()},
        "values": {t: digest.hexdigest() for t, digest in STATE.digests.items()},
        "modules": list(third_party()) if STATE.modules else [],
    }
    data = json.dumps(found).encode("ascii")
    while data:
        data = data[os.write(STATE.descriptor, data) :]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Only what was asked for, in the order in which it was asked for."""
    if STATE.order:
        name_of = STATE.report.name_of
        wanted = [item for item in items if name_of(item.nodeid) in STATE.order]
        others = [item for item in items if name_of(item.nodeid) not in STATE.order]
        if others:
            config.hook.pytest_deselected(items=others)
        items[:] = sorted(wanted, key=lambda item: STATE.order[name_of(item.nodeid)])


def pytest_sessionstart(session):
    STATE.report = sys.modules["assay_report"]
    start()


def pytest_runtest_logstart(nodeid, location):
    STATE.test = STATE.report.name_of(nodeid)


def pytest_runtest_logfinish(nodeid, location):
    STATE.test = ""
