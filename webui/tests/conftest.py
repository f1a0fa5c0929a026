"""The real services and Chromium; a page fails its test by a console error, a CSP report or a foreign request."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, sync_playwright

from stack import ApiService, Mock, WebUI, running_api, running_mock, running_webui
from steps import OpenPage

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
LARGE = {"width": 1440, "height": 900}
SMALL = {"width": 390, "height": 844}
# What Chromium itself logs for an error status that a test provokes.
EXPECTED = "Failed to load resource"
# And where a navigation comes while the pages of the one before still fade into each other.
SKIPPED = "Transition was skipped"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test with a page that fails is tried up to twice more, and the summary names it: two cores carry all."""
    for item in items:
        if "open_page" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
            item.add_marker(pytest.mark.flaky(reruns=2))


@pytest.fixture(scope="session")
def mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mock]:
    """The upstream."""
    with running_mock(tmp_path_factory.mktemp("mock")) as running:
        yield running


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[ApiService]:
    """The API service in front of the mock."""
    with running_api(tmp_path_factory.mktemp("api"), mock.url) as running:
        yield running


@pytest.fixture(scope="session")
def webui(tmp_path_factory: pytest.TempPathFactory, api: ApiService) -> Iterator[WebUI]:
    """The console in front of the API service, with the component kit."""
    no_key = {"GATEWAY_ADMIN_KEY_FILE": "/nonexistent"}
    with running_webui(tmp_path_factory.mktemp("webui"), api.url, WEBUI_DEV="1", **no_key) as running:
        yield running


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright's driver."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, one for all."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}; set CHROMIUM")
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


class Watch:
    """Collects what a page must not do."""

    def __init__(self, own: str) -> None:
        self.own = own
        self.faults: list[str] = []

    def on_console(self, message: ConsoleMessage) -> None:
        """Errors and warnings count, CSP reports among them."""
        if message.type in {"error", "warning"} and EXPECTED not in message.text:
            self.faults.append(f"console {message.type}: {message.text}")

    def on_request(self, request: Request) -> None:
        """Only the console's own origin may be asked."""
        if not request.url.startswith((self.own, "data:", "blob:")):
            self.faults.append(f"foreign request: {request.url}")

    def add(self, context: BrowserContext) -> None:
        """Watch every page of a context."""
        context.on("console", self.on_console)
        context.on("request", self.on_request)
        context.on("weberror", lambda error: self.on_error(str(error.error)))

    def on_error(self, message: str) -> None:
        """What nobody catches counts."""
        if SKIPPED not in message:
            self.faults.append(f"error: {message}")


@pytest.fixture
def open_page(browser: Browser, webui: WebUI) -> Iterator[OpenPage]:
    """Opens a page in a context of its own: `open_page("/usage", theme="dark", small=True)`."""
    watch = Watch(webui.url)
    contexts: list[BrowserContext] = []

    def opened(
        path: str = "/", *, theme: str = "light", small: bool = False, url: str = webui.url, **more: object
    ) -> Page:
        watch.own = url
        settings = {"viewport": SMALL if small else LARGE, "color_scheme": theme, "has_touch": small, **more}
        context = browser.new_context(**settings)  # type: ignore[arg-type]
        context.set_default_timeout(8000)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        watch.add(context)
        page = context.new_page()
        page.goto(url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert watch.faults == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """The chat page at 1440 px, in the light theme."""
    return open_page()
