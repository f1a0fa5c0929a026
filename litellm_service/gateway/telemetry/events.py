"""Telling people: events as log lines, metrics and webhook calls."""

import asyncio
import contextlib
import heapq
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from gateway.domain.errors import GatewayError
from gateway.domain.event import Event
from gateway.domain.time import now_ms

log = logging.getLogger(__name__)

FIRST_RETRY_S = 5.0
LONGEST_RETRY_S = 3_600.0
GIVE_UP_MS = 24 * 3_600_000
MOST_WAITING = 10_000

# Calls the webhook; raises `GatewayError` if it was not taken.
Deliver = Callable[[Event], Awaitable[None]]
# Notes that an event need not be delivered any more.
Delivered = Callable[[str], Awaitable[None]]


class Events:
    """Delivers events at least once, one after the other, for up to a day; a process that dies goes on at its next start.

    Without `deliver` they are only logged and counted. `start` and `stop` belong to the running loop.
    """

    def __init__(self, deliver: Deliver | None, delivered: Delivered, count: Callable[[str], None]) -> None:
        self._deliver = deliver
        self._delivered = delivered
        self._count = count
        self._waiting: list[tuple[float, int, int, Event]] = []  # due, as they came, failures so far
        self._numbers = itertools.count()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, undelivered: Iterable[Event]) -> None:
        """Begin, with what an earlier process did not deliver."""
        if self._deliver is None:
            return
        for event in undelivered:
            self._put(event, 0, 0.0)
        self._task = asyncio.get_running_loop().create_task(self._run(self._deliver))

    async def stop(self) -> None:
        """Stop delivering; what is left is delivered after the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def raised(self, event: Event) -> None:
        """Something has happened, and is on disk."""
        log.warning("%s: %s %s", event.kind, event.subject, msgspec.json.encode(event.body).decode())
        self._count(event.kind)
        if self._task is not None:
            self._put(event, 0, 0.0)

    def _put(self, event: Event, failures: int, due: float) -> None:
        if len(self._waiting) >= MOST_WAITING:
            log.error("too many events wait for the webhook; event %s is delivered after the next start", event.id)
            return
        heapq.heappush(self._waiting, (due, next(self._numbers), failures, event))
        self._wake.set()

    async def _run(self, deliver: Deliver) -> None:
        while True:
            self._wake.clear()
            wait_s = self._waiting[0][0] - asyncio.get_running_loop().time() if self._waiting else None
            if wait_s is None or wait_s > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait_s)
                continue
            _, _, failures, event = heapq.heappop(self._waiting)
            await self._try(deliver, event, failures)

    async def _try(self, deliver: Deliver, event: Event, failures: int) -> None:
        why = await _failure(deliver, event)
        if why is not None:
            if now_ms() - event.at_ms < GIVE_UP_MS:
                self._again(event, failures + 1, why)
                return
            log.error("the webhook failed (%s) for a day and is given up: event %s", why, event.id)
        try:
            await self._delivered(event.id)
        except GatewayError as error:
            log.warning("event %s was delivered, but that could not be noted: %s", event.id, error)

    def _again(self, event: Event, failures: int, why: str) -> None:
        wait_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** (failures - 1)) * (0.5 + secrets.randbelow(1000) / 1000)
        log.warning("the webhook failed (%s); event %s is tried again in %.0f s", why, event.id, wait_s)
        self._put(event, failures, asyncio.get_running_loop().time() + wait_s)


async def _failure(deliver: Deliver, event: Event) -> str | None:
    """Why a call failed; `None`: it did not. A fault of ours must not end the delivery of all other events."""
    try:
        await deliver(event)
    except GatewayError as error:
        return error.message
    except Exception as error:
        log.exception("event %s could not be delivered", event.id)
        return type(error).__name__
    return None
