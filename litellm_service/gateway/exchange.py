"""One admitted request, from its hold to its one outcome."""

import asyncio

from gateway.domain.entry import Hold, Settlement
from gateway.domain.request import ModelRequest
from gateway.domain.time import id_text, monotonic, new_request_id, now_ms
from gateway.identity import Caller
from gateway.metering.tokens import estimate_tokens
from gateway.providers.deployment import Deployment
from gateway.providers.openai import AnswerReader
from gateway.providers.reply import Reply

PROGRESS_INTERVAL_S = 1
AFTER_LEAVING_S = 0.5


class ClientLeft(Exception):
    """The client has hung up: nobody waits for this answer."""


class Exchange:
    """An admitted request and its reply, until it ends in exactly one outcome.

    Times are of the monotonic clock, in seconds.
    """

    def __init__(self, request: ModelRequest, caller: Caller, received_at: float) -> None:
        self.request = request
        self.caller = caller
        self.admitted_at_ms = now_ms()
        self.request_id = new_request_id(self.admitted_at_ms)
        self.id = id_text(self.request_id)
        self.received_at = received_at
        self.dispatched_at = received_at
        self.first_token_at: float | None = None
        self.answered_at: float | None = None
        self.hold: Hold
        self.deployment: Deployment
        self.reader: AnswerReader | None = None
        self.settlement: Settlement | None = None
        self._reply: Reply | None = None
        self._left = False
        self.is_admitted = False
        self._progress_at = received_at
        self._estimated = (0, 0)

    @property
    def attempts(self) -> int:
        """Upstream calls made so far."""
        return self.hold.attempt + 1

    def hang_up(self) -> None:
        """The client has left: hang up on the provider, at once unless only the final usage is still to come."""
        self._left = True
        if self._reply is None:
            return
        if self.reader is not None and self.reader.finished:
            asyncio.get_running_loop().call_later(AFTER_LEAVING_S, self.abort, ClientLeft())
        else:
            self.abort(ClientLeft())

    def attach(self, reply: Reply) -> None:
        """Remember whom to hang up on; raises `ClientLeft` if that is due already."""
        self.check_client()
        self._reply = reply
        self.dispatched_at = monotonic()

    def detach(self) -> None:
        """The reply was read to its end: its connection may serve somebody else now, and is not ours to end."""
        self._reply = None

    def check_client(self) -> None:
        """Raises `ClientLeft` if the client has hung up."""
        if self._left:
            raise ClientLeft

    def abort(self, reason: Exception) -> None:
        """End the upstream call, whatever state it is in; once."""
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.abort(reason)

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
