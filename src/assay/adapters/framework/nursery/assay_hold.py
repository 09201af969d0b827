"""Where a session of pytest is held, so that children go on from there: what lies before is done once for all jobs.

Runs inside the sandbox, in assay_nursery. Python 3.6 and later, pytest 3.6 and later, standard library only.
There are two places: `options`, when pytest and its plug-ins are loaded and nothing of the repository is, and
`collection`, when everything is configured. The later one is taken where no module of the repository is loaded by then
(by a conftest, say); a scout in a world of its own finds that out. It is loaded before pytest looks for assertions,
and there are none in here: PYTEST_DONT_REWRITE.
"""

import json
import os
import stat
import sys
import threading

import pytest

CONFIGURING = (
    "conftest.py",
    "pytest.ini",
    ".pytest.ini",
    "pytest.toml",
    ".pytest.toml",
    "tox.ini",
    "setup.cfg",
    "pyproject.toml",
)


class Hold:
    """What happens at which place."""

    def __init__(self):
        self.place = ""
        self.serve = None
        """Called at the place with a function that sets the session right for a job; comes back in children alone."""
        self.scout = None
        """Called at each place with its name, instead."""
        self.arguments = []
        self.targets = []


HOLD = Hold()


def can_go_on(job):
    """Whether a job changes nothing that pytest read before the place."""
    names = [path.rpartition("/")[2] for path in job["files"]]
    return not job["in_place"] and all(name.endswith(".py") and name not in CONFIGURING for name in names)


def is_alone():
    """Threads do not come along with a fork."""
    return threading.active_count() == 1


def reached(place, adapt):
    if HOLD.scout is not None:
        HOLD.scout(place)
    elif HOLD.place == place:
        HOLD.serve(adapt)


def told_here(channel, seconds):
    """The plug-in that tells how tests end, which was loaded before there was anybody to tell."""
    report = sys.modules["assay_report"]
    report.CHANNEL.__init__(channel)
    report.SECONDS = seconds
    return report


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config, args):
    def adapt(job, channel):
        told_here(channel, job["test_seconds"])
        args[len(args) - len(HOLD.arguments) :] = [*job["arguments"], *job["targets"]]
        known = early_config.known_args_namespace.file_or_dir
        known[:] = [name for name in known if name not in HOLD.targets] + job["targets"]

    # Plug-ins may have changed the arguments; then nobody can say which of them are whose.
    if args[len(args) - len(HOLD.arguments) :] == HOLD.arguments:
        reached("options", adapt)
    yield


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_collection(session):
    def adapt(job, channel):
        report = told_here(channel, job["test_seconds"])
        config = session.config
        config.args = [name for name in config.args if name not in HOLD.targets] + job["targets"]
        if job["stop_early"]:
            config.option.maxfail = 1
        forget_output()
        reporter = config.pluginmanager.get_plugin("assay-reporter")
        reporter.seconds = report.SECONDS
        for plugin in (reporter, sys.modules["assay_watch"]):
            plugin.pytest_sessionstart(session)

    reached("collection", adapt)
    yield


def forget_output():
    """The files in which pytest captures output are shared with children that ran before."""
    for descriptor in (1, 2):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)


def find_places(own_modules, descriptor):
    """Make this child a scout: it tells the places that are reached with nothing of the repository loaded."""
    found = []

    def scout(place):
        if is_alone() and not any(own_modules()):
            found.append(place)
        if place == "collection":
            os.write(descriptor, json.dumps({"places": found}).encode("ascii"))
            os._exit(0)

    HOLD.scout = scout
