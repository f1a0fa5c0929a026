"""How deployments fare, as the requests themselves show: who is left out for a while, and who is tried again."""

from collections import deque
from typing import Literal

import msgspec

from gateway.domain.errors import ProviderError, ProviderRejected

STRIKES = 3
WINDOW_S = 30.0
FEWEST = 10
WORST_SHARE = 0.5
FIRST_EJECTION_S, LONGEST_EJECTION_S = 1.0, 8.0
LONGEST_COOLING_S = 60.0
TRIAL_S = 5.0
KNOWN = 10_000
_SMOOTHING = 0.2
# A key that does not work, or no such model: the deployment's fault, whatever the request.
_OWN_FAULTS = {401, 402, 403, 404, 502}


class HealthState(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment as people are shown it; times in seconds, `until_s` from now on.

    `requests` and `failures` are those of the last half minute; `latency_s` is until the first token, smoothed.
    """

    status: Literal["healthy", "ejected", "trying"]
    until_s: float
    consecutive_failures: int
    running: int
    requests: int
    failures: int
    latency_s: float | None
    last_error: str | None


class _Known:
    __slots__ = ("calls", "ejection_s", "last_error", "latency_s", "out_until", "running", "strikes", "trial_until")

    def __init__(self) -> None:
        self.calls: deque[tuple[float, bool]] = deque(maxlen=1_000)
        self.running = self.strikes = 0
        self.ejection_s = 0.0
        self.out_until: float | None = None
        self.trial_until: float | None = None
        self.latency_s: float | None = None
        self.last_error: str | None = None

    def forget_old(self, now: float) -> None:
        while self.calls and self.calls[0][0] <= now - WINDOW_S:
            self.calls.popleft()

    def forgive(self) -> None:
        self.strikes, self.ejection_s = 0, 0.0
        self.out_until = self.trial_until = self.last_error = None


class Health:
    """All deployments that were ever called, by key; `now` is of the monotonic clock, in seconds.

    After three failures on end, or when half of at least ten calls in half a minute failed, a deployment is out for a second, then
    two, at most eight. When that time is over one request tries it: if that goes well, it is back. A 429 with `Retry-After` puts it
    out for so long, a minute at most.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def begin(self, key: str, now: float) -> None:
        """A call begins."""
        self._of(key).running += 1

    def done(self, key: str, now: float) -> None:
        """A call has ended, however."""
        known = self._of(key)
        known.running = max(0, known.running - 1)

    def note_success(self, key: str, now: float, first_token_s: float | None, duration_s: float) -> None:
        """It answered."""
        known = self._of(key)
        known.calls.append((now, True))
        known.forgive()
        took = first_token_s if first_token_s is not None else duration_s
        known.latency_s = took if known.latency_s is None else known.latency_s + _SMOOTHING * (took - known.latency_s)

    def note_failure(self, key: str, now: float, error: ProviderError) -> None:
        """It failed; a refusal that is the request's own fault says nothing, but that one which is tried again answers.

        Nor do failures of calls that began before it was put out: it has been found out already.
        """
        known = self._of(key)
        if isinstance(error, ProviderRejected) and error.status not in _OWN_FAULTS:
            if known.trial_until is not None:
                known.forgive()
            return
        known.last_error = error.message
        known.calls.append((now, False))
        known.strikes += 1
        if error.retry_after_s:
            known.out_until = max(known.out_until or 0, now + min(error.retry_after_s, LONGEST_COOLING_S))
            known.trial_until = None
        elif known.out_until is not None and now < known.out_until:
            return
        elif known.trial_until is not None or self._fails_too_often(known, now):
            known.ejection_s = min(LONGEST_EJECTION_S, max(FIRST_EJECTION_S, 2 * known.ejection_s))
            known.out_until = now + known.ejection_s
            known.trial_until = None

    def may_be_back(self, key: str, now: float) -> None:
        """It was heard of: the next request may try it at once."""
        known = self._known.get(key)
        if known is not None and known.out_until is not None and known.trial_until is None:
            known.out_until = min(known.out_until, now)

    def is_open(self, key: str, now: float) -> bool:
        """Whether requests may go there freely."""
        known = self._known.get(key)
        return known is None or known.out_until is None

    def try_half_open(self, key: str, now: float) -> bool:
        """Whether this request is the one that tries an ejected deployment again; others wait for how it goes."""
        known = self._known.get(key)
        if known is None or known.out_until is None or known.out_until > now:
            return False
        if known.trial_until is not None and known.trial_until > now:
            return False
        known.trial_until = now + TRIAL_S
        return True

    def running(self, key: str) -> int:
        """Calls that have not ended."""
        known = self._known.get(key)
        return 0 if known is None else known.running

    def latency_s(self, key: str) -> float | None:
        """Seconds to the first token, smoothed; `None`: it has not answered yet."""
        known = self._known.get(key)
        return None if known is None else known.latency_s

    def opens_in_s(self, key: str, now: float) -> float:
        """Seconds until it may be tried; 0 where it may now."""
        known = self._known.get(key)
        return 0.0 if known is None or known.out_until is None else max(0.0, known.out_until - now)

    def state(self, key: str, now: float) -> HealthState:
        """For people."""
        known = self._known.get(key) or _Known()
        known.forget_old(now)
        trying = known.trial_until is not None and known.trial_until > now
        return HealthState(
            status="healthy" if known.out_until is None else "trying" if trying else "ejected",
            until_s=self.opens_in_s(key, now),
            consecutive_failures=known.strikes,
            running=known.running,
            requests=len(known.calls),
            failures=sum(not went_well for _, went_well in known.calls),
            latency_s=known.latency_s,
            last_error=known.last_error,
        )

    def called(self) -> list[str]:
        """Whoever was called."""
        return sorted(self._known)

    def _of(self, key: str) -> _Known:
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= KNOWN:  # names are the clients' choice
                self._known = {key: known for key, known in self._known.items() if known.running or known.out_until}
            known = self._known[key] = _Known()
        return known

    @staticmethod
    def _fails_too_often(known: _Known, now: float) -> bool:
        if known.strikes >= STRIKES:
            return True
        known.forget_old(now)
        failed = sum(not went_well for _, went_well in known.calls)
        return len(known.calls) >= FEWEST and failed >= WORST_SHARE * len(known.calls)
