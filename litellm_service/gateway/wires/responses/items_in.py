"""The input of a Responses request as turns of the neutral form.

Source: https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from typing import Literal

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.wires.neutral import Media, Part, Refusal, Text, Thinking, ToolCall, ToolResult, Turn
from gateway.wires.responses.reasoning import unwrapped

_SOUNDS = {"mp3": "audio/mpeg", "wav": "audio/wav"}


class _Sound(msgspec.Struct):
    data: str
    format: str


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    input_audio: _Sound | None = None


class _Summary(msgspec.Struct):
    text: str = ""


class Item(msgspec.Struct):
    """One item of the input; which fields it has depends on its `type`, which a message may leave out."""

    type: str = "message"
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: str | list[_Part] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[_Part] | None = None
    summary: list[_Summary] | None = None
    encrypted_content: str | None = None


def conversation(items: str | list[Item]) -> tuple[list[Text], list[Turn]]:
    """Instructions at the beginning, and turns: neighbours of one side are one. Raises `InvalidRequest`."""
    if isinstance(items, str):
        return [], [Turn(role="user", parts=[Text(text=items)])] if items else []
    system: list[Text] = []
    turns: list[Turn] = []
    for place, item in enumerate(items):
        role, parts = _said(item, f"input[{place}]")
        if role == "system" and not turns:
            system += [part for part in parts if isinstance(part, Text)]
        elif turns and turns[-1].role == role and (role == "assistant" or _are_results(turns[-1])):
            turns[-1].parts += parts
        elif parts:
            turns.append(Turn(role=role, parts=parts))
    return system, turns


def _said(item: Item, at: str) -> tuple[Literal["user", "assistant", "system"], list[Part]]:
    if item.type == "message" and item.role is not None:
        role = item.role
        side: Literal["user", "assistant", "system"] = "system" if role == "developer" else role
        return side, _content(item.content, f"{at}.content")
    if item.type == "function_call" and item.call_id and item.name:
        return "assistant", [ToolCall(id=item.call_id, name=item.name, arguments=item.arguments or "{}")]
    if item.type == "function_call_output" and item.call_id:
        content = [part for part in _content(item.output, f"{at}.output") if isinstance(part, Text | Media)]
        return "user", [ToolResult(call_id=item.call_id, content=content)]
    if item.type == "reasoning":
        return "assistant", _thought(item)
    raise InvalidRequest(
        f"{at}: An item of the type {item.type!r} cannot be told to this provider, or lacks what it needs.", param=at
    )


def _are_results(turn: Turn) -> bool:
    return all(isinstance(part, ToolResult) for part in turn.parts)


def _thought(item: Item) -> list[Part]:
    words = "\n".join(part.text for part in item.summary or ())
    signature, redacted = unwrapped(item.encrypted_content)
    return [Thinking(text=words, signature=signature, redacted=redacted)] if words or signature or redacted else []


def _content(content: str | list[_Part] | None, at: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(text=content)] if content else []
    return [_part(part, f"{at}[{place}]") for place, part in enumerate(content or ())]


def _part(part: _Part, at: str) -> Part:
    if part.type in {"input_text", "output_text", "text"} and part.text is not None:
        return Text(text=part.text)
    if part.type == "refusal" and part.refusal is not None:
        return Refusal(text=part.refusal)
    media = _media(part)
    if media is None:
        raise InvalidRequest(f"{at}: A part of the type {part.type!r} is not known, or lacks its content.", param=at)
    return media


def _media(part: _Part) -> Media | None:
    if part.type == "input_image" and (part.image_url or part.file_id):
        media = _located("image", part.image_url) if part.image_url else Media(kind="image", file_id=part.file_id)
        media.detail = part.detail
        return media
    if part.type == "input_audio" and part.input_audio is not None:
        sound = part.input_audio
        return Media(kind="audio", mime_type=_SOUNDS.get(sound.format, f"audio/{sound.format}"), data=sound.data)
    address = part.file_data or part.file_url
    if part.type == "input_file" and (address or part.file_id):
        media = _located("document", address) if address else Media(kind="document", file_id=part.file_id)
        media.name = part.filename
        return media
    return None


def _located(kind: Literal["image", "document"], url: str) -> Media:
    """A `data:` address holds the content itself, and so does what is no address."""
    head, comma, data = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        return Media(kind=kind, mime_type=head[5:-7].partition(";")[0] or None, data=data)
    return Media(kind=kind, url=url) if ":" in url[:9] else Media(kind=kind, data=url)
