"""Signing in with a key of one's own: whose figures one sees, how it ends, and where the key never is."""

import json
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from stack import ApiService, Mock, WebUI, get_json, post_json, running_api, running_webui
from steps import OpenPage, ask, choose, connected, origin, violations, write

ADMIN = "sk-" + secrets.token_urlsafe(24)
VIEWS = {"light-1440": ("light", False), "dark-390": ("dark", True)}
Key = dict[str, Any]
MakeKey = Callable[..., Key]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[ApiService]:
    """An API service that asks for keys."""
    with running_api(tmp_path_factory.mktemp("keyed"), mock.url, None, GATEWAY_ADMIN_KEY=ADMIN) as running:
        yield running


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, keyed: ApiService) -> Iterator[WebUI]:
    """A console in front of it."""
    with running_webui(tmp_path_factory.mktemp("console"), keyed.url, GATEWAY_ADMIN_KEY=ADMIN) as running:
        yield running


@pytest.fixture
def make_key(keyed: ApiService) -> MakeKey:
    """A new key as `POST /api/keys` gives it; `key` is its secret."""

    def made(name: str, **fields: Any) -> Key:
        status, key = post_json(f"{keyed.url}/api/keys", {"name": name, **fields}, bearer(ADMIN))
        assert status in {200, 201}, key
        return dict(key)

    return made


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def administer(keyed: ApiService, path: str, body: Any = None) -> Any:
    """A change by the administrator."""
    status, answer = post_json(f"{keyed.url}{path}", body or {}, bearer(ADMIN))
    assert status < 300, answer
    return answer


def signed_in(page: Page, key: str, *, small: bool = False) -> Page:
    """Fill in the form that stands in the way of a page."""
    page.get_by_label("Your key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login" not in url)
    return page if small else connected(page)


class Heard:
    """Everything that the console's server has sent to a page."""

    def __init__(self, page: Page) -> None:
        self.parts: list[str] = []
        page.on("response", self.add)

    def add(self, response: Response) -> None:
        self.parts.append(f"{response.url} {response.headers}")
        if response.status not in {204, 303, 304} and "/static/" not in response.url:
            self.parts.append(response.text())


STORED = """async () => {
  const databases = await indexedDB.databases();
  const kept = await Promise.all(databases.map(({name}) => new Promise(resolve => {
    const opening = indexedDB.open(name);
    opening.onsuccess = () => {
      const names = [...opening.result.objectStoreNames];
      const asked = names.map(name => opening.result.transaction(name).objectStore(name).getAll());
      asked.at(-1).onsuccess = () => resolve(JSON.stringify(asked.map(one => one.readyState === 'done' && one.result)));
    };
  })));
  return JSON.stringify([{...localStorage}, {...sessionStorage}, kept, document.cookie, document.documentElement.outerHTML]);
}"""


def test_a_member_signs_in_with_its_own_key_and_sees_who_it_is(
    open_page: OpenPage, console: WebUI, make_key: MakeKey
) -> None:
    key = make_key("alice’s laptop", user_id="alice")
    page = open_page("/usage?range=7d", url=console.url)
    expect(page).to_have_url(re.compile("/login"))
    page.get_by_label("Your key").fill(key["key"])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/usage\?range=7d"))
    who = page.get_by_role("form", name="Signed in")
    expect(who).to_contain_text("alice’s laptop")
    expect(who).to_contain_text("member")
    who.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Your key")).to_be_focused()
    page.wait_for_timeout(250)
    page.goto(f"{console.url}/usage")
    expect(page).to_have_url(re.compile("/login"))


def test_a_member_sees_its_own_usage_only_and_an_admin_all(
    open_page: OpenPage, console: WebUI, make_key: MakeKey
) -> None:
    alice, bob = make_key("alice", user_id="alice-u"), make_key("bob", user_id="bob-u")
    for key in (alice, bob):
        page = signed_in(open_page("/", url=console.url), key["key"])
        expect(page.get_by_label("User")).to_have_value(key["user_id"])
        expect(page.get_by_label("User")).not_to_be_editable()
        answer = ask(page, f"a word from {key['name']}", "demo/priced")
        expect(answer.get_by_test_id("receipt-cost")).to_contain_text("$0.0000")
        page.goto(f"{console.url}/usage")
        expect(page.get_by_test_id("request-row")).to_have_count(1)
        expect(page.get_by_test_id("tile-requests").locator(".value")).to_have_text("1")
        expect(page.get_by_test_id("request-row")).to_contain_text(key["user_id"])
    page = open_page("/usage?user_id=alice-u&user_id=bob-u", url=console.url)
    page.get_by_label("Your key").fill(ADMIN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_test_id("request-row")).to_have_count(2)


def test_what_one_kept_in_the_browser_is_not_shown_to_another(
    open_page: OpenPage, console: WebUI, make_key: MakeKey
) -> None:
    page = signed_in(open_page("/", url=console.url), make_key("first")["key"])
    ask(page, "a secret of the first", "demo/echo")
    page.get_by_label("Message", exact=True).fill("a draft of the first")
    page.get_by_role("button", name="Sign out").click()
    signed_in(page, make_key("second")["key"])
    expect(page.locator("#history")).to_contain_text("Chats appear here.")
    expect(page.get_by_label("Message", exact=True)).to_have_value("")


