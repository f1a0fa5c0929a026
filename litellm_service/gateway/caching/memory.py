"""A cache in this process: the least recently used go first."""

from collections import OrderedDict

from gateway.domain.time import monotonic


class MemoryBackend:
    """Keeps at most `most_bytes`."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self.size = 0

    async def get(self, key: bytes) -> bytes | None:
        """What was put, or nothing."""
        found = self._kept.get(key)
        if found is None:
            return None
        until, value = found
        if until <= monotonic():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return value

    async def put(self, key: bytes, value: bytes, ttl_s: float) -> None:
        """Keep it for so long, if there is room for it at all."""
        self._drop(key)
        if len(value) > self._most_bytes:
            return
        self._kept[key] = (monotonic() + ttl_s, value)
        self.size += len(value)
        while self.size > self._most_bytes:
            self._drop(next(iter(self._kept)))

    async def close(self) -> None:
        """Forget all."""
        self._kept.clear()
        self.size = 0

    def _drop(self, key: bytes) -> None:
        _, value = self._kept.pop(key, (0.0, b""))
        self.size -= len(value)
