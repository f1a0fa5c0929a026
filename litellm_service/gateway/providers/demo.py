"""The demo models: an upstream in this process that speaks the OpenAI wire.

A token is a word. `n`, `max_tokens` and `max_completion_tokens` are honoured, so that what is billed stays within what
a hold foresaw.
"""

import asyncio
import base64
import hashlib
import re
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Literal

import msgspec

from gateway.domain.time import new_request_id, now_ms
from gateway.providers.reply import Headers, Reply

CHAT = "/chat/completions"
EMBEDDINGS = "/embeddings"
DIMENSIONS = 8
NOTICE = "This is a demo model of the gateway, no real AI. "
STORY_S = 2.0
SLOW_S = 5.0
MAX_OUTPUT_TOKENS = 8_192
MAX_CHOICES = 128
MAX_EVENTS = 512
_WORD = re.compile(r"\S+\s*")
_STORY = (
    "Once upon a time a small gateway stood between many applications and many models. Every request that passed was "
    "written into a ledger before it left, and every answer was settled before its last word went out. One night the power "
    "failed. In the morning the gateway woke, opened its ledger, and found that nothing was missing."
)


class _Part(msgspec.Struct):
    text: str | None = None


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


_Limit = Annotated[int, msgspec.Meta(ge=1)]


class _Body(msgspec.Struct):
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=MAX_CHOICES)] | None = None
    max_tokens: _Limit | None = None
    max_completion_tokens: _Limit | None = None


class _Texts(msgspec.Struct):
    input: str | Annotated[list[str], msgspec.Meta(min_length=1)]
    encoding_format: Literal["float", "base64"] | None = None


class _Script(msgspec.Struct):
    """What a model says, in how many seconds, after how many."""

    text: str
    lasts_s: float = 0.0
    after_s: float = 0.0


class _Answer(msgspec.Struct):
    """A script cut to the limit that was asked for: `words` with the space behind each, `choices` times over."""

    model: str
    script: _Script
    words: list[str]
    choices: int
    finish_reason: str
    usage: dict[str, int]


def _echo(said: str) -> _Script:
    return _Script(f"{NOTICE}You said: {said}")


MODELS: dict[str, Callable[[str], _Script]] = {
    "echo": _echo,
    "priced": _echo,
    "story": lambda _said: _Script(NOTICE + _STORY, lasts_s=STORY_S),
    "slow": lambda said: _Script(_echo(said).text, after_s=SLOW_S),
}


class DemoReply:
    """A reply whose body comes from an async generator; `abort` wakes a reader that waits."""

    def __init__(self, status: int, content_type: bytes, body: AsyncIterator[bytes]) -> None:
        self.status = status
        self.headers: Headers = [(b"content-type", content_type)]
        self._body = body
        self._reason: Exception | None = None
        self._reading: asyncio.Future[bytes] | None = None

    async def read(self) -> bytes:
        """See `Reply.read`."""
        self._raise_if_aborted()
        self._reading = asyncio.ensure_future(_next(self._body))
        try:
            return await self._reading
        except asyncio.CancelledError:
            reader = asyncio.current_task()
            if reader is None or not reader.cancelling():
                self._raise_if_aborted()
            raise
        finally:
            self._reading = None

    def abort(self, reason: Exception) -> None:
        """See `Reply.abort`."""
        self._reason = reason
        if self._reading is not None:
            self._reading.cancel()

    def _raise_if_aborted(self) -> None:
        if self._reason is not None:
            raise self._reason


def known(body: bytes) -> Reply:
    """An answer that is known."""
    return DemoReply(200, b"application/json", _once(body))


async def reply(model: str, body: bytes, target: str = CHAT) -> Reply:
    """Answer as the model of that name would; what cannot be answered is an error in the wire's own form."""
    if model == "error":
        return _error(503, "The demo provider is down, as demo/error always is.", "server_error", "service_unavailable")
    if model not in MODELS:
        names = ", ".join(f"demo/{name}" for name in (*MODELS, "error"))
        message = f"There is no demo model {model!r}; there are {names}."
        return _error(404, message, "invalid_request_error", "model_not_found")
    try:
        if target == EMBEDDINGS:
            return known(_embeddings(model, msgspec.json.decode(body, type=_Texts)))
        asked = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _error(400, f"The demo model cannot read this: {error}", "invalid_request_error", "invalid_request")
    answer = _answer(model, asked)
    if not asked.stream:
        return DemoReply(200, b"application/json", _whole(answer))
    wants_usage = asked.stream_options is not None and asked.stream_options.include_usage
    return DemoReply(200, b"text/event-stream", _events(answer, with_usage=wants_usage))


