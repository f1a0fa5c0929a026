"""What a person does on the chat page, and axe."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

OpenPage = Callable[..., Page]
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def connected(page: Page) -> Page:
    """Wait until the API is connected and the models are there."""
    expect(page.get_by_test_id("connection")).to_contain_text("API connected", timeout=8000)
    expect(page.locator("#model-button .chip")).to_be_attached()
    return page


def choose(page: Page, model: str) -> None:
    """Choose a model by keyboard, as a person would."""
    page.keyboard.press("Control+m")
    page.get_by_role("combobox", name="Filter models").fill(model)
    page.keyboard.press("Enter")
    expect(page.locator("#model-button")).to_have_attribute("data-model", model)


def write(page: Page, text: str) -> None:
    """Type a message and send it."""
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_label("Message", exact=True).press("Enter")


def ask(page: Page, text: str, model: str | None = None) -> Locator:
    """Send a message, wait for the end of the answer and give the answer."""
    if model is not None:
        choose(page, model)
    before = page.locator(".answer").count()
    write(page, text)
    expect(page.locator(".answer")).to_have_count(before + 1)
    answer = page.locator(".answer").last
    expect(answer.get_by_test_id("receipt-time").or_(answer.locator(".failure")).first).to_be_visible(timeout=15_000)
    return answer


def request_id(answer: Locator) -> str:
    """The whole id behind a receipt."""
    return answer.get_by_test_id("receipt-id").get_attribute("title") or ""


def record_of(page: Page, answer: Locator) -> dict[str, Any]:
    """The API's own record for an answer."""
    record: dict[str, Any] = page.request.get(f"{origin(page)}/api/requests/{request_id(answer)}").json()
    return record


def origin(page: Page) -> str:
    """Scheme, host and port of the console."""
    return re.sub(r"^(https?://[^/]+).*", r"\1", page.url)


def violations(page: Page) -> list[str]:
    """What axe finds wrong in the page with every fade and move at its end (half faded text has too little contrast)."""
    page.evaluate(
        "document.getAnimations().filter(a => a.effect.getTiming().iterations !== Infinity).forEach(a => a.finish())"
    )
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})"
        ".then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target + ' ' + n.failureSummary).join(' | ')))",
        TAGS,
    )
    return list(found)
