"""What was said in a Messages body, in the neutral form.

Source: https://platform.claude.com/docs/en/api/messages
"""

import base64

from gateway.domain.errors import InvalidRequest
from gateway.wires.anthropic.objects import FLAG, TEXT, Object, is_text, read_objects
from gateway.wires.neutral import Media, Part, Text, Thinking, ToolCall, ToolResult, Turn, Unsaid
from gateway.wires.reading import typed

_ROLES = {"user", "assistant", "system"}
_HARMLESS = {"cache_control", "caller", "toolset_name", "transformations", "citations"}
_SERVER_BLOCKS = ("server_tool_use", "mcp_tool_use", "container_upload", "tool_reference", "compaction", "fallback")
_PDF, _PLAIN = "application/pdf", "text/plain"


class Conversation:
    """Reads messages; `unsaid` grows by what has no word."""

    def __init__(self, unsaid: list[Unsaid]) -> None:
        self._unsaid = unsaid

    def turn(self, message: Object) -> Turn:
        """One message; raises `InvalidRequest`."""
        role, content = message.need("role"), message.raw("content")
        if role not in _ROLES:
            at = message.path("role")
            raise InvalidRequest(f"{at}: {role!r} is not one of user, assistant and system.", param=at)
        if content is None:
            at = message.path("content")
            raise InvalidRequest(f"{at}: The message must say something.", param=at)
        self.note(message)
        at = message.path("content")
        if is_text(content):
            text = typed(content, TEXT, at)
            parts: list[Part] = [Text(text=text)] if text else []
        else:
            parts = [part for block in read_objects(content, at) for part in self._part(block, role)]
        return Turn(role="assistant" if role == "assistant" else "system" if role == "system" else "user", parts=parts)

    def texts(self, blocks: list[Object]) -> list[Text]:
        """Instructions."""
        texts = []
        for block in blocks:
            if block.take("type", TEXT) != "text":
                at = block.path("type")
                raise InvalidRequest(f"{at}: Instructions can be text only.", param=at)
            texts.append(self._text(block))
        return [text for text in texts if text.text]

    def _part(self, block: Object, role: str) -> list[Part]:
        kind = block.need("type")
        if kind == "text":
            text = self._text(block)
            return [text] if text.text else []
        if kind in {"image", "document"}:
            return [self._media(block, kind)]
        if role == "assistant" and kind in {"thinking", "redacted_thinking", "tool_use"}:
            return self._answered(block, kind)
        if role == "user" and kind == "tool_result":
            return [self._result(block)]
        if kind in _SERVER_BLOCKS or (kind.endswith("_tool_result") and role == "assistant"):
            self._unsaid.append(Unsaid(block.path("type")))
            return []
        raise _unknown(block, kind)

    def _answered(self, block: Object, kind: str) -> list[Part]:
        if kind == "tool_use":
            return [self._call(block)]
        if kind == "thinking":
            thought = Thinking(text=block.take("thinking", TEXT) or "", signature=block.take("signature", TEXT) or None)
        else:
            thought = Thinking(redacted=block.take("data", TEXT) or None)
        self.note(block)
        return [thought] if thought != Thinking() else []

    def _text(self, block: Object) -> Text:
        text = Text(text=block.take("text", TEXT) or "", cache=block.cache())
        self.note(block)
        return text

    def _call(self, block: Object) -> ToolCall:
        call_id, name, given = block.need("id"), block.need("name"), block.json_object("input")
        call = ToolCall(
            id=call_id, name=name, arguments="{}" if given is None else bytes(given).decode(), cache=block.cache()
        )
        self.note(block)
        return call

    def _result(self, block: Object) -> ToolResult:
        call_id, raw, at = block.need("tool_use_id"), block.raw("content"), block.path("content")
        content: list[Text | Media] = []
        if raw is not None and is_text(raw):
            text = typed(raw, TEXT, at)
            content = [Text(text=text)] if text else []
        elif raw is not None:
            content = [part for inner in read_objects(raw, at) for part in self._given_back(inner)]
        is_error = block.take("is_error", FLAG) or False
        result = ToolResult(call_id=call_id, content=content, is_error=is_error, cache=block.cache())
        self.note(block)
        return result

    def _given_back(self, block: Object) -> list[Text | Media]:
        kind = block.need("type")
        if kind == "text":
            text = self._text(block)
            return [text] if text.text else []
        if kind in {"image", "document"}:
            return [self._media(block, kind)]
        raise _unknown(block, kind)

    def _media(self, block: Object, kind: str) -> Media:
        source = block.object("source")
        if source is None:
            raise InvalidRequest(f"{block.path('source')}: This is needed.", param=block.path("source"))
        media = _sourced(source, kind)
        media.cache = block.cache()
        if kind == "document":
            media.name = block.take("title", TEXT) or None
            citations = block.object("citations")
            if citations is not None and citations.take("enabled", FLAG):
                self._unsaid.append(Unsaid(citations.path("enabled")))
        self.note(source)
        self.note(block)
        return media

    def note(self, given: Object) -> None:
        """What nobody took has no word."""
        self._unsaid += [Unsaid(given.path(name), harmless=name in _HARMLESS) for name in given.left()]


def _sourced(source: Object, kind: str) -> Media:
    where = source.need("type")
    media = Media(kind="image" if kind == "image" else "document")
    if where == "base64":
        media.mime_type, media.data = source.need("media_type"), source.need("data")
    elif where == "url":
        media.url, media.mime_type = source.need("url"), None if kind == "image" else _PDF
    elif where == "file":
        media.file_id = source.need("file_id")
    elif where == "text" and kind == "document":
        source.take("media_type", TEXT)
        media.mime_type, media.data = _PLAIN, base64.b64encode(source.need("data").encode()).decode()
    else:
        at = source.path("type")
        raise InvalidRequest(
            f"{at}: No other provider can be told a source of type {where!r}. Send base64, url or text.", param=at
        )
    return media


def _unknown(block: Object, kind: str) -> InvalidRequest:
    at = block.path("type")
    return InvalidRequest(
        f"{at}: No other provider can be told a block of type {kind!r} here. Leave it out or send its content as text.",
        param=at,
    )
