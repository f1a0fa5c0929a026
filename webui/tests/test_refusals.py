"""What the chat says when a budget, a rate limit or a key's rights stand in the way; by the real API service."""

import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from stack import ApiService, Mock, WebUI, post_json, running_api, running_webui, wait_until
from steps import OpenPage, ask, choose, connected, record_of, violations, write

VIEWS = {"light-1440": ("light", False), "dark-390": ("dark", True)}
PRICED = "demo/priced"
Administer = Callable[[str, dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[ApiService]:
    """An API service in open mode: whoever calls may set budgets and limits too."""
    with running_api(tmp_path_factory.mktemp("limited"), mock.url) as running:
        yield running


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, gateway: ApiService) -> Iterator[WebUI]:
    """A console in front of it."""
    no_key = {"GATEWAY_ADMIN_KEY_FILE": "/nonexistent"}
    with running_webui(tmp_path_factory.mktemp("console"), gateway.url, **no_key) as running:
        yield running


@pytest.fixture
def administer(gateway: ApiService) -> Administer:
    """Make a budget, a limit or a key."""

    def made(path: str, body: dict[str, Any]) -> dict[str, Any]:
        status, answer = post_json(f"{gateway.url}{path}", body)
        assert status < 300, answer
        return dict(answer)

    return made


def chat_as(open_page: OpenPage, console: WebUI, user: str, **how: Any) -> Page:
    """The chat page, for a user of its own."""
    page = open_page("/", url=console.url, **how)
    expect(page.locator(".welcome")).to_be_visible()
    page.evaluate("user => localStorage.setItem('gateway.user', user)", user)
    page.reload()
    expect(page.locator(".welcome")).to_be_visible()
    return page


def figures(failure: Locator) -> dict[str, str]:
    """The refusal's figures by their names."""
    said = failure.get_by_test_id("refusal")
    expect(said).to_be_visible()
    return dict(zip(said.locator("dt").all_inner_texts(), said.locator("dd").all_inner_texts(), strict=True))


def someone() -> str:
    return f"user-{secrets.token_hex(4)}"


def refused(page: Page, text: str, model: str) -> Locator:
    """Ask, and give the banner that comes instead of an answer."""
    failure = ask(page, text, model).locator(".failure")
    expect(failure).to_be_visible()
    return failure


def test_a_budget_says_which_how_much_and_when_and_what_to_do(
    open_page: OpenPage, console: WebUI, administer: Administer
) -> None:
    user = someone()
    budget = {"scope": {"kind": "user", "name": user}, "amount_usd": 0.003012, "period": "day", "hard": True}
    administer("/api/budgets", budget)
    page = connected(chat_as(open_page, console, user))
    failure = refused(page, "what is left?", PRICED)
    expect(failure.locator(".tag")).to_have_text("402")
    said = figures(failure)
    assert said["Budget"] == f"Daily, on user {user}"
    assert said["Limit"] == "$0.003012"
    assert said["Spent"] == "$0.00"
    assert said["Left"] == "$0.003012"
    assert re.fullmatch(r"\$0\.\d+", said["This request may cost up to"])
    assert re.search(r"\d{4}, \d\d:\d\d", said["Resets"])
    expect(failure).to_contain_text("Nothing was billed.")
    failure.get_by_role("button", name="Fewer output tokens").click()
    page.get_by_label("Most output tokens").fill("1")
    page.keyboard.press("Escape")
    failure.get_by_role("button", name="Try again").click()
    expect(page.get_by_test_id("receipt-cost")).to_have_text(re.compile(r"^\$0\.0000\d"))
    page.keyboard.press("Control+.")
    page.get_by_label("Most output tokens").fill("5000")
    page.keyboard.press("Escape")
    failure = refused(page, "and now a longer answer", PRICED)
    spent = page.get_by_test_id("receipt-cost").first.inner_text()
    assert figures(failure)["Spent"] == spent
    failure.get_by_role("button", name="Use another model").click()
    expect(page.get_by_role("combobox", name="Filter models")).to_be_focused()


def test_a_request_says_what_was_held_and_where_its_cost_comes_from(
    open_page: OpenPage, console: WebUI, administer: Administer
) -> None:
    user = someone()
    budget = {"scope": {"kind": "user", "name": user}, "amount_usd": 1, "period": "day", "hard": True}
    page = connected(chat_as(open_page, console, user))
    ask(page, "before the budget", PRICED).get_by_test_id("receipt-id").click()
    facts = page.get_by_test_id("card-facts")
    expect(facts).to_contain_text("nothing: no hard budget applied")
    administer("/api/budgets", budget)
    page.goto(console.url)
    answer = ask(connected(page), "under the budget", PRICED)
    record = record_of(page, answer)
    answer.get_by_test_id("receipt-id").click()
    held = f"${record['hold']['amount_usd']:.9f}".rstrip("0")
    expect(facts).to_contain_text(re.compile(rf"Held at the start\s*{re.escape(held)}"))
    expect(facts).to_contain_text("computed from the price list")
    assert record["hold"]["amount_nano_usd"] >= record["cost_nano_usd"]


def test_a_rate_limit_counts_down_and_then_offers_to_try_again(
    open_page: OpenPage, console: WebUI, administer: Administer
) -> None:
    user = someone()
    administer("/api/limits", {"scope": {"kind": "user", "name": user}, "requests_per_minute": 1})
    page = connected(chat_as(open_page, console, user))
    ask(page, "the one", "demo/echo")
    failure = refused(page, "one too many", "demo/echo")
    expect(failure.locator(".tag")).to_have_text("429")
    assert figures(failure) == {"Limit": f"1 requests a minute, on user {user}", "Left now": "0 requests"}
    countdown = failure.get_by_test_id("countdown")
    expect(countdown).to_have_text(re.compile(r"again in \d+ s"))
    expect(failure.get_by_role("button", name="Try again")).to_have_count(0)
    expect(failure.get_by_role("button", name="Retry now")).to_have_count(0)
    first = countdown.inner_text()
    wait_until(lambda: countdown.inner_text() != first)
    page.clock.install()
    page.reload()
    failure = page.locator(".failure")
    page.clock.fast_forward(65_000)
    expect(failure.get_by_role("button", name="Try again")).to_be_visible()


def test_too_many_at_once_is_a_limit_that_frees_itself(
    open_page: OpenPage, console: WebUI, administer: Administer
) -> None:
    user = someone()
    administer("/api/limits", {"scope": {"kind": "user", "name": user}, "concurrency": 1})
    first = connected(chat_as(open_page, console, user))
    choose(first, "openai/gpt-4o")
    write(first, "{{tokens=400 delay_ms=25}}")
    expect(first.locator(".prose").last).not_to_be_empty()
    second = connected(chat_as(open_page, console, user))
    failure = refused(second, "me too", "demo/echo")
    assert figures(failure)["Limit"] == f"1 request at once, on user {user}"
    first.keyboard.press("Escape")
    expect(first.get_by_text("Stopped by you")).to_be_visible()
    failure.get_by_role("button", name="Try again").click()
    expect(second.locator(".answer .prose").last).to_contain_text("me too")


def test_a_request_over_a_token_limit_is_not_told_to_wait(
    open_page: OpenPage, console: WebUI, administer: Administer
) -> None:
    user = someone()
    administer("/api/limits", {"scope": {"kind": "user", "name": user}, "tokens_per_minute": 20})
    page = connected(chat_as(open_page, console, user))
    failure = refused(page, "a long question " * 20, "demo/echo")
    expect(failure).to_contain_text("Waiting does not help")
    expect(failure.get_by_test_id("countdown")).to_have_count(0)
    assert figures(failure)["Limit"] == f"20 tokens a minute, on user {user}"


def test_a_model_without_a_price_names_the_budget_that_must_know_it(
    open_page: OpenPage, console: WebUI, administer: Administer
) -> None:
    user = someone()
    budget = {"scope": {"kind": "user", "name": user}, "amount_usd": 5, "period": "month", "hard": True}
    administer("/api/budgets", budget)
    page = connected(chat_as(open_page, console, user))
    failure = refused(page, "what would it cost?", "openai/no-such-price")
    expect(failure.locator(".tag")).to_have_text("402")
    assert figures(failure) == {"Model": "openai/no-such-price", "Hard budget on": f"user {user}"}
    expect(failure).to_contain_text("administrator can also set one")
    failure.get_by_role("button", name="Use another model").click()
    expect(page.get_by_role("combobox", name="Filter models")).to_be_focused()


@pytest.mark.parametrize(("theme", "small"), VIEWS.values(), ids=VIEWS)
def test_axe_finds_nothing_beside_a_refusal(
    open_page: OpenPage, console: WebUI, administer: Administer, theme: str, small: bool
) -> None:
    user = someone()
    scope = {"kind": "user", "name": user}
    administer("/api/budgets", {"scope": scope, "amount_usd": 0.000001, "period": "month", "hard": True})
    page = chat_as(open_page, console, user, theme=theme, small=small)
    choose(page, PRICED)
    page.get_by_label("Message", exact=True).fill("over budget")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_test_id("refusal")).to_be_visible()
    assert violations(page) == [], "budget"
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    administer("/api/limits", {"scope": scope, "requests_per_minute": 1})
    choose(page, "demo/echo")
    for text in ("the one", "one too many"):
        page.get_by_label("Message", exact=True).fill(text)
        page.get_by_role("button", name="Send").click()
        expect(page.locator(".turn").last.get_by_role("button", name="Regenerate")).to_be_visible()
    expect(page.get_by_test_id("countdown")).to_be_visible()
    page.wait_for_timeout(250)
    assert violations(page) == [], "rate limit"
