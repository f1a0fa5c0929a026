"""Asking ejected deployments, now and then, whether they are back: for gateways that few requests come through."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gateway.domain.errors import GatewayError
from gateway.domain.time import monotonic
from gateway.providers.deployment import Endpoint
from gateway.routing.router import Router

log = logging.getLogger(__name__)

Ask = Callable[[Endpoint, str, str], Awaitable[int]]
# Listing models costs nothing and needs the key.
_PATHS = {"anthropic": "/v1/models", "gemini": "/v1beta/models"}
_WELL_BELOW = 500


class Probing:
    """Every `interval_s` seconds; `ask` sends a method and a path to an endpoint and gives the status.

    One that answers is due for its trial at once: whether it does its work only a request can tell.
    """

    def __init__(self, router: Router, ask: Ask, interval_s: float) -> None:
        self._router = router
        self._ask = ask
        self._interval_s = interval_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, unless it is switched off."""
        if self._interval_s:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """No more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def once(self) -> None:
        """Ask all that are out now."""
        out = self._router.ejected(monotonic())
        await asyncio.gather(*(self._probe(key, endpoint) for key, endpoint in out.items()))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            await self.once()

    async def _probe(self, key: str, endpoint: Endpoint) -> None:
        if endpoint.origin is None:
            return
        try:
            status = await self._ask(endpoint, "GET", _PATHS.get(endpoint.wires[0], "/models"))
        except GatewayError as error:
            log.debug("%s is still away: %s", key, error.message)
            return
        if status < _WELL_BELOW:
            self._router.health.may_be_back(key, monotonic())
