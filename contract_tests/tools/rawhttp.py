"""An HTTP/1.1 client by hand: sends exact bytes, reads slowly, leaves rudely."""

import asyncio
import contextlib
import dataclasses
import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

_RESET = struct.pack("ii", 1, 0)
READ_DEADLINE_S = 20.0
_WITHOUT_BODY = {100, 101, 103, 204, 304}


class Broken(Exception):
    """The server ended the connection in the middle of a reply."""


@dataclasses.dataclass
class Reply:
    """Status and headers (lower-case names) of a reply; the body is read with `Client`."""

    status: int
    headers: dict[str, str]


class Client:
    """One connection; every read has a deadline."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._reply = Reply(0, {})
        self._left = 0
        self._rest = b""
        self._ended = False

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def head(self, deadline_s: float = READ_DEADLINE_S) -> Reply:
        """Read the head of a reply; raises `Broken` if the connection ends first."""
        try:
            raw = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), deadline_s)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Broken(str(error)) from None
        lines = raw.decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in lines[1:] if line]
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        self._reply = Reply(int(lines[0].split()[1]), headers)
        self._left = int(headers.get("content-length", 0))
        self._rest, self._ended = b"", self._reply.status in _WITHOUT_BODY
        return self._reply

    async def read_some(self, deadline_s: float = READ_DEADLINE_S) -> bytes:
        """The next piece of the body, `b""` at its proper end; raises `Broken`."""
        if self._ended:
            return b""
        try:
            data = await asyncio.wait_for(self._piece(), deadline_s)
        except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
            raise Broken(str(error)) from None
        self._ended = not data
        return data

    async def _piece(self) -> bytes:
        if self._reply.headers.get("transfer-encoding") == "chunked":
            size = int((await self._reader.readuntil(b"\r\n")).strip(), 16)
            return (await self._reader.readexactly(size + 2))[:-2]
        if "content-length" in self._reply.headers:
            data = await self._reader.read(min(65536, self._left)) if self._left else b""
            if self._left and not data:
                raise asyncio.IncompleteReadError(data, self._left)
            self._left -= len(data)
            return data
        return await self._reader.read(65536)

    async def read_all(self) -> bytes:
        """The rest of the body; raises `Broken`."""
        parts = []
        while data := await self.read_some():
            parts.append(data)
        return b"".join(parts)

    async def event(self) -> bytes | None:
        """The data of the next server-sent event, comments skipped; `None` at the proper end; raises `Broken`."""
        while True:
            event, blank, rest = self._rest.partition(b"\n\n")
            if not blank:
                if not (data := await self.read_some()):
                    return None
                self._rest += data
                continue
            self._rest = rest
            lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
            if lines:
                return b"\n".join(lines)

    async def leave(self, how: str) -> None:
        """Close the connection: `rst` at once, or `fin`; it is gone when this returns."""
        if how == "rst":
            own: socket.socket = self._writer.get_extra_info("socket")
            with contextlib.suppress(OSError):  # it is gone already
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._writer.transport.abort()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def half_close(self) -> None:
        """Say that no more will be sent, and go on reading."""
        self._writer.write_eof()

    def stop_reading(self) -> None:
        """Let the receive buffer fill up."""
        transport: asyncio.ReadTransport = self._writer.transport  # type: ignore[assignment]  # streams have both sides
        transport.pause_reading()


async def connect(port: int, receive_buffer: int = 0) -> Client:
    """A connection to a loopback port; `receive_buffer` bytes make a client that fills up soon."""
    own = socket.socket()
    own.setblocking(False)  # the socket API
    if receive_buffer:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        await asyncio.get_running_loop().sock_connect(own, ("127.0.0.1", port))
    except BaseException:
        own.close()
        raise
    limit = receive_buffer or 2**20
    return Client(*await asyncio.open_connection(sock=own, limit=limit))


def request_bytes(path: str, body: Any, headers: Mapping[str, str] | None = None, method: str = "POST") -> bytes:
    """A whole request with a JSON body (bytes are sent as they are)."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {
        "host": "localhost",
        "content-type": "application/json",
        "content-length": str(len(data)),
        **(headers or {}),
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data


async def exchange(port: int, path: str, body: Any, headers: Mapping[str, str] | None = None) -> tuple[Reply, bytes]:
    """A whole request and reply on a connection of its own; raises `Broken` if the reply is not whole."""
    client = await connect(port)
    try:
        await client.send(request_bytes(path, body, headers))
        return await client.head(), await client.read_all()
    finally:
        await client.leave("fin")


async def post(port: int, path: str, body: Any, headers: Mapping[str, str] | None = None) -> tuple[Client, Reply]:
    """Send a request on a connection of its own and read the head of the reply."""
    client = await connect(port)
    await client.send(request_bytes(path, body, headers))
    return client, await client.head()
