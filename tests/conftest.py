"""Fixtures and settings that hold for every test."""

import functools
import os

import anyio
import pytest
from hypothesis import HealthCheck, settings

from assay.adapters.sandbox.client import Client
from assay.adapters.sandbox.container_diagnosis import engine
from assay.wiring import load_settings

# How busy the machine is says nothing about the code.
settings.register_profile("assay", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("assay")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `docker` (or `docker("podman")`) need an engine that answers; without one they say why not."""
    for marker in item.iter_markers("docker"):
        reason = _why_not(marker.args[0] if marker.args else "docker")
        if reason:
            pytest.skip(reason)


@functools.cache
def _why_not(name: str) -> str:
    if os.geteuid() != 0:
        return "container sandboxes need root"
    found = anyio.run(engine, Client(name, load_settings().engine_environment))
    return "" if found.ok else f"{found.name}: {found.detail}"
