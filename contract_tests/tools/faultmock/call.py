"""One call being answered: plain means for faults, and the tally of what was served."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from faultmock.answering import Answer
from faultmock.asking import Ask
from faultmock.http import Connection, Request
from faultmock.pieces import Json, Piece, dumps
from faultmock.wires import WIRES
from faultmock.wires.wire import Whole, Wire

Headers = Iterable[tuple[str, str]]
REASONS = {200: "OK", 204: "No Content", 302: "Found", 307: "Temporary Redirect", 400: "Bad Request", 429: "Too Many"}


def head(status: int, headers: Headers) -> bytes:
    """A response head as bytes."""
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("utf-8")


@dataclasses.dataclass
class Call:
    """A request and its connection. `tokens_sent` and `usage` are the truth: what the peer was served and told."""

    connection: Connection
    request: Request
    ask: Ask
    answer: Answer
    n: int
    status: int | None = None
    tokens_sent: int = 0
    usage: Any = None
    events_sent: int = 0

    @property
    def wire(self) -> Wire:
        """How this call is spoken."""
        return WIRES[self.ask.wire]

    @property
    def streams(self) -> bool:
        """Whether the answer is to be a stream."""
        return self.ask.stream and self.wire.streams

    @property
    def stream_type(self) -> str:
        """The content type of a stream."""
        return "application/json" if self.ask.array else "text/event-stream"

    def pieces(self) -> list[Piece]:
        """The streamed answer."""
        return self.wire.pieces(self.answer)

    def body(self) -> Json:
        """The plain answer as JSON."""
        return self.wire.body(self.answer)

    def plain(self) -> Whole:
        """Bytes and content type of the plain answer."""
        return self.wire.plain(self.answer)

    def error_body(self, status: int, message: str, code: str | None = None) -> Json:
        """A provider's error."""
        return self.wire.error(status, message, code)

    async def send_head(self, status: int = 200, headers: Headers = ()) -> None:
        """Send a response head as it is, with nothing added."""
        self.status = status
        await self.connection.send(head(status, headers))

    async def send_body(
        self, body: bytes, status: int = 200, content_type: str = "application/json", headers: Headers = ()
    ) -> None:
        """Send a whole response with its right length."""
        lengths = [("content-type", content_type), ("content-length", str(len(body)))]
        await self.send_head(status, [*lengths, *headers])
        await self.connection.send(body)

    async def send_json(self, value: object, status: int = 200, headers: Headers = ()) -> None:
        """Send a whole JSON response."""
        await self.send_body(dumps(value).encode(), status, headers=headers)

    async def send_error(self, status: int, message: str, code: str | None = None, headers: Headers = ()) -> None:
        """Send a provider's error."""
        await self.send_json(self.error_body(status, message, code), status, headers)

    def framed(self, piece: Piece, newline: str = "\n") -> bytes:
        """One event as it is sent: for itself, or as the next element of an array."""
        self.events_sent += 1
        if not self.ask.array:
            return piece.sse(newline)
        return f"{'[' if self.events_sent == 1 else ','}{piece.data}\r\n".encode()

    @property
    def closing(self) -> bytes:
        """What ends an array; nothing where events end by themselves."""
        return (b"]" if self.events_sent else b"[]") if self.ask.array else b""

    def framed_whole(self, pieces: Iterable[Piece]) -> bytes:
        """A whole stream, counted as served."""
        data = b""
        for piece in pieces:
            self.serve(piece)
            data += self.framed(piece)
        return data + self.closing

    def serve_all(self) -> None:
        """Count the plain answer as served."""
        self.tokens_sent, self.usage = self.answer.completion_tokens, self.body().get(self.wire.usage_key)

    async def send_plain(self, body: Json | None = None) -> None:
        """Send the plain answer, or another body in its place, and count it as served."""
        self.serve_all()
        if body is None:
            await self.send_body(self.plain()[0], content_type=self.plain()[1])
            return
        self.usage = body.get(self.wire.usage_key)
        await self.send_json(body)

    async def start_stream(self) -> None:
        """Send the head of a stream."""
        await self.send_head(200, [("content-type", self.stream_type), ("transfer-encoding", "chunked")])

    async def chunk(self, data: bytes) -> None:
        """Send one HTTP chunk."""
        await self.connection.send(b"%x\r\n%b\r\n" % (len(data), data))

    def serve(self, piece: Piece) -> None:
        """Count a piece as served: before it is sent, as a bill would."""
        self.tokens_sent += piece.tokens
        self.usage = piece.usage or self.usage

    async def send_piece(self, piece: Piece, newline: str = "\n") -> None:
        """Send one event at the pace of the script."""
        if piece.role == "token":
            await self.connection.sleep(self.ask.script.delay_ms)
        self.serve(piece)
        await self.chunk(self.framed(piece, newline))

    async def end_stream(self) -> None:
        """Send the last chunk."""
        if self.closing:
            await self.chunk(self.closing)
        await self.connection.send(b"0\r\n\r\n")

    async def send_stream(self, pieces: Iterable[Piece], newline: str = "\n") -> None:
        """Send a whole stream of events."""
        await self.start_stream()
        for piece in pieces:
            await self.send_piece(piece, newline)
        await self.end_stream()

    async def send_in_chunks(self) -> None:
        """Send a plain answer that is no JSON in as many HTTP chunks as it has tokens."""
        self.serve_all()
        data, kind = self.plain()
        size = max(1, -(-len(data) // max(1, len(self.answer.tokens))))
        await self.send_head(200, [("content-type", kind), ("transfer-encoding", "chunked")])
        for at in range(0, len(data), size):
            await self.connection.sleep(self.ask.script.delay_ms)
            await self.chunk(data[at : at + size])
        await self.connection.send(b"0\r\n\r\n")

    async def send_answer(self) -> None:
        """Answer as a healthy provider does."""
        if self.streams:
            await self.send_stream(self.pieces())
        elif self.ask.wire == "speech":
            await self.send_in_chunks()
        else:
            await self.connection.sleep(self.ask.script.delay_ms * len(self.answer.tokens))
            await self.send_plain()
