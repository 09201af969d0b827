"""The file that is left when assay itself is at fault: versions and traceback, no environment variables."""

from __future__ import annotations

import platform
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

PACKAGES = ("swe-assay", "anyio", "click", "pydantic", "rich", "sqlalchemy", "uv")


def write_report(error: BaseException, arguments: list[str]) -> tuple[Path | None, str]:
    """Write the report into the temporary folder; its path (None if that failed too) and its text."""
    text = "\n".join(
        [
            f"assay report, {datetime.now(UTC).isoformat(timespec='seconds')}",
            f"command: {['assay', *arguments]}",
            f"python: {sys.version}",
            f"platform: {platform.platform()}",
            *(f"{name}: {_version(name)}" for name in PACKAGES),
            "",
            "".join(traceback.format_exception(error)),
        ]
    )
    try:
        with tempfile.NamedTemporaryFile("w", prefix="assay-report-", suffix=".txt", delete=False) as file:
            file.write(text)
    except OSError:
        return None, text
    return Path(file.name), text


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
