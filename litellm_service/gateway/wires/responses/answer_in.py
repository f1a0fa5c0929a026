"""OpenAI's Responses as replies: what the events, or a whole response, say. They are only listened to, never translated.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from typing import TypeVar

import msgspec

from gateway.wires.codec import Heard, Unreadable

T = TypeVar("T")
_NOTHING = msgspec.Raw()
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_WORDS = "response.output_text.delta"
_COUNTED = {
    "response.refusal.delta", "response.reasoning_text.delta", "response.reasoning_summary_text.delta",
    "response.function_call_arguments.delta", "response.custom_tool_call_input.delta", "response.mcp_call_arguments.delta",
    "response.code_interpreter_call_code.delta",
}  # fmt: skip
_ENDS = {"response.completed", "response.incomplete", "response.failed"}
_DONE = b"[DONE]"
_UNEXPLAINED = b'{"code":"server_error","message":"The provider failed without a reason."}'


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    type: str = ""
    content: list[_Part] | None = None
    summary: list[_Part] | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    code: str | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    store: bool | None = None
    status: str | None = None
    error: msgspec.Raw = _NOTHING
    incomplete_details: _Incomplete | None = None
    output: msgspec.Raw = _NOTHING
    usage: msgspec.Raw = _NOTHING
    service_tier: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    delta: msgspec.Raw = _NOTHING
    response: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING
    message: str | None = None
    code: str | None = None


_event = msgspec.json.Decoder(_Event)
_response = msgspec.json.Decoder(_Response)
_items = msgspec.json.Decoder(list[msgspec.Raw])
_item = msgspec.json.Decoder(_Item)
_text = msgspec.json.Decoder(str)


class Decoder:
    """Reads one reply."""

    def event(self, payload: bytes) -> Heard:
        """The data of one event; raises `Unreadable`. Compatible servers end a stream with `[DONE]`."""
        if payload == _DONE:
            return Heard(terminates=True)
        event = _decoded(payload, _event)
        kind = event.type
        if kind == _WORDS or kind in _COUNTED:
            return _spoken(kind, event.delta)
        if kind in _ENDS:
            return _ended(_decoded(event.response, _response))
        if kind == "error" or _given(event.error):
            stated = {"message": event.message, "code": event.code}
            return Heard(error=_given(event.error) or msgspec.json.encode(stated))
        if not kind:
            raise _unreadable(payload)
        return Heard()

    def whole(self, body: bytes) -> Heard:
        """A reply that was not streamed; raises `Unreadable`."""
        response = _decoded(body, _response)
        output = _given(response.output)
        if (not output and not _given(response.error)) or not _is_text(body):
            raise _unreadable(body)
        heard = _ended(response)
        if not heard.error:
            for item in _decoded(output, _items):
                _note(item, heard)
        return heard


def _spoken(kind: str, delta: msgspec.Raw) -> Heard:
    try:
        words = _text.decode(delta)
    except _UNREADABLE:
        return Heard()
    return Heard(text=words if kind == _WORDS else "", counted=words, is_refusal=kind == "response.refusal.delta")


def _ended(response: _Response) -> Heard:
    error = _given(response.error)
    if response.status == "failed" or (error and response.status in {None, "cancelled"}):
        return Heard(error=error or _UNEXPLAINED)
    reason = response.status or "completed"
    if response.incomplete_details is not None and response.incomplete_details.reason:
        reason = response.incomplete_details.reason
    return Heard(
        kept_as=None if response.store is False else response.id,
        usage=_given(response.usage),
        service_tier=response.service_tier,
        finish_reason=reason,
        finishes=True,
        terminates=True,
    )


def _note(raw: msgspec.Raw, heard: Heard) -> None:
    """Items that OpenAI's own tools made may have anything in these fields; their JSON counts as it stands."""
    try:
        item = _item.decode(raw)
    except _UNREADABLE:
        heard.counted += bytes(raw).decode(errors="replace")
        return
    for part in item.content or ():
        words = part.text or part.refusal or ""
        heard.counted += words
        heard.is_refusal = heard.is_refusal or bool(part.refusal)
        if part.type == "output_text":
            heard.text += words
    heard.counted += "".join(part.text or "" for part in item.summary or ())
    heard.counted += (item.name or "") + (item.arguments or "") + (item.input or "") + (item.code or "")


def _decoded(raw: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(raw)
    except _UNREADABLE:
        raise _unreadable(bytes(raw)) from None


def _is_text(body: bytes) -> bool:
    """UTF-8: what is not looked into goes on as it came, and must not be what no client can read."""
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unreadable(raw: bytes) -> Unreadable:
    start = raw[:80].decode(errors="replace")
    return Unreadable(f"The provider's answer cannot be read as a response; it begins with {start!r}.")


def _given(raw: msgspec.Raw) -> bytes:
    value = bytes(raw)
    return b"" if value == b"null" else value
