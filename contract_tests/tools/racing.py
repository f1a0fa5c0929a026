"""Many calls at the very same time, and what became of each."""

import asyncio
import dataclasses
import json
import random
import time
from typing import Any

from administrator import TestKey
from prompts import ROUTES, new_marker
from rawhttp import Broken, Client, connect, request_bytes
from spending import sized_call

STAYS_S = 60.0
FORMS = [(route, stream) for route in ROUTES for stream in (False, True)]


@dataclasses.dataclass
class Racer:
    """One call of a race, and what became of it; `status` is 0 where the client left or was cut off first."""

    key: TestKey
    route: str
    stream: bool
    script: dict[str, float]
    leaves_after_s: float = STAYS_S
    marker: str = dataclasses.field(default_factory=new_marker)
    status: int = 0
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    error: dict[str, Any] = dataclasses.field(default_factory=dict)
    whole: bool = False
    answered_at: float = 0.0

    async def run(self, client: Client) -> None:
        """Send, read to the end or leave, and hang up."""
        try:
            await asyncio.wait_for(self._converse(client), self.leaves_after_s)
        except (Broken, OSError, TimeoutError):
            pass
        finally:
            await client.leave(random.choice(("rst", "fin")))

    async def _converse(self, client: Client) -> None:
        call = sized_call(self.route, self.marker, stream=self.stream, **self.script)
        await client.send(request_bytes(ROUTES[self.route], call, self.key.headers))
        reply = await client.head()
        self.status, self.headers, self.answered_at = reply.status, reply.headers, time.monotonic()
        data = await client.read_all()
        self.whole = b'"error"' not in data
        if reply.status != 200:
            self.error = json.loads(data)["error"]


def racers(keys: list[TestKey], count: int, **script: float) -> list[Racer]:
    """So many, of all forms and keys, in any order."""
    made = [Racer(keys[i % len(keys)], *FORMS[i % len(FORMS)], script) for i in range(count)]
    random.shuffle(made)
    return made


async def race(port: int, everybody: list[Racer]) -> None:
    """All at once: everybody is connected before anybody sends."""
    clients = await asyncio.gather(*(connect(port) for _ in everybody))
    await asyncio.gather(*(racer.run(client) for racer, client in zip(everybody, clients, strict=True)))
