"""`/health`, `/health/live`, `/health/ready`."""

from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway import __version__
from gateway.domain.time import iso_z, now_ms

Parts = Callable[[], dict[str, dict[str, object]]]


class Health:
    """`parts` gives each part's state: `{"status": "ok" | "degraded" | "down" | "idle", …}`; `ready` turns false while draining."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._started_at_ms = now_ms()
        self.ready = True

    @property
    def uptime_s(self) -> int:
        """Seconds since the start."""
        return (now_ms() - self._started_at_ms) // 1000

    async def seed(self, request: Request) -> Response:
        """200 while serving, with a status per part."""
        parts = self._parts()
        healthy = all(part["status"] in {"ok", "idle"} for part in parts.values())
        return _json(
            200,
            {
                "status": "healthy" if healthy else "degraded",
                "service": "litellm-api",
                "version": __version__,
                "timestamp": iso_z(now_ms()),
                "uptime_s": self.uptime_s,
                "parts": parts,
            },
        )

    async def live(self, request: Request) -> Response:
        """The process answers."""
        return _json(200, {"status": "live"})

    async def is_ready(self, request: Request) -> Response:
        """New requests would be taken: 503 while the database cannot be written, and while stopping."""
        down = [name for name, part in self._parts().items() if part["status"] == "down"]
        if not self.ready or down:
            return _json(503, {"status": "not ready", "because": down or ["stopping"]})
        return _json(200, {"status": "ready"})


def _json(status: int, value: object) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
