"""One call being answered: plain means for faults, and the tally of what was served."""

import dataclasses
from collections.abc import Iterable

from faultmock import wires
from faultmock.http import Connection, Request
from faultmock.script import Ask
from faultmock.wires import Answer, Json, Piece

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
    usage: Json | None = None

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
        await self.send_body(wires.dumps(value).encode(), status, headers=headers)

    async def send_error(self, status: int, message: str, code: str | None = None, headers: Headers = ()) -> None:
        """Send a provider's error."""
        await self.send_json(wires.error_body(self.ask.wire, status, message, code), status, headers)

    async def send_plain(self, body: Json | None = None) -> None:
        """Send the plain answer, or another body in its place, and count it as served."""
        answer = wires.body(self.answer) if body is None else body
        self.tokens_sent, self.usage = self.answer.completion_tokens, answer.get("usage")
        await self.send_json(answer)

    async def start_stream(self) -> None:
        """Send the head of a stream."""
        await self.send_head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])

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
        await self.chunk(piece.sse(newline))

    async def end_stream(self) -> None:
        """Send the last chunk."""
        await self.connection.send(b"0\r\n\r\n")

    async def send_stream(self, pieces: Iterable[Piece], newline: str = "\n") -> None:
        """Send a whole stream of events."""
        await self.start_stream()
        for piece in pieces:
            await self.send_piece(piece, newline)
        await self.end_stream()

    async def send_answer(self) -> None:
        """Answer as a healthy provider does."""
        if self.ask.stream:
            await self.send_stream(wires.pieces(self.answer))
        else:
            await self.connection.sleep(self.ask.script.delay_ms * len(self.answer.tokens))
            await self.send_plain()
