"""What a deployment itself may be asked: so many requests a minute, so many at once."""

from collections import deque

from gateway.routing.plan import Way

WINDOW_S = 60.0


class Pace:
    """Counts the calls of those deployments that have a limit by the minute."""

    def __init__(self) -> None:
        self._calls: dict[str, deque[float]] = {}

    def has_room(self, way: Way, running: int, now: float) -> bool:
        """Whether one more call may go there; `running` are there now, `now` is of the monotonic clock."""
        if way.concurrency is not None and running >= way.concurrency:
            return False
        if way.requests_per_minute is None:
            return True
        calls = self._calls.get(way.key)
        if calls is None:
            return True
        while calls and calls[0] <= now - WINDOW_S:
            calls.popleft()
        return len(calls) < way.requests_per_minute

    def note(self, way: Way, now: float) -> None:
        """A call goes to a deployment that has a limit by the minute."""
        self._calls.setdefault(way.key, deque()).append(now)
