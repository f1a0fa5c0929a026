"""Reading legacy completions, plain and streamed.

Source: https://platform.openai.com/docs/api-reference/completions
"""

from typing import Any

import msgspec

from gateway.wires.codec import Heard, Unreadable

DONE = b"[DONE]"
_NOTHING = msgspec.Raw()
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Choice(msgspec.Struct):
    text: str | None = None
    finish_reason: str | None = None


class _Body(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING
    service_tier: Any = None


_body = msgspec.json.Decoder(_Body)


class Decoder:
    """Reads one reply; it is complete when all `choices` have finished."""

    def __init__(self, choices: int = 1) -> None:
        self._unfinished = choices

    def event(self, payload: bytes) -> Heard:
        """See `codec.Decoder.event`."""
        if payload == DONE:
            return Heard(terminates=True)
        body = _decoded(payload)
        error = _given(body.error)
        return Heard(error=error) if error else self._heard(body)

    def whole(self, body: bytes) -> Heard:
        """See `codec.Decoder.whole`."""
        read = _decoded(body)
        if not read.choices:
            if error := _given(read.error):
                return Heard(error=error)
            raise Unreadable("The provider's answer has no choices.")
        return self._heard(read)

    def _heard(self, body: _Body) -> Heard:
        heard = Heard(usage=_given(body.usage), is_usage_only=not body.choices and bool(_given(body.usage)))
        if isinstance(body.service_tier, str):
            heard.service_tier = body.service_tier
        for choice in body.choices or ():
            heard.text += choice.text or ""
            if choice.finish_reason:
                heard.finish_reason = choice.finish_reason
                self._unfinished -= 1
                heard.finishes = self._unfinished <= 0
        heard.counted = heard.text
        return heard


def _given(raw: msgspec.Raw) -> bytes:
    """The JSON of a field; empty where it is absent or null."""
    value = bytes(raw)
    return b"" if value == b"null" else value


def _decoded(raw: bytes) -> _Body:
    try:
        return _body.decode(raw)
    except _UNREADABLE:
        start = raw[:80].decode(errors="replace")
        raise Unreadable(f"The provider's answer cannot be read as a completion; it begins with {start!r}.") from None
