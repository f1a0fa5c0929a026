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
AFTER_CONCURRENCY_S = 1  # nobody knows when a running request ends

RawHeaders = list[tuple[bytes, bytes]]


class _Window:
    """Amounts by the second, and their sum over the last 61 of them."""

    __slots__ = ("newest", "slots", "total")

    def __init__(self) -> None:
        self.slots = [0] * _SLOTS
        self.newest = 0
        self.total = 0

    def advance(self, second: int) -> None:
        """Forget what lies too far back."""
        behind = second - self.newest
        if behind <= 0:
            return
        for gone in range(self.newest + 1, self.newest + 1 + min(behind, _SLOTS)):
            slot = gone % _SLOTS
            self.total -= self.slots[slot]
            self.slots[slot] = 0
        self.newest = second

    def add(self, second: int, amount: int) -> None:
        """Count at a second that may have passed; if it lies too far back, what was used counts now."""
        if second <= self.newest - _SLOTS:
            if amount <= 0:
                return
            second = self.newest
        self.slots[second % _SLOTS] += amount
        self.total += amount

    def wait_s(self, surplus: int, now: float) -> int:
        """Seconds until at least `surplus` has passed out of the window; 0 if there is none."""
        if surplus <= 0:
            return 0
        for second in range(self.newest - _SLOTS + 1, self.newest + 1):
            surplus -= self.slots[second % _SLOTS]
            if surplus <= 0:
                return max(1, math.ceil(second + _SLOTS - now))
        return WINDOW_S

    def reset_s(self, now: float) -> int:
        """Seconds until nothing is left in the window."""
        for second in range(self.newest, self.newest - _SLOTS, -1):
            if self.slots[second % _SLOTS]:
                return max(1, math.ceil(second + _SLOTS - now))
        return 0


class _Counter:
    """What one limit has let through; `math.inf` stands for what it does not limit."""

    __slots__ = ("_most_requests", "_most_running", "_most_tokens", "limit", "requests", "running", "tokens")

    def __init__(self, limit: RateLimit) -> None:
        self.requests = _Window()
        self.tokens = _Window()
        self.running = 0
        self.change(limit)

    def change(self, limit: RateLimit) -> None:
        """From now on this is the limit; what was used stays."""
        self.limit = limit
        self._most_requests = _or_endless(limit.requests_per_minute)
        self._most_tokens = _or_endless(limit.tokens_per_minute)
        self._most_running = _or_endless(limit.concurrency)

    def advance(self, second: int) -> None:
        if second > self.requests.newest:
            self.requests.advance(second)
            self.tokens.advance(second)

    def admits(self, tokens: int, second: int) -> bool:
        """Whether one more request of so many tokens may pass."""
        if second > self.requests.newest:
            self.advance(second)
        return (
            self.running < self._most_running
            and self.requests.total < self._most_requests
            and self.tokens.total + tokens <= self._most_tokens
        )

    def refusals(self, tokens: int, now: float) -> Iterable[RateLimited]:
        """Everything that forbids one more request of so many tokens."""
        limit, requests, running = self.limit, self.limit.requests_per_minute, self.limit.concurrency
        if running is not None and self.running >= running:
            yield _refused(limit, "concurrency", running, 0, AFTER_CONCURRENCY_S)
        if requests is not None and self.requests.total >= requests:
            wait_s = self.requests.wait_s(self.requests.total + 1 - requests, now)
            yield _refused(limit, "requests_per_minute", requests, 0, wait_s)
        most = limit.tokens_per_minute
        if most is not None and self.tokens.total + tokens > most:
            remaining = max(0, most - self.tokens.total)
            if tokens > most:
                yield _too_large(limit, most, remaining, tokens)
            else:
                wait_s = self.tokens.wait_s(self.tokens.total + tokens - most, now)
                yield _refused(limit, "tokens_per_minute", most, remaining, wait_s)

    def take(self, tokens: int, second: int) -> None:
        self.requests.add(second, 1)
        self.tokens.add(second, tokens)
        self.running += 1


class Taken:
    """What one request has taken from the limits in its scope; every method may be called again."""

    __slots__ = ("_counters", "_is_running", "_second", "_tokens")

    def __init__(self, counters: tuple[_Counter, ...], tokens: int, second: int) -> None:
        self._counters = counters
        self._tokens = tokens
        self._second = second
        self._is_running = True

    def correct(self, tokens: int, now: float) -> None:
        """Put the truth in the place of the estimate."""
        difference, self._tokens, second = tokens - self._tokens, tokens, int(now)
        if difference:
            for counter in self._counters:
                counter.advance(second)
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

    def headers(self, now: float) -> RawHeaders:
        """`x-ratelimit-*` of the tightest limits, in OpenAI's names and form (platform.openai.com/docs/guides/rate-limits)."""
        found: RawHeaders = []
        for counter in self._counters:
            counter.advance(int(now))
        for unit, windows in (
            (b"requests", [(c.limit.requests_per_minute, c.requests) for c in self._counters]),
            (b"tokens", [(c.limit.tokens_per_minute, c.tokens) for c in self._counters]),
        ):
            limited = [(limit - window.total, limit, window) for limit, window in windows if limit is not None]
            if limited:
                left, limit, window = min(limited, key=lambda one: one[0])
                found += limit_headers(unit, limit, max(0, left), window.reset_s(now))
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
            counter = before.get(limit.id)
            if counter is None or counter.limit.scope != limit.scope:
                counter = _Counter(limit)
            counter.change(limit)
            self._counters[limit.id] = counter
        self._known.clear()

    def take(self, subject: Subject, tokens_estimate: int, now: float) -> Taken | None:
        """Take from every limit in scope, or raise `RateLimited` and take from none; `None` if there is no limit.

        Where several refuse, the one that lasts longest is raised: after it, the request can pass.
        """
        if not self._counters:
            return None
        counters = self._known.get(subject)
        if counters is None:
            counters = self._learn(subject)
        if not counters:
            return None
        second = int(now)
        admitted = [counter.admits(tokens_estimate, second) for counter in counters]
        if not all(admitted):
            raise _longest(refusal for counter in counters for refusal in counter.refusals(tokens_estimate, now))
        for counter in counters:
            counter.take(tokens_estimate, second)
        return Taken(counters, tokens_estimate, second)

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


def _or_endless(most: int | None) -> float:
    return math.inf if most is None else most


def _longest(refusals: Iterable[RateLimited]) -> RateLimited:
    return max(refusals, key=lambda refusal: math.inf if refusal.retry_after_s is None else refusal.retry_after_s)


def _refused(limit: RateLimit, kind: str, most: int, remaining: int, wait_s: int) -> RateLimited:
    return RateLimited(
        f"The limit of {most:,} {_WORDS[kind]} on {limit.scope} is reached; try again in {wait_s} s.",
        retry_after_s=wait_s,
        details={"limit": _details(limit, kind, most, remaining, wait_s)},
    )


def _too_large(limit: RateLimit, most: int, remaining: int, tokens: int) -> RateLimited:
    return RateLimited(
        f"This request counts as about {tokens:,} tokens (its input and its max_tokens), and {limit.scope} may use {most:,} a "
        "minute: it cannot pass. Send less, or a smaller max_tokens.",
        details={"limit": _details(limit, "tokens_per_minute", most, remaining, None)},
    )


def _details(limit: RateLimit, kind: str, most: int, remaining: int, wait_s: int | None) -> dict[str, object]:
    return {
        "id": limit.id, "scope": str(limit.scope), "kind": kind, "limit": most, "remaining": remaining, "retry_after_s": wait_s,
    }  # fmt: skip
