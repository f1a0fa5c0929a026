"""Reading chat completions, plain and streamed.

Source: https://platform.openai.com/docs/api-reference/chat, and what compatible vendors do differently.
"""

from typing import Any

import msgspec

from gateway.wires.codec import Heard, Unreadable
from gateway.wires.neutral import Finish
from gateway.wires.openai_chat.deltas import Completion, Translation

DONE = b"[DONE]"

_NOTHING = msgspec.Raw()
_Content = str | list[msgspec.Raw] | None
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


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
_completion_decoder = msgspec.json.Decoder(Completion)
_part_decoder = msgspec.json.Decoder(_ContentPart)


class Decoder:
    """Reads one reply; it is complete when all `choices` have finished. `translate`: the first one is wanted as deltas."""

    def __init__(self, translate: bool = False, *, choices: int = 1) -> None:
        self._unfinished = choices
        self._translation = Translation() if translate else None

    def event(self, payload: bytes) -> Heard:
        """See `codec.Decoder.event`."""
        if payload == DONE:
            return Heard(terminates=True)
        body = _decode(payload)
        error = _given(body.error)
        if error:
            return Heard(error=error)
        heard = self._heard(body)
        if self._translation is not None:
            heard.deltas = self._translation.deltas(_completion(payload))
        return heard

    def whole(self, body: bytes) -> Heard:
        """See `codec.Decoder.whole`."""
        read = _decode(body)
        if not read.choices:
            if error := _given(read.error):
                return Heard(error=error)
            raise Unreadable("The provider's answer has no choices.")
        heard = self._heard(read)
        if self._translation is not None:
            heard.deltas = self._translation.deltas(_completion(body))
            if not any(isinstance(delta, Finish) for delta in heard.deltas):
                heard.deltas.append(Finish(reason="stop"))
        return heard

    def _heard(self, body: _Body) -> Heard:
        heard = Heard(usage=_usage(body))
        if isinstance(body.service_tier, str):
            heard.service_tier = body.service_tier
        for choice in body.choices or ():
            message = choice.delta or choice.message
            if message is not None:
                _note(message, heard)
            if choice.finish_reason:
                heard.finish_reason = choice.finish_reason
                self._unfinished -= 1
                heard.finishes = self._unfinished <= 0
        heard.is_usage_only = not body.choices and bool(_given(body.usage))
        return heard


def _note(message: _Message, heard: Heard) -> None:
    content = message.content
    if content:
        words = content if isinstance(content, str) else _text_of_parts(content)
        heard.text += words
        heard.counted += words
    heard.is_refusal = bool(message.refusal)
    for extra in (message.reasoning_content or message.reasoning, message.refusal):
        if extra:
            heard.counted += extra
    if tool_calls := _given(message.tool_calls):
        heard.counted += tool_calls.decode(errors="replace")


def _usage(body: _Body) -> bytes:
    return _given(body.usage) or (_given(body.x_groq.usage) if body.x_groq is not None else b"")


def _given(raw: msgspec.Raw) -> bytes:
    """The JSON of a field; empty where it is absent or null."""
    if raw is _NOTHING:
        return b""
    value = bytes(raw)
    return b"" if value == b"null" else value


def _decode(raw: bytes) -> _Body:
    try:
        return _body_decoder.decode(raw)
    except _UNREADABLE:
        raise _unreadable(raw) from None


def _completion(raw: bytes) -> Completion:
    try:
        return _completion_decoder.decode(raw)
    except _UNREADABLE:
        raise _unreadable(raw) from None


def _unreadable(raw: bytes) -> Unreadable:
    start = raw[:80].decode(errors="replace")
    return Unreadable(f"The provider's answer cannot be read as a chat completion; it begins with {start!r}.")


def _text_of_parts(parts: list[msgspec.Raw]) -> str:
    words = []
    for part in parts:
        try:
            words.append(_part_decoder.decode(part).text or "")
        except msgspec.DecodeError:
            continue
    return "".join(words)
