"""The pytest plug-in that runs tests in another order: reversed, or drawn by a seed, over all tests of all files.

Loaded only when an order is asked for. Runs inside the sandbox: Python 3.6 and later, pytest 3.6 and later.
"""

import hashlib
import os

import pytest

ORDER = os.environ.get("ASSAY_ORDER", "")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """After everybody else, so that this order is the one that counts."""
    kind, _, seed = ORDER.partition(":")
    if kind == "reversed":
        items.reverse()
    elif kind == "random":
        # By the id and not by the place: the same seed gives the same order, whatever else is collected.
        items.sort(key=lambda item: hashlib.sha256((seed + " " + item.nodeid).encode("utf-8", "replace")).digest())
