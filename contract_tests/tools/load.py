"""A bounded, mixed load that notes which requests were acknowledged."""

import asyncio
import json
import random
from typing import Any

from administrator import bearer
from auditing import Acknowledged
from prompts import ROUTES, body, new_marker, prompt
from rawhttp import Broken, Client, connect, request_bytes

_FORMS = [(route, stream) for route in ROUTES for stream in (False, True)]
_PAUSE_S = 0.05


class Load:
    """`workers` clients, each with one request at a time until `stop`; a broken request is simply not acknowledged."""

    def __init__(
        self, port: int, workers: int = 12, delay_ms: float = 10, tokens: int = 25, words: int = 20, key: str = ""
    ) -> None:
        self._port = port
        self._workers = workers
        self._script = {"delay_ms": delay_ms, "tokens": tokens}
        self._words = words
        self._headers = bearer(key) if key else {}
        self._running = False
        self._tasks: list[asyncio.Task[None]] = []
        self.acknowledged: list[Acknowledged] = []
        self.sent = 0
        self.broken = 0
        self.refused: list[int] = []

    def start(self) -> None:
        """Begin to send."""
        self._running = True
        self._tasks = [asyncio.create_task(self._work(i)) for i in range(self._workers)]

    async def stop(self) -> None:
        """Send no more, and wait for what is under way."""
        self._running = False
        await asyncio.gather(*self._tasks)

    async def _work(self, number: int) -> None:
        while self._running:
            route, stream = _FORMS[number % len(_FORMS)]
            try:
                await self._one(route, stream)
            except (OSError, Broken, TimeoutError):
                self.broken += 1
                await asyncio.sleep(_PAUSE_S)
            number += 1

    async def _one(self, route: str, stream: bool) -> None:
        marker = new_marker()
        text = prompt(marker, random.randrange(self._words), **self._script)
        client = await connect(self._port)
        self.sent += 1
        try:
            await client.send(
                request_bytes(ROUTES[route], body(route, text, stream=stream, user=marker), self._headers)
            )
            reply = await client.head()
            if reply.status != 200:
                self.refused.append(reply.status)
                await asyncio.sleep(_PAUSE_S)
                return
            usage = await (_streamed_usage(client, route) if stream else _plain_usage(client, route))
        finally:
            await client.leave("fin")
        if usage is not None:
            self.acknowledged.append(Acknowledged(reply.headers["x-request-id"], marker, *usage))


def _told(tokens: dict[str, Any], route: str) -> tuple[int, int]:
    names = ("prompt", "completion") if route == "seed" else ("prompt_tokens", "completion_tokens")
    return int(tokens[names[0]]), int(tokens[names[1]])


async def _plain_usage(client: Client, route: str) -> tuple[int, int]:
    answer = json.loads(await client.read_all())
    return _told(answer["metadata"]["tokens"] if route == "seed" else answer["usage"], route)


async def _streamed_usage(client: Client, route: str) -> tuple[int, int] | None:
    """The usage that came with the end of a stream; `None` if it ended with an error."""
    usage = None
    while (event := await client.event()) is not None:
        if event == b"[DONE]":
            return usage
        value = json.loads(event)
        if value.get("type") == "done":
            return _told(value["metadata"]["tokens"], route)
        if value.get("usage"):
            usage = _told(value["usage"], route)
    return None
