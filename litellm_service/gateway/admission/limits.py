"""Rate limits: requests and tokens in any 60 seconds, and how many at once. Exact in one process."""

import math
from collections.abc import Iterable

from gateway.domain.errors import RateLimited
from gateway.domain.limit import RateLimit
from gateway.domain.scope import Subject

WINDOW_S = 60
# Sixty seconds touch at most 61 slots of one second: so no 60 seconds ever hold more than the limit.
_SLOTS = WINDOW_S + 1
KNOWN_SUBJECTS = 10_000

RawHeaders = list[tuple[bytes, bytes]]


class _Window:
    """Amounts by the second, and their sum over the last 61 of them."""

    __slots__ = ("_newest", "_slots", "total")

    def __init__(self) -> None:
        self._slots = [0] * _SLOTS
        self._newest = 0
        self.total = 0

    def advance(self, second: int) -> None:
        """Forget what lies too far back."""
        behind = second - self._newest
        if behind <= 0:
            return
        for gone in range(self._newest + 1, self._newest + 1 + min(behind, _SLOTS)):
            slot = gone % _SLOTS
            self.total -= self._slots[slot]
            self._slots[slot] = 0
        self._newest = second

    def add(self, second: int, amount: int) -> None:
        """Count at a second that may have passed; if it lies too far back, what was used counts now."""
        if second <= self._newest - _SLOTS:
            if amount <= 0:
                return
            second = self._newest
        self._slots[second % _SLOTS] += amount
        self.total += amount

    def wait_s(self, surplus: int, now: float) -> int:
        """Seconds until at least `surplus` has passed out of the window."""
        for second in range(self._newest - _SLOTS + 1, self._newest + 1):
            surplus -= self._slots[second % _SLOTS]
            if surplus <= 0:
                return max(1, math.ceil(second + _SLOTS - now))
        return WINDOW_S

    def reset_s(self, now: float) -> int:
        """Seconds until nothing is left in the window."""
        for second in range(self._newest, self._newest - _SLOTS, -1):
            if self._slots[second % _SLOTS]:
                return max(1, math.ceil(second + _SLOTS - now))
        return 0


class _Counter:
    """What one limit has let through."""

    __slots__ = ("limit", "requests", "running", "tokens")

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self.requests = _Window()
        self.tokens = _Window()
        self.running = 0

    def check(self, tokens: int, second: int, now: float) -> None:
        """Raises `RateLimited` if one more request of so many tokens would be too much."""
        limit = self.limit
        self.requests.advance(second)
        self.tokens.advance(second)
        if limit.concurrency is not None and self.running >= limit.concurrency:
            raise _refused(limit, "concurrency", limit.concurrency, 0, 1)
        if limit.requests_per_minute is not None:
            surplus = self.requests.total + 1 - limit.requests_per_minute
            if surplus > 0:
                raise _refused(
                    limit, "requests_per_minute", limit.requests_per_minute, 0, self.requests.wait_s(surplus, now)
                )
        if limit.tokens_per_minute is not None:
            self._check_tokens(limit.tokens_per_minute, tokens, now)

    def _check_tokens(self, most: int, tokens: int, now: float) -> None:
        if tokens > most:
            raise _too_large(self.limit, most, tokens)
        surplus = self.tokens.total + tokens - most
        if surplus > 0:
            remaining = max(0, most - self.tokens.total)
            raise _refused(self.limit, "tokens_per_minute", most, remaining, self.tokens.wait_s(surplus, now))

    def take(self, tokens: int, second: int) -> None:
        self.requests.add(second, 1)
        self.tokens.add(second, tokens)
        self.running += 1