def test_the_key_is_in_no_answer_and_kept_nowhere_in_the_browser(
    open_page: OpenPage, console: WebUI, make_key: MakeKey
) -> None:
    key = make_key("canary", user_id="canary")["key"]
    page = open_page("/", url=console.url)
    heard = Heard(page)
    signed_in(page, key)
    ask(page, "hello", "demo/echo")
    for path in ("/usage", "/requests", "/api/me", "/nowhere", "/api/keys"):
        page.goto(console.url + path)
        page.wait_for_load_state("networkidle")
    page.goto(console.url)
    connected(page)
    stored = page.evaluate(STORED) + json.dumps(page.context.cookies())
    assert len(heard.parts) > 20
    for secret in (key, ADMIN):
        assert secret not in stored
        assert not [part for part in heard.parts if secret in part]
        assert secret not in console.log
    cookie = next(one for one in page.context.cookies() if one["name"] == "session")
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"


def test_a_blocked_key_ends_the_session_and_the_page_says_why(
    open_page: OpenPage, console: WebUI, keyed: ApiService, make_key: MakeKey
) -> None:
    key = make_key("soon blocked")
    page = signed_in(open_page("/", url=console.url), key["key"])
    ask(page, "before", "demo/echo")
    other = page.context.new_page()
    other.goto(f"{console.url}/usage")
    expect(other.get_by_test_id("request-row").first).to_be_visible()
    administer(keyed, f"/api/keys/{key['id']}/block")
    write(page, "after")
    expect(page).to_have_url(re.compile("/login"))
    expect(page.get_by_role("alert")).to_contain_text("Your key no longer opens the gateway")
    assert violations(page) == []
    expect(other).to_have_url(re.compile("/login"))
    expect(other.get_by_role("alert")).to_contain_text("Your key no longer opens the gateway")
    page.get_by_label("Your key").fill(key["key"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("This key does not open the gateway")
    administer(keyed, f"/api/keys/{key['id']}/unblock")
    signed_in(page, key["key"])
    expect(page.get_by_text("after", exact=True)).to_be_visible()


def test_a_key_blocked_while_it_is_answered_keeps_what_came_and_asks_to_sign_in(
    open_page: OpenPage, console: WebUI, keyed: ApiService, make_key: MakeKey
) -> None:
    key = make_key("cut short")
    page = signed_in(open_page("/", url=console.url), key["key"])
    choose(page, "openai/gpt-4o")
    write(page, "{{tokens=400 delay_ms=25}}")
    prose = page.locator(".prose").last
    expect(prose).not_to_be_empty()
    administer(keyed, f"/api/keys/{key['id']}/block")
    expect(page).to_have_url(re.compile("/login"), timeout=5000)
    administer(keyed, f"/api/keys/{key['id']}/unblock")
    signed_in(page, key["key"])
    expect(page.locator(".prose").last).not_to_be_empty()


def test_a_viewer_reads_but_cannot_call(
    open_page: OpenPage, console: WebUI, keyed: ApiService, make_key: MakeKey
) -> None:
    page = signed_in(open_page("/", url=console.url), make_key("auditor", role="viewer")["key"])
    expect(page.get_by_test_id("read-only")).to_contain_text("not call models")
    expect(page.get_by_label("Message", exact=True)).to_be_disabled()
    assert page.get_by_role("button", name="Send").get_attribute("aria-disabled") == "true"
    page.goto(f"{console.url}/usage")
    everything = get_json(f"{keyed.url}/api/stats", bearer(ADMIN))[1]["summary"]["requests"]
    expect(page.get_by_test_id("tile-requests").locator(".value")).to_have_text(f"{everything:,}")


def test_a_change_of_rights_shows_without_signing_in_anew(
    open_page: OpenPage, console: WebUI, keyed: ApiService, make_key: MakeKey
) -> None:
    key = make_key("rising")
    page = signed_in(open_page("/", url=console.url), key["key"])
    changed = page.request.fetch(
        f"{keyed.url}/api/keys/{key['id']}", method="PATCH", data={"role": "viewer"}, headers=bearer(ADMIN)
    )
    assert changed.ok
    page.reload()
    expect(page.get_by_role("form", name="Signed in")).to_contain_text("viewer")
    expect(page.get_by_test_id("read-only")).to_be_visible()


@pytest.mark.parametrize(("theme", "small"), VIEWS.values(), ids=VIEWS)
def test_axe_finds_nothing_where_one_signs_in(
    open_page: OpenPage, console: WebUI, make_key: MakeKey, theme: str, small: bool
) -> None:
    page = open_page("/", url=console.url, theme=theme, small=small)
    assert violations(page) == [], "form"
    page.get_by_label("Your key").fill("sk-gw-wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == [], "refused"
    signed_in(page, make_key("an auditor with quite a long name", role="viewer")["key"], small=small)
    expect(page.get_by_test_id("read-only")).to_be_visible()
    page.wait_for_timeout(250)
    assert violations(page) == [], "viewer"
    if small:
        page.get_by_role("button", name="Open the navigation").click()
        page.wait_for_timeout(250)
        expect(page.get_by_role("button", name="Sign out")).to_be_in_viewport()
        assert violations(page) == [], "drawer"
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    assert origin(page) == console.url
