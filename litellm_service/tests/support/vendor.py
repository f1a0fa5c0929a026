"""An upstream that answers as it is told."""

import asyncio
import contextlib
import json

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


@contextlib.asynccontextmanager
async def vendor(**more: object):
    """An upstream that gives every caller the same answer; the address of its OpenAI routes."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    body = json.dumps({"choices": [choice], "usage": USAGE, **more}).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            % len(body)
            + body
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
