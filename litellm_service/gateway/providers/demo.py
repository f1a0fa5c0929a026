"""The demo models: an upstream in this process that speaks the OpenAI wire."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from gateway.domain.time import new_request_id, now_ms
from gateway.providers.reply import Headers, Reply

NOTICE = "This is a demo model of the gateway, no real AI. "
STORY_S = 2.0
SLOW_S = 5.0
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


class _Body(msgspec.Struct):
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None


class _Script(msgspec.Struct):
    """What a model says, in how many seconds, after how many."""

    text: str
    lasts_s: float = 0.0
    after_s: float = 0.0


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
        self._waiting: asyncio.Future[bytes] | None = None

    async def read(self) -> bytes:
        """See `Reply.read`."""
        if self._reason is not None:
            raise self._reason
        self._waiting = asyncio.ensure_future(_next(self._body))
        try:
            return await self._waiting
        except asyncio.CancelledError:
            if self._reason is None:
                raise
            raise self._reason from None
        finally:
            self._waiting = None

    def abort(self, reason: Exception) -> None:
        """See `Reply.abort`."""
        self._reason = reason
        if self._waiting is not None:
            self._waiting.cancel()


async def reply(model: str, body: bytes) -> Reply:
    """Answer as the model of that name would; tokens are words."""
    if model == "error":
        return _error(503, "The demo provider is down, as demo/error always is.", "server_error")
    if model not in MODELS:
        names = ", ".join(f"demo/{name}" for name in (*MODELS, "error"))
        return _error(404, f"There is no demo model {model!r}; there are {names}.", "model_not_found")
    try:
        asked = msgspec.json.decode(body, type=_Body)
    except msgspec.DecodeError as error:
        return _error(400, f"The demo model cannot read this: {error}", "invalid_request_error")
    script = MODELS[model](_last_words(asked.messages))
    usage = _usage(asked.messages, script.text)
    if not asked.stream:
        return DemoReply(200, b"application/json", _whole(model, script, usage))
    wants_usage = asked.stream_options is not None and asked.stream_options.include_usage
    return DemoReply(200, b"text/event-stream", _events(model, script, usage if wants_usage else None))


async def _whole(model: str, script: _Script, usage: dict[str, int]) -> AsyncIterator[bytes]:
    await asyncio.sleep(script.after_s + script.lasts_s)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": script.text},
        "logprobs": None,
        "finish_reason": "stop",
    }
    yield msgspec.json.encode({**_frame(model, "chat.completion"), "choices": [choice], "usage": usage})


async def _events(model: str, script: _Script, usage: dict[str, int] | None) -> AsyncIterator[bytes]:
    frame = _frame(model, "chat.completion.chunk")
    await asyncio.sleep(script.after_s)
    yield _event(frame, {"role": "assistant", "content": ""}, None)
    words = script.text.split(" ")
    for index, word in enumerate(words):
        await asyncio.sleep(script.lasts_s / len(words))
        yield _event(frame, {"content": word if index == 0 else " " + word}, None)
    last = _event(frame, {}, "stop")
    if usage is not None:
        last += b"data: " + msgspec.json.encode({**frame, "choices": [], "usage": usage}) + b"\n\n"
    yield last + b"data: [DONE]\n\n"


def _event(frame: dict[str, object], delta: dict[str, str], finish_reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return b"data: " + msgspec.json.encode({**frame, "choices": [choice]}) + b"\n\n"


def _frame(model: str, kind: str) -> dict[str, object]:
    at_ms = now_ms()
    return {"id": f"chatcmpl-{new_request_id(at_ms).hex()}", "object": kind, "created": at_ms // 1000, "model": model}


def _usage(messages: list[_Message], answer: str) -> dict[str, int]:
    prompt = sum(len(_words(message).split()) for message in messages)
    completion = len(answer.split())
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _last_words(messages: list[_Message]) -> str:
    return next((_words(message) for message in reversed(messages) if message.role == "user"), "")


def _words(message: _Message) -> str:
    content = message.content
    if isinstance(content, list):
        return " ".join(part.text for part in content if part.text)
    return content or ""


def _error(status: int, message: str, kind: str) -> Reply:
    body = msgspec.json.encode({"error": {"message": message, "type": kind, "code": kind, "param": None}})
    return DemoReply(status, b"application/json", _once(body))


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _next(body: AsyncIterator[bytes]) -> bytes:
    following: Callable[[], Awaitable[bytes]] = body.__anext__
    try:
        return await following()
    except StopAsyncIteration:
        return b""
