"""Answers for Google's clients: chunks as events or as elements of an array, or one response; and errors.

Sources: https://ai.google.dev/api/generate-content#generatecontentresponse and https://google.aip.dev/193 for errors
"""

from collections.abc import Sequence

import msgspec

from gateway.domain.usage import Usage
from gateway.wires.codec import Frame
from gateway.wires.gemini.media import Json
from gateway.wires.gemini.signatures import for_client
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

_REASONS: dict[FinishReason, str] = {
    "stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY", "refusal": "SAFETY",
    "pause": "OTHER",
}  # fmt: skip
_MALFORMED = "MALFORMED_FUNCTION_CALL"
_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 402: "RESOURCE_EXHAUSTED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED", 409: "ABORTED", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED",
    502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_DOMAIN = "gateway"
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LINE_ENDS = ((b"\xe2\x80\xa8", rb"\u2028"), (b"\xe2\x80\xa9", rb"\u2029"), (b"\xc2\x85", rb"\u0085"))


class _Call(msgspec.Struct):
    begin: ToolCallBegin
    pieces: list[str]


class Writer:
    """Writes one answer; with `sse` false a stream is one JSON array.

    A call goes out whole: once its arguments are complete and something else follows, at the latest with the end.
    """

    def __init__(self, frame: Frame, *, sse: bool = True) -> None:
        self._frame = frame
        self._sse = sse
        self._calls: dict[int, _Call] = {}
        self._parts: list[Json] = []
        self._is_thinking = False
        self._reason: FinishReason = "stop"
        self._begun = False

    def some(self, deltas: Sequence[Delta]) -> bytes:
        """One chunk, if there is anything to say."""
        self._take(deltas)
        parts = self._said()
        return self._framed(self._response({"content": _content(parts), "index": 0})) if parts else b""

    def end(self, deltas: Sequence[Delta], usage: Usage) -> bytes:
        """The chunk that says why the answer ended, and what it used."""
        last = self._framed(self._last(deltas, usage))
        return last if self._sse else last + b"]"

    def failure(self, status: int, code: str, message: str) -> bytes:
        """An object with `error` only, which Google's SDKs raise."""
        failed = self._framed({"error": _error(status, code, message, None)})
        return failed if self._sse else failed + b"]"

    def whole(self, deltas: Sequence[Delta], usage: Usage) -> bytes:
        """One response."""
        return msgspec.json.encode(self._last(deltas, usage))

    def _last(self, deltas: Sequence[Delta], usage: Usage) -> Json:
        self._take(deltas)
        broken = self._release(at_end=True)
        candidate: Json = {"content": _content(self._said()), "finishReason": _REASONS[self._reason], "index": 0}
        if broken:
            candidate["finishMessage"] = f"The arguments of {', '.join(broken)} are no JSON object."
            candidate["finishReason"] = "MAX_TOKENS" if self._reason == "length" else _MALFORMED
        return self._response(candidate) | {"usageMetadata": _usage(usage)}

    def _take(self, deltas: Sequence[Delta]) -> None:
        for delta in deltas:
            match delta:
                case ToolCallBegin():
                    self._calls[delta.index] = _Call(delta, [])
                case ToolCallDelta():
                    if delta.index in self._calls:
                        self._calls[delta.index].pieces.append(delta.arguments)
                case Finish():
                    self._reason = delta.reason
                case _:
                    self._release()
                    self._say(delta)

    def _say(self, delta: Delta) -> None:
        match delta:
            case ThinkingDelta():
                self._words(delta.text, thought=True)
            case TextDelta() | RefusalDelta():
                self._words(delta.text, thought=False)
            case ThinkingEnd():
                self._sign(for_client(delta.signature, delta.redacted))
            case MediaDelta():
                self._parts.append(_shown(delta.media))
                self._is_thinking = False

    def _words(self, text: str, *, thought: bool) -> None:
        if not text:
            return
        self._is_thinking = thought
        last = self._parts[-1] if self._parts else {}
        words = last.get("text")
        if isinstance(words, str) and ("thought" in last) is thought and "thoughtSignature" not in last:
            last["text"] = words + text
        else:
            self._parts.append({"text": text, "thought": True} if thought else {"text": text})

    def _sign(self, signature: str | None) -> None:
        if signature:
            last = self._parts[-1] if self._parts and self._is_thinking else {}
            if "thought" not in last:
                last = {"text": "", "thought": True} if self._is_thinking else {"text": ""}
                self._parts.append(last)
            last["thoughtSignature"] = signature
        self._is_thinking = False

    def _release(self, *, at_end: bool = False) -> list[str]:
        """Let go of calls that are complete; at the end of all, and the names of those that never were are given."""
        broken = []
        for index, call in list(self._calls.items()):
            arguments = "".join(call.pieces)
            if not arguments.strip() and at_end:
                arguments = "{}"
            if _is_object(arguments):
                self._parts.append(_called(call.begin, arguments))
                self._is_thinking = False
            elif at_end:
                broken.append(call.begin.name)
            else:
                break
            del self._calls[index]
        return broken

    def _said(self) -> list[Json]:
        parts, self._parts = self._parts, []
        return parts

    def _response(self, candidate: Json) -> Json:
        return {"candidates": [candidate], "modelVersion": self._frame.model, "responseId": self._frame.id}

    def _framed(self, response: Json) -> bytes:
        written = _one_line(msgspec.json.encode(response))
        if self._sse:
            return b"data: %s\n\n" % written
        begun, self._begun = self._begun, True
        return (b",\r\n" if begun else b"[") + written


