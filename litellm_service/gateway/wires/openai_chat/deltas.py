"""What chat completions say, in the neutral form: the first choice's words, reasoning and calls.

Sources: https://platform.openai.com/docs/api-reference/chat-streaming; `thinking_blocks` is LiteLLM's
(https://docs.litellm.ai/docs/reasoning_content), `extra_content` Google's (https://ai.google.dev/gemini-api/docs/openai), `images`
OpenRouter's (https://openrouter.ai/docs/features/multimodal/image-generation).
"""

import secrets

import msgspec

from gateway.wires.neutral import (
    Begin,
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

_REASONS: dict[str, FinishReason] = {
    "stop": "stop", "length": "length", "tool_calls": "tool_calls", "function_call": "tool_calls",
    "content_filter": "content_filter",
}  # fmt: skip


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Google(msgspec.Struct):
    thought_signature: str | None = None


class _Extra(msgspec.Struct):
    google: _Google | None = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None
    extra_content: _Extra | None = None


class _Block(msgspec.Struct):
    signature: str | None = None
    data: str | None = None


class _Url(msgspec.Struct):
    url: str


class _Image(msgspec.Struct):
    image_url: _Url


class _Inner(msgspec.Struct):
    text: str | None = None


class _ContentPart(msgspec.Struct):
    type: str = "text"
    text: str | None = None
    thinking: list[_Inner] | None = None


class Message(msgspec.Struct):
    """A message or a piece of one."""

    content: str | list[_ContentPart] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None
    thinking_blocks: list[_Block] | None = None
    images: list[_Image] | None = None


class Choice(msgspec.Struct):
    """One of the answers."""

    index: int | None = None
    delta: Message | None = None
    message: Message | None = None
    finish_reason: str | None = None


class Completion(msgspec.Struct):
    """A whole completion or a chunk of one."""

    id: str | None = None
    model: str | None = None
    choices: list[Choice] | None = None


class Translation:
    """Reads one answer's pieces in order; calls are counted anew, since vendors leave their places out or give one twice."""

    def __init__(self) -> None:
        self._begun = False
        self._thinks = False
        self._places: dict[int | str, int] = {}
        self._count = 0

    def deltas(self, body: Completion) -> list[Delta]:
        """What one piece says."""
        said: list[Delta] = [] if self._begun else [Begin(id=body.id or None, model=body.model or None)]
        self._begun = True
        for choice in body.choices or ():
            if choice.index:
                continue
            message = choice.delta or choice.message
            if message is not None:
                said += self._message(message)
            if choice.finish_reason:
                said += self._end_of_thought()
                said.append(Finish(reason=self._reason(choice.finish_reason)))
        return said

    def _message(self, message: Message) -> list[Delta]:
        said = self._thoughts(message)
        for part in _content(message):
            said += self._think(part.text) if isinstance(part, ThinkingDelta) else [*self._end_of_thought(), part]
        if message.refusal:
            said += [*self._end_of_thought(), RefusalDelta(text=message.refusal)]
        said += [MediaDelta(media=_media(image.image_url.url)) for image in message.images or ()]
        calls = message.tool_calls or ()
        if message.function_call is not None:
            calls = [_Call(index=0, function=message.function_call)]
        for call in calls:
            said += [*self._end_of_thought(), *self._call(call)]
        return said

    def _thoughts(self, message: Message) -> list[Delta]:
        words = message.reasoning_content or message.reasoning
        said = self._think(words) if words else []
        for block in message.thinking_blocks or ():
            if block.signature or block.data:
                said.append(ThinkingEnd(signature=block.signature or None, redacted=block.data or None))
                self._thinks = False
        return said

    def _think(self, words: str) -> list[Delta]:
        self._thinks = True
        return [ThinkingDelta(text=words)]

    def _end_of_thought(self) -> list[Delta]:
        thought, self._thinks = self._thinks, False
        return [ThinkingEnd()] if thought else []

    def _call(self, call: _Call) -> list[Delta]:
        function = call.function or _Function()
        place = self._places.get(self._key(call))
        said: list[Delta] = []
        if place is None:
            place = self._places[self._key(call)] = self._count
            self._count += 1
            google = call.extra_content.google if call.extra_content is not None else None
            said.append(
                ToolCallBegin(
                    index=place,
                    id=call.id or f"call_{secrets.token_hex(12)}",
                    name=function.name or "",
                    signature=google.thought_signature if google is not None else None,
                )
            )
        if function.arguments:
            said.append(ToolCallDelta(index=place, arguments=function.arguments))
        return said

    def _key(self, call: _Call) -> int | str:
        """Whose piece it is: by its place, else by its id; neither belongs to the call before."""
        if call.index is not None:
            return call.index
        if call.id is not None:
            return call.id
        return next(reversed(self._places), "") if not (call.function and call.function.name) else f"#{self._count}"

    def _reason(self, stated: str) -> FinishReason:
        reason = _REASONS.get(stated, "stop")
        return "tool_calls" if reason == "stop" and self._count else reason


def _content(message: Message) -> list[TextDelta | ThinkingDelta]:
    """Mistral's reasoning stands between the words."""
    if isinstance(message.content, str):
        return [TextDelta(text=message.content)] if message.content else []
    said: list[TextDelta | ThinkingDelta] = []
    for part in message.content or ():
        said += [ThinkingDelta(text=inner.text) for inner in part.thinking or () if inner.text]
        if part.text:
            said.append(TextDelta(text=part.text))
    return said


def _media(url: str) -> Media:
    head, comma, data = url.partition(",")
    if comma and head.startswith("data:"):
        return Media(kind="image", mime_type=head[5:].partition(";")[0], data=data)
    return Media(kind="image", url=url)
