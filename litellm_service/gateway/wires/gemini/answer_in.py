"""Google's replies: what each chunk, or a whole reply, says.

Source: https://ai.google.dev/api/generate-content#generatecontentresponse

Every chunk has the usage so far, and a stream ends without a terminator. How often Google searched stands apart from the usage, in
`groundingMetadata` (https://ai.google.dev/gemini-api/docs/google-search); it is added to it as `searchQueryCount`.
"""

import re
import secrets

import msgspec

from gateway.wires.codec import Heard, Unreadable
from gateway.wires.gemini.media import kind_of
from gateway.wires.gemini.signatures import of_call, of_thought
from gateway.wires.neutral import (
    Begin,
    Delta,
    Finish,
    FinishReason,
    Media,
    MediaDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallBegin,
    ToolCallDelta,
)

_NOTHING = msgspec.Raw()
_REASONS: dict[str, FinishReason] = {
    "STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter", "RECITATION": "content_filter",
    "LANGUAGE": "content_filter", "BLOCKLIST": "content_filter", "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter", "IMAGE_SAFETY": "content_filter", "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter", "MODEL_ARMOR": "content_filter", "ESCALATION": "content_filter",
    "PUP_LIMITED_DISABLED": "content_filter",
}  # fmt: skip
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_NO_ID = re.compile(r"[^A-Za-z0-9_-]")
_ID_LENGTH = 24


class _Call(msgspec.Struct):
    name: str = ""
    id: str | None = None
    args: msgspec.Raw = _NOTHING


class _Data(msgspec.Struct, rename="camel"):
    mime_type: str | None = None
    data: str | None = None
    file_uri: str | None = None


