"""Chat messages as turns of the neutral form.

Sources: https://platform.openai.com/docs/api-reference/chat/create; `thinking_blocks` is LiteLLM's
(https://docs.litellm.ai/docs/reasoning_content), `extra_content` Google's (https://ai.google.dev/gemini-api/docs/openai).
"""

from typing import Literal

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.wires.neutral import CacheTtl, Media, Part, Refusal, Text, Thinking, ToolCall, ToolResult, Turn, Unsaid
from gateway.wires.reading import is_given

_NOTHING = msgspec.Raw()
_SOUNDS = {"mp3": "audio/mpeg", "wav": "audio/wav"}


class CacheControl(msgspec.Struct):
    """A mark that asks the provider to keep everything up to here."""

    ttl: CacheTtl = "5m"


class _Image(msgspec.Struct):
    url: str
    detail: str | None = None


class _Sound(msgspec.Struct):
    data: str
    format: str


class _File(msgspec.Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: _Image | str | None = None
    video_url: _Image | str | None = None
    input_audio: _Sound | None = None
    file: _File | None = None
    cache_control: CacheControl | None = None


class _Function(msgspec.Struct):
    name: str
    arguments: str = ""


class _Google(msgspec.Struct):
    thought_signature: str | None = None


class _Extra(msgspec.Struct):
    google: _Google | None = None


class _Call(msgspec.Struct):
    id: str
    function: _Function | None = None
    extra_content: _Extra | None = None


class _Block(msgspec.Struct):
    type: str = "thinking"
    thinking: str = ""
    signature: str | None = None
    data: str | None = None


class Message(msgspec.Struct):
    """One message, with what compatible vendors add."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[_Part] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None
    tool_call_id: str | None = None
    audio: msgspec.Raw = _NOTHING
    reasoning_content: str | None = None
    reasoning: str | None = None
    thinking_blocks: list[_Block] | None = None
    cache_control: CacheControl | None = None


def conversation(messages: list[Message], unsaid: list[Unsaid]) -> tuple[list[Text], list[Turn]]:
    """Instructions at the beginning, and turns; tool results and the words after them are one. Raises `InvalidRequest`."""
    system: list[Text] = []
    turns: list[Turn] = []
    for place, message in enumerate(messages):
        at = f"messages[{place}]"
        if message.name and message.role not in {"tool", "function"}:
            unsaid.append(Unsaid(f"{at}.name", harmless=True))
        parts = _parts(message, at)
        if message.role in {"system", "developer"} and not turns:
            system += [part for part in parts if isinstance(part, Text)]
        elif turns and turns[-1].role == "user" and _continues(turns[-1], message):
            turns[-1].parts += parts
        elif parts:
            turns.append(Turn(role=_role(message), parts=parts))
    if not turns and not system:
        raise InvalidRequest("messages: at least one message with words in it is needed.", param="messages")
    return system, turns


def _role(message: Message) -> Literal["user", "assistant", "system"]:
    if message.role in {"system", "developer"}:
        return "system"
    return "assistant" if message.role == "assistant" else "user"


def _continues(turn: Turn, message: Message) -> bool:
    """Results stand together, and what the user says to them with them."""
    only_results = all(isinstance(part, ToolResult) for part in turn.parts)
    return only_results and message.role in {"tool", "function", "user"}


def _parts(message: Message, at: str) -> list[Part]:
    if message.role in {"tool", "function"}:
        return [_result(message, at)]
    content = _content(message, at)
    if message.role == "assistant":
        return [*_thoughts(message), *content, *_refusal(message), *_calls(message, at)]
    wrong = next((part for part in content if not isinstance(part, Text)), None) if message.role != "user" else None
    if wrong is not None:
        raise InvalidRequest(f"{at}.content: Instructions can be text only.", param=f"{at}.content")
    return content


def _content(message: Message, at: str) -> list[Part]:
    content = message.content
    if isinstance(content, str):
        mark = message.cache_control
        return [Text(text=content, cache=mark.ttl if mark is not None else None)] if content else []
    return [_part(part, f"{at}.content[{place}]") for place, part in enumerate(content or ())]


def _part(part: _Part, at: str) -> Part:
    cache = part.cache_control.ttl if part.cache_control is not None else None
    if part.type in {"text", "input_text", "output_text"} and part.text is not None:
        return Text(text=part.text, cache=cache)
    if part.type == "refusal" and part.refusal is not None:
        return Refusal(text=part.refusal)
    media = _media(part)
    if media is None:
        raise InvalidRequest(f"{at}: A part of the type {part.type!r} is not known, or lacks its content.", param=at)
    media.cache = cache
    return media


def _media(part: _Part) -> Media | None:
    sound, file = part.input_audio, part.file
    if part.type == "input_audio" and sound is not None:
        return Media(kind="audio", mime_type=_SOUNDS.get(sound.format, f"audio/{sound.format}"), data=sound.data)
    if part.type == "file" and file is not None:
        media = _located("document", file.file_data) if file.file_data else Media(kind="document", file_id=file.file_id)
        media.name = file.filename
        return media if media.data or media.url or media.file_id else None
    kind: Literal["image", "video"] = "image" if part.type == "image_url" else "video"
    given = part.image_url if kind == "image" else part.video_url
    if given is None:
        return None
    if isinstance(given, str):
        return _located(kind, given)
    media = _located(kind, given.url)
    media.detail = given.detail
    return media


def _located(kind: Literal["image", "video", "document"], url: str) -> Media:
    """A `data:` address holds the content itself."""
    head, comma, data = url.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        return Media(kind=kind, url=url) if ":" in url[:9] else Media(kind=kind, data=url)
    return Media(kind=kind, mime_type=head[5:-7].partition(";")[0] or None, data=data)


def _result(message: Message, at: str) -> ToolResult:
    call_id = message.tool_call_id or (f"call_{message.name}" if message.name else None)
    if call_id is None:
        raise InvalidRequest(f"{at}.tool_call_id: a tool's result names its call.", param=f"{at}.tool_call_id")
    content = [part for part in _content(message, at) if isinstance(part, Text | Media)]
    return ToolResult(call_id=call_id, name=message.name, content=content)


def _thoughts(message: Message) -> list[Part]:
    """Blocks with their signatures where there are any, else the bare words."""
    if message.thinking_blocks:
        return [
            Thinking(text=block.thinking, signature=block.signature or None, redacted=block.data)
            for block in message.thinking_blocks
        ]
    words = message.reasoning_content or message.reasoning
    return [Thinking(text=words)] if words else []


def _refusal(message: Message) -> list[Part]:
    return [Refusal(text=message.refusal)] if message.refusal else []


def _calls(message: Message, at: str) -> list[Part]:
    if is_given(message.audio):
        raise InvalidRequest(f"{at}.audio: Only the provider that spoke knows what this names.", param=f"{at}.audio")
    calls: list[Part] = [
        _call(call, f"{at}.tool_calls[{place}]") for place, call in enumerate(message.tool_calls or ())
    ]
    function = message.function_call
    if function is not None:
        calls.append(ToolCall(id=f"call_{function.name}", name=function.name, arguments=function.arguments))
    return calls


def _call(call: _Call, at: str) -> ToolCall:
    if call.function is None:
        raise InvalidRequest(f"{at}: Only calls of functions can be told to another provider.", param=at)
    google = call.extra_content.google if call.extra_content is not None else None
    return ToolCall(
        id=call.id,
        name=call.function.name,
        arguments=call.function.arguments,
        signature=google.thought_signature if google is not None else None,
    )
