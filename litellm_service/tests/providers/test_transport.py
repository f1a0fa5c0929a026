"""The upstream connection: TLS, reuse, deadlines, limits of what is read, hanging up."""

import asyncio
import contextlib
import ssl

import pytest
import trustme

from gateway.domain.errors import ProviderTimeout, ProviderUnavailable
from gateway.providers.connection import Timeouts
from gateway.providers.transport import Origin, Transport, split_url

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
PATIENT = Timeouts()
ASK = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Upstream:
    """A server that answers each request with the next of its replies; a number is a pause in seconds."""

    def __init__(self, *replies) -> None:
        self.replies = list(replies)
        self.connections = 0
        self.closed = asyncio.Event()

    async def serve(self, reader, writer):
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                for part in self.replies.pop(0) if self.replies else [OK]:
                    if isinstance(part, bytes):
                        writer.write(part)
                        await writer.drain()
                    elif part is None:
                        writer.close()
                    else:
                        with contextlib.suppress(TimeoutError):
                            assert await asyncio.wait_for(reader.read(1), part) == b""
                            raise ConnectionError
        self.closed.set()
        writer.close()


@contextlib.asynccontextmanager
async def running(upstream, tls=None):
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, ssl=tls)
    transport = Transport()
    try:
        yield (
            transport,
            Origin("localhost" if tls else "127.0.0.1", server.sockets[0].getsockname()[1], tls is not None),
        )
    finally:
        await transport.close()
        server.close()


async def body(transport, origin, timeouts=PATIENT) -> bytes:
    reply = await transport.send(origin, ASK, timeouts)
    found = b""
    while piece := await reply.read():
        found += piece
    return found


async def test_a_connection_is_used_again_once_its_reply_was_read():
    upstream = Upstream()
    async with running(upstream) as (transport, origin):
        assert [await body(transport, origin) for _ in range(3)] == [b"hi"] * 3
        assert upstream.connections == 1


async def test_calls_at_the_same_time_never_share_a_connection():
    upstream = Upstream(*[[OK[:30], 0.05, OK[30:]] for _ in range(8)])
    async with running(upstream) as (transport, origin):
        assert await asyncio.gather(*(body(transport, origin) for _ in range(8))) == [b"hi"] * 8
        assert upstream.connections == 8


async def test_a_kept_connection_that_was_closed_meanwhile_is_told_apart():
    upstream = Upstream([OK], [None])
    async with running(upstream) as (transport, origin):
        await body(transport, origin)
        with pytest.raises(ProviderUnavailable) as failure:
            await body(transport, origin)
        assert failure.value.never_sent


@pytest.mark.parametrize(
    ("reply", "timeouts", "words"),
    [
        ([3.0], Timeouts(first_byte_s=0.1), "sent nothing"),
        ([OK[:-1], 3.0], Timeouts(silence_s=0.1), "went silent"),
        ([OK[:-1], 3.0], Timeouts(total_s=0.1), "in all"),
    ],
)
async def test_each_deadline_has_its_own_words_and_ends_the_connection(reply, timeouts, words):
    upstream = Upstream(reply)
    async with running(upstream) as (transport, origin):
        with pytest.raises(ProviderTimeout, match=words):
            await body(transport, origin, timeouts)
        await asyncio.wait_for(upstream.closed.wait(), 1)


async def test_hanging_up_wakes_the_reader_and_closes_the_connection():
    upstream = Upstream([OK[:-1], 5.0])
    async with running(upstream) as (transport, origin):
        reply = await transport.send(origin, ASK, Timeouts())
        assert await reply.read() == b"h"
        waiting = asyncio.ensure_future(reply.read())
        await asyncio.sleep(0)
        reply.abort(KeyError("left"))
        with pytest.raises(KeyError):
            await waiting
        await asyncio.wait_for(upstream.closed.wait(), 1)


async def test_nobody_listening_is_unavailable_and_nothing_was_sent():
    async with running(Upstream()) as (transport, origin):
        with pytest.raises(ProviderUnavailable) as failure:
            await body(transport, Origin("127.0.0.1", 1, tls=False))
        assert failure.value.never_sent
        assert await body(transport, origin) == b"hi"


def server_tls(authority, name):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_tls_needs_a_certificate_of_a_known_authority_for_this_very_name(tmp_path, monkeypatch):
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with running(Upstream(), server_tls(authority, "localhost")) as (transport, origin):
        assert await body(transport, origin) == b"hi"
    for wrong in (server_tls(authority, "elsewhere.example"), server_tls(stranger, "localhost")):
        async with running(Upstream(), wrong) as (transport, origin):
            with pytest.raises(ProviderUnavailable, match="TLS") as failure:
                await body(transport, origin)
            assert failure.value.never_sent


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://user:pass@x", "https://x?y=1", "//x", "x"])
def test_a_base_url_is_plain_http(url):
    with pytest.raises(ValueError, match="not a plain"):
        split_url(url)


def test_a_base_url_gives_origin_and_path():
    assert split_url("https://api.example/v1/") == (Origin("api.example", 443, tls=True), "/v1")
    assert split_url("http://[::1]:8000")[0].authority == "[::1]:8000"
