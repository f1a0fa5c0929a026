"""The administrators' pages: keys, budgets, limits, prices, providers, models, alerts, audit; and what others see of them."""

import json
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from stack import ApiService, Mock, WebUI, get_json, post_json, running_api, running_webui
from steps import OpenPage, choose, connected, violations, write

ADMIN = "sk-" + secrets.token_urlsafe(24)
PAGES = ("keys", "budgets", "models", "prices", "providers", "alerts", "audit")
READERS = ("budgets", "prices", "providers", "alerts", "audit")
SignIn = Callable[..., Page]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[ApiService]:
    with running_api(tmp_path_factory.mktemp("administered"), mock.url, None, GATEWAY_ADMIN_KEY=ADMIN) as running:
        yield running


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, keyed: ApiService) -> Iterator[WebUI]:
    with running_webui(tmp_path_factory.mktemp("console"), keyed.url, GATEWAY_ADMIN_KEY=ADMIN) as running:
        yield running


@pytest.fixture
def enter(open_page: OpenPage, console: WebUI) -> SignIn:
    """Open a page as whoever has a key."""

    def entered(path: str, key: str = ADMIN, **view: Any) -> Page:
        page = open_page(f"/login?next={path}", url=console.url, **view)
        page.get_by_label("Your key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**{path}")
        return page

    return entered


def bearer(key: str = ADMIN) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def made(keyed: ApiService, path: str, body: dict[str, Any]) -> dict[str, Any]:
    status, answer = post_json(f"{keyed.url}{path}", body, bearer())
    assert status == 200, answer
    return dict(answer)


def listed(keyed: ApiService, path: str, noun: str) -> list[dict[str, Any]]:
    return list(get_json(f"{keyed.url}{path}", bearer())[1][noun])


def called(keyed: ApiService, key: str, **body: Any) -> int:
    return post_json(f"{keyed.url}/api/chat", {"model": "demo/priced", "query": "hi", **body}, bearer(key))[0]


def unheard(name: str) -> str:
    """A name that no other try of the test has used."""
    return f"{name}-{secrets.token_hex(3)}"


def row(page: Page, words: str) -> Locator:
    return page.get_by_role("row").filter(has_text=words)


def from_menu(page: Page, label: str, words: str) -> None:
    page.get_by_role("button", name=label).click()
    page.get_by_role("dialog", name=label).get_by_role("button", name=words, exact=True).click()


# ------------------------------------------------------------------------------- keys


