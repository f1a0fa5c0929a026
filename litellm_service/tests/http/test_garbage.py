"""What a request leaves behind: nothing that waits for the garbage collector, whose long pauses would show as latency."""

import asyncio
import collections
import gc
import logging
import socket

import pytest
import uvicorn

from gateway.app import Gateway
from gateway.http.protocol import Protocol
from gateway.settings import load

pytestmark = pytest.mark.anyio
REQUESTS = 20


async def call(port: int, body: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n"
    writer.write(head + b"content-length: %d\r\n\r\n%s" % (len(body), body))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.fixture
async def port(tmp_path):
    gateway = Gateway(load({"DATABASE_URL": f"sqlite:///{tmp_path}/u.db"}), None, b"pepper", logs_as_json=True)
    gateway.store.open()
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(gateway.asgi, http=Protocol, lifespan="on", log_config=None, access_log=False)
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield listening.getsockname()[1]
    server.should_exit = True
    await serving
    listening.close()


@pytest.mark.parametrize("stream", [b"false", b"true"])
async def test_a_finished_request_is_freed_without_the_garbage_collector(port, stream, caplog):
    caplog.set_level(logging.ERROR, "gateway")
    body = b'{"model": "demo/echo", "messages": [{"role": "user", "content": "x"}], "stream": %s}' % stream
    await call(port, body)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(REQUESTS):
            assert b"200 OK" in await call(port, body)
        await asyncio.sleep(0.05)
        gc.collect()
        left = collections.Counter(type(thing).__qualname__ for thing in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    ours = {
        name: count
        for name, count in left.items()
        if name in {"RequestResponseCycle", "Client", "Exchange", "ClientSink"}
    }
    assert sum(ours.values()) < REQUESTS, ours
