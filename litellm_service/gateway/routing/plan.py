"""One request's way through its candidates: which is next after a failure, and when to give up."""

import random
import re
from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.domain.errors import Overloaded, ProviderError, ProviderRejected
from gateway.providers.deployment import Deployment
from gateway.routing.retries import backoff_s

MOST_STALE = 3
# A key that is refused, a model that is not there: the next deployment may well answer.
_ELSEWHERE = {401, 402, 403, 404, 502}
_TOO_LONG = re.compile(
    r"context.?(length|window)|maximum context|too long|too many (input )?tokens|exceeds? the .{0,40}token|input token count",
    re.IGNORECASE,
)


class Way(msgspec.Struct, kw_only=True, frozen=True):
    """A deployment as a route names it; `key` is what its health goes by. The limits are the deployment's own.

    `asked` is the model that the client itself named for it, where that is not the request's.
    """

    key: str
    deployment: Deployment
    weight: float = 1.0
    order: int = 0
    requests_per_minute: int | None = None
    concurrency: int | None = None
    asked: str | None = None


class Roads(Protocol):
    """What a plan asks the router."""

    def may_go_on(self, way: Way, now: float, *, same: bool) -> bool:
        """Whether one more call may go there."""

    def named(self, names: Sequence[str]) -> list[Way]:
        """The deployments of other names."""


class Rules(msgspec.Struct, kw_only=True, frozen=True):
    """How often a request may call (`attempts`), how often the same deployment again (`retries`), and where it goes instead."""

    attempts: int = 1
    retries: int = 0
    on_context_length: tuple[str, ...] = ()
    on_budget: tuple[str, ...] = ()


class Plan:
    """`way` is where the request goes now, `reason` why (`None`: it has no choice). It moves on only by being asked to.

    `scope` names all places that the request might go to, the same for the same ones.
    """

    def __init__(self, roads: Roads, ways: Sequence[Way], rules: Rules, reason: str | None = None) -> None:
        self._roads = roads
        self._rules = rules
        self._left = list(ways)
        self.way = self._left.pop(0)
        self.reason = reason
        self.scope = self.way.key if reason is None else ",".join(sorted({way.key for way in ways}))
        self._calls = 1
        self._repeated = 0
        self._was_unsent = False
        self._stale_left = MOST_STALE
        self._goes_shorter = bool(rules.on_context_length)
        self._goes_cheaper = bool(rules.on_budget)

    def after(self, error: ProviderError | Overloaded, now: float) -> float | None:
        """Move on after a failed call: the seconds to wait before the next; `None`: there is nothing more to try."""
        if self._may_repeat_at_once(error, now):
            return 0.0
        if self._calls >= self._rules.attempts:
            return None
        if is_too_long(error):
            return 0.0 if self._goes_to(self._rules.on_context_length, self._goes_shorter, error.code) else None
        if not may_help(error):
            return None
        while self._left:
            way = self._left.pop(0)
            if way.key != self.way.key and self._roads.may_go_on(way, now, same=False):
                self._take(way, error.code)
                return 0.0
        return self._again(error, now)

    def skip(self) -> bool:
        """The present way cannot be asked this: go to the next, if there is one."""
        if not self._left:
            return False
        self.way, self.reason = self._left.pop(0), f"{self.way.key} cannot be asked this"
        return True

    def go_cheaper(self) -> bool:
        """There is not enough money left for the present way: go to what is named for that, if anything is."""
        goes, self._goes_cheaper = self._goes_cheaper, False
        if not self._goes_to(self._rules.on_budget, goes, "budget"):
            return self.skip() if not goes and self._rules.on_budget and self._left else False
        return True

    def _may_repeat_at_once(self, error: ProviderError | Overloaded, now: float) -> bool:
        """Where the provider has not heard of the request: nobody pays for that. Of kept-alive connections several may be dead."""
        if isinstance(error, Overloaded) or not error.retryable:
            return False
        if error.is_stale and self._stale_left:
            self._stale_left -= 1
            return True
        if not error.never_sent or self._was_unsent or self._left or error.is_stale:
            return False
        self._was_unsent = True
        return self._roads.may_go_on(self.way, now, same=True)

    def _goes_to(self, names: Sequence[str], may: bool, why: str) -> bool:
        others = [way for way in self._roads.named(names) if way.key != self.way.key] if may else []
        if not others:
            return False
        self._goes_shorter = False
        self._left = others[1:]
        self._take(others[0], why)
        return True

    def _take(self, way: Way, why: str) -> None:
        self.reason = f"{self.way.key} failed: {why}" if why != "budget" else f"too little money for {self.way.key}"
        self.way = way
        self._calls += 1

    def _again(self, error: ProviderError | Overloaded, now: float) -> float | None:
        """The same deployment once more, after a pause."""
        if isinstance(error, Overloaded) or not error.retryable or self._repeated >= self._rules.retries:
            return None
        pause = backoff_s(self._repeated, random.random, error.retry_after_s)
        if pause is None or not self._roads.may_go_on(self.way, now, same=True):
            return None
        self._repeated += 1
        self._calls += 1
        self.reason = f"again after {error.code}"
        return pause


def may_help(error: ProviderError | Overloaded) -> bool:
    """Whether another deployment may do better: not where the request itself is refused."""
    if isinstance(error, Overloaded):
        return True
    return error.retryable or (isinstance(error, ProviderRejected) and error.status in _ELSEWHERE)


def is_too_long(error: ProviderError | Overloaded) -> bool:
    """Whether the provider refused the request because the conversation does not fit its model."""
    if not isinstance(error, ProviderRejected) or error.status not in {400, 413, 422}:
        return False
    return b"context_length_exceeded" in (error.body or b"") or bool(_TOO_LONG.search(error.message))
