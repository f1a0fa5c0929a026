"""Makes the pictures of README and docs: both services over invented requests, every page in Chromium, light and dark."""

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [
    str(ROOT / folder)
    for folder in ("contract_tests/tools", "webui/tests", "litellm_service", "litellm_service/tests/support")
]
from seeded import Shape, fill  # type: ignore[import-not-found]  # noqa: E402  # found by the line above

from gateway.domain.time import now_ms  # noqa: E402
from stack import post_json, running_api, running_mock, running_webui  # noqa: E402
from steps import ask, connected  # noqa: E402

PICTURES = ROOT / "docs" / "images"
SIZE: ViewportSize = {"width": 1280, "height": 800}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
APPLICATIONS = ("webshop", "support-desk", "search", "ci", "notebooks", "translator", "newsletter", "internal-wiki")
USERS = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy")
SUM = r"A gateway divides the work: $\bar{t} = \frac{1}{n}\sum_{i=1}^{n} t_i$ is the mean time of $n$ requests."


def main() -> int:
    """Take them all, or those that are named; gives the exit status."""
    wanted = sys.argv[1:] or list(PAGES)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium is needed; install it with the system's package manager.", file=sys.stderr)
        return 1
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        (folder / "webui").mkdir()
        with (
            running_mock(folder / "mock") as mock,
            running_api(folder, mock.url, _database(folder), ANTHROPIC_API_KEY="sk-of-the-pictures") as api,
            running_webui(folder / "webui", api.url, GATEWAY_ADMIN_KEY_FILE="/nonexistent") as webui,
        ):
            _administer(api.url)
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            for theme in ("light", "dark"):
                page = browser.new_context(viewport=SIZE, color_scheme=theme).new_page()
                for picture in wanted:
                    path, prepare = PAGES[picture]
                    page.goto(webui.url + path)
                    page.wait_for_load_state("networkidle")
                    prepare(page)
                    page.wait_for_timeout(400)
                    page.screenshot(path=PICTURES / f"{picture}-{theme}.png")
                    print(f"docs/images/{picture}-{theme}.png")
            browser.close()
    return 0


def _database(folder: Path) -> Path:
    """Sixty days of requests up to now, with names that people might choose."""
    path = folder / "pictures.db"
    shape = Shape(requests=12_000, days=60, to_ms=now_ms(), users=len(USERS), applications=len(APPLICATIONS), keys=1)
    fill(path, shape)
    names = [(f"app-{number}", word) for number, word in enumerate(APPLICATIONS)]
    names += [(f"user-{number}", word) for number, word in enumerate(USERS)]
    with closing(sqlite3.connect(path)) as connection, connection:
        for old, new in names:
            connection.execute("UPDATE dimensions SET name = ? WHERE name = ?", (new, old))
            connection.execute("UPDATE requests SET application_id = ? WHERE application_id = ?", (new, old))
            connection.execute("UPDATE requests SET user_id = ? WHERE user_id = ?", (new, old))
    return path


def _administer(api: str) -> None:
    """Keys, budgets and limits, and a little traffic that counts in them."""

    def make(path: str, body: dict[str, object]) -> dict[str, str]:
        status, made = post_json(f"{api}{path}", body)
        assert status == 200, made
        return dict(made)

    shop = make(
        "/api/keys",
        {
            "name": "Web shop",
            "application_id": "webshop",
            "models": ["openai/*", "anthropic/claude-*"],
            "budgets": [{"amount_usd": 0.006, "period": "month", "thresholds": [40, 100]}],
            "limits": {"requests_per_minute": 600},
        },
    )
    make("/api/keys", {"name": "CI", "user_id": "build", "application_id": "ci", "models": ["openai/gpt-4o-mini"]})
    make("/api/keys", {"name": "Auditor", "role": "viewer"})
    scopes = (("everything", "", 500, "month"), ("user", "carol", 25, "month"), ("application", "search", 5, "day"))
    for kind, name, amount, period in scopes:
        body = {"scope": {"kind": kind, "name": name}, "amount_usd": amount, "period": period, "tz": "Europe/Paris"}
        make("/api/budgets", body)
    make("/api/limits", {"scope": {"kind": "user", "name": "dave"}, "requests_per_minute": 20, "concurrency": 2})
    for _ in range(3):
        asked = {"model": "openai/gpt-4o", "query": "{{tokens=80}}", "user_id": "alice", "max_tokens": 90}
        post_json(f"{api}/api/chat", asked, {"authorization": f"Bearer {shop['key']}"})


def _chat(page: Page) -> None:
    connected(page)
    ask(page, "Tell me what a gateway is for, in a few sentences.", "demo/story")
    ask(page, SUM, "demo/priced")


def _compare(page: Page) -> None:
    connected(page)
    page.get_by_role("button", name="Compare").first.click()
    page.get_by_role("combobox", name="Filter models").fill("openai/gpt-4o-mini")
    page.keyboard.press("Enter")
    ask(page, "Which of you is cheaper? {{tokens=60}}", "openai/gpt-4o")


def _request(page: Page) -> None:
    page.get_by_test_id("request-row").first.get_by_role("link").click()
    page.get_by_test_id("card-timeline").wait_for()


def _what_if(page: Page) -> None:
    page.get_by_test_id("card-what-if").evaluate(
        "card => { const page = card.closest('.page'); page.scrollTop += card.getBoundingClientRect().top - 72; }"
    )


def _nothing(_: Page) -> None:
    """The page as it opens."""


MORE = "tz=Europe/Paris"
PAGES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "chat": ("/", _chat),
    "usage": (f"/usage?{MORE}", _nothing),
    "what-if": (f"/usage?{MORE}&instead=openai/gpt-4o-mini&instead=anthropic/claude-haiku-4-5", _what_if),
    "requests": (f"/requests?{MORE}", _nothing),
    "request": (f"/requests?{MORE}&application_id=webshop", _request),
    "models": ("/models", _nothing),
    "keys": ("/keys", _nothing),
    "budgets": ("/budgets", _nothing),
    "prices": ("/prices", _nothing),
    "providers": ("/providers", _nothing),
    "alerts": ("/alerts", _nothing),
    "audit": ("/audit", _nothing),
}

if __name__ == "__main__":
    sys.exit(main())
