"""The input of a Responses request as turns of the neutral form.

Source: https://platform.openai.com/docs/api-reference/responses/create#responses-create-input; `extra_content` is Google's, as in
chat completions (https://ai.google.dev/gemini-api/docs/openai).
"""

from typing import Literal

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.wires.neutral import Media, Part, Refusal, Text, Thinking, ToolCall, ToolResult, Turn, Unsaid
from gateway.wires.responses.reasoning import unwrapped

_Side = Literal["user", "assistant", "system"]
_SOUNDS = {"mp3": "audio/mpeg", "wav": "audio/wav"}
# How images of these types begin in base64: an image that a model made says its type nowhere else.
_PICTURES = {"iVBORw": "image/png", "/9j/": "image/jpeg", "UklGR": "image/webp", "R0lGOD": "image/gif"}


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


class _Google(msgspec.Struct):
    thought_signature: str | None = None


class _Extra(msgspec.Struct):
    google: _Google | None = None


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
    result: str | None = None
    extra_content: _Extra | None = None


def conversation(items: str | list[Item], unsaid: list[Unsaid]) -> tuple[list[Text], list[Turn]]:
    """Instructions at the beginning, and turns: neighbours of one side are one. Raises `InvalidRequest`."""
    if isinstance(items, str):
        return [], [Turn(role="user", parts=[Text(text=items)])] if items else []
    system: list[Text] = []
    turns: list[Turn] = []
    for place, item in enumerate(items):
        role, parts = _said(item, f"input[{place}]", unsaid)
        if role == "system" and not turns:
            system += [part for part in parts if isinstance(part, Text)]
        elif turns and turns[-1].role == role and (role == "assistant" or _are_results(turns[-1])):
            turns[-1].parts += parts
        elif parts:
            turns.append(Turn(role=role, parts=parts))
    return system, turns


def _said(item: Item, at: str, unsaid: list[Unsaid]) -> tuple[_Side, list[Part]]:
    if item.type == "message" and item.role is not None:
        side: _Side = "system" if item.role == "developer" else item.role
        return side, _message(item, side, f"{at}.content")
    if item.type == "function_call" and item.call_id and item.name:
        return "assistant", [_call(item, item.call_id, item.name)]
    if item.type == "function_call_output" and item.call_id:
        return "user", [ToolResult(call_id=item.call_id, content=_output(item.output, f"{at}.output"))]
    if item.type == "reasoning":
        return "assistant", _thought(item, at, unsaid)
    if item.type == "image_generation_call" and item.result:
        kind = next((kind for start, kind in _PICTURES.items() if item.result.startswith(start)), None)
        return "assistant", [Media(kind="image", mime_type=kind, data=item.result)]
    raise InvalidRequest(_refusal(item, at), param=at)


def _refusal(item: Item, at: str) -> str:
    if item.type == "item_reference":
        return f"{at}: Only the provider that keeps an item can be told of it by its id. Send the item itself."
    return (
        f"{at}: An item of the type {item.type!r} cannot be told to this provider, or lacks what it needs. "
        "Leave it out, or choose one of OpenAI's models."
    )


def _message(item: Item, side: _Side, at: str) -> list[Part]:
    content = _content(item.content, at)
    if side == "system" and not all(isinstance(part, Text) for part in content):
        raise InvalidRequest(f"{at}: Instructions can be text only.", param=at)
    return content


def _call(item: Item, call_id: str, name: str) -> ToolCall:
    google = item.extra_content.google if item.extra_content is not None else None
    signature = google.thought_signature if google is not None else None
    return ToolCall(id=call_id, name=name, arguments=item.arguments or "{}", signature=signature or None)


def _output(output: str | list[_Part] | None, at: str) -> list[Text | Media]:
    content: list[Text | Media] = []
    for part in _content(output, at):
        if not isinstance(part, Text | Media):
            raise InvalidRequest(f"{at}: What a tool gave back is text, images and files.", param=at)
        content.append(part)
    return content


def _are_results(turn: Turn) -> bool:
    return all(isinstance(part, ToolResult) for part in turn.parts)


def _thought(item: Item, at: str, unsaid: list[Unsaid]) -> list[Part]:
    """The summary or, where a model of open weights gave it, the reasoning itself."""
    told = item.content if isinstance(item.content, list) else []
    words = "\n".join(part.text for part in item.summary or ()) or "\n".join(part.text or "" for part in told)
    signature, redacted = unwrapped(item.encrypted_content)
    if item.encrypted_content and not signature and not redacted:
        unsaid.append(Unsaid(f"{at}.encrypted_content", harmless=True))
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
