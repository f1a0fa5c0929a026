"""The build for static hosting: served by a file server that follows `_headers` and `_redirects`, over a real API by CORS."""

import contextlib
import fnmatch
import functools
import http.server
import json
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from stack import ROOT, ApiService, Mock, clean_environment, free_port, post_json, running_api
from steps import ask, connected, violations

EXPECTED = "Failed to load resource"
ADMIN = "sk-" + secrets.token_urlsafe(24)
Visit = Callable[..., Page]


class Files(http.server.SimpleHTTPRequestHandler):
    """What a static host does."""

    def translate_path(self, path: str) -> str:
        folder = Path(self.directory)
        asked = path.partition("?")[0]
        found = folder / asked.lstrip("/")
        if found.is_file() or (found / "index.html").is_file():
            return str(found / "index.html" if found.is_dir() else found)
        for line in (folder / "_redirects").read_text().splitlines():
            source, target, _ = line.split()
            if fnmatch.fnmatch(asked, source):
                return str(folder / target.lstrip("/"))
        return str(folder / "404.html")

    def end_headers(self) -> None:
        pattern = ""
        for line in (Path(self.directory) / "_headers").read_text().splitlines():
            if not line.startswith(" "):
                pattern = line
            elif fnmatch.fnmatch(self.path, pattern):
                name, value = line.strip().split(": ", 1)
                self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


