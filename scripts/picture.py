"""Makes the README's picture: both services, a short chat with the demo models, a screenshot in Chromium."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "contract_tests" / "tools"), str(ROOT / "webui" / "tests")]
from stack import running_api, running_webui  # noqa: E402  # found by the line above
from steps import ask, connected  # noqa: E402  # the same

PICTURE = ROOT / "docs" / "images" / "console.png"
NOWHERE = "http://127.0.0.1:9/v1"
SIZE: ViewportSize = {"width": 1440, "height": 820}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUESTIONS = (
    ("demo/story", "Tell me what a gateway is for, in a few sentences."),
    ("demo/priced", "And what did that cost?"),
)


def main() -> int:
    """Take it; gives the exit status."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium is needed; install it with the system's package manager.", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory() as folder,
        running_api(Path(folder), NOWHERE) as api,
        running_webui(Path(folder), api.url) as webui,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(webui.url)
        connected(page)
        for model, question in QUESTIONS:
            ask(page, question, model)
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURE)
        browser.close()
    print(PICTURE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
