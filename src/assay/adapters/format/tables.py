"""Harbor 1.4's rules for the keys of `task.toml` that we rely on; unknown keys are left alone."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from assay.adapters.format.folder import broken

TABLES = ("task", "metadata", "environment", "agent", "verifier", "solution")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
MODES = ("public", "no-network", "allowlist")


def check_tables(config: Mapping[str, Any]) -> None:
    """Raise TaskDefinitionError for the first key that Harbor would refuse."""
    for table in TABLES:
        _want(config.get(table, {}), isinstance(config.get(table, {}), Mapping), table, "a table")
    if task := config.get("task"):
        name = task.get("name")
        _want(name, isinstance(name, str) and bool(NAME.fullmatch(name)) and ".." not in name, "task.name", "org/name")
    for table in ("environment", "agent", "verifier"):
        _check_phase(config.get(table, {}), table)
    verifier = config.get("verifier", {})
    mode = verifier.get("environment_mode")
    _want(mode, mode in (None, "shared", "separate"), "verifier.environment_mode", "shared or separate")
    inner = verifier.get("environment")
    if inner is not None:
        _want(inner, isinstance(inner, Mapping), "verifier.environment", "a table")
        _want(mode, mode != "shared", "verifier.environment_mode", "separate, as [verifier.environment] exists")
        _check_phase(inner, "verifier.environment")


def _check_phase(table: Mapping[str, Any], place: str) -> None:
    mode, hosts = table.get("network_mode"), table.get("allowed_hosts")
    _want(mode, mode is None or mode in MODES, f"{place}.network_mode", "one of " + ", ".join(MODES))
    strings = hosts is None or (isinstance(hosts, list) and all(isinstance(host, str) for host in hosts))
    _want(hosts, strings, f"{place}.allowed_hosts", "a list of strings")
    _want(hosts, not hosts or mode == "allowlist", f"{place}.allowed_hosts", "none unless network_mode is allowlist")
    for key in ("timeout_sec", "build_timeout_sec", "cpus"):
        value = table.get(key)
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        _want(value, value is None or number, f"{place}.{key}", "a finite number")
    for key in ("memory_mb", "storage_mb", "gpus"):
        value = table.get(key)
        whole = isinstance(value, int) and not isinstance(value, bool)
        _want(value, value is None or whole, f"{place}.{key}", "a whole number")


def _want(found: object, holds: bool, key: str, expected: str) -> None:
    if not holds:
        raise broken("task.toml", key, "nothing" if found is None else repr(found), expected)
