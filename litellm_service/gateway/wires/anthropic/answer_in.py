"""Anthropic's replies: what each event, or a whole reply, says.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming and https://platform.claude.com/docs/en/api/messages

A stream reports its usage twice; the second report is given out with the fields of the first that it does not repeat.
"""

from typing import TypeVar

import msgspec

from gateway.wires.codec import Heard, Unreadable
from gateway.wires.neutral import (
    Begin,
    Finish,
    FinishReason,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallBegin,
    ToolCallDelta,
)

T = TypeVar("T")
_NOTHING = msgspec.Raw()
_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "model_context_window_exceeded": "length",
    "tool_use": "tool_calls", "refusal": "refusal", "pause_turn": "pause",
}  # fmt: skip
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_CALLS = {"tool_use", "server_tool_use", "mcp_tool_use"}


class _Block(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = _NOTHING


class _Change(msgspec.Struct):
    """What changes in a block (`text` to `partial_json`), or in the message."""

    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Message(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    content: list[_Block] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING


class _Event(msgspec.Struct):
    type: str = ""
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Change | None = None
    usage: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING


class _Tier(msgspec.Struct):
    service_tier: str | None = None


class _Open(msgspec.Struct):
    """A block that is not over: the call's number, the arguments that it began with, and whether more came."""

    type: str
    call: int = 0
    given: str = ""
    has_more: bool = False
    signature: str | None = None


_event = msgspec.json.Decoder(_Event)
_message = msgspec.json.Decoder(_Message)
_tier = msgspec.json.Decoder(_Tier)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Decoder:
    """Reads one reply. `translate`: it is wanted as deltas."""

    def __init__(self, translate: bool) -> None:
        self._translate = translate
        self._open: dict[int, _Open] = {}
        self._calls = 0
        self._usage: dict[str, msgspec.Raw] = {}

    def event(self, payload: bytes) -> Heard:
        """The data of one event; raises `Unreadable`."""
        event = _decoded(payload, _event)
        error = _given(event.error)
        if error or event.type == "error":
            return Heard(error=error or payload)
        heard = Heard()
        if event.type == "content_block_delta" and event.delta is not None:
            self._change(event.index, event.delta, heard)
        elif event.type == "content_block_start" and event.content_block is not None:
            self._start(event.index, event.content_block, heard)
        elif event.type == "content_block_stop":
            self._stop(event.index, heard)
        elif event.type == "message_delta":
            self._finish(event, heard)
        elif event.type == "message_start" and event.message is not None:
            self._begin(event.message, heard)
        else:
            heard.terminates = event.type == "message_stop"
            heard.ignored = not heard.terminates
        return heard

    def whole(self, body: bytes) -> Heard:
        """A whole reply; raises `Unreadable`."""
        message = _decoded(body, _message)
        if error := _given(message.error):
            return Heard(error=error)
        if message.content is None:
            raise Unreadable("The provider's answer has no content.")
        heard = Heard(finish_reason=message.stop_reason, finishes=True)
        self._begin(message, heard)
        for index, block in enumerate(message.content):
            self._start(index, block, heard)
            self._stop(index, heard)
        self._end(message.stop_reason, message.stop_sequence, heard)
        return heard

    def _begin(self, message: _Message, heard: Heard) -> None:
        self._account(message.usage, heard)
        if self._translate:
            heard.deltas.append(Begin(id=message.id, model=message.model))

    def _start(self, index: int, block: _Block, heard: Heard) -> None:
        """What vendors leave for the deltas is empty here; a whole reply says everything at once."""
        kind = block.type or ""
        given = _arguments(block.input)
        heard.text += block.text or ""
        heard.counted += (block.text or "") + (block.thinking or "")
        if kind in _CALLS:
            heard.counted += (block.name or "") + given
        if not self._translate:
            return
        opened = self._open[index] = _Open(type=kind, given=given, signature=block.signature or None)
        if block.text:
            heard.deltas.append(TextDelta(text=block.text))
        if block.thinking:
            heard.deltas.append(ThinkingDelta(text=block.thinking))
        if kind == "redacted_thinking":
            heard.deltas.append(ThinkingEnd(redacted=block.data))
        elif kind == "tool_use":
            opened.call, self._calls = self._calls, self._calls + 1
            call_id = block.id or f"call_{opened.call}"
            heard.deltas.append(ToolCallBegin(index=opened.call, id=call_id, name=block.name or ""))

    def _change(self, index: int, change: _Change, heard: Heard) -> None:
        if change.text:
            heard.text = heard.counted = change.text
            if self._translate:
                heard.deltas.append(TextDelta(text=change.text))
            return
        heard.counted = (change.thinking or "") + (change.partial_json or "")
        if not self._translate:
            return
        opened = self._open.get(index)
        if change.thinking:
            heard.deltas.append(ThinkingDelta(text=change.thinking))
        if opened is None:
            return
        if change.signature:
            opened.signature = change.signature
        if change.partial_json and opened.type == "tool_use":
            opened.has_more = True
            heard.deltas.append(ToolCallDelta(index=opened.call, arguments=change.partial_json))

    def _stop(self, index: int, heard: Heard) -> None:
        opened = self._open.pop(index, None)
        if opened is None:
            return
        if opened.type == "thinking":
            heard.deltas.append(ThinkingEnd(signature=opened.signature))
        elif opened.type == "tool_use" and not opened.has_more:
            heard.deltas.append(ToolCallDelta(index=opened.call, arguments=opened.given or "{}"))

    def _finish(self, event: _Event, heard: Heard) -> None:
        self._account(event.usage, heard)
        change = event.delta or _Change()
        if change.stop_reason is None:
            heard.is_usage_only = bool(heard.usage)
            heard.ignored = not heard.usage
            return
        heard.finish_reason, heard.finishes = change.stop_reason, True
        self._end(change.stop_reason, change.stop_sequence, heard)

    def _end(self, reason: str | None, stop_sequence: str | None, heard: Heard) -> None:
        for index in list(self._open):
            self._stop(index, heard)
        if self._translate:
            heard.deltas.append(Finish(reason=_REASONS.get(reason or "", "stop"), stop_sequence=stop_sequence))

    def _account(self, raw: msgspec.Raw, heard: Heard) -> None:
        usage = _given(raw)
        if not usage.startswith(b"{"):
            return
        heard.usage = usage
        heard.service_tier = _stated_tier(usage)
        try:
            fields = _fields.decode(usage)
        except _UNREADABLE:
            return
        known = bool(self._usage)
        self._usage |= {name: value for name, value in fields.items() if bytes(value) != b"null"}
        if known:
            heard.usage = msgspec.json.encode(self._usage)


def _decoded(payload: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(payload)
    except _UNREADABLE:
        start = payload[:80].decode(errors="replace")
        raise Unreadable(
            f"The provider's answer cannot be read as an Anthropic message; it begins with {start!r}."
        ) from None


def _given(raw: msgspec.Raw) -> bytes:
    """The JSON of a field; empty where it is absent or null."""
    value = bytes(raw)
    return b"" if value == b"null" else value


def _arguments(raw: msgspec.Raw) -> str:
    """Empty where there are none yet."""
    value = _given(raw)
    return "" if value[:1] == b"{" and not value[1:-1].strip() else value.decode(errors="replace")


def _stated_tier(usage: bytes) -> str | None:
    if b"service_tier" not in usage:
        return None
    try:
        return _tier.decode(usage).service_tier
    except _UNREADABLE:
        return None
