"""What `assay doctor` says of a container engine, found out by asking it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from assay.adapters.sandbox.client import INSTALL, Client, refusal
from assay.adapters.sandbox.diagnosis import attempt
from assay.errors import AssayError
from assay.ports.sandbox import Finding, Sandbox

START = {
    "docker": "start it: systemctl start docker; where nothing can, as in many containers, use bubblewrap",
    "podman": "podman needs no daemon: its own words say what it lacks",
}


async def findings(sandbox: Sandbox, client: Client) -> list[Finding]:
    """One finding for the client, one for the engine, one for a first container; never raises."""
    name = client.name
    try:
        version = await client.tell("--version")
    except AssayError as error:
        return [Finding(name, False, error.message, INSTALL[name], required=False)]
    found = [Finding(name, True, version, required=False)]
    found.append(await engine(client))
    if found[-1].ok:
        advice = f"`{name} info` says more; bubblewrap needs no engine"
        found.append(await attempt(f"a {name} container starts", sandbox, (), advice, required=False))
    return found


async def engine(client: Client) -> Finding:
    """Whether an engine answers its client, and what it is; never raises."""
    name = client.name
    word = "docker daemon" if name == "docker" else "podman engine"
    try:
        done = await client.ask("info", "--format", "{{json .}}")
        told = json.loads(done.stdout)
        lacks = done.exit_status != 0 or told.get("ServerErrors")
        if lacks:
            raise refusal(name, done.stderr.decode(errors="replace") or str(told["ServerErrors"]))
        return Finding(word, True, _docker_words(told) if name == "docker" else _podman_words(told), required=False)
    except AssayError as error:
        return Finding(word, False, error.message, error.hint or START[name], required=False)
    except (ValueError, KeyError, AttributeError):
        return Finding(word, False, "it answers in a way that is not understood", START[name], required=False)


def _docker_words(told: Mapping[str, Any]) -> str:
    rootless = any("rootless" in str(option) for option in told.get("SecurityOptions") or ())
    return (
        f"version {told['ServerVersion']}, storage {told['Driver']}, control groups {told.get('CgroupVersion', '?')}"
        f"{', rootless' if rootless else ''}"
    )


def _podman_words(told: Mapping[str, Any]) -> str:
    place, store = told["host"], told["store"]
    kind = "rootless" if place["security"]["rootless"] or os.geteuid() != 0 else "as root"
    groups = str(place["cgroupVersion"]).removeprefix("v")
    return f"version {told['version']['Version']}, storage {store['graphDriverName']}, control groups {groups}, {kind}"
