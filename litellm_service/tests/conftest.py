"""Fixtures that every test of the service may use."""

import pytest


@pytest.fixture
def anyio_backend():
    return "asyncio"
