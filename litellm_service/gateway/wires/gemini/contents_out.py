"""A conversation as Google's contents.

Sources: https://ai.google.dev/api/caching#Content, https://ai.google.dev/gemini-api/docs/function-calling and
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.wires.gemini.families import Family
from gateway.wires.gemini.media import Json, inline, part_of
from gateway.wires.gemini.signatures import SKIPS_VALIDATION, is_carried, own
from gateway.wires.neutral import Media, Part, Prompt, Refusal, Text, Thinking, ToolCall, ToolResult, Turn, Unsaid

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OUTCOMES = ({"output"}, {"error"})
_UNREADABLE = (msgspec.MsgspecError, RecursionError)


class Contents:
    """Writes turns in order; `unsaid` grows by what has no place in them.

    Neighbours of one role become one content, in which results come first: Google wants them straight after their calls.
    Instructions in mid-conversation stand where they were, as words of the user's.
    """

    def __init__(self, family: Family, unsaid: list[Unsaid]) -> None:
        self._family = family
        self._unsaid = unsaid
        self._names: dict[str, str] = {}

    def written(self, prompt: Prompt) -> list[Json]:
        """All contents; raises `InvalidRequest`. Where only instructions were given, they are what the user says."""
        turns = prompt.turns or [Turn(role="user", parts=list(prompt.system))]
        contents: list[Json] = []
        role, parts = "", list[Json]()
        for turn in turns:
            speaker = "model" if turn.role == "assistant" else "user"
            written = self._model(turn) if speaker == "model" else self._user(turn)
            if not written:
                continue
            if speaker == role:
                parts += written
                continue
            role, parts = speaker, written
            contents.append({"role": role, "parts": parts})
        for content in contents:
            _settle(content, self._family)
        if not contents:
            raise InvalidRequest("messages: at least one message with words in it is needed.", param="messages")
        return contents

    def _user(self, turn: Turn) -> list[Json]:
        return [written for part in turn.parts for written in self._part(part)]

    def _model(self, turn: Turn) -> list[Json]:
        parts: list[Json] = []
        for part in turn.parts:
            if isinstance(part, Thinking):
                self._think(part, parts)
            else:
                parts += self._part(part)
        return parts

    def _part(self, part: Part) -> list[Json]:
        if isinstance(part, Text | Refusal):
            return [{"text": part.text}] if part.text else []
        if isinstance(part, Media):
            return [self._media(part)]
        if isinstance(part, ToolCall):
            return [self._call(part)]
        return self._result(part) if isinstance(part, ToolResult) else []

    def _think(self, part: Thinking, parts: list[Json]) -> None:
        """Only Google's own signatures go back; one by itself belongs to the words or the picture before it."""
        signature = own(part.signature)
        if part.redacted or (part.signature and not signature):
            self._unsaid.append(Unsaid("thinking", harmless=True))
        if part.text:
            thought: Json = {"text": part.text, "thought": True}
            parts.append(thought | {"thoughtSignature": signature} if signature else thought)
        elif signature:
            last = parts[-1] if parts else {}
            if "thoughtSignature" in last or "thought" in last or not ("text" in last or "inlineData" in last):
                last = {"text": ""}
                parts.append(last)
            last["thoughtSignature"] = signature

    def _call(self, call: ToolCall) -> Json:
        self._names[call.id] = call.name
        written: Json = {"functionCall": {"id": call.id, "name": call.name, "args": _arguments(call)}}
        if is_carried(call.signature):
            written["thoughtSignature"] = call.signature
        return written

    def _result(self, result: ToolResult) -> list[Json]:
        name = self._names.get(result.call_id) or result.name
        if name is None:
            raise InvalidRequest(
                f"The tool result for {result.call_id!r} has no call before it. Send the assistant's message with the call too.",
                param="messages",
            )
        answered: Json = {"id": result.call_id, "name": name, "response": _response(result)}
        within, beside = list[Json](), list[Json]()
        for media in (part for part in result.content if isinstance(part, Media)):
            if self._family.is_signed and media.data is not None:
                within.append({"inlineData": inline(media)})
                self._note(media)
            else:
                beside.append(self._media(media))
        if within:
            answered["parts"] = within
        return [{"functionResponse": answered}, *beside]

    def _media(self, media: Media) -> Json:
        self._note(media)
        return part_of(media, self._family)

    def _note(self, media: Media) -> None:
        if media.name:
            self._unsaid.append(Unsaid("filename", harmless=True))
        if media.detail not in {None, "auto"}:
            self._unsaid.append(Unsaid("detail", harmless=True))


def _settle(content: Json, family: Family) -> None:
    """Results first; and of calls that nobody signed the first gets the stand-in that Google documents."""
    parts = content["parts"]
    if not isinstance(parts, list):
        return
    parts.sort(key=lambda part: "functionResponse" not in part)
    calls = [part for part in parts if "functionCall" in part]
    if family.is_signed and calls and "thoughtSignature" not in calls[0]:
        calls[0]["thoughtSignature"] = SKIPS_VALIDATION


def _arguments(call: ToolCall) -> msgspec.Raw:
    if not call.arguments.strip():
        return msgspec.Raw(b"{}")
    if _object(call.arguments) is None:
        raise InvalidRequest(
            f"The arguments of the call {call.id!r} are no JSON object, and Google Gemini takes nothing else.",
            param="messages",
        )
    return msgspec.Raw(call.arguments.encode())


def _response(result: ToolResult) -> Json | msgspec.Raw:
    """A result that is a JSON object goes as it is, other words as `output` or `error`."""
    words = "\n".join(part.text for part in result.content if isinstance(part, Text))
    if result.is_error:
        return {"error": words}
    fields = _object(words) if words.startswith("{") and words.endswith("}") else None
    return (
        msgspec.Raw(words.encode()) if fields and fields.keys() not in _OUTCOMES else {"output": words} if words else {}
    )


def _object(text: str) -> dict[str, msgspec.Raw] | None:
    try:
        return _OBJECT.decode(text)
    except _UNREADABLE:
        return None
