"""Fixtures and settings that hold for every test."""

import pytest
from hypothesis import HealthCheck, settings

# How busy the machine is says nothing about the code.
settings.register_profile("assay", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("assay")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
