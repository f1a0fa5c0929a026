"""HTTP that is framed wrongly or oddly."""

import gzip
import zlib
from collections.abc import Iterator

from faultmock.call import Call, head
from faultmock.faults.shape import Fault

_MB = 1_000_000


def _whole(call: Call) -> tuple[bytes, str]:
    """The good body and its content type; counted as served."""
    if not call.streams:
        call.serve_all()
        return call.plain()
    return call.framed_whole(call.pieces()), call.stream_type


async def short_body(call: Call) -> None:
    """A `Content-Length` of 100 bytes more than the body, then FIN."""
    body, kind = _whole(call)
    await call.send_head(200, [("content-type", kind), ("content-length", str(len(body) + 100))])
    await call.connection.send(body)
    call.connection.close()


async def long_body(call: Call) -> None:
    """A `Content-Length` of 20 bytes less than the body."""
    body, kind = _whole(call)
    await call.send_head(200, [("content-type", kind), ("content-length", str(len(body) - 20))])
    await call.connection.send(body)


async def bad_length(call: Call) -> None:
    """A `Content-Length` that is no number."""
    body, kind = _whole(call)
    await call.send_head(200, [("content-type", kind), ("content-length", "many")])
    await call.connection.send(body)


async def two_lengths(call: Call) -> None:
    """Two different `Content-Length` headers."""
    body, kind = _whole(call)
    lengths = [("content-length", str(len(body))), ("content-length", str(len(body) - 5))]
    await call.send_head(200, [("content-type", kind), *lengths])
    await call.connection.send(body)


async def until_close(call: Call) -> None:
    """No length at all: the body ends with the connection, which is allowed."""
    body, kind = _whole(call)
    await call.send_head(200, [("content-type", kind), ("connection", "close")])
    await call.connection.send(body)
    call.connection.close_after_answer()


async def http_10(call: Call) -> None:
    """An HTTP/1.0 answer, which is allowed."""
    body, kind = _whole(call)
    call.status = 200
    await call.connection.send(f"HTTP/1.0 200 OK\r\ncontent-type: {kind}\r\n\r\n".encode() + body)
    call.connection.close_after_answer()


async def bad_chunk_size(call: Call) -> None:
    """A chunk size that is no hexadecimal number."""
    await call.start_stream()
    await call.connection.send(b"zz\r\nhello\r\n0\r\n\r\n")


async def chunk_trailer(call: Call) -> None:
    """Chunk extensions and a trailer, which are allowed."""
    body, kind = _whole(call)
    await call.send_head(200, [("content-type", kind), ("transfer-encoding", "chunked"), ("trailer", "x-checksum")])
    await call.connection.send(b"%x;note=1\r\n%b\r\n0\r\nx-checksum: 1\r\n\r\n" % (len(body), body))


async def bad_status_line(call: Call) -> None:
    """A first line that is no HTTP."""
    await call.connection.send(b"HTTP/1.1 abc Hello\r\ncontent-length: 0\r\n\r\n")


async def no_http(call: Call) -> None:
    """A body without any head."""
    await call.connection.send(call.plain()[0])
    call.connection.close()


async def switch_protocols(call: Call) -> None:
    """101 that nobody asked for."""
    await call.send_head(101, [("upgrade", "websocket"), ("connection", "upgrade")])
    await call.connection.wait_until_gone()


async def header_bomb(call: Call) -> None:
    """A head of `size` MB (4 unless told)."""
    count = int((call.ask.script.size or 4) * 1000)
    await call.send_head(200, [(f"x-{i}", "a" * 990) for i in range(count)] + [("content-length", "2")])
    await call.connection.send(b"{}")


async def informational(call: Call) -> None:
    """100 and 103 before a good answer, which is allowed."""
    await call.connection.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
    await call.send_answer()


def _bomb(megabytes: float) -> Iterator[bytes]:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    yield packer.compress(b'{"id":"')
    block = b"0" * _MB
    for _ in range(int(megabytes)):
        yield packer.compress(block)
    yield packer.compress(b'"}') + packer.flush()


async def gzip_bomb(call: Call) -> None:
    """A small gzip body that unpacks to `size` MB (200 unless told)."""
    kind = call.stream_type if call.streams else "application/json"
    encoding = [("content-encoding", "gzip"), ("transfer-encoding", "chunked")]
    await call.send_head(200, [("content-type", kind), *encoding])
    for block in _bomb(call.ask.script.size or 200):
        if block:
            await call.chunk(block)
    await call.end_stream()


async def gzip_answer(call: Call) -> None:
    """A good answer in gzip although identity was asked for."""
    body, kind = _whole(call)
    packed = gzip.compress(body)
    await call.send_body(packed, content_type=kind, headers=[("content-encoding", "gzip")])


async def second_answer(call: Call) -> None:
    """A good answer and, unasked, another one behind it in the same segment."""
    body, kind = _whole(call)
    other = b'{"error":{"message":"response of somebody else"}}'
    call.status = 200
    first = head(200, [("content-type", kind), ("content-length", str(len(body)))]) + body
    await call.connection.send(first + head(500, [("content-length", str(len(other)))]) + other)


FAULTS: dict[str, Fault] = {
    "short-body": short_body,
    "long-body": long_body,
    "bad-length": bad_length,
    "two-lengths": two_lengths,
    "until-close": until_close,
    "http-10": http_10,
    "bad-chunk-size": bad_chunk_size,
    "chunk-trailer": chunk_trailer,
    "bad-status-line": bad_status_line,
    "no-http": no_http,
    "switch-protocols": switch_protocols,
    "header-bomb": header_bomb,
    "informational": informational,
    "gzip-bomb": gzip_bomb,
    "gzip": gzip_answer,
    "second-answer": second_answer,
}
