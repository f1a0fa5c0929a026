"""The services under test, and the options of the suites."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import ApiService, Mock, running_api, running_mock


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers."""
    config.addinivalue_line("markers", "crash: kills the service; takes about a minute")
    config.addinivalue_line("markers", "slow: takes more than a few seconds")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def long_form() -> bool:
    """Whether `make verify` runs: longer loads, and figures for docs/verification.md."""
    return os.environ.get("VERIFY") == "1"


@pytest.fixture(scope="module")
def mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mock]:
    """The upstream, with a truth log of its own for each module."""
    with running_mock(tmp_path_factory.mktemp("mock")) as running:
        yield running


@pytest.fixture
def fresh_mock(tmp_path: Path) -> Iterator[Mock]:
    """An upstream of the test's own, where truth log and database must agree as a whole."""
    with running_mock(tmp_path / "mock") as running:
        yield running


@pytest.fixture(scope="module")
def api_environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of the module's service: its `API_ENVIRONMENT`, if it has one."""
    return dict(getattr(request.module, "API_ENVIRONMENT", {}))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, mock: Mock, api_environment: dict[str, str]) -> Iterator[ApiService]:
    """The API service in front of the mock, one for each module."""
    with running_api(tmp_path_factory.mktemp("api"), mock.url, None, **api_environment) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for a service of one test."""
    return tmp_path