class _Code(msgspec.Struct):
    code: str | None = None
    output: str | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _Call | None = None
    inline_data: _Data | None = None
    file_data: _Data | None = None
    executable_code: _Code | None = None
    code_execution_result: _Code | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    index: int | None = None
    grounding_metadata: msgspec.Raw = _NOTHING


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Chunk(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: msgspec.Raw = _NOTHING
    prompt_feedback: _Feedback | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: msgspec.Raw = _NOTHING


class _Grounding(msgspec.Struct, rename="camel"):
    web_search_queries: list[str] | None = None
    image_search_queries: list[str] | None = None


class _Tier(msgspec.Struct, rename="camel"):
    service_tier: str | None = None


_chunk = msgspec.json.Decoder(_Chunk)
_grounding = msgspec.json.Decoder(_Grounding)
_tier = msgspec.json.Decoder(_Tier)


class Decoder:
    """Reads one reply. `choices`: how many candidates must be finished; `translate`: the first one is wanted as deltas."""

    def __init__(self, translate: bool, *, choices: int = 1) -> None:
        self._translate = translate
        self._choices = choices
        self._finished: set[int] = set()
        self._searched: set[str] = set()
        self._usage = b""
        self._begun = False
        self._calls = 0
        self._stem = ""

    def event(self, payload: bytes) -> Heard:
        """One chunk; raises `Unreadable`."""
        return self._read(_decoded(payload))

    def whole(self, body: bytes) -> Heard:
        """A whole reply; raises `Unreadable`."""
        heard = self._read(_decoded(body))
        if heard.error:
            return heard
        if heard.is_usage_only or heard.ignored:
            raise Unreadable("The provider's answer has no candidates.")
        if self._translate and not any(isinstance(delta, Finish) for delta in heard.deltas):
            heard.deltas.append(Finish(reason="stop"))
        heard.finishes = True
        return heard

    def _read(self, chunk: _Chunk) -> Heard:
        if error := _given(chunk.error):
            return Heard(error=error)
        blocked = chunk.prompt_feedback.block_reason if chunk.prompt_feedback is not None else None
        heard = Heard(deltas=self._beginning(chunk))
        for candidate in chunk.candidates or ():
            self._hear(candidate, heard)
        if blocked and not chunk.candidates:
            heard.finish_reason, heard.finishes = blocked, True
            if self._translate:
                heard.deltas.append(Finish(reason="content_filter"))
        self._account(chunk, heard)
        nothing = not chunk.candidates and not blocked
        heard.is_usage_only = nothing and bool(heard.usage)
        heard.ignored = nothing and not heard.usage
        return heard

    def _beginning(self, chunk: _Chunk) -> list[Delta]:
        if self._begun or not self._translate:
            return []
        self._begun = True
        self._stem = _NO_ID.sub("", chunk.response_id or "")[:_ID_LENGTH] or secrets.token_hex(_ID_LENGTH // 2)
        return [Begin(id=chunk.response_id, model=chunk.model_version)]

    def _hear(self, candidate: _Candidate, heard: Heard) -> None:
        index = candidate.index or 0
        for part in (candidate.content.parts or ()) if candidate.content is not None else ():
            words = part.text or ""
            if not part.thought:
                heard.text += words
            heard.counted += words + _counted(part)
            if self._translate and index == 0:
                heard.deltas += self._deltas(part)
        if _given(candidate.grounding_metadata):
            self._note_searches(candidate.grounding_metadata)
        if candidate.finish_reason:
            self._finished.add(index)
            heard.finish_reason = candidate.finish_reason
            heard.finishes = len(self._finished) >= self._choices
            if self._translate and index == 0:
                heard.deltas.append(Finish(reason=self._reason(candidate.finish_reason)))

    def _deltas(self, part: _Part) -> list[Delta]:
        if part.function_call is not None:
            return self._call(part.function_call, part.thought_signature)
        said: list[Delta] = []
        if part.text:
            said.append(ThinkingDelta(text=part.text) if part.thought else TextDelta(text=part.text))
        shown = part.inline_data or part.file_data
        if shown is not None and not part.thought:
            said.append(MediaDelta(media=_media(shown)))
        signature, redacted = of_thought(part.thought_signature)
        if signature or redacted:
            said.append(ThinkingEnd(signature=signature, redacted=redacted))
        return said

    def _call(self, call: _Call, signature: str | None) -> list[Delta]:
        index, self._calls = self._calls, self._calls + 1
        begin = ToolCallBegin(
            index=index, id=call.id or f"call_{self._stem}_{index}", name=call.name, signature=of_call(signature)
        )
        arguments = _given(call.args).decode(errors="replace") or "{}"
        return [begin, ToolCallDelta(index=index, arguments=arguments)]

    def _reason(self, stated: str) -> FinishReason:
        reason = _REASONS.get(stated, "stop")
        return "tool_calls" if reason == "stop" and self._calls else reason

    def _note_searches(self, raw: msgspec.Raw) -> None:
        """Each different question is one search; an empty one is none."""
        try:
            grounding = _grounding.decode(raw)
        except _UNREADABLE:
            return
        asked = [*(grounding.web_search_queries or ()), *(grounding.image_search_queries or ())]
        self._searched |= {query for query in asked if query}

    def _account(self, chunk: _Chunk, heard: Heard) -> None:
        usage = _given(chunk.usage_metadata)
        if usage:
            self._usage = usage
            heard.service_tier = _stated_tier(usage)
        if not self._searched:
            heard.usage = usage
        elif self._usage.endswith(b"}"):
            comma = b"," if self._usage[1:-1].strip() else b""
            heard.usage = b'%s%s"searchQueryCount":%d}' % (self._usage[:-1], comma, len(self._searched))


def _decoded(payload: bytes) -> _Chunk:
    try:
        return _chunk.decode(payload)
    except _UNREADABLE:
        start = payload[:80].decode(errors="replace")
        raise Unreadable(
            f"The provider's answer cannot be read as generateContent's; it begins with {start!r}."
        ) from None


def _given(raw: msgspec.Raw) -> bytes:
    """The JSON of a field; empty where it is absent or null."""
    if raw is _NOTHING:
        return b""
    value = bytes(raw)
    return b"" if value == b"null" else value


def _counted(part: _Part) -> str:
    """What the provider bills of a part beside its text."""
    call = part.function_call
    counted = call.name + _given(call.args).decode(errors="replace") if call is not None else ""
    if part.executable_code is not None:
        counted += part.executable_code.code or ""
    return counted


def _media(shown: _Data) -> Media:
    kind = kind_of(shown.mime_type)
    if shown.data is not None:
        return Media(kind=kind, mime_type=shown.mime_type, data=shown.data)
    return Media(kind=kind, mime_type=shown.mime_type, url=shown.file_uri)


def _stated_tier(usage: bytes) -> str | None:
    if b"serviceTier" not in usage:
        return None
    try:
        return _tier.decode(usage).service_tier
    except _UNREADABLE:
        return None
