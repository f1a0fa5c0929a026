"""Raw bytes at the door: ambiguous framing, slow clients, big and deep bodies, foreign Hosts and Origins."""

import asyncio
import json
import time

import pytest

from prompts import ROUTES, body, new_marker, prompt
from rawhttp import Broken, Client, Reply, connect, post, request_bytes
from stack import ApiService, Mock, get_json

pytestmark = pytest.mark.anyio

API_ENVIRONMENT = {"GATEWAY_HEADER_TIMEOUT_S": "1", "GATEWAY_BODY_TIMEOUT_S": "1"}
SLOW_S = 4.0
MB = 1_000_000
CHAT = b'{"query": "hi", "model": "gpt-4o"}'


async def raw(port: int, data: bytes) -> tuple[Client, Reply | None]:
    """Send bytes; the head of the answer, or `None` if the connection was closed without one."""
    client = await connect(port)
    await client.send(data)
    try:
        return client, await client.head(deadline_s=SLOW_S)
    except Broken:
        return client, None


def head(*lines: str) -> bytes:
    return "\r\n".join(["POST /api/chat HTTP/1.1", *lines, "", ""]).encode("latin-1")


JSON_TYPE = "Content-Type: application/json"
LENGTH = f"Content-Length: {len(CHAT)}"
AMBIGUOUS = {
    "CL and TE": head("Host: localhost", JSON_TYPE, LENGTH, "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "TE and CL": head("Host: localhost", JSON_TYPE, "Transfer-Encoding: chunked", LENGTH) + b"0\r\n\r\n",
    "two lengths": head("Host: localhost", JSON_TYPE, LENGTH, "Content-Length: 5") + CHAT,
    "two equal lengths": head("Host: localhost", JSON_TYPE, LENGTH, LENGTH) + CHAT,
    "length list": head("Host: localhost", JSON_TYPE, "Content-Length: 34, 34") + CHAT,
    "negative length": head("Host: localhost", JSON_TYPE, "Content-Length: -1") + CHAT,
    "signed length": head("Host: localhost", JSON_TYPE, "Content-Length: +34") + CHAT,
    "hex length": head("Host: localhost", JSON_TYPE, "Content-Length: 0x22") + CHAT,
    "huge length": head("Host: localhost", JSON_TYPE, f"Content-Length: {10**30}") + CHAT,
    "two Hosts": head("Host: localhost", "Host: evil.example", JSON_TYPE, LENGTH) + CHAT,
    "no Host": head(JSON_TYPE, LENGTH) + CHAT,
    "empty Host": head("Host:", JSON_TYPE, LENGTH) + CHAT,
    "space before colon": head("Host: localhost", JSON_TYPE, f"Content-Length : {len(CHAT)}") + CHAT,
    "folded header": head("Host: localhost", JSON_TYPE, "X-A: 1", " 2", LENGTH) + CHAT,
    "bare CR in header": head("Host: localhost", JSON_TYPE, "X-A: 1\r2", LENGTH) + CHAT,
    "NUL in header": head("Host: localhost", JSON_TYPE, "X-A: 1\x002", LENGTH) + CHAT,
    "TE twice": head("Host: localhost", JSON_TYPE, "Transfer-Encoding: chunked", "Transfer-Encoding: identity") + CHAT,
    "TE unknown": head("Host: localhost", JSON_TYPE, "Transfer-Encoding: xchunked") + CHAT,
    "TE with a tab": head("Host: localhost", JSON_TYPE, "Transfer-Encoding:\tchunked, identity") + CHAT,
    "bad chunk": head("Host: localhost", JSON_TYPE, "Transfer-Encoding: chunked") + b"zz\r\n" + CHAT + b"\r\n0\r\n\r\n",
    "bad first line": b"POST  /api/chat\r\nHost: localhost\r\n\r\n",
    "version 9": b"POST /api/chat HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60),
    "two keys": head("Host: localhost", JSON_TYPE, "Authorization: a", "Authorization: b", LENGTH) + CHAT,
}


@pytest.mark.parametrize("case", list(AMBIGUOUS))
async def test_ambiguous_requests_are_refused_and_the_connection_ended(api: ApiService, mock: Mock, case: str) -> None:
    before = len(mock.calls())
    client, reply = await raw(api.port, AMBIGUOUS[case])
    if reply is not None:
        assert 400 <= reply.status < 500, reply
        assert json.loads(await client.read_all())["error"]["code"] in {"invalid_request", "unsupported_media_type"}
    await client.leave("fin")
    assert len(mock.calls()) == before


async def test_a_smuggled_second_request_is_not_answered(api: ApiService, mock: Mock) -> None:
    hidden = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    data = head("Host: localhost", JSON_TYPE, "Content-Length: 4", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + hidden
    client, reply = await raw(api.port, data)
    assert reply is None or reply.status == 400
    rest = b"" if reply is None else await client.read_all()
    assert b"healthy" not in rest
    with pytest.raises(Broken):
        await client.head(deadline_s=SLOW_S)
    await client.leave("fin")


async def closes_within(client: Client, deadline_s: float) -> tuple[float, int | None]:
    """Seconds until the service gave up, and the status it said, if any."""
    began = time.monotonic()
    status = None
    try:
        status = (await client.head(deadline_s=deadline_s)).status
        await client.read_all()
    except Broken:
        pass
    return time.monotonic() - began, status


async def test_a_silent_connection_is_closed(api: ApiService) -> None:
    client = await connect(api.port)
    seconds, status = await closes_within(client, SLOW_S)
    await client.leave("fin")
    assert (0.5 < seconds < SLOW_S, status) == (True, None)


async def test_slow_headers_are_refused(api: ApiService) -> None:
    client = await connect(api.port)
    sender = asyncio.create_task(drip(client, head("Host: localhost", *[f"X-{i}: 1" for i in range(200)])))
    seconds, status = await closes_within(client, SLOW_S)
    sender.cancel()
    await client.leave("fin")
    assert (seconds < SLOW_S, status) == (True, 408)


async def test_a_slow_body_is_refused(api: ApiService, mock: Mock) -> None:
    before = len(mock.calls())
    client = await connect(api.port)
    await client.send(head("Host: localhost", JSON_TYPE, "Content-Length: 1000"))
    sender = asyncio.create_task(drip(client, b" " * 999))
    seconds, status = await closes_within(client, SLOW_S)
    sender.cancel()
    await client.leave("fin")
    assert (seconds < SLOW_S, status) == (True, 408)
    assert len(mock.calls()) == before


async def drip(client: Client, data: bytes) -> None:
    for i in range(len(data)):
        try:
            await client.send(data[i : i + 1])
        except OSError:
            return
        await asyncio.sleep(0.05)


async def test_a_second_request_on_a_kept_connection_has_its_own_deadline(api: ApiService) -> None:
    """Idle between requests is fine; slowness within one is not."""
    client = await connect(api.port)
    for _ in range(3):
        await client.send(request_bytes("/api/chat", CHAT))
        assert (await client.head()).status == 200
        await client.read_all()
        await asyncio.sleep(1.5)
    await client.leave("fin")


async def test_a_long_answer_outlives_the_body_deadline(api: ApiService) -> None:
    text = prompt(new_marker(), tokens=30, delay_ms=100)
    client, reply = await post(api.port, ROUTES["openai"], body("openai", text, stream=True))
    assert reply.status == 200
    assert (await client.read_all()).endswith(b"data: [DONE]\n\n")
    await client.leave("fin")


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
@pytest.mark.parametrize("path", list(ROUTES.values()))
async def test_eleven_megabytes_are_too_large(api: ApiService, path: str, chunked: bool) -> None:
    data = b'{"model": "gpt-4o", "query": "' + b"x" * (11 * MB) + b'"}'
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(data)}"
    client = await connect(api.port)
    await client.send(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{JSON_TYPE}\r\n{framing}\r\n\r\n".encode())
    sender = asyncio.create_task(send_big(client, data, chunked))
    reply = await client.head()
    error = json.loads(await client.read_all())["error"]
    sender.cancel()
    await client.leave("fin")
    assert (reply.status, error["code"]) == (413, "too_large")
    assert "MAX_BODY_BYTES" in error["message"]


async def send_big(client: Client, data: bytes, chunked: bool) -> None:
    try:
        for at in range(0, len(data), 65536):
            part = data[at : at + 65536]
            await client.send(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        await client.send(b"0\r\n\r\n" if chunked else b"")
    except OSError:
        return


async def test_nine_megabytes_are_not(api: ApiService) -> None:
    status, _ = await answer(api, "/api/chat", b'{"model": "gpt-4o", "query": "' + b"x" * (9 * MB) + b'"}')
    assert status == 200


async def answer(api: ApiService, path: str, data: bytes, headers: dict[str, str] | None = None) -> tuple[int, str]:
    client, reply = await post(api.port, path, data, headers)
    read = await client.read_all()
    await client.leave("fin")
    error = json.loads(read).get("error") or {}
    return reply.status, error.get("code", "")


@pytest.mark.parametrize("depth", [200, 100_000, 1_000_000])
async def test_deep_json_is_refused_or_served_but_never_a_500(api: ApiService, depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    status, code = await answer(api, "/v1/chat/completions", b'{"model": "gpt-4o", "messages": ' + deep + b"}")
    assert (status, code) == (400, "invalid_request")
    extra = b'{"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "metadata": ' + deep + b"}"
    status, code = await answer(api, "/v1/chat/completions", extra)
    assert status in ({200, 400} if depth > 200 else {200})


async def test_only_json_is_taken(api: ApiService) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        assert await answer(api, "/api/chat", CHAT, {"content-type": kind}) == (415, "unsupported_media_type")
    assert (await answer(api, "/api/chat", CHAT, {"content-type": "application/json; charset=utf-8"}))[0] == 200
    packed = await answer(api, "/api/chat", CHAT, {"content-encoding": "gzip"})
    assert packed == (415, "unsupported_media_type")


async def test_foreign_hosts_are_refused(api: ApiService) -> None:
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "[::2]"):
        assert await answer(api, "/api/chat", CHAT, {"host": host}) == (400, "invalid_request")
        assert get_json(f"{api.url}/health", {"Host": host})[0] == 400
    for host in ("localhost", f"localhost:{api.port}", f"127.0.0.1:{api.port}", "LOCALHOST", "[::1]:5000"):
        assert (await answer(api, "/api/chat", CHAT, {"host": host}))[0] == 200


async def test_foreign_origins_are_refused_and_no_money_spent(api: ApiService, mock: Mock) -> None:
    before = len(mock.calls())
    for origin in ("https://evil.example", "null", "http://localhost:5500.evil.example", "http://localhost:1"):
        assert await answer(api, "/api/chat", CHAT, {"origin": origin}) == (403, "not_allowed")
        client, reply = await post(api.port, "/api/chat", b"", {"origin": origin})
        await client.leave("fin")
        assert "access-control-allow-origin" not in reply.headers
    assert len(mock.calls()) == before


async def test_the_webuis_origin_is_served_and_told_so(api: ApiService) -> None:
    for origin in ("http://localhost:5500", "http://127.0.0.1:5500"):
        client, reply = await post(api.port, "/api/chat", CHAT, {"origin": origin})
        await client.leave("fin")
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, origin)
        client = await connect(api.port)
        asked = {"origin": origin, "access-control-request-method": "POST", "content-type": ""}
        await client.send(request_bytes("/api/chat", b"", asked, method="OPTIONS"))
        preflight = await client.head()
        await client.leave("fin")
        assert preflight.status in {200, 204}
        assert preflight.headers["access-control-allow-origin"] == origin
        assert "POST" in preflight.headers["access-control-allow-methods"]


async def test_too_many_headers_are_refused(api: ApiService) -> None:
    for lines in ([f"X-{i}: {'a' * 1000}" for i in range(200)], [f"X-{i}: 1" for i in range(20_000)]):
        client, reply = await raw(api.port, head("Host: localhost", JSON_TYPE, *lines, LENGTH) + CHAT)
        await client.leave("fin")
        assert reply is not None
        assert reply.status == 431


async def test_chunked_bodies_are_taken(api: ApiService) -> None:
    data = head("Host: localhost", JSON_TYPE, "Transfer-Encoding: chunked")
    parts = b"".join(b"1\r\n%c\r\n" % byte for byte in CHAT)
    client, reply = await raw(api.port, data + parts + b"0\r\n\r\n")
    assert reply is not None
    assert reply.status == 200
    await client.leave("fin")


async def test_pipelined_requests_are_answered_in_order(api: ApiService) -> None:
    client = await connect(api.port)
    texts = [prompt(new_marker(), tokens=3 + i) for i in range(3)]
    bodies = [body("seed", text, stream=False) for text in texts]
    await client.send(b"".join(request_bytes("/api/chat", one) for one in bodies))
    for i in range(3):
        assert (await client.head()).status == 200
        assert json.loads(await client.read_all())["metadata"]["tokens"]["completion"] == 3 + i
    await client.leave("fin")


def test_the_service_is_well_afterwards(api: ApiService) -> None:
    """Last in this file."""
    assert get_json(f"{api.url}/health")[0] == 200
    assert api.peak_memory_mb() < 250
    assert "Traceback" not in api.log
