"""Turns of the neutral form as chat messages.

Sources: https://platform.openai.com/docs/api-reference/chat/create; `cache_control` as https://docs.litellm.ai/docs/completion/prompt_caching
"""

import base64
import binascii

from gateway.domain.errors import InvalidRequest
from gateway.wires.neutral import CacheTtl, Media, Part, Prompt, Refusal, Text, ToolCall, ToolResult, Turn, Unsaid

Json = dict[str, object]
_FORMATS = {
    "audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav",
    "audio/vnd.wave": "wav",
}  # fmt: skip


class Messages:
    """Writes turns in order; `unsaid` grows by what has no place in them.

    `marks`: cache marks mean something to the provider. `signatures`: it takes what was signed of a call.
    """

    def __init__(self, unsaid: list[Unsaid], *, marks: bool, signatures: bool) -> None:
        self._unsaid = unsaid
        self._marks = marks
        self._signatures = signatures

    def written(self, prompt: Prompt) -> list[Json]:
        """All messages; raises `InvalidRequest`."""
        messages: list[Json] = []
        if prompt.system:
            messages.append({"role": "system", "content": self._content(list(prompt.system))})
        for turn in prompt.turns:
            messages += self._turn(turn)
        if not messages:
            raise InvalidRequest("messages: at least one message with words in it is needed.", param="messages")
        return messages

    def _turn(self, turn: Turn) -> list[Json]:
        if turn.role == "assistant":
            return [self._assistant(turn)]
        results = [part for part in turn.parts if isinstance(part, ToolResult)]
        shown = [part for result in results for part in self._shown(result)]
        said = [*shown, *(part for part in turn.parts if isinstance(part, Text | Media | Refusal))]
        messages = [self._result(result) for result in results]
        if said:
            messages.append({"role": turn.role, "content": self._content(said)})
        return messages

    def _assistant(self, turn: Turn) -> Json:
        """A provider takes back no reasoning over this wire; words come as one text, which every vendor reads."""
        words = "".join(part.text for part in turn.parts if isinstance(part, Text))
        refusal = "".join(part.text for part in turn.parts if isinstance(part, Refusal))
        calls = [_call(part, signed=self._signatures) for part in turn.parts if isinstance(part, ToolCall)]
        if any(isinstance(part, Media) for part in turn.parts):
            raise InvalidRequest("An image that the model made cannot be told to this provider.", param="messages")
        message: Json = {"role": "assistant", "content": words or (None if calls or refusal else "")}
        if refusal:
            message["refusal"] = refusal
        if calls:
            message["tool_calls"] = calls
        return message

    def _result(self, result: ToolResult) -> Json:
        if result.is_error:
            self._unsaid.append(Unsaid("is_error", harmless=True))
        words = "\n".join(part.text for part in result.content if isinstance(part, Text))
        return {"role": "tool", "tool_call_id": result.call_id, "content": words}

    def _shown(self, result: ToolResult) -> list[Part]:
        """A result is words only: pictures follow in the user's message, with a word on where they come from."""
        media: list[Part] = [part for part in result.content if isinstance(part, Media)]
        return [Text(text=f"The tool call {result.call_id} gave:"), *media] if media else []

    def _content(self, parts: list[Part]) -> object:
        only = parts[0] if len(parts) == 1 else None
        if isinstance(only, Text) and not (self._marks and only.cache):
            return only.text
        return [self._part(part) for part in parts]

    def _part(self, part: Part) -> Json:
        if isinstance(part, Media):
            return self._media(part) | cache_mark(part.cache if self._marks else None)
        if isinstance(part, Text):
            return {"type": "text", "text": part.text} | cache_mark(part.cache if self._marks else None)
        return {"type": "text", "text": getattr(part, "text", "")}

    def _media(self, media: Media) -> Json:
        if media.kind == "image" and media.file_id is None:
            image: Json = {"url": _address(media)}
            if media.detail:
                image["detail"] = media.detail
            return {"type": "image_url", "image_url": image}
        if media.kind == "audio" and media.data is not None:
            return {"type": "input_audio", "input_audio": {"data": media.data, "format": _format(media)}}
        if media.kind == "document":
            return _document(media)
        raise InvalidRequest(
            f"This provider cannot be shown {media.kind} that lies elsewhere. Send its content in base64.",
            param="messages",
        )


def cache_mark(ttl: CacheTtl | None) -> Json:
    """The field that asks a provider to keep everything up to here."""
    if ttl is None:
        return {}
    return {"cache_control": {"type": "ephemeral"} if ttl == "5m" else {"type": "ephemeral", "ttl": ttl}}


def _call(call: ToolCall, *, signed: bool) -> Json:
    written: Json = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments or "{}"},
    }
    if signed and call.signature:
        written["extra_content"] = {"google": {"thought_signature": call.signature}}
    return written


def _document(media: Media) -> Json:
    """Plain text goes as text; other documents as a file."""
    if media.data is not None and (media.mime_type or "").startswith("text/"):
        return {"type": "text", "text": _decoded(media.data)}
    if media.file_id is not None:
        return {"type": "file", "file": {"file_id": media.file_id}}
    if media.data is None:
        raise InvalidRequest("This provider fetches no documents. Send the content in base64.", param="messages")
    return {"type": "file", "file": {"filename": media.name or "document.pdf", "file_data": _address(media)}}


def _decoded(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidRequest("A text document must be UTF-8 in base64.", param="messages") from None


def _address(media: Media) -> str:
    if media.url is not None:
        return media.url
    usual = "application/pdf" if media.kind == "document" else "image/png"
    return f"data:{media.mime_type or usual};base64,{media.data}"


def _format(media: Media) -> str:
    known = _FORMATS.get(media.mime_type or "")
    if known is None:
        raise InvalidRequest(f"This provider reads wav and mp3, not {media.mime_type!r}.", param="messages")
    return known
