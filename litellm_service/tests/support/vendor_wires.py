"""An upstream that speaks OpenAI's, Anthropic's and Gemini's wires, as far as the worker's tests need them.

What it does is written into the prompt: `fault:NAME`. Every call is kept, with the time at which its connection ended.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

WORDS = ["Money", " is", " counted", " once."]
PACE_S = 0.02
_FAULT = re.compile(r"fault:([\w-]+)")
_ERRORS = {
    "openai": lambda text: {"error": {"message": text, "type": "some_type", "code": "some_code", "param": None}},
    "anthropic": lambda text: {"type": "error", "error": {"type": "some_error", "message": text}},
    "gemini": lambda text: {"error": {"code": 1, "message": text, "status": "SOME_STATUS"}},
}


@dataclass
class Call:
    """One request as it came."""

    wire: str
    path: str
    headers: dict[str, str]
    body: dict
    ended_at: float | None = None


@dataclass
class Upstream:
    """The server's port and the calls it got."""

    port: int = 0
    calls: list[Call] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def running_upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    open_calls: set[asyncio.Task] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_calls.add(asyncio.current_task())
        try:
            await _serve(upstream, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            open_calls.discard(asyncio.current_task())

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        for task in open_calls:
            task.cancel()
        await asyncio.gather(*open_calls, return_exceptions=True)


async def _serve(upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    path = head[0].split(" ")[1]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    raw = await reader.readexactly(int(headers.get("content-length", 0)))
    wire = "anthropic" if "/v1/messages" in path else "gemini" if "models/" in path else "openai"
    call = Call(wire, path, headers, json.loads(raw) if raw else {})
    upstream.calls.append(call)
    answer = asyncio.ensure_future(_answer(call, raw.decode(), writer))
    hung_up = asyncio.ensure_future(reader.read())
    await asyncio.wait({answer, hung_up}, return_when=asyncio.FIRST_COMPLETED)
    call.ended_at = time.monotonic()
    for task in (answer, hung_up):
        task.cancel()
    await asyncio.gather(answer, hung_up, return_exceptions=True)


async def _answer(call: Call, raw: str, writer: asyncio.StreamWriter) -> None:
    found = _FAULT.search(raw)
    fault = found[1] if found else ""
    if fault == "silent":
        await asyncio.sleep(60)
    if fault == "closed":
        return
    if fault.isdigit():
        said = f"The vendor says no to {call.headers.get('authorization') or call.headers.get('x-api-key', '')}"
        extra = b"retry-after: 7\r\n" if fault == "429" else b""
        await _send(writer, int(fault), json.dumps(_ERRORS[call.wire](said)), extra=extra)
    elif call.body.get("stream") or "stream" in call.path:
        await _stream(call.wire, fault, writer)
    else:
        whole = _WHOLE[call.wire]()
        if fault == "uncounted":
            whole = {name: value for name, value in whole.items() if name not in {"usage", "usageMetadata"}}
        await _send(writer, 200, json.dumps(whole))


async def _send(writer: asyncio.StreamWriter, status: int, body: str, extra: bytes = b"") -> None:
    head = b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % (status, len(body.encode()))
    writer.write(head + extra + b"connection: close\r\n\r\n" + body.encode())
    await writer.drain()


async def _stream(wire: str, fault: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
    begin, word, end = _STREAMS[wire]
    await _events(writer, begin(), wire)
    if fault == "cut-at-once":
        return
    for text in WORDS:
        await _events(writer, [word(text)], wire)
        await asyncio.sleep(PACE_S)
    while fault == "endless":
        await _events(writer, [word(" again")], wire)
        await asyncio.sleep(PACE_S)
    if fault == "error-event":
        await _events(writer, [_ERRORS[wire]("The vendor is overloaded.")], wire)
    elif fault != "cut":
        await _events(writer, end(fault != "uncounted"), wire)


async def _events(writer: asyncio.StreamWriter, events: list[dict | str], wire: str) -> None:
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        name = f"event: {event['type']}\n" if wire == "anthropic" else ""
        writer.write(f"{name}data: {data}\n\n".encode())
    await writer.drain()


# OpenAI: 100 prompt tokens of which 60 cached, 20 completion tokens of which 5 reasoning

_OPENAI_USAGE = {
    "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 60}, "completion_tokens_details": {"reasoning_tokens": 5},
}  # fmt: skip


def _openai_chunk(delta: dict, finish_reason: str | None = None) -> dict:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "choices": [choice]}


def _openai_end(counted: bool) -> list:
    usage = {**_openai_chunk({}), "choices": [], "usage": _OPENAI_USAGE}
    return [_openai_chunk({}, "stop"), *([usage] if counted else []), "[DONE]"]


def _openai_whole() -> dict:
    choice = {"index": 0, "message": {"role": "assistant", "content": "".join(WORDS)}, "finish_reason": "stop"}
    return {
        "id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [choice],
        "usage": _OPENAI_USAGE,
    }  # fmt: skip


# Anthropic: 30 fresh, 60 read from and 10 written into its cache; 20 out

_ANTHROPIC_USAGE = {"input_tokens": 30, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 10}


def _anthropic_begin() -> list:
    message = {
        "id": "m1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {**_ANTHROPIC_USAGE, "output_tokens": 1},
    }  # fmt: skip
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    return [{"type": "message_start", "message": message}, block, {"type": "ping"}]


def _anthropic_word(text: str) -> dict:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def _anthropic_end(counted: bool) -> list:
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}}
    usage = {"usage": {"output_tokens": 20}} if counted else {}
    return [{"type": "content_block_stop", "index": 0}, {**delta, **usage}, {"type": "message_stop"}]


def _anthropic_whole() -> dict:
    return {
        "id": "m1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "".join(WORDS)}], "stop_sequence": None,
        "usage": {**_ANTHROPIC_USAGE, "output_tokens": 20},
    }  # fmt: skip


# Gemini: 100 prompt tokens of which 60 cached, 15 out and 5 thought

_GEMINI_USAGE = {
    "promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 15, "thoughtsTokenCount": 5,
    "totalTokenCount": 120,
}  # fmt: skip


def _gemini_word(text: str, **more: object) -> dict:
    candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}, **more}
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": "r1"}


def _gemini_end(counted: bool) -> list:
    last = _gemini_word("", finishReason="STOP")
    return [{**last, "usageMetadata": _GEMINI_USAGE} if counted else last]


def _gemini_whole() -> dict:
    return {**_gemini_word("".join(WORDS), finishReason="STOP"), "usageMetadata": _GEMINI_USAGE}


_STREAMS = {
    "openai": (
        lambda: [_openai_chunk({"role": "assistant", "content": ""})],
        lambda text: _openai_chunk({"content": text}),
        _openai_end,
    ),
    "anthropic": (_anthropic_begin, _anthropic_word, _anthropic_end),
    "gemini": (list, _gemini_word, _gemini_end),
}
_WHOLE = {"openai": _openai_whole, "anthropic": _anthropic_whole, "gemini": _gemini_whole}
