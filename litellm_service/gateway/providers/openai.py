"""The OpenAI wire: chat completions out, and their replies in, plain and streamed.

Source: https://platform.openai.com/docs/api-reference/chat, and what compatible vendors do differently.
"""

from collections import deque
from typing import Any

import msgspec

from gateway.domain.errors import ProviderError, ProviderUnavailable
from gateway.domain.request import ModelRequest
from gateway.providers.refusal import stated_error
from gateway.providers.reply import Reply
from gateway.providers.sse import EventSplitter, event_data

MAX_ANSWER_BYTES = 64 * 1024 * 1024
DONE = b"[DONE]"
_FIELDS = (b":", b"event:", b"id:", b"retry:", b"data")

_NOTHING = msgspec.Raw()
_Content = str | list[msgspec.Raw] | None


class _Message(msgspec.Struct):
    content: _Content = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: msgspec.Raw = _NOTHING


class _Choice(msgspec.Struct):
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _GroqExtra(msgspec.Struct):
    usage: msgspec.Raw = _NOTHING


class _Body(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING
    x_groq: _GroqExtra | None = None
    service_tier: Any = None  # compatible vendors put other things than names there


class _ContentPart(msgspec.Struct):
    text: str | None = None


_body_decoder = msgspec.json.Decoder(_Body)
_part_decoder = msgspec.json.Decoder(_ContentPart)


class Piece(msgspec.Struct):
    """Some of an answer: `raw` in the upstream's wire, `text` the words in it.

    `closing`: it says that the answer is finished, or comes after that; it must wait for the settlement.
    `usage_only`: it carries nothing but usage, which the client gets only if it asked. `terminator`: it is `[DONE]`.
    """

    raw: bytes
    text: str = ""
    closing: bool = False
    usage_only: bool = False
    terminator: bool = False


class AnswerReader:
    """Reads one reply piece by piece and keeps what the ledger needs of it.

    `text` are the words for people, `counted` all that the provider counts as output (reasoning and tool calls too).
    `usage_reports` are the usage objects as they came, oldest first. `service_tier` is what the provider says it charges by.
    """

    def __init__(self, reply: Reply, *, stream: bool, choices: int = 1) -> None:
        self._reply = reply
        self._stream = stream
        self._unfinished = choices
        self._splitter = EventSplitter()
        self._ready: deque[Piece] = deque()
        self._without_data: list[bytes] = []
        self._ended = False
        self._failure: ProviderError | None = None
        self.text: list[str] = []
        self.counted: list[str] = []
        self.usage_reports: list[bytes] = []
        self.finish_reason: str | None = None
        self.service_tier: str | None = None
        self.finished = False
        self.terminated = False

    @property
    def full_text(self) -> str:
        """The words of the answer so far."""
        return "".join(self.text)

    @property
    def heard(self) -> bool:
        """Something of the answer itself has come."""
        return bool(self.counted) or self.finished

    async def next(self) -> Piece | None:
        """The next piece, `None` at the end; raises `ProviderError` for an answer that breaks off or makes no sense."""
        while not self._ready:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return None
            if self._stream:
                await self._read_events()
            else:
                await self._read_whole()
        return self._ready.popleft()

    async def _read_whole(self) -> None:
        parts, size = [], 0
        while data := await self._reply.read():
            parts.append(data)
            size += len(data)
            if size > MAX_ANSWER_BYTES:
                raise ProviderUnavailable("The provider's answer is larger than 64 MB.")
        raw = b"".join(parts)
        body = _decode(raw)
        if not body.choices:
            raise stated_error(_given(body.error)) or ProviderUnavailable("The provider's answer has no choices.")
        self._ended = True
        self._note(body)
        self.finished = True
        self._ready.append(Piece(raw, "".join(self.text), closing=True))

    async def _read_events(self) -> None:
        data = await self._reply.read()
        if data:
            events = self._splitter.feed(data)
        else:
            events, self._ended = self._splitter.end(), True
        raw: list[bytes] = []
        words = len(self.text)
        for came in events:
            payload = event_data(came)
            if self.finished or payload == DONE:
                self._close_with(came, payload)
                continue
            before = len(self.text)
            try:
                closes = self._take(came, payload)
            except ProviderError as error:
                self._failure = error
                break
            if payload is None:
                continue
            event = self._with_what_came_before(came)
            if closes:
                self._flush(raw, self.text[words:before])
                self._ready.append(Piece(event, "".join(self.text[before:]), closing=True))
                raw = []
            else:
                raw.append(event)
        self._flush(raw, self.text[words:])
        if self._ended and not self.finished and self._failure is None:
            self._failure = ProviderUnavailable("The provider's answer broke off before it was finished.")

    def _flush(self, raw: list[bytes], words: list[str]) -> None:
        if raw:
            self._ready.append(Piece(b"".join(raw), "".join(words)))

    def _with_what_came_before(self, event: bytes) -> bytes:
        """Comments go out with the event that follows: alone they would begin a reply that may yet become an error."""
        if not self._without_data:
            return event
        whole = b"".join([*self._without_data, event])
        self._without_data.clear()
        return whole

    def _take(self, event: bytes, payload: bytes | None) -> bool:
        """Note one event; says whether the answer is finished with it."""
        if payload is None:
            if not event.startswith(_FIELDS):
                raise _no_stream(event)
            self._without_data.append(event)
            return False
        body = _decode(payload)
        if error := stated_error(_given(body.error)):
            raise error
        self._note(body)
        return self.finished

    def _close_with(self, event: bytes, payload: bytes | None) -> None:
        """After the end only usage matters; a second terminator is dropped."""
        if payload == DONE:
            if not self.terminated:
                self._ready.append(Piece(event, closing=True, terminator=True))
            self.finished = self.terminated = True
            return
        if payload is None:
            return
        try:
            body = _decode(payload)
        except ProviderUnavailable:
            return
        self._note_usage(body)
        usage_only = not body.choices and bool(_given(body.usage))
        if usage_only or not self.terminated:
            self._ready.append(Piece(event, closing=True, usage_only=usage_only))

    def _note(self, body: _Body) -> None:
        self._note_usage(body)
        for choice in body.choices or ():
            message = choice.delta or choice.message
            if message is not None:
                self._note_message(message)
            if choice.finish_reason:
                self.finish_reason = choice.finish_reason
                self._unfinished -= 1
                self.finished = self._unfinished <= 0

    def _note_message(self, message: _Message) -> None:
        content = message.content
        if content:
            words = content if isinstance(content, str) else _text_of_parts(content)
            self.text.append(words)
            self.counted.append(words)
        for extra in (message.reasoning_content or message.reasoning, message.refusal):
            if extra:
                self.counted.append(extra)
        if tool_calls := _given(message.tool_calls):
            self.counted.append(tool_calls.decode(errors="replace"))

    def _note_usage(self, body: _Body) -> None:
        if isinstance(body.service_tier, str):
            self.service_tier = body.service_tier
        usage = _given(body.usage) or (_given(body.x_groq.usage) if body.x_groq is not None else b"")
        if usage:
            self.usage_reports.append(usage)


def chat_body(
    request: ModelRequest, upstream_model: str, *, ask_for_usage: bool, output_limit: tuple[str, int] | None = None
) -> bytes:
    """The client's body with the upstream's model name, and with usage asked for where a stream may leave it out.

    `output_limit`: a field and how many tokens the answer may have, where the gateway must say so itself.
    """
    fields = dict(request.fields)
    fields["model"] = msgspec.Raw(msgspec.json.encode(upstream_model))
    if output_limit is not None:
        fields[output_limit[0]] = msgspec.Raw(b"%d" % output_limit[1])
    if request.stream and ask_for_usage:
        given = fields.get("stream_options")
        options = msgspec.json.decode(given) if given is not None else None
        options = options if isinstance(options, dict) else {}
        fields["stream_options"] = msgspec.Raw(msgspec.json.encode({**options, "include_usage": True}))
    return msgspec.json.encode(fields)


def _given(raw: msgspec.Raw) -> bytes:
    """The JSON of a field; empty where it is absent or null."""
    if raw is _NOTHING:
        return b""
    value = bytes(raw)
    return b"" if value == b"null" else value


def _decode(raw: bytes) -> _Body:
    try:
        return _body_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        start = raw[:80].decode(errors="replace")
        raise ProviderUnavailable(
            f"The provider's answer cannot be read as a chat completion; it begins with {start!r}."
        ) from None


def _no_stream(event: bytes) -> ProviderError:
    """What to say of bytes that are no event: the provider's own error, if it is one."""
    body = _decode(event)
    stated = stated_error(_given(body.error))
    return stated or ProviderUnavailable("The provider did not answer with the stream that was asked for.")


def _text_of_parts(parts: list[msgspec.Raw]) -> str:
    words = []
    for part in parts:
        try:
            words.append(_part_decoder.decode(part).text or "")
        except msgspec.DecodeError:
            continue
    return "".join(words)
