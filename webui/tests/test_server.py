"""The console's server: headers, static files, the proxy, sign-in, start-up."""

import http.client
import json
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import pytest

from stack import ApiService, Mock, WebUI, clean_environment, free_port, running_api, running_webui, wait_until

FOLDER = Path(__file__).parents[1]
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types dompurify"
)
KEY = "sk-" + secrets.token_urlsafe(24)


def ask(
    webui: WebUI, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, Any, bytes]:
    """Status, headers and body of one raw exchange; `_` in a header's name stands for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", webui.port, timeout=10)
    connection.putrequest(method, path, skip_host="host" in headers, skip_accept_encoding=True)
    if body is not None:
        headers.setdefault("content_length", str(len(body)))
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders(body)
    reply = connection.getresponse()
    read = reply.read()
    connection.close()
    return reply.status, reply.headers, read


def post(webui: WebUI, path: str, value: object, **headers: str) -> tuple[int, Any, bytes]:
    """A write as the console's pages send it."""
    sent = {"content_type": "application/json", "x_webui": "1", "origin": webui.url, **headers}
    return ask(webui, path, "POST", json.dumps(value).encode(), **sent)


def code_of(body: bytes) -> str:
    """The code of an error body."""
    return str(json.loads(body)["error"]["code"])


@pytest.mark.parametrize(
    "path", ["/", "/usage", "/requests", "/requests/x", "/ui/kit", "/nowhere", "/api/models", "/static/x/y"]
)
def test_every_answer_has_the_security_headers(webui: WebUI, path: str) -> None:
    _, headers, _ = ask(webui, path)
    assert headers["content-security-policy"] == CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers


def test_pages_are_asked_about_again_and_hold_no_inline_style_or_script(webui: WebUI) -> None:
    status, headers, body = ask(webui, "/")
    assert (status, headers["cache-control"]) == (200, "no-cache")
    assert ask(webui, "/", if_none_match=headers["etag"])[0] == 304
    assert b"<style" not in body
    assert b" style=" not in body
    assert not re.search(rb"<script(?![^>]*src=)", body)


def test_the_theme_of_the_cookie_is_in_the_first_byte(webui: WebUI) -> None:
    assert b'data-theme="dark"' in ask(webui, "/", cookie="theme=dark")[2]
    assert b"data-theme" not in ask(webui, "/", cookie="theme=%22evil")[2].partition(b">")[0].partition(b"<html")[2]


def test_static_files_are_immutable_and_compressed(webui: WebUI) -> None:
    page = ask(webui, "/")[2].decode()
    url = re.search(r'href="(/static/[^"]+/css/app\.css)"', page)
    assert url is not None
    for coding in ("gzip", "br"):
        status, headers, _ = ask(webui, url[1], accept_encoding=coding)
        assert (status, headers["content-encoding"]) == (200, coding)
        assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "content-encoding" not in ask(webui, url[1])[1]


@pytest.mark.parametrize(
    "path", ["/../webui/app.py", "/%2e%2e/app.py", "/..%2fapp.py", "/css/../../app.py", "/js/none.js"]
)
def test_nothing_outside_the_static_tree_is_served(webui: WebUI, path: str) -> None:
    page = ask(webui, "/")[2].decode()
    prefix = re.search(r'href="(/static/\w+)/css/app\.css"', page)
    assert prefix is not None
    assert ask(webui, prefix[1] + path)[0] == 404
    assert ask(webui, "/static/0123456789ab/css/app.css")[0] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/keys/a/block"), ("PUT", "/api/keys/a"), ("DELETE", "/api/keys"),
        ("GET", "/api/conversations/a/b"), ("GET", "/api/"), ("GET", "/api/models/../keys"), ("GET", "/api//models"),
        ("GET", "/v1/chat/completions"),
        ("GET", "/api/user/../usage"), ("GET", "/api/user/%2e%2e/usage"), ("GET", "/api/user/a%2fb/usage"), ("GET", "/healthy"),
        ("POST", "/api/models"), ("DELETE", "/api/chat"), ("GET", "/api/requests/x/y"),
    ],
)  # fmt: skip
def test_only_the_listed_paths_are_passed_on(webui: WebUI, method: str, path: str) -> None:
    status, _, body = ask(webui, path, method, x_webui="1")
    assert (status, code_of(body)) == (404, "not_found")


