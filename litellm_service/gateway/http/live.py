"""`/api/events`: what runs now, and that there is something new to read, as events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.domain.entry import Hold
from gateway.domain.errors import Overloaded
from gateway.domain.money import usd
from gateway.domain.time import id_text, iso_z, now_ms
from gateway.http import parameters as p
from gateway.store.questions import Owner

LOOK_S = 0.5
HEARTBEAT_S = 5.0
MOST_WATCHERS = 64
MOST_LISTED = 50


async def events(request: Request) -> Response:
    """An event at once and after each change, at most two a second; a comment every five seconds."""
    p.refuse_unknown(request.query_params, ())
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    live: Live = request.app.state.live
    if request.method == "HEAD":
        return Response(headers=headers, media_type="text/event-stream")
    return StreamingResponse(live.open(p.owner(request)), media_type="text/event-stream", headers=headers)


class Live:
    """`holds`: what runs; `changes`: a number that grows with whatever is written; `is_ready`: false while the service stops."""

    def __init__(
        self, holds: Callable[[], list[Hold]], changes: Callable[[], int], is_ready: Callable[[], bool]
    ) -> None:
        self._holds = holds
        self._changes = changes
        self._is_ready = is_ready
        self._watchers = 0

    def open(self, owner: Owner | None) -> AsyncIterator[bytes]:
        """A stream of events, of an owner's requests alone where there is one; raises `Overloaded` where too many are open."""
        if self._watchers >= MOST_WATCHERS:
            raise Overloaded(f"{MOST_WATCHERS} streams of events are open already; close one.", retry_after_s=30)
        return self._written(owner)

    async def _written(self, owner: Owner | None) -> AsyncIterator[bytes]:
        self._watchers += 1
        loop = asyncio.get_running_loop()
        seen, written_at, written = -1, loop.time(), 0
        try:
            while self._is_ready():
                changes = self._changes()
                if changes != seen:
                    seen, written_at, written = changes, loop.time(), written + 1
                    # How much everybody writes is not a member's to know.
                    status = self._status(owner, changes if owner is None else written)
                    yield b"data: " + msgspec.json.encode(status) + b"\n\n"
                elif loop.time() - written_at >= HEARTBEAT_S:
                    written_at = loop.time()
                    yield b": alive\n\n"
                await asyncio.sleep(LOOK_S)
        finally:
            self._watchers -= 1

    def _status(self, owner: Owner | None, changes: int) -> dict[str, object]:
        running = sorted(_of(owner, self._holds()), key=lambda hold: hold.admitted_at_ms, reverse=True)
        return {
            "type": "status",
            "at": iso_z(now_ms()),
            "changes": changes,
            "running_requests": len(running),
            "running": [_view(hold) for hold in running[:MOST_LISTED]],
        }


def _of(owner: Owner | None, holds: Iterable[Hold]) -> list[Hold]:
    return [hold for hold in holds if owner is None or getattr(hold, owner.by) == owner.name]


def _view(hold: Hold) -> dict[str, object]:
    return {
        "request_id": id_text(hold.request_id),
        "since": iso_z(hold.admitted_at_ms),
        "model": hold.model,
        "provider": hold.provider,
        "application_id": hold.application_id,
        "user_id": hold.user_id,
        "key_id": hold.key_id,
        "stream": hold.stream,
        "attempt": hold.attempt,
        "held_usd": usd(hold.amount_nano_usd),
        "held_nano_usd": hold.amount_nano_usd,
    }
