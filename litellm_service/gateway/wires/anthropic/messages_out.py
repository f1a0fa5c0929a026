"""A conversation as Anthropic's messages.

Sources: https://platform.claude.com/docs/en/api/messages, https://platform.claude.com/docs/en/build-with-claude/vision and
https://platform.claude.com/docs/en/build-with-claude/pdf-support
"""

import base64
import binascii
import re

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.wires.anthropic.blocks import Json, is_object
from gateway.wires.neutral import (
    CacheTtl,
    Media,
    Part,
    Prompt,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    Unsaid,
)

_IMAGES = {"image/jpeg", "image/png", "image/gif", "image/webp"}
_PDF = "application/pdf"
_NO_ID = re.compile(r"[^A-Za-z0-9_-]")


class Messages:
    """Writes turns in order; `unsaid` grows by what has no place in them.

    Neighbours of one role become one message, in which results come first. Instructions before the first word go to `system`; later
    ones stand where they were, as words of the user's.
    """

    def __init__(self, unsaid: list[Unsaid]) -> None:
        self._unsaid = unsaid

    def system(self, prompt: Prompt) -> list[Json]:
        """The instructions; words without a sign are none."""
        leading = [part for turn in prompt.turns[: _leading(prompt)] for part in turn.parts if isinstance(part, Text)]
        return [_text(part) for part in (*prompt.system, *leading) if part.text.strip()]

    def written(self, prompt: Prompt) -> list[Json]:
        """All messages; raises `InvalidRequest`."""
        messages: list[Json] = []
        role, content = "", list[Json]()
        for turn in prompt.turns[_leading(prompt) :]:
            speaker = "assistant" if turn.role == "assistant" else "user"
            written = [block for part in turn.parts if (block := self._block(part, turn)) is not None]
            if not written:
                continue
            if speaker == role:
                content += written
                continue
            role, content = speaker, written
            messages.append({"role": role, "content": content})
        for message in messages:
            _settle(message)
        if not messages:
            raise InvalidRequest("messages: at least one message with words in it is needed.", param="messages")
        return messages

    def _block(self, part: Part, turn: Turn) -> Json | None:
        match part:
            case Text():
                return _text(part) if part.text.strip() else None
            case Refusal():
                return {"type": "text", "text": part.text} if part.text.strip() else None
            case Media():
                return self._media(part)
            case Thinking():
                return _thinking(part) if turn.role == "assistant" else None
            case ToolCall():
                return _call(part)
            case ToolResult():
                return self._result(part)

    def _result(self, result: ToolResult) -> Json:
        content = [block for part in result.content if (block := self._given_back(part)) is not None]
        written: Json = {"type": "tool_result", "tool_use_id": _id(result.call_id)}
        if content:
            written["content"] = content
        if result.is_error:
            written["is_error"] = True
        return written | mark(result.cache)

    def _given_back(self, part: Text | Media) -> Json | None:
        if isinstance(part, Media):
            return self._media(part)
        return _text(part) if part.text.strip() else None

    def _media(self, media: Media) -> Json:
        if media.detail not in {None, "auto"}:
            self._unsaid.append(Unsaid("detail", harmless=True))
        if media.kind == "image":
            return {"type": "image", "source": _image(media)} | mark(media.cache)
        if media.kind == "document":
            title: Json = {"title": media.name} if media.name else {}
            return {"type": "document", "source": _document(media)} | title | mark(media.cache)
        raise InvalidRequest(f"Anthropic's models take no {media.kind}. Send text or images instead.", param="messages")


def mark(ttl: CacheTtl | None) -> Json:
    """The field that asks to keep everything up to here."""
    if ttl is None:
        return {}
    return {"cache_control": {"type": "ephemeral"} if ttl == "5m" else {"type": "ephemeral", "ttl": ttl}}


def own(signature: str | None) -> str | None:
    """What Anthropic takes back: its own signatures are base64, those of others bear a mark with a colon."""
    return None if not signature or ":" in signature else signature


def _leading(prompt: Prompt) -> int:
    return next((place for place, turn in enumerate(prompt.turns) if turn.role != "system"), len(prompt.turns))


def _settle(message: Json) -> None:
    """Results first: they must stand straight after their calls."""
    content = message["content"]
    if isinstance(content, list) and message["role"] == "user":
        content.sort(key=lambda block: block["type"] != "tool_result")


def _text(part: Text) -> Json:
    return {"type": "text", "text": part.text} | mark(part.cache)


def _thinking(part: Thinking) -> Json | None:
    if redacted := own(part.redacted):
        return {"type": "redacted_thinking", "data": redacted}
    signature = own(part.signature)
    return {"type": "thinking", "thinking": part.text, "signature": signature} if signature else None


def _call(call: ToolCall) -> Json:
    arguments = call.arguments.strip() or "{}"
    if not is_object(arguments):
        raise InvalidRequest(
            f"The arguments of the call {call.id!r} are no JSON object, and Anthropic takes nothing else.",
            param="messages",
        )
    block: Json = {"type": "tool_use", "id": _id(call.id), "name": call.name, "input": msgspec.Raw(arguments.encode())}
    return block | mark(call.cache)


def _id(call_id: str) -> str:
    """Anthropic's ids have letters, digits, - and _ only."""
    return _NO_ID.sub("_", call_id) or "_"


def _image(media: Media) -> Json:
    if media.data is None:
        return _elsewhere(media)
    if media.mime_type not in _IMAGES:
        raise InvalidRequest(
            f"Anthropic reads images of the types jpeg, png, gif and webp, not {media.mime_type!r}.", param="messages"
        )
    return {"type": "base64", "media_type": media.mime_type, "data": media.data}


def _document(media: Media) -> Json:
    mime_type = media.mime_type or _PDF
    if mime_type == _PDF:
        if media.data is None:
            return _elsewhere(media)
        return {"type": "base64", "media_type": _PDF, "data": media.data}
    if mime_type.startswith("text/") and media.data is not None:
        return {"type": "text", "media_type": "text/plain", "data": _decoded(media.data)}
    if media.file_id is not None:
        return _elsewhere(media)
    raise InvalidRequest(
        f"Anthropic reads PDF documents, and plain text in base64, but not {mime_type!r} here.", param="messages"
    )


def _elsewhere(media: Media) -> Json:
    if media.file_id is not None:
        if not media.file_id.startswith("file_"):
            raise InvalidRequest(
                f"The file {media.file_id!r} lies at another provider, where Anthropic cannot read it. Send its content in base64.",
                param="messages",
            )
        return {"type": "file", "file_id": media.file_id}
    url = media.url or ""
    if not url.startswith(("https://", "http://")):
        raise InvalidRequest(
            f"Anthropic reads only public web addresses; send the content of {url[:100]!r} as base64 data instead.",
            param="messages",
        )
    return {"type": "url", "url": url}


def _decoded(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidRequest("A text document must be UTF-8 in base64.", param="messages") from None