def test_a_user_id_may_have_any_characters(webui: WebUI) -> None:
    status, _, body = ask(webui, "/api/user/a%40b%20%3Cb%3E%C3%A9/usage")
    assert status == 200
    assert json.loads(body)["user_id"] == "a@b <b>é"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"x_webui_left_out": "1"},
    ],
)
def test_a_write_from_elsewhere_is_refused(webui: WebUI, headers: dict[str, str]) -> None:
    own = {"content_type": "application/json", "origin": webui.url, "x_webui": "1"}
    if "x_webui_left_out" in headers:
        own.pop("x_webui")
    status, _, body = ask(webui, "/api/chat", "POST", b'{"query": "hi", "model": "demo/echo"}', **{**own, **headers})
    assert (status, code_of(body)) == (403, "not_allowed")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_a_foreign_host_is_refused(webui: WebUI, host: str) -> None:
    status, _, body = ask(webui, "/", host=host)
    assert status == 400
    assert b"ALLOWED_HOSTS" in body or not host


def test_a_body_that_is_too_large_is_refused_here(webui: WebUI) -> None:
    status, _, body = ask(webui, "/api/chat", "POST", None, content_length="20000000", x_webui="1", origin=webui.url)
    assert (status, code_of(body)) == (413, "too_large")


def test_the_model_list_is_compressed_and_asked_about_again(webui: WebUI) -> None:
    _, headers, body = ask(webui, "/api/models", accept_encoding="gzip")
    assert headers["content-encoding"] == "gzip"
    assert len(body) < 40_000
    assert ask(webui, "/api/models", if_none_match=headers["etag"])[0] == 304
    assert ask(webui, "/api/stats")[1]["cache-control"] == "no-store"


def test_hop_by_hop_and_foreign_headers_do_not_pass(tmp_path: Path) -> None:
    received: list[bytes] = []
    whose = json.dumps({"key_id": "admin", "role": "admin", "name": ""}).encode()
    with Answerer(received, whose) as upstream, running_webui(tmp_path, upstream.url, GATEWAY_ADMIN_KEY=KEY) as console:
        cookie = signed_in(console)
        status, headers, body = post(
            console,
            "/api/chat",
            {},
            cookie=cookie,
            connection="x-secret",
            x_secret="1",
            te="trailers",
            authorization="Bearer own",
        )
    assert (status, body) == (200, whose)
    head = received[-1].decode()
    assert f"authorization: bearer {KEY}".lower() in head.lower()
    for name in ("x-secret", "te:", "cookie", "origin", "x-webui", "bearer own"):
        assert name not in head.lower()
    assert headers["x-request-id"] == "r1"
    for name in ("set-cookie", "x-powered-by", "keep-alive"):
        assert name not in headers
    assert KEY not in str(headers.items()) + body.decode()


class Answerer:
    """A bare upstream that keeps what it was sent and answers one JSON object with hop-by-hop headers."""

    def __init__(self, received: list[bytes], answer: bytes) -> None:
        self.received = received
        self.answer = answer
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                self.received.append(connection.recv(65_536))
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-request-id: r1\r\n"
                    b"set-cookie: a=b\r\nx-powered-by: x\r\nkeep-alive: timeout=5\r\nconnection: close\r\n\r\n%b"
                    % (len(self.answer), self.answer)
                )


def test_a_stream_is_not_held_back_and_its_end_is_passed_on(webui: WebUI, mock: Mock) -> None:
    mark = f"m-{secrets.token_hex(6)}"
    connection = http.client.HTTPConnection("127.0.0.1", webui.port, timeout=10)
    question = f"{mark} {{{{tokens=200 delay_ms=50}}}}"
    body = json.dumps({"query": question, "model": "openai/gpt-4o", "stream": True})
    sent = {"content-type": "application/json", "x-webui": "1"}
    connection.request("POST", "/api/chat", body, sent)
    reply = connection.getresponse()
    began = time.monotonic()
    assert reply.fp.readline()
    assert time.monotonic() - began < 1
    assert reply.headers["x-request-id"]
    connection.sock and connection.sock.close()
    reply.close()
    left_at = time.time()
    mock.ended_call(mark)
    assert time.time() - left_at < 1


