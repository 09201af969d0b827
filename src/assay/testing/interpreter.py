"""The interpreter that runs this very code, as an environment: tests need not build one to use a sandbox."""

from __future__ import annotations

import sys
from pathlib import Path

from assay.model.environment import Environment, Recipe


def own_environment() -> Environment:
    """The interpreter and the packages that run this test."""
    prefixes = {Path(sys.prefix), Path(sys.base_prefix)}
    return Environment(
        recipe=Recipe(python="3.11", lock=("pytest-randomly==3",)),
        digest="",
        env_layers=(),
        repo_layers=(),
        host_mounts=tuple(sorted(prefix for prefix in prefixes if not prefix.is_relative_to("/usr"))),
        hidden=(),
        variables=(("PATH", "/usr/bin:/bin"), ("PYTHONDONTWRITEBYTECODE", "1")),
        python=sys.executable,
    )
