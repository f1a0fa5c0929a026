"""A cache in Valkey or Redis, for several replicas: it may lose what it holds, and while it is away nothing is cached."""

import asyncio
import logging

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.domain.time import monotonic

log = logging.getLogger(__name__)

PREFIX = b"gateway:answer:"
PATIENCE_S = 0.25
AWAY_S = 5.0


class RedisBackend:
    """Waits a quarter of a second at most; after a failure it is left alone for five seconds."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S)
        self._away_until = 0.0

    async def get(self, key: bytes) -> bytes | None:
        """What was put, or nothing."""
        if monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = await self._redis.get(PREFIX + key)
        except (RedisError, OSError, TimeoutError) as error:
            self._leave_alone(error)
            return None
        return found if isinstance(found, bytes) else None

    async def put(self, key: bytes, value: bytes, ttl_s: float) -> None:
        """Keep it for so long."""
        if monotonic() < self._away_until:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._redis.set(PREFIX + key, value, px=max(1, int(ttl_s * 1000)))
        except (RedisError, OSError, TimeoutError) as error:
            self._leave_alone(error)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _leave_alone(self, error: Exception) -> None:
        self._away_until = monotonic() + AWAY_S
        log.warning("the response cache in REDIS_URL does not answer (%s); nothing is cached for %g s", error, AWAY_S)
