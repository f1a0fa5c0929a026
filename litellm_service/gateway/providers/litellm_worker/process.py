"""The worker's life as its parent sees it: started when needed, restarted, never left behind."""

import asyncio
import logging
from importlib import metadata

from gateway.domain.errors import ProviderUnavailable
from gateway.domain.time import monotonic
from gateway.providers.litellm_worker.child import Child

log = logging.getLogger("gateway.providers.litellm_worker")

START_S = 60.0  # LiteLLM needs some 5 s of CPU: a limit that a slow machine never meets would never let it start
CALM_S = 60.0
MAX_BACKOFF_S = 30.0
MAX_RESTART_PAUSE_S = 8.0


def litellm_version() -> str | None:
    """The installed version, `None` without LiteLLM; nothing is imported."""
    try:
        return metadata.version("litellm")
    except metadata.PackageNotFoundError:
        return None


class LiteLLMWorker:
    """One child process at a time; it holds no secret but what each call brings.

    A child that dies is replaced when the next call needs one: at once the first time, after a growing pause if it keeps
    dying. A child that does not even come up makes calls fail, and is tried again after a growing while.
    """

    def __init__(self) -> None:
        self._child: Child | None = None
        self._starting: asyncio.Task[str | None] | None = None
        self._stopping = asyncio.Event()
        self._starts = 0
        self._failed_starts = 0
        self._quick_deaths = 0
        self._ready_at = 0.0
        self._not_before = 0.0

    async def ensure_ready(self) -> str:
        """The path of the socket of a worker that answers; raises `ProviderUnavailable` where there can be none.

        May be cancelled: a start that others wait for goes on.
        """
        if self._child is not None and self._child.is_alive and self._starting is None:
            return self._child.socket
        self._refuse_what_is_hopeless()
        if self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._start())
        problem = await asyncio.shield(self._starting)
        if problem is not None or self._child is None:
            raise _unavailable(problem or "The LiteLLM worker was stopped.")
        return self._child.socket

    async def stop(self) -> None:
        """End the process, gently for 3 s, and start none again; may be called again."""
        self._stopping.set()
        if self._starting is not None:
            await asyncio.wait({self._starting})
        child, self._child = self._child, None
        if child is not None:
            await child.end()

    def status(self) -> dict[str, object]:
        """`status` is stopped, starting, ready or failed; `pid` is `None` without a process."""
        child = self._child
        return {
            "status": self._state(),
            "pid": child.pid if child is not None and child.is_alive else None,
            "version": litellm_version(),
            "restarts": max(0, self._starts - 1),
        }

    def _state(self) -> str:
        if self._starting is not None:
            return "starting"
        if self._child is not None:
            return "ready" if self._child.is_alive else "failed"
        return "failed" if self._failed_starts and not self._stopping.is_set() else "stopped"

    def _refuse_what_is_hopeless(self) -> None:
        if self._stopping.is_set():
            raise _unavailable("The gateway is stopping.")
        if litellm_version() is None:
            raise _unavailable(
                "This model is reached through LiteLLM, which is not installed here. "
                "Run: pip install -r litellm_service/requirements.txt"
            )
        wait_s = self._not_before - monotonic()
        if wait_s > 0 and self._starting is None:
            raise _unavailable(
                "The LiteLLM worker failed to start; the service's log says why. It is tried again shortly.",
                retry_after_s=int(wait_s) + 1,
            )

    async def _start(self) -> str | None:
        """Put a child that answers into place; what went wrong, if not. Never raises, for many may wait for it."""
        try:
            await self._clear_away_the_dead()
            problem = await self._bring_up()
        except OSError as error:
            problem = f"The LiteLLM worker cannot be started: {error}."
        finally:
            self._starting = None
        if problem is None:
            self._failed_starts, self._ready_at = 0, monotonic()
        elif not self._stopping.is_set():
            log.error("%s", problem)
            self._failed_starts += 1
            self._not_before = monotonic() + min(MAX_BACKOFF_S, 2.0**self._failed_starts)
        return problem

    async def _clear_away_the_dead(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        await child.end()
        lived_s = monotonic() - self._ready_at
        self._quick_deaths = self._quick_deaths + 1 if lived_s < CALM_S else 0
        if self._quick_deaths > 1:
            await self._pause(min(MAX_RESTART_PAUSE_S, 0.25 * 2.0**self._quick_deaths))

    async def _bring_up(self) -> str | None:
        if self._stopping.is_set():
            return "The gateway is stopping."
        log.info("starting the LiteLLM worker (LiteLLM %s)", litellm_version())
        self._starts += 1
        begun = monotonic()
        child = await Child.spawn()
        while monotonic() - begun < START_S and child.is_alive and not self._stopping.is_set():
            if await child.answers():
                log.info("the LiteLLM worker is ready after %.1f s", monotonic() - begun)
                self._child = child
                return None
            await self._pause(0.05)
        came_to_an_end = not child.is_alive
        await child.end()
        if self._stopping.is_set():
            return "The gateway is stopping."
        if came_to_an_end:
            return "The LiteLLM worker ended while it started; the service's log says why."
        return f"The LiteLLM worker was not ready within {START_S:g} s; the service's log may say why."

    async def _pause(self, seconds: float) -> None:
        """Sleep, unless told to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def _unavailable(message: str, retry_after_s: int | None = None) -> ProviderUnavailable:
    return ProviderUnavailable(message, never_sent=True, retry_after_s=retry_after_s)
