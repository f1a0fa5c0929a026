"""How the routes beside chat answer: as the provider did."""

import msgspec

from gateway.domain.request import WireName
from gateway.exchange import Exchange
from gateway.http.errors import body_of
from gateway.http.wires import PASSED_OPENAI, Answer, error_body
from gateway.providers.answers import Piece


class _AsItCame:
    """Bytes go on untouched; one object for all answers."""

    def piece(self, piece: Piece) -> bytes:
        """As it came."""
        return piece.raw

    def end(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """As it came."""
        return b"".join([piece.raw for piece in closing])

    def failure(self, error: BaseException, request_id: str) -> bytes:
        """An `error` event, which the SDKs raise."""
        return b"event: error\ndata: %s\n\n" % msgspec.json.encode({"type": "error", **body_of(error, request_id)})

    def whole(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """As it came."""
        return closing[0].raw


_AS_IT_CAME = _AsItCame()


class PassedWire:
    """A route whose answers go on as they came. `has_done`: a stream ends with OpenAI's `[DONE]`."""

    def __init__(self, name: WireName = "openai", *, has_done: bool = False) -> None:
        self._name = name
        self._has_done = has_done

    def answer(self, exchange: Exchange) -> Answer:
        """What passes it on."""
        return PASSED_OPENAI if self._has_done else _AS_IT_CAME

    def error(self, error: BaseException, request_id: str) -> bytes:
        """In the form that the wire's SDKs raise."""
        return error_body(self._name, error, request_id)
