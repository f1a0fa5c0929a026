"""An ASGI application called without a server."""

from typing import NamedTuple
from urllib.parse import urlencode

import anyio
import msgspec


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self):
        return msgspec.json.decode(self.body)


async def get(app, path, parameters=(), headers=()):
    """Answer of one GET; `parameters` are pairs."""
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": urlencode(list(parameters), errors="replace").encode(), "root_path": "",
        "headers": [(b"host", b"localhost"), *headers], "client": ("127.0.0.1", 1), "server": ("localhost", 80),
    }  # fmt: skip
    messages = []

    asked = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        if not asked:
            await anyio.sleep_forever()
        return asked.pop()

    async def send(message):
        messages.append(message)

    await app(scope, receive, send)
    start = messages[0]
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return Reply(start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body)