def error_body(status: int, code: str, message: str, request_id: str) -> bytes:
    """An error as Google's SDKs know it; our own code and the request's id are in its details."""
    return msgspec.json.encode({"error": _error(status, code, message, request_id)})


def _error(status: int, code: str, message: str, request_id: str | None) -> Json:
    metadata = {"code": code} | ({} if request_id is None else {"requestId": request_id})
    info = {"@type": _ERROR_INFO, "reason": code.upper(), "domain": _DOMAIN, "metadata": metadata}
    return {"code": status, "message": message, "status": _status(status), "details": [info]}


def _status(status: int) -> str:
    return _STATUSES.get(status, "INVALID_ARGUMENT" if 400 <= status < 500 else "INTERNAL")


def _content(parts: list[Json]) -> Json:
    """Google's SDKs take a content without parts for a failed turn."""
    return {"parts": parts or [{"text": ""}], "role": "model"}


def _called(begin: ToolCallBegin, arguments: str) -> Json:
    call: Json = {"functionCall": {"id": begin.id, "name": begin.name, "args": msgspec.Raw(arguments.encode())}}
    return call | {"thoughtSignature": begin.signature} if begin.signature else call


def _shown(media: Media) -> Json:
    mime_type = media.mime_type or "application/octet-stream"
    if media.data is not None:
        return {"inlineData": {"mimeType": mime_type, "data": media.data}}
    return {"fileData": {"mimeType": mime_type, "fileUri": media.url or media.file_id}}


def _usage(usage: Usage) -> Json:
    counts: Json = {"promptTokenCount": usage.prompt_tokens}
    if usage.cache_read:
        counts["cachedContentTokenCount"] = usage.cache_read
    counts["candidatesTokenCount"] = usage.completion_tokens - usage.reasoning
    if usage.reasoning:
        counts["thoughtsTokenCount"] = usage.reasoning
    return counts | {"totalTokenCount": usage.total_tokens}


def _is_object(arguments: str) -> bool:
    try:
        _OBJECT.decode(arguments)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _one_line(written: bytes) -> bytes:
    """Without line ends: arguments may come with some between their values, and words with ends that only Unicode knows."""
    if b"\n" in written or b"\r" in written:
        written = written.replace(b"\n", b" ").replace(b"\r", b" ")
    if b"\xe2\x80" in written or b"\xc2\x85" in written:
        for end, escaped in _LINE_ENDS:
            written = written.replace(end, escaped)
    return written
