"""Upstream connections: dialling, keeping alive, limits, deadlines."""

import asyncio
import ssl
from collections import deque
from urllib.parse import urlsplit

import msgspec

from gateway.domain.errors import Overloaded, ProviderTimeout, ProviderUnavailable
from gateway.providers.connection import Connection, Timeouts

SWEEP_INTERVAL_S = 0.25
IDLE_S = 30.0
MAX_PER_ORIGIN = 2_000
MAX_IDLE_PER_ORIGIN = 256


class Origin(msgspec.Struct, frozen=True):
    """Where to connect: a host and port, with TLS or not, or a Unix socket; `address`: the one to take of the host's."""

    host: str
    port: int
    tls: bool
    socket: str | None = None
    address: str | None = None

    @property
    def authority(self) -> str:
        """The Host header."""
        default = 443 if self.tls else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == default else f"{host}:{self.port}"


def split_url(url: str) -> tuple[Origin, str]:
    """Origin and path prefix of a base URL; raises `ValueError` for anything but http(s)://host."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(f"not a plain http:// or https:// URL: {url!r}")
    tls = parts.scheme == "https"
    return Origin(parts.hostname, parts.port or (443 if tls else 80), tls), parts.path.rstrip("/")


class _Pool:
    def __init__(self) -> None:
        self.idle: deque[tuple[float, Connection]] = deque()
        self.active: set[Connection] = set()
        self.dialling = 0


class Transport:
    """HTTP/1.1 to upstreams, one pool per origin. Redirects are never followed."""

    def __init__(self) -> None:
        self._pools: dict[Origin, _Pool] = {}
        self._tls: ssl.SSLContext | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def send(self, origin: Origin, data: bytes, timeouts: Timeouts) -> Connection:
        """Send a whole request (head and body) and wait for the reply's head.

        Raises `ProviderUnavailable`, `ProviderTimeout`, `Overloaded`, or what the connection's `abort` was given.
        """
        connection = await self.connect(origin, timeouts)
        connection.begin(data, timeouts)
        await connection.head()
        return connection

    async def connect(self, origin: Origin, timeouts: Timeouts) -> Connection:
        """A connection that is ours for one call: an idle one if there is one, else a new one."""
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = _Pool()
            self._start_sweeping()
        while pool.idle:
            _, connection = pool.idle.pop()
            if not connection.lost:
                pool.active.add(connection)
                return connection
        if len(pool.active) + pool.dialling >= MAX_PER_ORIGIN:
            raise Overloaded(f"{MAX_PER_ORIGIN} calls to {origin.authority} are already under way.", retry_after_s=1)
        pool.dialling += 1
        try:
            connection = await self._dial(origin, pool, timeouts.connect_s)
        finally:
            pool.dialling -= 1
        pool.active.add(connection)
        return connection

    async def close(self) -> None:
        """Close every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for pool in self._pools.values():
            for _, connection in pool.idle:
                connection.close()
            for connection in list(pool.active):
                connection.abort(ProviderUnavailable("The gateway is stopping."))
        self._pools.clear()
        await asyncio.sleep(0)

    def open_connections(self, origin: Origin | None = None) -> int:
        """How many calls are under way, to one origin or to all."""
        return sum(len(pool.active) for of, pool in self._pools.items() if origin in {None, of})

    async def _dial(self, origin: Origin, pool: _Pool, connect_s: float) -> Connection:
        loop = asyncio.get_running_loop()

        def protocol() -> Connection:
            return Connection(lambda connection, reusable: self._released(pool, connection, reusable), loop.time)

        try:
            async with asyncio.timeout(connect_s):
                if origin.socket is not None:
                    _, connection = await loop.create_unix_connection(protocol, origin.socket)
                    connection.is_local = True
                else:
                    context = self._tls_context() if origin.tls else None
                    _, connection = await loop.create_connection(
                        protocol, origin.address or origin.host, origin.port, ssl=context,
                        server_hostname=origin.host if context is not None else None,
                    )  # fmt: skip
        except TimeoutError:
            raise ProviderTimeout(
                f"No connection to {origin.authority} within {connect_s:g} s.", never_sent=True
            ) from None
        except ssl.SSLError as error:
            raise ProviderUnavailable(f"TLS with {origin.authority} failed: {error.reason}.", never_sent=True) from None
        except (OSError, UnicodeError) as error:
            raise ProviderUnavailable(f"{origin.authority} cannot be reached: {error}.", never_sent=True) from None
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    @staticmethod
    def _released(pool: _Pool, connection: Connection, reusable: bool) -> None:
        pool.active.discard(connection)
        if reusable and len(pool.idle) < MAX_IDLE_PER_ORIGIN:
            pool.idle.append((asyncio.get_running_loop().time(), connection))
        elif reusable:
            connection.close()

    def _start_sweeping(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_INTERVAL_S, self._sweep)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for pool in self._pools.values():
            for connection in list(pool.active):
                connection.check_deadlines(now)
            while pool.idle and (pool.idle[0][1].lost or now - pool.idle[0][0] > IDLE_S):
                pool.idle.popleft()[1].close()
        self._sweeper = loop.call_later(SWEEP_INTERVAL_S, self._sweep)
