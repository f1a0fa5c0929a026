"""Answers that go on as they came: client and provider speak one wire."""

import msgspec

from gateway.exchange import Exchange
from gateway.http.errors import body_of, parts_of
from gateway.providers.answers import Piece
from gateway.providers.sse import event_data
from gateway.wires.codec import Writer

_DONE = b"data: [DONE]\n\n"
_MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class _Typed(msgspec.Struct):
    type: str = ""


_typed = msgspec.json.Decoder(_Typed)


class Passed:
    """Client and provider speak one wire: the upstream's bytes go on as they came."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def piece(self, piece: Piece) -> bytes:
        """As it came."""
        return piece.raw

    def end(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """As it came."""
        return b"".join([piece.raw for piece in closing])

    def failure(self, error: BaseException, request_id: str) -> bytes:
        """In the form that the wire's SDKs raise."""
        return self._writer.failure(*parts_of(error, request_id))

    def whole(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """As it came."""
        return closing[0].raw


class PassedOpenAI:
    """The same for OpenAI chat, the wire of most requests: one object for all answers."""

    def piece(self, piece: Piece) -> bytes:
        """As it came."""
        return piece.raw

    def end(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """Usage only for those who asked, and one `[DONE]`, last."""
        asked = exchange.request.wants_usage
        wanted = [piece.raw for piece in closing if not piece.terminator and (asked or not piece.usage_only)]
        return b"".join([*wanted, _DONE])

    def failure(self, error: BaseException, request_id: str) -> bytes:
        """An `error` object, which the SDKs raise."""
        return b"data: %s\n\n" % msgspec.json.encode(body_of(error, request_id))

    def whole(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """As it came."""
        return closing[0].raw


class PassedAnthropic(Passed):
    """The same, with the names of events and the end where a provider leaves them out."""

    def piece(self, piece: Piece) -> bytes:
        """As it came, each event with its name."""
        return _named(piece.raw)

    def end(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """As it came, and one `message_stop`, last."""
        closing = sorted(closing, key=lambda piece: piece.terminator)
        whole = _named(super().end(exchange, closing))
        return whole if any(piece.terminator for piece in closing) else whole + _MESSAGE_STOP


class PassedGemini(Passed):
    """The same, but only lines that Google's SDKs read; where the client wants one JSON array, events become its elements."""

    def __init__(self, writer: Writer, *, as_array: bool) -> None:
        super().__init__(writer)
        self._as_array = as_array
        self._begun = False

    def piece(self, piece: Piece) -> bytes:
        """As it came, or as elements."""
        return self._elements(piece.raw) if self._as_array else _data_only(piece.raw)

    def end(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """The rest, and the array's end."""
        whole = super().end(exchange, closing)
        return self._elements(whole) + (b"]" if self._begun else b"[]") if self._as_array else _data_only(whole)

    def failure(self, error: BaseException, request_id: str) -> bytes:
        """An object of its own, or the last element."""
        failed = super().failure(error, request_id)
        return b",\r\n" + failed.removeprefix(b"[") if self._begun else failed

    def _elements(self, events: bytes) -> bytes:
        written = []
        for data in _datas(events):
            written.append((b",\r\n" if self._begun else b"[") + data)
            self._begun = True
        return b"".join(written)


def _datas(events: bytes) -> list[bytes]:
    return [data for event in events.split(b"\n\n") if (data := event_data(event + b"\n\n"))]


def _data_only(events: bytes) -> bytes:
    """Without comments and fields beside the data, each event's JSON on one line."""
    if events.startswith(b"data: ") and events.find(b"\n") == len(events) - 2:
        return events
    return b"".join([b"data: %s\n\n" % data.replace(b"\n", b" ") for data in _datas(events)])


def _named(events: bytes) -> bytes:
    """Anthropic's SDKs pass over events without `event:`; what they are, their data says too."""
    if events.startswith(b"event:") and events.count(b"\n\n") == 1:
        return events
    return b"".join([_with_name(event) for event in events.split(b"\n\n") if event])


def _with_name(event: bytes) -> bytes:
    data = None if event.startswith(b"event:") or b"\nevent:" in event else event_data(event + b"\n\n")
    name = _type_of(data) if data else ""
    return b"%s%s\n\n" % (f"event: {name}\n".encode() if name else b"", event)


def _type_of(data: bytes) -> str:
    try:
        return _typed.decode(data).type
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
