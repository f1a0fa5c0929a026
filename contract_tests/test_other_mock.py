"""Suite q with an upstream that we did not write: every SDK against the wires of `@copilotkit/aimock`."""

import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sdk_drivers import DRIVERS, STATUS_ERRORS, Driver, status_of
from stack import ApiService, Service, free_port, running_api, wait_until

FOLDER = Path(__file__).resolve().parent / "other_mock"
PROGRAM = FOLDER / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
MODELS = {
    "openai": "openai/gpt-4o", "anthropic": "anthropic/claude-sonnet-4-5", "google": "google/gemini-2.5-flash",
}  # fmt: skip
PAIRS = [pytest.param(client, model, id=f"{client}-{name}") for client in DRIVERS for name, model in MODELS.items()]
matrix = pytest.mark.parametrize(("client", "model"), PAIRS)


def installed() -> None:
    """Install the locked package where it is missing; without npm the tests are skipped, in CI they fail."""
    if PROGRAM.exists():
        return
    if shutil.which("npm") is None or shutil.which("node") is None:
        lacks("npm is not installed; node 20 brings it")
    done = subprocess.run(
        ["npm", "ci", "--silent"], cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False
    )
    if not PROGRAM.exists():
        lacks(f"npm could not install aimock: {done.stderr[-500:]}")


def lacks(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    installed()
    port = free_port()
    node = shutil.which("node") or "node"
    command = [node, str(PROGRAM), "-p", str(port), "-f", str(FOLDER / "fixtures.json")]
    mock = Service(command, FOLDER, tmp_path_factory.mktemp("other") / "aimock.log", {})
    mock.spawn()
    try:
        wait_until(lambda: "listening" in mock.log or not mock.running, 20, f"aimock:\n{mock.log}")
        assert mock.running, mock.log
        yield f"http://127.0.0.1:{port}"
    finally:
        mock.kill()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstream: str) -> Iterator[ApiService]:
    keys = {"ANTHROPIC_API_KEY": "sk-test-anthropic", "GOOGLE_API_KEY": "test-google"}
    where = {"ANTHROPIC_BASE_URL": upstream, "GOOGLE_BASE_URL": upstream, "GEMINI_BASE_URL": upstream}
    with running_api(tmp_path_factory.mktemp("gateway"), f"{upstream}/v1", None, **keys, **where) as running:
        yield running


@pytest.fixture(scope="module")
def drivers(gateway: ApiService) -> Iterator[dict[str, Driver]]:
    opened = {name: kind(gateway.url) for name, kind in DRIVERS.items()}
    yield opened
    for driver in opened.values():
        driver.close()


def rows(gateway: ApiService) -> list[dict[str, Any]]:
    return gateway.rows("SELECT * FROM requests ORDER BY id")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@matrix
def test_words_come_through(
    drivers: dict[str, Driver], gateway: ApiService, client: str, model: str, stream: bool
) -> None:
    before = len(rows(gateway))
    assert drivers[client].ask(model, "hello", stream=stream).text == "Hello from elsewhere."
    recorded = wait_until(lambda: rows(gateway)[before:], what="the row")
    assert [(row["outcome"], row["model"]) for row in recorded] == [("completed", model)]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@matrix
def test_a_tool_is_called_and_its_result_goes_back(
    drivers: dict[str, Driver], client: str, model: str, stream: bool
) -> None:
    if (client, model) == ("google", MODELS["google"]):
        pytest.skip("this mock ends with FUNCTION_CALL, which Google does not know; passed on, its SDK warns")
    asked = drivers[client].ask(model, "the weather", stream=stream, tools=True)
    assert [(call.name, call.arguments) for call in asked.calls] == [("get_weather", {"city": "Oslo"})]
    assert drivers[client].results(model, "the weather", asked, "sunny").text == "It is sunny in Oslo."


@matrix
def test_an_error_is_raised_with_its_words(drivers: dict[str, Driver], client: str, model: str) -> None:
    with pytest.raises(STATUS_ERRORS, match="No such luck") as raised:
        drivers[client].ask(model, "broken")
    assert status_of(raised.value) == 400


def test_the_mock_is_the_one_that_is_asked(upstream: str, drivers: dict[str, Driver]) -> None:
    drivers["anthropic"].ask(MODELS["openai"], "hello")
    with urllib.request.urlopen(f"{upstream}/__aimock/journal", timeout=5) as reply:
        assert b"/v1/chat/completions" in reply.read()
