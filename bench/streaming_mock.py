"""An upstream that streams: one write per event, at a fixed pace, for any number of connections."""

import argparse
import asyncio
from typing import cast

import uvloop

from bench.messages import stream_events

TICK_S = 0.001
PHASES = 5  # every stream sends one event each PHASES ticks; streams are spread over the phases
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


EVENTS = [_chunk(event) for event in stream_events()]
EVENTS[0] = HEAD + EVENTS[0]
EVENTS[-1] += b"0\r\n\r\n"


class Mock(asyncio.Protocol):
    """One connection: reads a request, then sends an event whenever its phase comes."""

    phases: list[set["Mock"]] = [set() for _ in range(PHASES)]  # noqa: RUF012  shared by all connections on purpose
    opened = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A new connection gets the next phase."""
        self._transport = cast(asyncio.Transport, transport)
        self._buffer = b""
        self._next = 0
        self._phase = Mock.phases[Mock.opened % PHASES]
        Mock.opened += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer has gone."""
        self._phase.discard(self)

    def data_received(self, data: bytes) -> None:
        """Begin to stream once the request is whole."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if found and len(body) >= _content_length(head):
            self._buffer = b""
            self._next = 0
            self._phase.add(self)

    def advance(self) -> bool:
        """Send the next event; `False` after the last."""
        self._transport.write(EVENTS[self._next])
        self._next += 1
        return self._next < len(EVENTS)


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_server(Mock, "127.0.0.1", port, backlog=1024)
    tick, start = 0, loop.time()
    while True:
        phase = Mock.phases[tick % PHASES]
        for mock in [mock for mock in phase if not mock.advance()]:
            phase.discard(mock)
        tick += 1
        await asyncio.sleep(max(0.0, start + tick * TICK_S - loop.time()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(_serve(parser.parse_args().port))
