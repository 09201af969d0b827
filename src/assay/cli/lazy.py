"""`assay.app`, imported at the first use of one of its functions."""

from __future__ import annotations

import importlib
from typing import Any


class LazyApp:
    """Stands for the module `assay.app`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("assay.app"), name)
