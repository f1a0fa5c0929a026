"""One admitted request, from its hold to its one outcome."""

import asyncio
import contextlib

from gateway.admission.limits import Taken
from gateway.caching.answers import Kept, Wish
from gateway.domain.entry import Hold, Settlement
from gateway.domain.errors import NotAllowed
from gateway.domain.key import Key
from gateway.domain.request import ModelRequest
from gateway.domain.scope import Subject
from gateway.domain.time import id_text, monotonic, new_request_id, now_ms
from gateway.identity import Caller, unauthenticated
from gateway.metering.tokens import estimate_tokens
from gateway.providers.answers import AnswerReader
from gateway.providers.calls import Call
from gateway.providers.deployment import Deployment
from gateway.providers.reply import Reply
from gateway.routing.plan import Plan
from gateway.routing.steering import Steering

PROGRESS_INTERVAL_S = 1
AFTER_LEAVING_S = 0.5


class ClientLeft(Exception):
    """The client has hung up: nobody waits for this answer."""


class Exchange:
    """An admitted request and its reply, until it ends in exactly one outcome.

    Times are of the monotonic clock, in seconds. `route` is the path it came by. `output_limit` is what the gateway itself
    allows the answer, in tokens; `None`: it says nothing. `taken` is what its rate limits have counted. `elsewhere_s` went into
    attempts that failed and pauses after them. `cache_key` is what the answer may be kept under, `kept` one that was; `reason` says
    why the present attempt goes where it goes, where there is a choice.
    """

    def __init__(self, request: ModelRequest, caller: Caller, received_at: float, route: str) -> None:
        self.request = request
        self.caller = caller
        self.route = route
        self.admitted_at_ms = now_ms()
        self.request_id = new_request_id(self.admitted_at_ms)
        self.id = id_text(self.request_id)
        self.received_at = received_at
        self.dispatched_at = received_at
        self.first_token_at: float | None = None
        self.answered_at: float | None = None
        self.hold: Hold
        self.plan: Plan
        self.steering: Steering | None = None
        self.deployment: Deployment
        self.call: Call
        self.reader: AnswerReader | None = None
        self.settlement: Settlement | None = None
        self.subject: Subject
        self.output_limit: int | None = None
        self.taken: Taken | None = None
        self._reply: Reply | None = None
        self._stopped: Exception | None = None
        self.finished_at: float | None = None
        self.cache_wish: Wish = "use"
        self.cache_key: bytes | None = None
        self.kept: Kept | None = None
        self.reason: str | None = None
        self.is_routed = False
        self.is_translated = True
        self.is_admitted = False
        self.is_answering = False
        self.is_unconfirmed = False
        self.elsewhere_s = 0.0
        self._pause: asyncio.Future[None] | None = None
        self._progress_at = received_at
        self._estimated = (0, 0)

    @property
    def attempts(self) -> int:
        """Upstream calls made so far."""
        return self.hold.attempt + 1

    def prepare(self, call: Call) -> None:
        """The next attempt is this call."""
        self.call, self.is_translated = call, call.is_translated

    def begin_again(self, hold: Hold) -> None:
        """The next attempt, under a hold of its own: what the last one said is gone; its time was the provider's."""
        if self.dispatched_at != self.received_at:
            self.elsewhere_s += monotonic() - self.dispatched_at
        self.hold, self.dispatched_at = hold, self.received_at
        self.reader = self.first_token_at = self.finished_at = self.answered_at = None
        self._estimated = (0, 0)

    async def pause(self, seconds: float) -> None:
        """Wait, unless the client leaves or the caller is stopped meanwhile."""
        if seconds <= 0 or self._stopped is not None:
            return
        self._pause = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._pause, seconds)
        self.elsewhere_s += seconds
        self._pause = None

    def hang_up(self) -> None:
        """The client has left: hang up on the provider, at once unless only the final usage is still to come."""
        self._stopped = ClientLeft()
        self._wake()
        if self._reply is None:
            return
        if self.reader is not None and self.reader.finished:
            asyncio.get_running_loop().call_later(AFTER_LEAVING_S, self.abort, ClientLeft())
        else:
            self.abort(ClientLeft())

    def stop(self, reason: Exception) -> None:
        """The caller may not go on: hang up on the provider and raise `reason` where the answer is waited for."""
        if self._stopped is None:
            self._stopped = reason
            self._wake()
            self.abort(reason)

    def give_back(self) -> None:
        """It was not admitted after all: no rate limit counts it."""
        taken, self.taken = self.taken, None
        if taken is not None:
            taken.give_back()

    def attach(self, reply: Reply) -> None:
        """Remember whom to hang up on; raises `ClientLeft` if that is due already."""
        self.check_client()
        self._reply = reply
        self.dispatched_at = monotonic()

    def detach(self) -> None:
        """The reply was read to its end: its connection may serve somebody else now, and is not ours to end."""
        self._reply = None

    def check_client(self) -> None:
        """Raises `ClientLeft` if the client has hung up, or the reason for which it was stopped."""
        if self._stopped is not None:
            raise self._stopped

    def abort(self, reason: Exception) -> None:
        """End the upstream call, whatever state it is in; once."""
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.abort(reason)

    def _wake(self) -> None:
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(None)

    def output_estimate(self) -> int:
        """Tokens of the answer so far: by its words, and at least one for each piece that came."""
        if self.reader is None:
            return 0
        seen, tokens = self._estimated
        new = "".join(self.reader.counted[seen:])
        self._estimated = (len(self.reader.counted), tokens + (estimate_tokens(new) if new else 0))
        return max(self._estimated)

    def progress_is_due(self, now: float) -> bool:
        """Once a second."""
        if now - self._progress_at < PROGRESS_INTERVAL_S:
            return False
        self._progress_at = now
        return True


