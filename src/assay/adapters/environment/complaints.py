"""Whom a failed step of building an environment speaks against: this machine, the index, or the project."""

from __future__ import annotations

import re

from assay.errors import DiskFullError, EnvironmentBuildError, InfrastructureError, ProviderError
from assay.model.sandbox import ExecResult

_OFFLINE = re.compile(
    r"dns error|failed to lookup address|connection (?:refused|reset)|error sending request|network is unreachable"
    r"|timed out|tls handshake|invalid peer certificate|50[0234] (?:bad|service|gateway|internal)",
    re.IGNORECASE,
)
_FETCHING = re.compile(r"failed to (?:fetch|download)|request failed|error sending request", re.IGNORECASE)
_OF_BUILD = re.compile(r"^\s*\[(?:stdout|stderr)\]", re.MULTILINE)
"""Where uv starts to quote what a build printed: those lines are the project's, not uv's."""


def tail(result: ExecResult) -> str:
    """The last words of a command, as an error quotes them."""
    return (result.stdout + result.stderr).decode("utf-8", "replace").strip()[-2000:]


def complaint(step: str, result: ExecResult) -> InfrastructureError:
    """The error that a failed command is."""
    words = tail(result)
    if result.stopped == "disk" or "No space left on device" in words:
        return DiskFullError(f"no space is left while building an environment ({step})", hint="free some space")
    own = _OF_BUILD.split(result.stderr.decode("utf-8", "replace"), maxsplit=1)[0]
    if _FETCHING.search(own) and _OFFLINE.search(own):
        return ProviderError("the package index does not answer", hint="check the network and run again", tail=words)
    return EnvironmentBuildError(f"the step `{step}` of building an environment failed", step=step, tail=words)
