"""What a page costs to load, and what a second visit costs (webui.md 4.7)."""

import gzip
import http.client
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from stack import ApiService, WebUI, send_json
from steps import OpenPage, connected

KB = 1000
BUDGETS = {"/": 90 * KB, "/usage": 85 * KB}


def weigh(webui: WebUI, path: str) -> int:
    """Bytes of a body as gzip."""
    connection = http.client.HTTPConnection("127.0.0.1", webui.port)
    connection.request("GET", path, headers={"accept-encoding": "gzip"})
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    assert reply.status == 200, path
    return len(body)


def html_of(webui: WebUI, path: str) -> str:
    """The page's HTML, which the server sends as gzip."""
    connection = http.client.HTTPConnection("127.0.0.1", webui.port)
    connection.request("GET", path, headers={"accept-encoding": "gzip"})
    html = gzip.decompress(connection.getresponse().read()).decode()
    connection.close()
    return html


def preloaded(html: str) -> list[str]:
    """The modules that the page names."""
    return re.findall(r'<link rel="modulepreload" href="([^"]+)"', html)


@pytest.mark.parametrize("path", BUDGETS)
def test_a_page_is_within_its_budget(webui: WebUI, path: str) -> None:
    html = html_of(webui, path)
    styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', html)
    fonts = re.findall(r'<link rel="preload" href="([^"]+\.woff2)"', html)
    modules = preloaded(html)
    assert len(modules) <= 16
    assert weigh(webui, path) + sum(weigh(webui, url) for url in styles) <= 28 * KB
    assert sum(weigh(webui, url) for url in modules) <= BUDGETS[path]
    assert sum(weigh(webui, url) for url in fonts) <= 50 * KB


def test_the_page_fetches_what_it_names_and_a_second_visit_almost_nothing(browser: Browser, webui: WebUI) -> None:
    context = browser.new_context()
    page = context.new_page()
    sizes: list[tuple[str, int]] = []
    page.on("requestfinished", lambda request: sizes.append((request.url, request.sizes()["responseBodySize"])))
    connected_at(page, webui.url)
    modules = {urlsplit(url).path for url, _ in sizes if url.endswith(".js")}
    assert modules == set(preloaded(html_of(webui, "/")))
    assert len(sizes) <= 25
    assert sum(size for _, size in sizes) <= 170 * KB
    sizes.clear()
    connected_at(page, webui.url)
    assert sum(size for _, size in sizes) <= 15 * KB
    context.close()


def connected_at(page: Page, url: str) -> None:
    """Load the chat page and wait until nothing more comes."""
    page.goto(url)
    connected(page)
    page.wait_for_load_state("networkidle")


def test_the_first_paint_is_soon_and_nothing_jumps(browser: Browser, webui: WebUI) -> None:
    paints, shifts = [], []
    for _ in range(3):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_init_script(
            "window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach(e => { window.shift += e.value }))"
            ".observe({type: 'layout-shift', buffered: true})"
        )
        page = context.new_page()
        page.goto(webui.url)
        connected(page)
        paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        shifts.append(page.evaluate("window.shift"))
        context.close()
    assert max(shifts) <= 0.02
    assert sorted(paints)[1] <= 1500  # 500 ms on an idle machine; this one runs the whole suite


def test_an_asset_of_an_older_version_asks_to_reload(open_page: OpenPage) -> None:
    page = connected(open_page("/"))
    page.route("**/vendor/hljs/**", lambda route: route.fulfill(status=404))
    page.evaluate("localStorage.setItem('gateway.model', 'demo/echo')")
    page.reload()
    connected(page)
    page.get_by_label("Message", exact=True).fill("see\n\n```python\nx = 1\n```")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("There is a new version of this console.")).to_be_visible()
    expect(page.locator("figure code")).to_have_text("x = 1")


def long_talk(text: str) -> dict[str, Any]:
    """250 questions with an answer each, as the API keeps them."""
    messages: list[dict[str, Any]] = []
    parent = None
    for n in range(250):
        question = {
            "id": f"q{n}",
            "role": "user",
            "parent": parent,
            "text": f"question {n}",
            "at": "2026-11-01T12:00:00Z",
        }
        parent = f"a{n}"
        answer = {**question, "id": parent, "role": "assistant", "parent": f"q{n}", "text": text, "model": "demo/echo"}
        messages += [question, answer]
    return {"title": "long", "messages": messages}


def test_a_talk_of_500_messages_opens_at_its_end_and_is_drawn_whole(page: Page, api: ApiService) -> None:
    text = "# Head\n\nSome **text** with `code`.\n\n- one\n- two\n\n```\nx = 1\n```\n" * 2
    assert send_json("PUT", f"{api.url}/api/conversations/long", long_talk(text))[0] == 200
    connected(page)
    page.goto(page.url + "c/long")
    expect(page.locator(".turn")).to_have_count(250)
    assert page.evaluate("performance.now()") <= 3000  # 1 s on an idle machine
    expect(page.locator(".prose h1")).to_have_count(500)
    assert page.locator("#scroll").evaluate("e => e.scrollHeight - e.clientHeight - e.scrollTop") < 8