def test_an_api_that_is_down_is_told_with_what_to_do(tmp_path: Path) -> None:
    with running_webui(tmp_path, f"http://127.0.0.1:{free_port()}") as console:
        status, _, body = ask(console, "/api/models")
    assert (status, code_of(body)) == (502, "api_unreachable")
    assert b"python api_service.py" in body
    assert b"LITELLM_API_URL" in body


# ---------------------------------------------------------------------- sign-in


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[tuple[ApiService, WebUI]]:
    """An API service that asks for a key, and a console that has it in a file."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "key").write_text(KEY + "\n")
    with running_api(folder / "api", mock.url, None, GATEWAY_ADMIN_KEY=KEY) as api:
        key_file = {"GATEWAY_ADMIN_KEY_FILE": str(folder / "key")}
        with running_webui(folder, api.url, **key_file) as console:
            yield api, console


def sign_in(console: WebUI, key: str, path: str = "/login") -> tuple[int, Any, bytes]:
    """Send the form."""
    form = f"key={key}".encode()
    return ask(console, path, "POST", form, content_type="application/x-www-form-urlencoded", origin=console.url)


def signed_in(console: WebUI) -> str:
    """A session's cookie."""
    return str(sign_in(console, KEY)[1]["set-cookie"]).partition(";")[0]


def test_without_signing_in_no_page_and_no_figure_is_shown(locked: tuple[ApiService, WebUI]) -> None:
    console = locked[1]
    status, headers, _ = ask(console, "/usage?range=7d")
    assert (status, headers["location"]) == (303, "/login?next=/usage%3Frange%3D7d")
    for path in ("/api/models", "/api/requests", "/v1/models", "/api/keys"):
        status, _, body = ask(console, path)
        assert (status, code_of(body)) == (401, "signed_out")
    assert post(console, "/api/chat", {})[0] == 401
    assert ask(console, "/health")[0] == 200


def test_the_key_opens_a_session_and_never_reaches_the_browser(locked: tuple[ApiService, WebUI]) -> None:
    console = locked[1]
    status, headers, body = sign_in(console, KEY, "/login?next=/usage")
    assert (status, headers["location"]) == (303, "/usage")
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    session = cookie.partition(";")[0]
    seen = [body, cookie.encode()]
    for path in ("/", "/usage", "/api/models", "/api/requests"):
        status, headers, body = ask(console, path, cookie=session)
        assert status == 200
        seen += [str(headers.items()).encode(), body]
    status, headers, body = post(console, "/api/chat", {"query": "hi", "model": "demo/echo"}, cookie=session)
    assert status == 200
    assert KEY.encode() not in b"".join([*seen, body])
    assert post(console, "/logout", {}, cookie=session, origin="http://evil.example")[0] == 403
    status, headers, _ = post(console, "/logout", {}, cookie=session)
    assert (status, headers["location"]) == (303, "/login")
    assert ask(console, "/api/models", cookie=session)[0] == 401


def test_a_wrong_key_is_refused_and_guessing_is_slowed(locked: tuple[ApiService, WebUI]) -> None:
    console = locked[1]
    status, headers, body = sign_in(console, "wrong")
    assert status == 403
    assert "set-cookie" not in headers
    assert b"does not open the gateway" in body
    for _ in range(10):
        status, _, body = sign_in(console, "wrong")
    assert status == 429
    assert b"Wait a minute" in body


def test_many_guesses_at_once_are_slowed_as_well(tmp_path: Path, locked: tuple[ApiService, WebUI]) -> None:
    with running_webui(tmp_path, locked[0].url, GATEWAY_ADMIN_KEY=KEY) as console:
        with ThreadPoolExecutor(30) as guessers:
            statuses = list(guessers.map(lambda n: sign_in(console, f"wrong-{n}")[0], range(30)))
        assert sorted(statuses) == [403] * 10 + [429] * 20


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_sign_in_leads_only_to_own_pages(tmp_path: Path, locked: tuple[ApiService, WebUI], target: str) -> None:
    with running_webui(tmp_path, locked[0].url, GATEWAY_ADMIN_KEY=KEY) as console:
        assert sign_in(console, KEY, f"/login?next={target}")[1]["location"] == "/"


