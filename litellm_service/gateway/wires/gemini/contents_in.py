"""What was said in a generateContent body, in the neutral form.

Source: https://ai.google.dev/api/caching#Content and https://ai.google.dev/gemini-api/docs/function-calling
"""

from collections.abc import Callable

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.wires.gemini.media import is_own_file, kind_of, mime_type_of_url
from gateway.wires.gemini.objects import FLAG, TEXT, Object, decoded, json_object, readable
from gateway.wires.gemini.signatures import of_call, of_thought
from gateway.wires.neutral import Media, Part, Text, Thinking, ToolCall, ToolResult, Turn, Unsaid

_ROLES = {"user": "user", "function": "user", "tool": "user", "model": "assistant"}
_HARMLESS = {"partMetadata", "mediaResolution", "mediaProcessing"}
_RESPONSE = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OUTCOMES = ("output", "error")
_STANDARD = str.maketrans("-_", "+/")


class Conversation:
    """Reads turns in order: calls without an id get one by their place, and results without an id the one of their call."""

    def __init__(self, unsaid: list[Unsaid]) -> None:
        self._unsaid = unsaid
        self._count = 0
        self._open: list[ToolCall] = []
        self._readers: dict[str, Callable[[Object], list[Part]]] = {
            "inlineData": self._inline,
            "fileData": self._file,
            "functionResponse": self._result,
        }

    def turn(self, content: Object) -> Turn:
        """One content; raises `InvalidRequest`."""
        role = content.take("role", TEXT) or "user"
        if role not in _ROLES:
            raise InvalidRequest(
                f"{content.path('role')}: {role!r} is not one of user and model.", param=content.path("role")
            )
        parts = [said for part in content.objects("parts") for said in self._part(part)]
        self._note(content.left())
        answers = _ROLES[role] == "assistant"
        for part in parts:
            if isinstance(part, ToolResult if answers else ToolCall):
                kind = "functionResponse" if answers else "functionCall"
                raise InvalidRequest(f"{content.at}: A {kind} cannot stand in a turn of the {role}.", param=content.at)
        return Turn(role="assistant" if answers else "user", parts=parts)

    def _part(self, part: Object) -> list[Part]:
        thought, signature = part.take("thought", FLAG), part.take("thoughtSignature", TEXT)
        text, call = part.take("text", TEXT), part.object("functionCall")
        if call is not None:
            said: list[Part] = [self._call(call, of_call(signature))]
        elif text is not None or signature:
            said = _words(text or "", signature, thought=bool(thought))
        else:
            said = []
        for name, read in self._readers.items():
            value = part.object(name)
            if value is not None:
                said = [*read(value), *said]
        left = part.left()
        if not said and text is None:
            known = ", ".join(left) or "nothing"
            raise InvalidRequest(f"{part.at}: No other provider can be told this part ({known}).", param=part.at)
        self._note(left)
        return said

    def _call(self, call: Object, signature: str | None) -> ToolCall:
        given, arguments = call.take("id", TEXT), call.raw("args")
        asked = ToolCall(
            id=given or f"call_{self._count}",
            name=_named(call),
            arguments="{}" if arguments is None else json_object(arguments, call.path("args")),
            signature=signature,
        )
        self._count += 1
        self._open.append(asked)
        self._note(call.left())
        return asked

    def _result(self, result: Object) -> list[Part]:
        name, given = _named(result), result.take("id", TEXT)
        content, is_error = _response(result)
        for part in result.objects("parts"):
            inline = part.object("inlineData")
            if inline is None:
                raise InvalidRequest(f"{part.at}: Send what a function gave back as inlineData.", param=part.at)
            content.append(self._media(inline))
            self._note(part.left())
        self._note(result.left())
        call_id = self._answered(name, given)
        if call_id is None:
            raise InvalidRequest(f"{result.at}: No functionCall of {name!r} comes before this.", param=result.at)
        return [ToolResult(call_id=call_id, name=name, content=content, is_error=is_error)]

    def _answered(self, name: str, given: str | None) -> str | None:
        """The id of the call that a result is for."""
        found = next((call for call in self._open if call.id == given), None)
        found = found or next((call for call in self._open if call.name == name), None)
        if found is None:
            return given
        self._open.remove(found)
        return found.id

    def _inline(self, blob: Object) -> list[Part]:
        return [self._media(blob)]

    def _media(self, blob: Object) -> Media:
        mime_type, data = blob.take("mimeType", TEXT), blob.take("data", TEXT)
        if not mime_type or not data:
            raise InvalidRequest(f"{blob.at}: mimeType and data are needed.", param=blob.at)
        name = blob.take("displayName", TEXT)
        self._note(blob.left())
        return Media(kind=kind_of(mime_type), mime_type=mime_type, data=data.translate(_STANDARD), name=name)

    def _file(self, file: Object) -> list[Part]:
        uri, name = file.take("fileUri", TEXT), file.take("displayName", TEXT)
        if not uri:
            raise InvalidRequest(f"{file.at}: fileUri is needed.", param=file.at)
        mime_type = file.take("mimeType", TEXT) or mime_type_of_url(uri)
        self._note(file.left())
        media = Media(kind=kind_of(mime_type), mime_type=mime_type, name=name)
        if is_own_file(uri):
            media.file_id = uri
        else:
            media.url = uri
        return [media]

    def _note(self, names: list[str]) -> None:
        self._unsaid += [Unsaid(name, harmless=name in _HARMLESS) for name in names]


def _words(text: str, signature: str | None, *, thought: bool) -> list[Part]:
    """A signature on words that are no reasoning stands after them, as if by itself."""
    kept, redacted = of_thought(signature)
    if thought:
        return [Thinking(text=text, signature=kept, redacted=redacted)] if text or kept or redacted else []
    said: list[Part] = [Text(text=text)] if text else []
    if kept or redacted:
        said.append(Thinking(signature=kept, redacted=redacted))
    return said


def _named(call: Object) -> str:
    name = call.take("name", TEXT)
    if not name:
        raise InvalidRequest(f"{call.at}: The function's name is needed.", param=call.path("name"))
    return name


def _response(result: Object) -> tuple[list[Text | Media], bool]:
    """What a function gave back, and whether it failed: `output` and `error` say so, else the whole object is the output."""
    raw = result.raw("response")
    if raw is None:
        return [], False
    at = result.path("response")
    fields = decoded(raw, _RESPONSE, at)
    if not fields:
        return [], False
    key = next(iter(fields)) if len(fields) == 1 else ""
    words = _text(fields[key], at) if key in _OUTCOMES else json_object(raw, at)
    return ([Text(text=words)] if words else []), key == "error"


def _text(raw: msgspec.Raw, at: str) -> str:
    value = bytes(raw)
    return decoded(raw, TEXT, at) if value.startswith(b'"') else readable(value.decode, at)
