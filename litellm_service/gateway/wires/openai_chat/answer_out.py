"""Answers for OpenAI's clients: chunks, or one completion.

Sources: https://platform.openai.com/docs/api-reference/chat/object and /chat-streaming; reasoning as DeepSeek
(https://api-docs.deepseek.com/guides/reasoning_model) and LiteLLM (https://docs.litellm.ai/docs/reasoning_content) give it, images
as OpenRouter (https://openrouter.ai/docs/features/multimodal/image-generation).
"""

from collections.abc import Sequence

import msgspec

from gateway.domain.usage import Usage
from gateway.wires.codec import Frame
from gateway.wires.neutral import (
    Delta,
    Finish,
    FinishReason,
    Media,
    MediaDelta,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallBegin,
    ToolCallDelta,
)

Json = dict[str, object]
_DONE = b"data: [DONE]\n\n"
_REASONS: dict[FinishReason, str] = {
    "stop": "stop", "length": "length", "tool_calls": "tool_calls", "content_filter": "content_filter",
    "refusal": "content_filter", "pause": "stop",
}  # fmt: skip
_FAMILIES = {
    400: "invalid_request_error", 401: "authentication_error", 402: "insufficient_quota", 403: "permission_error",
    404: "invalid_request_error", 408: "invalid_request_error", 413: "invalid_request_error", 429: "rate_limit_error",
    502: "provider_error", 504: "provider_error",
}  # fmt: skip


class Writer:
    """Writes one answer, a chunk for each delta."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._begun = False
        self._thoughts: list[str] = []
        self._reason: FinishReason = "stop"

    def some(self, deltas: Sequence[Delta]) -> bytes:
        """A chunk for each thing that is said."""
        said = (self._said(delta) for delta in deltas)
        return b"".join([self._chunk(message) for message in said if message])

    def end(self, deltas: Sequence[Delta], usage: Usage) -> bytes:
        """The chunk that says why the answer ended, the usage for those who asked, and `[DONE]`."""
        rest = self.some(deltas)
        finish = self._chunk({}, _REASONS[self._reason])
        asked = self._event({"choices": [], "usage": usage_object(usage)}) if self._frame.wants_usage else b""
        return rest + finish + asked + _DONE

    def failure(self, status: int, code: str, message: str) -> bytes:
        """An `error` object, which the SDKs raise."""
        family = _FAMILIES.get(status, "server_error")
        error = {"message": message, "type": family, "code": code, "param": None}
        return b"data: %s\n\n" % msgspec.json.encode({"error": error})

    def whole(self, deltas: Sequence[Delta], usage: Usage) -> bytes:
        """One completion."""
        message: Json = {"role": "assistant", "content": None}
        calls: list[Json] = []
        for delta in deltas:
            _add(message, calls, self._said(delta))
        if calls:
            message["tool_calls"] = calls
        elif message["content"] is None and "refusal" not in message:
            message["content"] = ""
        message.setdefault("refusal", None)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _REASONS[self._reason]}
        return msgspec.json.encode({
            **self._head("chat.completion"), "choices": [choice], "usage": usage_object(usage),
        })  # fmt: skip

    def _said(self, delta: Delta) -> Json:
        match delta:
            case ThinkingDelta():
                self._thoughts.append(delta.text)
                return {"reasoning_content": delta.text}
            case ThinkingEnd():
                return self._signed(delta)
            case ToolCallBegin() | ToolCallDelta():
                return {"tool_calls": [_call(delta)]}
            case Finish():
                self._reason = delta.reason
        return _shown(delta)

    def _signed(self, end: ThinkingEnd) -> Json:
        """What must come back in the next turn."""
        words = "".join(self._thoughts)
        self._thoughts.clear()
        if end.redacted:
            return {"thinking_blocks": [{"type": "redacted_thinking", "data": end.redacted}]}
        if not end.signature:
            return {}
        return {"thinking_blocks": [{"type": "thinking", "thinking": words, "signature": end.signature}]}

    def _chunk(self, message: Json, reason: str | None = None) -> bytes:
        if not self._begun:
            self._begun = True
            message = {"role": "assistant", "content": "", **message}
        return self._event({
            "choices": [{"index": 0, "delta": message, "logprobs": None, "finish_reason": reason}],
            **({"usage": None} if self._frame.wants_usage else {}),
        })  # fmt: skip

    def _event(self, fields: Json) -> bytes:
        return b"data: %s\n\n" % msgspec.json.encode({**self._head("chat.completion.chunk"), **fields})

    def _head(self, kind: str) -> Json:
        frame = self._frame
        return {"id": f"chatcmpl-{frame.id}", "object": kind, "created": frame.created_s, "model": frame.model}


def usage_object(usage: Usage) -> Json:
    """OpenAI's usage, with what was written to a provider's cache as OpenRouter names it."""
    prompt: Json = {"cached_tokens": usage.cache_read, "audio_tokens": usage.audio_input}
    if written := usage.cache_write + usage.cache_write_1h:
        prompt["cache_write_tokens"] = written
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.audio_output},
    }


def _shown(delta: Delta) -> Json:
    """What people see of a delta."""
    match delta:
        case TextDelta():
            return {"content": delta.text}
        case RefusalDelta():
            return {"refusal": delta.text}
        case MediaDelta():
            return {"images": [{"type": "image_url", "image_url": {"url": _address(delta.media)}}]}
    return {}


def _call(call: ToolCallBegin | ToolCallDelta) -> Json:
    if isinstance(call, ToolCallDelta):
        return {"index": call.index, "function": {"arguments": call.arguments}}
    function = {"name": call.name, "arguments": ""}
    written: Json = {"index": call.index, "id": call.id, "type": "function", "function": function}
    if call.signature:
        written["extra_content"] = {"google": {"thought_signature": call.signature}}
    return written


def _add(message: Json, calls: list[Json], more: Json) -> None:
    """Put one delta's piece to a whole message."""
    for name, value in more.items():
        if name == "tool_calls":
            _add_call(calls, value)
        elif isinstance(value, list):
            known = message.setdefault(name, [])
            if isinstance(known, list):
                known += value
        else:
            message[name] = f"{message.get(name) or ''}{value}"


def _add_call(calls: list[Json], pieces: object) -> None:
    for piece in pieces if isinstance(pieces, list) else ():
        place = piece.pop("index")
        if "id" in piece:
            calls.append(piece)
        else:
            function = calls[place]["function"]
            if isinstance(function, dict):
                function["arguments"] += piece["function"]["arguments"]


def _address(media: Media) -> str:
    return media.url or f"data:{media.mime_type or 'image/png'};base64,{media.data}"