def test_beyond_loopback_an_api_that_takes_anybody_lets_nobody_in(tmp_path: Path, api: ApiService) -> None:
    everywhere = {"GATEWAY_ADMIN_KEY_FILE": str(tmp_path / "key"), "WEBUI_HOST": "0.0.0.0"}
    with running_webui(tmp_path, api.url, **everywhere) as console:
        assert ask(console, "/")[0] == 303
        for key in ("", "anything-at-all", KEY):
            assert sign_in(console, key)[0] == 403
        assert b"takes anybody in" in sign_in(console, KEY)[2]
        (tmp_path / "key").write_text(KEY)
        wait_until(lambda: sign_in(console, KEY)[0] == 303)
        assert ask(console, "/", cookie=signed_in(console))[0] == 200


def test_beyond_loopback_the_api_says_who_may_come_in(tmp_path: Path, locked: tuple[ApiService, WebUI]) -> None:
    everywhere = {"GATEWAY_ADMIN_KEY_FILE": str(tmp_path / "key"), "WEBUI_HOST": "0.0.0.0"}
    with running_webui(tmp_path, locked[0].url, **everywhere) as console:
        assert ask(console, "/usage")[0] == 303
        assert sign_in(console, "sk-gw-wrong")[0] == 403
        assert ask(console, "/usage", cookie=signed_in(console))[0] == 200


def test_where_the_console_knows_of_no_key_the_api_asks_for_one(
    tmp_path: Path, api: ApiService, locked: tuple[ApiService, WebUI]
) -> None:
    no_key = {"GATEWAY_ADMIN_KEY_FILE": "/nonexistent"}
    with running_webui(tmp_path, locked[0].url, **no_key) as console:
        status, _, body = ask(console, "/api/models")
        assert (status, code_of(body)) == (401, "signed_out")
        assert ask(console, "/login")[0] == 200
        assert ask(console, "/api/models", cookie=signed_in(console))[0] == 200
    with running_webui(tmp_path, api.url, **no_key) as console:
        status, headers, _ = ask(console, "/login?next=/usage")
        assert (status, headers["location"]) == (303, "/usage")


@pytest.mark.parametrize("key", ["a\r\nx-evil: 1", "schlüssel", "x" * 2000, ""])
def test_what_cannot_be_a_key_is_not_sent_on(tmp_path: Path, key: str) -> None:
    received: list[bytes] = []
    with Answerer(received, b"{}") as upstream, running_webui(tmp_path, upstream.url, GATEWAY_ADMIN_KEY=KEY) as console:
        assert sign_in(console, quote(key))[0] == 403
    assert received == []


def test_an_api_that_is_down_is_no_wrong_key(tmp_path: Path) -> None:
    with running_webui(tmp_path, f"http://127.0.0.1:{free_port()}", GATEWAY_ADMIN_KEY=KEY) as console:
        for _ in range(12):
            status, _, body = sign_in(console, KEY)
            assert status == 502
        assert b"python api_service.py" in body


# --------------------------------------------------------------------- start-up


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python app.py …` to its end."""
    command = [sys.executable, "app.py", *arguments]
    return subprocess.run(
        command, cwd=FOLDER, env=clean_environment(environment), capture_output=True, text=True, timeout=20, check=False
    )


def test_help_names_the_settings() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    for name in ("WEBUI_PORT", "LITELLM_API_URL", "GATEWAY_ADMIN_KEY", "ALLOWED_HOSTS"):
        assert name in shown.stdout


def test_a_port_in_use_is_told_with_another_to_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(WEBUI_PORT=str(port))
    assert ended.returncode == 2
    assert f"WEBUI_PORT={port + 1}" in ended.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBUI_PORT", "80000"),
        ("LITELLM_API_URL", "localhost:5000"),
        ("MAX_BODY_BYTES", "ten"),
        ("WEBUI_TLS_CERT", "x"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    ended = run(**{name: value})
    assert ended.returncode == 2
    assert name in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_port_stands_where_the_seed_says_it_does() -> None:
    assert "PORT = 5500" in (FOLDER / "app.py").read_text()