def test_a_new_key_is_shown_once_and_works_until_it_is_deleted(enter: SignIn, keyed: ApiService) -> None:
    page = enter("/keys")
    page.get_by_role("button", name="New key").click()
    form = page.get_by_role("dialog", name="New key")
    expect(form.get_by_label("Name", exact=True)).to_be_focused()
    form.get_by_label("Name", exact=True).fill("robot")
    form.get_by_label("Charged to user").fill("rob")
    form.get_by_label("Models").fill("demo/*, openai/gpt-4o")
    form.get_by_label("Budget (USD)").fill("2.50")
    form.get_by_text("More settings").click()
    form.get_by_label("Requests a minute").fill("30")
    form.get_by_role("button", name="Create key").click()
    box = page.get_by_role("dialog", name="The key of robot")
    secret = box.get_by_test_id("secret").inner_text()
    assert secret.startswith("sk-gw-")
    expect(box.get_by_role("button", name="Done")).to_be_disabled()
    for _ in range(3):
        page.keyboard.press("Escape")
    expect(box).to_be_visible()
    box.get_by_role("button", name="Copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    box.get_by_label("I have stored it").check()
    box.get_by_role("button", name="Done").click()
    assert called(keyed, secret) == 200
    (key,) = [key for key in listed(keyed, "/api/keys", "keys") if key["name"] == "robot"]
    assert (key["user_id"], key["models"]) == ("rob", ["demo/*", "openai/gpt-4o"])
    assert (key["budgets"][0]["amount_usd"], key["limits"][0]["requests_per_minute"]) == (2.5, 30)

    page.reload()
    mine = row(page, "robot")
    expect(mine).to_contain_text(f"sk-gw-{key['id']}-…")
    expect(mine).to_contain_text("of $2.50 a month")
    expect(mine).to_contain_text("30 requests a minute")
    assert secret not in page.content()

    from_menu(page, "What to do with robot", "Delete")
    sure = page.get_by_role("dialog", name="Delete robot?")
    sure.get_by_role("button", name="Delete key").click()
    expect(sure).to_have_count(0)
    expect(mine).to_have_count(0)
    assert called(keyed, secret) == 401


def test_a_key_is_blocked_changed_and_given_a_new_secret(enter: SignIn, keyed: ApiService) -> None:
    key = made(keyed, "/api/keys", {"name": "worker", "models": ["demo/echo"]})
    page = enter("/keys")
    menu = "What to do with worker"
    from_menu(page, menu, "Block")
    expect(row(page, "worker")).to_have_count(0)
    assert called(keyed, key["key"]) == 401
    page.get_by_label("Show blocked and expired").check()
    expect(row(page, "worker")).to_contain_text("blocked")
    from_menu(page, menu, "Unblock")
    expect(row(page, "worker")).not_to_contain_text("blocked")
    assert called(keyed, key["key"]) == 403

    from_menu(page, menu, "Change")
    form = page.get_by_role("dialog", name="Change worker")
    form.get_by_label("Models").fill("demo/*")
    form.get_by_text("More settings").click()
    form.get_by_label("Keep its prompts and answers").uncheck()
    form.get_by_role("button", name="Save").click()
    expect(row(page, "worker")).to_contain_text("demo/*")
    now = get_json(f"{keyed.url}/api/keys/{key['id']}", bearer())[1]
    assert (now["models"], now["store_content"], now["name"]) == (["demo/*"], False, "worker")
    assert called(keyed, key["key"]) == 200

    from_menu(page, menu, "New secret")
    page.get_by_role("dialog").get_by_label("The old secret is good for").select_option("one more hour")
    page.get_by_role("button", name="Make a new secret").click()
    fresh = page.get_by_test_id("secret").inner_text()
    assert fresh != key["key"]
    assert [called(keyed, one) for one in (fresh, key["key"])] == [200, 200]


def test_what_the_api_refuses_stands_at_its_field_and_nothing_typed_is_lost(enter: SignIn) -> None:
    page = enter("/keys")
    page.get_by_role("button", name="New key").click()
    form = page.get_by_role("dialog", name="New key")
    form.get_by_role("button", name="Create key").click()
    name = form.get_by_label("Name", exact=True)
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_be_focused()
    name.fill("x" * 300)
    form.get_by_label("Budget (USD)").fill("ten")
    form.get_by_role("button", name="Create key").click()
    expect(form.get_by_label("Budget (USD)")).to_have_attribute("aria-invalid", "true")
    form.get_by_label("Budget (USD)").fill("-1")
    form.get_by_role("button", name="Create key").click()
    expect(form.get_by_role("alert")).not_to_be_empty()
    expect(name.or_(form.get_by_label("Budget (USD)")).first).to_have_attribute("aria-invalid", "true")
    expect(name).to_have_value("x" * 300)
    assert violations(page) == []


# ---------------------------------------------------------------------- budgets, limits


def test_a_budget_warns_stops_and_says_when_it_resets(enter: SignIn, keyed: ApiService) -> None:
    spender = unheard("spender")
    key = made(keyed, "/api/keys", {"name": spender, "user_id": spender})
    page = enter("/budgets")
    page.get_by_role("button", name="New budget").click()
    form = page.get_by_role("dialog", name="New budget")
    form.get_by_label("On", exact=True).select_option("a user")
    form.get_by_label("User", exact=True).fill(spender)
    form.get_by_label("Amount (USD)").fill("0.0015")
    form.get_by_label("Tell at (%)").fill("10, 100")
    form.get_by_label("Time zone of its midnights").fill("Mars/Olympus")
    form.get_by_role("button", name="Create budget").click()
    expect(form.get_by_role("alert")).to_contain_text("There is no time zone Mars/Olympus")
    form.get_by_label("Time zone of its midnights").fill("Asia/Kathmandu")
    form.get_by_role("button", name="Create budget").click()
    card = page.get_by_role("listitem").filter(has_text=f"user {spender}")
    bar = card.get_by_test_id("budget-bar")
    expect(bar).to_contain_text("of $0.0015 a month")
    expect(bar).to_contain_text(re.compile(r"resets 1 \w{3}, 00:00 Asia/Kathmandu"))
    expect(bar).to_have_attribute("data-state", "ok")

    while called(keyed, key["key"], max_tokens=8, query="a word of the one who spends") == 200:
        pass
    page.reload()
    expect(bar).to_have_attribute("data-state", "warn")
    spent = listed(keyed, "/api/budgets", "budgets")
    (budget,) = [one for one in spent if one["scope"]["name"] == spender]
    share = int(budget["spent_nano_usd"] * 100 // budget["limit_nano_usd"])
    expect(bar.get_by_role("meter")).to_have_attribute("aria-valuenow", str(share))

    page.goto(page.url.replace("/budgets", "/alerts"))
    expect(page.get_by_test_id("alert").first).to_contain_text(f"10% of the monthly budget on user {spender}")
    page.goto(page.url.replace("/alerts", "/"))
    connected(page)
    page.get_by_label("User").fill(spender)
    choose(page, "demo/priced")
    write(page, "one more")
    expect(page.locator(".failure")).to_contain_text("A budget has not enough left")


def test_a_budget_is_raised_changed_and_deleted(enter: SignIn, keyed: ApiService) -> None:
    budget = made(
        keyed, "/api/budgets", {"scope": {"kind": "user", "name": "growing"}, "amount_usd": 5, "period": "month"}
    )
    page = enter("/budgets")
    menu = "What to do with the budget on user growing"
    from_menu(page, menu, "Raise for a while")
    form = page.get_by_role("dialog", name="Raise the budget")
    form.get_by_label("Up to (USD)").fill("3")
    form.get_by_label("Until").fill("2100-01-31T00:00")
    form.get_by_role("button", name="Raise").click()
    expect(form.get_by_label("Up to (USD)")).to_have_attribute("aria-invalid", "true")
    form.get_by_label("Up to (USD)").fill("50")
    form.get_by_role("button", name="Raise").click()
    card = page.get_by_role("listitem").filter(has_text="user growing")
    expect(card).to_contain_text("of $50.00 a month")
    expect(card).to_contain_text("raised until 31 Jan 2100")

    from_menu(page, menu, "Change")
    form = page.get_by_role("dialog", name="Change the budget")
    form.get_by_label("When it is used up").select_option("only tell (soft)")
    form.get_by_role("button", name="Save").click()
    expect(card).to_contain_text("soft")
    now = get_json(f"{keyed.url}/api/budgets/{budget['id']}", bearer())[1]
    assert (now["hard"], now["amount_usd"], now["scope"], now["raised_to_usd"]) == (False, 5, budget["scope"], 50)

    from_menu(page, menu, "Who holds how much")
    expect(page.get_by_role("dialog", name="Held of the budget")).to_contain_text("Nothing runs that holds any of it.")
    page.keyboard.press("Escape")
    from_menu(page, menu, "Delete")
    page.get_by_role("button", name="Delete budget").click()
    expect(card).to_have_count(0)


def test_a_rate_limit_is_made_changed_and_deleted(enter: SignIn, keyed: ApiService) -> None:
    page = enter("/budgets")
    page.get_by_role("button", name="New limit").click()
    form = page.get_by_role("dialog", name="New rate limit")
    form.get_by_label("User", exact=True).fill("hasty")
    form.get_by_role("button", name="Create limit").click()
    expect(form.get_by_label("Requests a minute")).to_have_attribute("aria-invalid", "true")
    form.get_by_label("Requests a minute").fill("60")
    form.get_by_role("button", name="Create limit").click()
    expect(row(page, "user hasty")).to_contain_text("60 requests a minute")
    menu = "What to do with the limit on user hasty"
    from_menu(page, menu, "Change")
    form = page.get_by_role("dialog", name="Change the limit")
    form.get_by_label("Requests a minute").fill("")
    form.get_by_label("Requests at once").fill("2")
    form.get_by_role("button", name="Save").click()
    expect(row(page, "user hasty")).to_contain_text("2 at once")
    expect(row(page, "user hasty")).not_to_contain_text("a minute")
    from_menu(page, menu, "Delete")
    page.get_by_role("button", name="Delete limit").click()
    expect(row(page, "user hasty")).to_have_count(0)


# ----------------------------------------------------------------------------- prices


def test_an_unpriced_model_takes_the_public_price_and_earlier_requests_get_theirs(
    enter: SignIn, keyed: ApiService
) -> None:
    before = len(listed(keyed, "/api/requests?model=openai/deepseek-chat", "requests"))
    for _ in range(2):
        assert called(keyed, ADMIN, model="openai/deepseek-chat") == 200
    page = enter("/prices")
    mine = page.locator("[data-model='openai/deepseek-chat']")
    expect(mine).to_contain_text(f"{before + 2} requests")
    mine.get_by_role("button", name=re.compile("^Take .* of deepseek.deepseek-chat")).click()
    expect(mine).to_contain_text("has a price now")
    expect(row(page, "as deepseek/deepseek-chat")).to_contain_text("openai/deepseek-chat")

    page.get_by_role("button", name="Price anew").click()
    page.get_by_role("button", name="See what would change").click()
    found = page.get_by_role("dialog", name="What would change")
    # The price holds from now on: what was asked before it is left as it is.
    expect(found).to_contain_text("cost what the book says")
    page.keyboard.press("Escape")
    from_menu(page, "What to do with the price of openai/deepseek-chat", "Change")
    form = page.get_by_role("dialog", name="Change the price")
    form.get_by_label("From", exact=True).fill("2026-01-01T00:00")
    form.get_by_label("Output, $ per M tokens").fill("0.84")
    form.get_by_role("button", name="Set price").click()
    expect(row(page, "as deepseek/deepseek-chat")).to_contain_text("$0.84")
    page.get_by_role("button", name="Price anew").click()
    page.get_by_role("button", name="See what would change").click()
    expect(found).to_contain_text(f"{before + 2} of")
    found.get_by_role("button", name="Correct the ledger").click()
    expect(found).to_have_count(0)
    requests = listed(keyed, "/api/requests?model=openai/deepseek-chat", "requests")
    assert all(request["cost_nano_usd"] for request in requests)
    page.reload()
    expect(row(page, "as deepseek/deepseek-chat")).to_be_visible()
    expect(mine).to_have_count(0)


def test_a_price_is_set_by_hand_and_taken_back(enter: SignIn, keyed: ApiService) -> None:
    ours = unheard("openai/of-our-own")
    assert called(keyed, ADMIN, model=ours) == 200
    page = enter("/prices")
    page.locator(f"[data-model='{ours}']").get_by_role("button", name="Set price").click()
    form = page.get_by_role("dialog", name="Set a price")
    expect(form.get_by_label("Model")).to_have_value(ours)
    form.get_by_label("Input, $ per M tokens", exact=True).fill("3")
    form.get_by_role("button", name="Set price").click()
    expect(form.get_by_label("Output, $ per M tokens")).to_have_attribute("aria-invalid", "true")
    form.get_by_label("Output, $ per M tokens").fill("12")
    form.get_by_role("button", name="Set price").click()
    expect(row(page, ours).first).to_contain_text("$12.00")
    from_menu(page, f"What to do with the price of {ours}", "Take back")
    page.get_by_role("button", name="Take back", exact=True).click()
    expect(page.locator(f"[data-model='{ours}']")).to_have_count(1)


def test_a_map_is_looked_at_before_it_is_imported(enter: SignIn, keyed: ApiService, tmp_path: Path) -> None:
    page = enter("/prices")
    wrong = tmp_path / "wrong.json"
    wrong.write_text("no json")
    page.locator("input[type=file]").set_input_files(wrong)
    expect(page.locator(".toast")).to_contain_text("wrong.json is not JSON")
    small = tmp_path / "map.json"
    price = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "mode": "chat", "litellm_provider": "openai"}
    small.write_text(json.dumps({"gpt-of-the-map": price}))
    page.locator("input[type=file]").set_input_files(small)
    asked = page.get_by_role("dialog", name="Import this map of prices?")
    expect(asked).to_contain_text("1 new")
    expect(asked.get_by_role("button", name="Import")).to_be_disabled()
    assert violations(page) == []
    asked.get_by_label("They are right").check()
    asked.get_by_role("button", name="Import").click()
    expect(asked).to_have_count(0)
    page.get_by_label("Find a model’s price").fill("gpt-of-the-map")
    expect(row(page, "openai/gpt-of-the-map")).to_contain_text("$2.00")
    page.get_by_role("button", name="What to do with the map").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete map").click()
    expect(page.get_by_text("Only the map that came with the package")).to_be_visible()
    assert listed(keyed, "/api/prices", "maps") == []


# ---------------------------------------------------------------- models, providers, audit


def test_models_are_found_by_words_and_abilities(enter: SignIn) -> None:
    page = enter("/models")
    expect(row(page, "demo/priced")).to_contain_text("$1.00")
    page.get_by_label("Find a model").fill("gpt-4o mini")
    expect(row(page, "openai/gpt-4o-mini").first).to_be_visible()
    expect(row(page, "demo/priced")).to_have_count(0)
    page.get_by_label("Find a model").fill("claude")
    expect(page.get_by_text("No model matches.")).to_be_visible()
    page.get_by_label("Those without a key as well").check()
    expect(row(page, "anthropic/claude").first).to_contain_text("no key")
    page.get_by_label("Ability").select_option("speaks")
    expect(row(page, "anthropic/claude")).to_have_count(0)


def test_a_provider_says_what_it_lacks_and_how_its_models_do(enter: SignIn, keyed: ApiService) -> None:
    called(keyed, ADMIN, model="openai/gpt-4o")
    page = enter("/providers")
    openai = page.locator("[data-provider=openai]")
    expect(openai).to_contain_text("ready")
    expect(openai).to_contain_text("OPENAI_API_KEY is set")
    expect(row(page, "openai/gpt-4o").first).to_contain_text("healthy")
    page.get_by_label("Find a provider").fill("anthropic")
    expect(page.locator("[data-provider=anthropic]")).to_contain_text("ANTHROPIC_API_KEY=…")
    expect(page.locator("[data-provider=mistral]")).to_have_count(0)
    page.get_by_role("button", name="Copy the line for Anthropic").click()
    assert page.evaluate("navigator.clipboard.readText()") == "ANTHROPIC_API_KEY="


def test_a_new_gateway_says_exactly_what_to_put_into_env(
    open_page: OpenPage, tmp_path_factory: pytest.TempPathFactory, mock: Mock
) -> None:
    folder = tmp_path_factory.mktemp("new")
    with (
        running_api(folder, mock.url, None, OPENAI_API_KEY="", OPENAI_BASE_URL="") as api,
        running_webui(folder, api.url, GATEWAY_ADMIN_KEY_FILE="/nonexistent") as webui,
    ):
        page = open_page("/providers", url=webui.url)
        first = page.get_by_test_id("first-run")
        expect(first).to_contain_text("OPENAI_API_KEY=sk-…")
        expect(first).to_contain_text("demo/")
        first.get_by_role("button", name="Check again").click()
        expect(first).to_be_visible()
        assert violations(page) == []


def test_the_audit_log_says_who_changed_what_before_and_after(enter: SignIn, keyed: ApiService) -> None:
    boss = made(keyed, "/api/keys", {"name": "the boss", "role": "admin"})
    key = made(keyed, "/api/keys", {"name": "audited"})
    page = enter("/keys", boss["key"])
    from_menu(page, "What to do with audited", "Change")
    form = page.get_by_role("dialog", name="Change audited")
    form.get_by_label("Name", exact=True).fill("audited anew")
    form.get_by_role("button", name="Save").click()
    expect(row(page, "audited anew")).to_be_visible()
    page.goto(page.url.replace("/keys", "/audit"))
    newest = page.get_by_test_id("audit-entry").first
    expect(newest).to_contain_text("the boss changed key audited anew")
    newest.get_by_text("the boss").click()
    expect(newest).to_contain_text("audited → audited anew")
    page.get_by_label("Show").select_option("budgets")
    expect(page.get_by_test_id("audit-entry").filter(has_text="key audited")).to_have_count(0)
    assert key["key"] not in page.content()


# ------------------------------------------------------------------------------- roles


def test_a_viewer_reads_it_all_and_finds_no_buttons(enter: SignIn, keyed: ApiService) -> None:
    viewer = made(keyed, "/api/keys", {"name": "auditor", "role": "viewer"})
    made(keyed, "/api/budgets", {"scope": {"kind": "user", "name": "seen"}, "amount_usd": 5, "period": "month"})
    page = enter("/budgets", viewer["key"])
    expect(page.get_by_text("user seen")).to_be_visible()
    expect(page.get_by_role("button", name="New budget")).to_have_count(0)
    page.get_by_role("button", name="What to do with the budget on user seen").click()
    menu = page.get_by_role("dialog", name="What to do with the budget on user seen")
    expect(menu.get_by_role("button")).to_have_count(1)
    page.goto(page.url.replace("/budgets", "/keys"))
    expect(row(page, "auditor")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^New key|^What to do"))).to_have_count(0)
    page.goto(page.url.replace("/keys", "/prices"))
    expect(page.get_by_text("The price book")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Set|Take|Import|anew"))).to_have_count(0)


def test_a_member_sees_its_own_key_and_no_other_page(enter: SignIn, keyed: ApiService) -> None:
    given = {"name": "mine", "user_id": "meme", "models": ["demo/*"], "limits": {"concurrency": 3}}
    member = made(keyed, "/api/keys", {**given, "budgets": [{"amount_usd": 7, "period": "week"}]})
    page = enter("/keys", member["key"])
    own = page.get_by_test_id("card-own-key")
    expect(own).to_contain_text("demo/*")
    expect(own).to_contain_text("of $7.00 a week")
    expect(own).to_contain_text("3 at once")
    nav = page.get_by_role("navigation", name="Administration")
    assert nav.get_by_role("link").all_inner_texts() == ["Models", "Keys"]
    assert violations(page) == []
    for name in READERS:
        reply = page.goto(page.url.rsplit("/", 1)[0] + f"/{name}")
        assert reply is not None
        assert reply.status == 403
        expect(page.get_by_text("This page is for administrators and viewers.")).to_be_visible()


# ------------------------------------------------------------------------- every page


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_at_any_width_in_either_theme(enter: SignIn, keyed: ApiService, name: str) -> None:
    for number in range(2):
        made(keyed, "/api/keys", {"name": f"{name} {number}", "budgets": [{"amount_usd": 1, "period": "day"}]})
    for theme, width in (("light", 1440), ("dark", 768), ("dark", 390), ("light", 320)):
        page = enter(f"/{name}", theme=theme, small=width < 400)
        page.set_viewport_size({"width": width, "height": 844})
        expect(page.locator(".card-body").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert violations(page) == [], (theme, width)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (theme, width)
        if name in {"keys", "budgets"}:
            page.get_by_role("button", name="New").first.click()
            page.locator("dialog[open] summary").or_(page.locator("dialog[open] h2")).first.click()
            assert violations(page) == [], (theme, width, "form")
        page.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_gets_no_answer_says_so_and_tries_again(enter: SignIn, name: str) -> None:
    page = enter(f"/{name}")
    expect(page.locator(".card-body").first).to_be_visible()
    page.route("**/api/**", lambda route: route.fulfill(status=503, json={"error": {"message": "The store is away."}}))
    page.reload()
    alert = page.get_by_role("alert").filter(has_text="The store is away.").first
    expect(alert).to_be_visible()
    page.unroute("**/api/**")
    alert.get_by_role("button", name="Retry").click()
    expect(page.locator(".card-body").first).to_be_visible()


def test_names_are_never_markup(enter: SignIn, keyed: ApiService) -> None:
    evil = "<img src=x onerror=window.hit=1>"
    made(keyed, "/api/keys", {"name": evil, "user_id": evil, "application_id": evil})
    for kind in ("user", "application"):
        made(keyed, "/api/budgets", {"scope": {"kind": kind, "name": evil}, "amount_usd": 1, "period": "day"})
    for name in ("keys", "budgets", "audit"):
        page = enter(f"/{name}")
        expect(page.get_by_text(evil).first).to_be_visible()
        assert page.evaluate("window.hit") is None
        page.context.close()