class Running:
    """The open exchanges of virtual keys, so that a key that is blocked or expires ends them at once."""

    def __init__(self) -> None:
        self._by_key: dict[str, set[Exchange]] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}

    def add(self, exchange: Exchange) -> None:
        """It has begun."""
        key = exchange.caller.key
        if key is not None:
            self._by_key.setdefault(key.id, set()).add(exchange)
            if key.expires_at_ms is not None and key.id not in self._expiries:
                self._await_expiry(key, exchange.admitted_at_ms)

    def discard(self, exchange: Exchange) -> None:
        """It has ended."""
        if exchange.caller.key is None:
            return
        own = self._by_key.get(exchange.caller.key_id)
        if own is not None:
            own.discard(exchange)
            if not own:
                del self._by_key[exchange.caller.key_id]
                self._forget_expiry(exchange.caller.key_id)

    def recheck(self, key_id: str, key: Key | None, at_ms: int) -> None:
        """A key was changed (`None`: deleted): end what it may not do any more."""
        self._forget_expiry(key_id)
        for exchange in list(self._by_key.get(key_id, ())):
            if key is None or not key.is_open(at_ms):
                exchange.stop(unauthenticated())
            elif key.role == "viewer" or not key.allows_route(exchange.route):
                exchange.stop(NotAllowed(f"This key may not use {exchange.route} any more."))
            elif exchange.is_routed and not key.allows_model(exchange.request.model, exchange.deployment.model):
                exchange.stop(NotAllowed("This key may not call this model any more.", param="model"))
        if key is not None and key_id in self._by_key:
            self._await_expiry(key, at_ms)

    def _await_expiry(self, key: Key, at_ms: int) -> None:
        """One timer for each key that will expire and has something running."""
        expires = key.expires_at_ms
        if expires is not None and expires > at_ms:
            delay_s = (expires - at_ms) / 1000
            loop = asyncio.get_running_loop()
            self._expiries[key.id] = loop.call_later(delay_s, self.recheck, key.id, key, expires)

    def _forget_expiry(self, key_id: str) -> None:
        timer = self._expiries.pop(key_id, None)
        if timer is not None:
            timer.cancel()
