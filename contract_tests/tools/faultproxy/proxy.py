"""The proxy: two relays a connection, under conditions that may change at any time."""

import asyncio
import contextlib
import dataclasses
import socket
import struct

_RESET = struct.pack("ii", 1, 0)
_BLOCK = 65536
_CHECK_S = 0.02


@dataclasses.dataclass(frozen=True)
class Conditions:
    """What the network does, both ways unless said otherwise.

    `cut_after`: bytes towards the client after which the connection is broken: with RST if `reset`, else FIN.
    `black_hole`: accept, and let nothing through. `refuse`: break new connections at once.
    """

    latency_ms: float = 0
    bytes_per_s: float = 0
    cut_after: int | None = None
    reset: bool = False
    black_hole: bool = False
    refuse: bool = False


class _Link:
    """One client connection and its own one to the target."""

    def __init__(self, proxy: "FaultProxy", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = (reader, writer)
        self._writers = [writer]
        self._sent_to_client = 0

    async def run(self) -> None:
        """Relay until both sides are done or the link is broken."""
        if self._proxy.conditions.refuse:
            return self.break_off(reset=True)
        try:
            target = await asyncio.open_connection(*self._proxy.target)
            self._writers.append(target[1])
            await asyncio.gather(
                self._relay(self._client[0], target[1], to_client=False),
                self._relay(target[0], self._client[1], to_client=True),
            )
        except OSError:
            self.break_off(reset=True)
        finally:
            self.break_off(reset=False)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_client: bool) -> None:
        while data := await reader.read(_BLOCK):
            await self._proxy.passable()
            conditions = self._proxy.conditions
            if conditions.latency_ms:
                await asyncio.sleep(conditions.latency_ms / 1000)
            await self._send(writer, self._allowed(data) if to_client else data)
        with contextlib.suppress(OSError):
            writer.write_eof()

    def _allowed(self, data: bytes) -> bytes:
        cut_after = self._proxy.conditions.cut_after
        left = len(data) if cut_after is None else max(0, cut_after - self._sent_to_client)
        return data[:left] if left < len(data) else data

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        rate = self._proxy.conditions.bytes_per_s
        step = max(1, int(rate * _CHECK_S)) if rate else max(1, len(data))
        for at in range(0, len(data), step):
            writer.write(data[at : at + step])
            await writer.drain()
            if rate:
                await asyncio.sleep(_CHECK_S)
        if writer is self._client[1]:
            self._sent_to_client += len(data)
            self._cut_if_due()

    def _cut_if_due(self) -> None:
        conditions = self._proxy.conditions
        if conditions.cut_after is not None and self._sent_to_client >= conditions.cut_after:
            self.break_off(reset=conditions.reset)
            raise ConnectionAbortedError

    def break_off(self, *, reset: bool) -> None:
        """End both connections; harmless when repeated."""
        for writer in self._writers:
            if reset and not writer.is_closing():
                own: socket.socket = writer.get_extra_info("socket")
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
            writer.close()

    def half_close(self) -> None:
        """Send FIN to the target as if the client had half closed; answers still come through."""
        self._writers[-1].write_eof()


class FaultProxy:
    """Listens on a loopback port and relays to `target`; `conditions` may be replaced while it runs."""

    def __init__(self, host: str, port: int, conditions: Conditions | None = None) -> None:
        self.target = (host, port)
        self.conditions = conditions or Conditions()
        self.accepted = 0
        self._links: dict[asyncio.Task[None], _Link] = {}
        self._server: asyncio.Server | None = None

    async def passable(self) -> None:
        """Wait until the network is no black hole any more."""
        while self.conditions.black_hole:  # noqa: ASYNC110  # `conditions` is replaced from outside, without an event
            await asyncio.sleep(_CHECK_S)

    async def start(self, port: int = 0) -> int:
        """Listen, and return the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        link = _Link(self, reader, writer)
        task = asyncio.ensure_future(link.run())
        self._links[task] = link
        task.add_done_callback(lambda done: self._links.pop(done, None))

    @property
    def open_links(self) -> int:
        """Connections relayed now."""
        return len(self._links)

    def reset_all(self) -> None:
        """Break every open connection with RST, both sides."""
        for link in self._links.values():
            link.break_off(reset=True)

    def half_close_all(self) -> None:
        """Half close every open connection towards the target."""
        for link in self._links.values():
            link.half_close()

    async def close(self) -> None:
        """Stop listening and break what is open."""
        if self._server:
            self._server.close()
        for task in list(self._links):
            task.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)
