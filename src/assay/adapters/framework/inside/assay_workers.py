"""The pytest plug-in that tells what was collected when pytest-xdist shares the tests out: its own process collects
nothing, so that nobody else would.

Loaded only when workers are asked for. Runs inside the sandbox: Python 3.6 and later, pytest 3.6 and later.
"""

import assay_report
import pytest


class Collected:
    """Tells it once; all workers collect the same, or pytest-xdist gives up."""

    def __init__(self):
        self.told = False

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node, ids):
        if not self.told:
            self.told = True
            names = [assay_report.name_of(name) for name in ids]
            for first in range(0, len(names), assay_report.CHUNK):
                assay_report.CHANNEL.tell("collected", ids=names[first : first + assay_report.CHUNK])


def pytest_configure(config):
    if not hasattr(config, "workerinput") and not hasattr(config, "slaveinput"):
        config.pluginmanager.register(Collected(), "assay-collected")
