"""Administering a gateway that runs in this process, over its own routes."""

import contextlib
import json
from urllib.parse import urlencode

from money import ADMIN, running, send


class Office:
    """A gateway and a key to knock with."""

    def __init__(self, gateway, key: str | None = ADMIN) -> None:
        self.gateway, self._key = gateway, key

    def as_(self, key: str | None) -> "Office":
        return Office(self.gateway, key)

    async def get(self, path, **parameters):
        return await self.call("GET", path, parameters=parameters)

    async def post(self, path, body=None):
        return await self.call("POST", path, body)

    async def patch(self, path, body):
        return await self.call("PATCH", path, body)

    async def delete(self, path):
        return await self.call("DELETE", path)

    async def call(self, method, path, body=None, *, parameters=(), headers=()):
        sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        carried = dict(headers)
        if self._key is not None:
            carried["authorization"] = f"Bearer {self._key}"
        if body is not None:
            carried["content-type"] = "application/json"
        query = f"?{urlencode(dict(parameters))}" if parameters else ""
        return await send(self.gateway, method, path + query, carried, sent)

    async def made(self, path, body):
        """What a POST answers, which must be a success."""
        reply = await self.post(path, body)
        assert reply.status == 200, reply.body
        return reply.json


@contextlib.asynccontextmanager
async def office(folder, *objects, **settings):
    async with running(folder, *objects, **settings) as gateway:
        yield Office(gateway)