class Taken:
    """What one request has taken from the limits in its scope; every method may be called again."""

    __slots__ = ("_counters", "_is_running", "_now", "_second", "_tokens")

    def __init__(self, counters: tuple[_Counter, ...], tokens: int, second: int, now: float) -> None:
        self._counters = counters
        self._tokens = tokens
        self._second = second
        self._now = now
        self._is_running = True

    def correct(self, tokens: int, now: float) -> None:
        """Put the truth in the place of the estimate."""
        difference, self._tokens, second = tokens - self._tokens, tokens, int(now)
        if difference:
            for counter in self._counters:
                counter.tokens.advance(second)
                counter.tokens.add(self._second, difference)

    def release(self) -> None:
        """It does not run any more."""
        if self._is_running:
            self._is_running = False
            for counter in self._counters:
                counter.running -= 1

    def give_back(self) -> None:
        """It was not admitted after all: as if it had never been there."""
        if self._is_running:
            self.release()
            for counter in self._counters:
                counter.requests.add(self._second, -1)
                counter.tokens.add(self._second, -self._tokens)

    def headers(self) -> RawHeaders:
        """`x-ratelimit-*` of the tightest limits, in OpenAI's names and form (platform.openai.com/docs/guides/rate-limits)."""
        found: RawHeaders = []
        for unit, windows in (
            (b"requests", [(c.limit.requests_per_minute, c.requests) for c in self._counters]),
            (b"tokens", [(c.limit.tokens_per_minute, c.tokens) for c in self._counters]),
        ):
            limited = [(limit - window.total, limit, window) for limit, window in windows if limit is not None]
            if limited:
                left, limit, window = min(limited, key=lambda one: one[0])
                found += limit_headers(unit, limit, max(0, left), window.reset_s(self._now))
        return found


def limit_headers(unit: bytes, limit: int, remaining: int, reset_s: int) -> RawHeaders:
    """The three headers of one limit; `unit` is `requests` or `tokens`."""
    return [
        (b"x-ratelimit-limit-" + unit, b"%d" % limit),
        (b"x-ratelimit-remaining-" + unit, b"%d" % remaining),
        (b"x-ratelimit-reset-" + unit, b"%ds" % reset_s),
    ]


class RateLimits:
    """All limits and what they have counted. Belongs to the event loop; `now` is of the monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._counters: dict[str, _Counter] = {}
        self._known: dict[Subject, tuple[_Counter, ...]] = {}

    def replace(self, limits: Iterable[RateLimit]) -> None:
        """From now on these apply; those that were there before go on counting."""
        before, self._counters = self._counters, {}
        for limit in limits:
            counter = self._counters[limit.id] = before.get(limit.id) or _Counter(limit)
            if counter.limit.scope != limit.scope:
                counter = self._counters[limit.id] = _Counter(limit)
            counter.limit = limit
        self._known.clear()

    def take(self, subject: Subject, tokens_estimate: int, now: float) -> Taken | None:
        """Take from every limit in scope, or raise `RateLimited` and take from none; `None` if there is no limit."""
        if not self._counters:
            return None
        counters = self._known.get(subject)
        if counters is None:
            counters = self._learn(subject)
        if not counters:
            return None
        second = int(now)
        for counter in counters:
            counter.check(tokens_estimate, second, now)
        for counter in counters:
            counter.take(tokens_estimate, second)
        return Taken(counters, tokens_estimate, second, now)

    def _learn(self, subject: Subject) -> tuple[_Counter, ...]:
        if len(self._known) >= KNOWN_SUBJECTS:
            self._known.clear()
        found = self._known[subject] = tuple(c for c in self._counters.values() if c.limit.scope.covers(subject))
        return found


_WORDS = {
    "requests_per_minute": "requests a minute",
    "tokens_per_minute": "tokens a minute",
    "concurrency": "requests at once",
}


def _refused(limit: RateLimit, kind: str, most: int, remaining: int, wait_s: int) -> RateLimited:
    return RateLimited(
        f"The limit of {most:,} {_WORDS[kind]} on {limit.scope} is reached; try again in {wait_s} s.",
        retry_after_s=wait_s,
        details={"limit": _details(limit, kind, most, remaining, wait_s)},
    )


def _too_large(limit: RateLimit, most: int, tokens: int) -> RateLimited:
    return RateLimited(
        f"This request counts as about {tokens:,} tokens (its input and its max_tokens), and {limit.scope} may use {most:,} a "
        "minute: it cannot pass. Send less, or a smaller max_tokens.",
        details={"limit": _details(limit, "tokens_per_minute", most, most, None)},
    )


def _details(limit: RateLimit, kind: str, most: int, remaining: int, wait_s: int | None) -> dict[str, object]:
    return {
        "id": limit.id, "scope": str(limit.scope), "kind": kind, "limit": most, "remaining": remaining, "retry_after_s": wait_s,
    }  # fmt: skip