def _embeddings(model: str, asked: _Texts) -> bytes:
    """Eight numbers from -1 to 1 for each text, always the same ones."""
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    data = [
        {"object": "embedding", "index": place, "embedding": _vector(text, packed=asked.encoding_format == "base64")}
        for place, text in enumerate(texts)
    ]
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return msgspec.json.encode({"object": "list", "data": data, "model": model, "usage": usage})


def _vector(text: str, *, packed: bool) -> list[float] | str:
    digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
    numbers = [value / 32_768 for value in struct.unpack(f"<{DIMENSIONS}h", digest[: 2 * DIMENSIONS])]
    return base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *numbers)).decode() if packed else numbers


def _answer(model: str, asked: _Body) -> _Answer:
    script = MODELS[model](_last_words(asked.messages))
    limit = min(asked.max_completion_tokens or asked.max_tokens or MAX_OUTPUT_TOKENS, MAX_OUTPUT_TOKENS)
    words, choices = _WORD.findall(script.text), asked.n or 1
    prompt = sum(len(_words(message).split()) for message in asked.messages)
    completion = min(len(words), limit) * choices
    return _Answer(
        model=model,
        script=script,
        words=words[:limit],
        choices=choices,
        finish_reason="stop" if len(words) <= limit else "length",
        usage={"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
    )


async def _whole(answer: _Answer) -> AsyncIterator[bytes]:
    await asyncio.sleep(answer.script.after_s + answer.script.lasts_s)
    message = {"role": "assistant", "content": "".join(answer.words)}
    choices = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}
        for index in range(answer.choices)
    ]
    frame = _frame(answer.model, "chat.completion")
    yield msgspec.json.encode({**frame, "choices": choices, "usage": answer.usage})


async def _events(answer: _Answer, *, with_usage: bool) -> AsyncIterator[bytes]:
    frame = _frame(answer.model, "chat.completion.chunk")
    script, words, choices = answer.script, answer.words, range(answer.choices)
    await asyncio.sleep(script.after_s)
    yield b"".join(_event(frame, index, {"role": "assistant", "content": ""}) for index in choices)
    at_once = -(-len(words) // MAX_EVENTS)
    for start in range(0, len(words), at_once):
        await asyncio.sleep(script.lasts_s * at_once / len(words))
        delta = {"content": "".join(words[start : start + at_once])}
        yield b"".join(_event(frame, index, delta) for index in choices)
    last = b"".join(_event(frame, index, {}, answer.finish_reason) for index in choices)
    if with_usage:
        last += b"data: " + msgspec.json.encode({**frame, "choices": [], "usage": answer.usage}) + b"\n\n"
    yield last + b"data: [DONE]\n\n"


def _event(frame: dict[str, object], index: int, delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return b"data: " + msgspec.json.encode({**frame, "choices": [choice]}) + b"\n\n"


def _frame(model: str, kind: str) -> dict[str, object]:
    at_ms = now_ms()
    return {"id": f"chatcmpl-{new_request_id(at_ms).hex()}", "object": kind, "created": at_ms // 1000, "model": model}


def _last_words(messages: list[_Message]) -> str:
    return next((_words(message) for message in reversed(messages) if message.role == "user"), "")


def _words(message: _Message) -> str:
    content = message.content
    if isinstance(content, list):
        return " ".join(part.text for part in content if part.text)
    return content or ""


def _error(status: int, message: str, kind: str, code: str) -> Reply:
    body = msgspec.json.encode({"error": {"message": message, "type": kind, "code": code, "param": None}})
    return DemoReply(status, b"application/json", _once(body))


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _next(body: AsyncIterator[bytes]) -> bytes:
    following: Callable[[], Awaitable[bytes]] = body.__anext__
    try:
        return await following()
    except StopAsyncIteration:
        return b""
