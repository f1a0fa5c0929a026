"""How often a request may be sent again: a share of all, so that retries never make a bad hour worse."""

from collections import deque
from collections.abc import Callable

WINDOW_S = 10.0
FLOOR = 3
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
LONGEST_RETRY_AFTER_S = 10.0


class RetryBudget:
    """Retries are at most `share` of the requests of the last ten seconds; `floor` of them a quiet gateway may have too."""

    def __init__(self, share: float = 0.1, floor: int = FLOOR) -> None:
        self._share = share
        self._floor = floor if share else 0
        self._requests: deque[float] = deque()
        self._retries: deque[float] = deque()

    def note_request(self, now: float) -> None:
        """A request has come."""
        self._requests.append(now)
        self._forget(self._requests, now)

    def may_retry(self, now: float) -> bool:
        """Whether one more may be sent again; if so, it counts."""
        self._forget(self._requests, now)
        self._forget(self._retries, now)
        if len(self._retries) >= max(self._floor, self._share * len(self._requests)):
            return False
        self._retries.append(now)
        return True

    @staticmethod
    def _forget(times: deque[float], now: float) -> None:
        while times and times[0] <= now - WINDOW_S:
            times.popleft()


def backoff_s(attempt: int, chance: Callable[[], float], retry_after_s: float | None = None) -> float | None:
    """The pause before a deployment is asked again: what it asks for, or a random part of 0.1 s doubled each time.

    `attempt` counts from 0. `None`: it asks for more than anybody would wait.
    """
    if retry_after_s is not None and retry_after_s > 0:
        return None if retry_after_s > LONGEST_RETRY_AFTER_S else float(retry_after_s)
    return chance() * min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**attempt)