def written(folder: Path, api_url: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment({"LITELLM_API_URL": api_url})
    command = [sys.executable, "app.py", "--write-static", str(folder)]
    return subprocess.run(command, cwd=ROOT / "webui", env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[tuple[str, ApiService]]:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    with running_api(
        tmp_path_factory.mktemp("hosted"), mock.url, None, GATEWAY_ADMIN_KEY=ADMIN, CORS_ORIGINS=origin
    ) as api:
        folder = tmp_path_factory.mktemp("site") / "dist"
        done = written(folder, api.url)
        assert done.returncode == 0, done.stderr
        handler = functools.partial(Files, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield origin, api
        server.shutdown()
        server.server_close()


@pytest.fixture
def visit(browser: Browser, site: tuple[str, ApiService]) -> Iterator[Visit]:
    """A page of the site; errors in its console fail the test, and so does a request to anybody else."""
    origin, api = site
    faults: list[str] = []
    contexts = []

    def visited(path: str = "/") -> Page:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        contexts.append(context)
        context.set_default_timeout(8000)
        page = context.new_page()
        page.on(
            "console",
            lambda m: m.type in {"error", "warning"} and "Failed to load" not in m.text and faults.append(m.text),
        )
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda r: r.url.startswith((origin, api.url, "data:", "blob:")) or faults.append(r.url))
        page.goto(origin + path)
        return page

    yield visited
    for context in contexts:
        context.close()
    assert faults == []


def enter(page: Page, key: str) -> Page:
    page.get_by_label("Your key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def key_of(api: ApiService, name: str, **fields: Any) -> dict[str, Any]:
    return dict(post_json(f"{api.url}/api/keys", {"name": name, **fields}, {"authorization": f"Bearer {ADMIN}"})[1])


def test_somebody_signs_in_chats_and_sees_the_bill(visit: Visit, site: tuple[str, ApiService]) -> None:
    key = key_of(site[1], "static alice", user_id="alice")
    page = visit("/usage?range=7d")
    expect(page).to_have_url(re.compile("/login/"))
    assert violations(page) == []
    enter(page, key["key"])
    expect(page).to_have_url(re.compile(r"/usage/?\?range=7d"))
    page.goto(site[0])
    connected(page)
    answer = ask(page, "from a static page: $a^2$", "demo/priced")
    expect(answer.get_by_test_id("receipt-cost")).to_contain_text("$0.0000")
    expect(answer.locator("math")).to_have_count(1)
    answer.get_by_test_id("receipt-id").click()
    expect(page.get_by_test_id("card-timeline")).to_be_visible()
    page.reload()
    expect(page.get_by_test_id("card-timeline")).to_be_visible()
    page.goto(f"{site[0]}/usage/")
    expect(page.get_by_test_id("request-row")).to_have_count(1)
    nav = page.get_by_role("navigation", name="Administration")
    expect(nav.get_by_role("link")).to_have_text(["Models", "Keys"])
    who = page.get_by_role("form", name="Signed in")
    expect(who).to_contain_text("static alice")
    assert violations(page) == []
    who.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Your key")).to_be_visible()
    page.goto(f"{site[0]}/usage/")
    expect(page).to_have_url(re.compile("/login/"))


def test_a_chat_has_an_address_of_its_own(visit: Visit, site: tuple[str, ApiService]) -> None:
    page = enter(visit("/"), key_of(site[1], "addressed", user_id="addressed")["key"])
    connected(page)
    ask(page, "kept under its address", "demo/echo")
    expect(page).to_have_url(re.compile(r"/c/[\w-]+"))
    page.reload()
    expect(page.locator(".bubble").last).to_have_text("kept under its address")


def test_live_exports_and_administration_work_with_the_key(visit: Visit, site: tuple[str, ApiService]) -> None:
    page = enter(visit("/keys/"), ADMIN)
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name", exact=True).fill("made from a static page")
    page.get_by_role("button", name="Create key").click()
    page.get_by_label("I have stored it").check()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("row").filter(has_text="made from a static page")).to_be_visible()
    page.goto(f"{site[0]}/requests/")
    page.get_by_role("button", name="Live").click()
    body = {"query": "{{tokens=20 delay_ms=100}}", "model": "openai/gpt-4o"}
    asked = threading.Thread(
        target=post_json, args=(f"{site[1].url}/api/chat", body, {"authorization": f"Bearer {ADMIN}"})
    )
    asked.start()
    expect(page.get_by_test_id("in-flight")).to_contain_text("openai/gpt-4o", timeout=3000)
    asked.join()
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Requests as JSON Lines").click()
    lines = Path(download.value.path()).read_text("utf-8").splitlines()
    assert json.loads(lines[0])["model"] == "openai/gpt-4o"


def test_a_wrong_key_and_an_api_that_refuses_the_page_say_so(
    visit: Visit, site: tuple[str, ApiService], tmp_path: Path, mock: Mock
) -> None:
    page = visit("/login/")
    page.get_by_label("Your key").fill("sk-gw-nonsense")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("This key does not open the gateway")
    page.route("**/api/me", lambda route: route.abort())
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text(f"add {site[0]} to CORS_ORIGINS")


def test_a_blocked_key_leads_back_to_the_form(visit: Visit, site: tuple[str, ApiService]) -> None:
    key = key_of(site[1], "soon shut")
    page = enter(visit("/usage/"), key["key"])
    expect(page.get_by_test_id("card-requests")).to_be_visible()
    post_json(f"{site[1].url}/api/keys/{key['id']}/block", {}, {"authorization": f"Bearer {ADMIN}"})
    with contextlib.suppress(Error):  # the page may have noticed by itself, and left
        page.evaluate("setTimeout(() => location.reload(), 50)")
    expect(page).to_have_url(re.compile("/login/?"))
    expect(page.get_by_role("alert")).to_contain_text("Your key no longer opens the gateway")


def test_only_a_folder_of_its_own_is_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "dist"
    assert written(folder, "https://gateway.example.com").returncode == 0
    first = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    assert written(folder, "https://gateway.example.com").returncode == 0
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == first
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    refused = written(mine, "https://gateway.example.com")
    assert refused.returncode == 1
    assert "has something else in it" in refused.stderr
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def test_hosts_get_their_headers_and_rewrites(tmp_path: Path) -> None:
    written(tmp_path / "dist", "https://gateway.example.com/")
    config = json.loads((tmp_path / "dist" / "vercel.json").read_text())
    assert {rule["source"] for rule in config["rewrites"]} == {"/c/:id", "/requests/:id"}
    for rule in config["rewrites"]:
        assert (tmp_path / "dist" / rule["destination"].lstrip("/")).is_file()
    everywhere = {one["key"]: one["value"] for one in config["headers"][0]["headers"]}
    assert "connect-src 'self' https://gateway.example.com;" in everywhere["content-security-policy"]
    assert "frame-ancestors 'none'" in everywhere["content-security-policy"]
    assert "frame-ancestors" not in (tmp_path / "dist" / "index.html").read_text()
    assert "content-security-policy" in (tmp_path / "dist" / "_headers").read_text()
