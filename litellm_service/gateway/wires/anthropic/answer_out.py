"""Answers for Anthropic's clients: events or one message; and errors.

Sources: https://platform.claude.com/docs/en/build-with-claude/streaming, https://platform.claude.com/docs/en/api/messages and
https://platform.claude.com/docs/en/api/errors
"""

from collections.abc import Sequence

import msgspec

from gateway.domain.usage import Usage
from gateway.wires.anthropic.blocks import Blocks, Json, folded
from gateway.wires.codec import Frame
from gateway.wires.neutral import Delta, FinishReason

_REASONS: dict[FinishReason, str] = {
    "stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal", "refusal": "refusal",
    "pause": "pause_turn",
}  # fmt: skip
_ERRORS = {
    401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error", 408: "timeout_error",
    413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class Writer:
    """Writes one answer."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._blocks = Blocks()
        self._begun = False

    def some(self, deltas: Sequence[Delta]) -> bytes:
        """Events for more; the first say how the message begins."""
        return self._beginning() + b"".join([_event(event) for event in self._blocks.take(deltas)])

    def end(self, deltas: Sequence[Delta], usage: Usage) -> bytes:
        """The last blocks, why it ended, and what it used."""
        blocks = [_event(event) for event in self._blocks.take(deltas, last=True)]
        ended = _event({"type": "message_delta", "delta": self._ended(), "usage": _usage(usage)})
        return b"".join([self._beginning(), *blocks, ended, _STOP])

    def failure(self, status: int, code: str, message: str) -> bytes:
        """An `error` event, which the SDKs raise."""
        return _event({"type": "error", "error": _error(status, code, message)})

    def whole(self, deltas: Sequence[Delta], usage: Usage) -> bytes:
        """One message."""
        content = folded(self._blocks.take(deltas, last=True))
        written: Json = {
            "ephemeral_5m_input_tokens": usage.cache_write,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        }
        stated = _usage(usage) | ({"cache_creation": written} if usage.cache_write_1h else {})
        return msgspec.json.encode(self._message(content, stated) | self._ended())

    def _beginning(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message = self._message([], {"input_tokens": 0, "output_tokens": 0})
        return _event({"type": "message_start", "message": message})

    def _message(self, content: list[Json], usage: Json) -> Json:
        return {
            "id": f"msg_{self._frame.id.removeprefix('req_')}",
            "type": "message",
            "role": "assistant",
            "model": self._frame.model,
            "content": content,
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }

    def _ended(self) -> Json:
        """Calls and refusals say of themselves how the answer ended, where the provider only said that it did."""
        finish = self._blocks.finish
        reason = "end_turn" if finish is None else _REASONS[finish.reason]
        stop_sequence = finish.stop_sequence if finish is not None and reason == "end_turn" else None
        if reason == "end_turn":
            if self._blocks.refused:
                reason = "refusal"
            elif self._blocks.has_calls:
                reason = "tool_use"
            elif stop_sequence is not None:
                reason = "stop_sequence"
        return {"stop_reason": reason, "stop_sequence": stop_sequence}


def error_body(status: int, code: str, message: str, request_id: str) -> bytes:
    """An error as Anthropic's SDKs know it; `code` is our own."""
    return msgspec.json.encode({"type": "error", "error": _error(status, code, message), "request_id": request_id})


def _error(status: int, code: str, message: str) -> Json:
    usual = "api_error" if status >= 500 else "invalid_request_error"
    return {"type": _ERRORS.get(status, usual), "message": message, "code": code}


def _usage(usage: Usage) -> Json:
    counts: Json = {
        "input_tokens": usage.input + usage.audio_input + usage.image_input,
        "cache_creation_input_tokens": usage.cache_write + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.completion_tokens,
    }
    if usage.reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.searches:
        counts["server_tool_use"] = {"web_search_requests": usage.searches, "web_fetch_requests": 0}
    return counts


def _event(event: Json) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (str(event["type"]).encode(), msgspec.json.encode(event))
