"""A client's request after parsing: the few fields we read, and the untouched rest."""

from typing import Literal

import msgspec

from gateway.domain.entry import Operation

WireName = Literal["openai", "responses", "anthropic", "gemini"]


class Upload(msgspec.Struct, frozen=True):
    """A form as it came: its bytes, its `content_type` with the boundary, and where the model's name stands in it."""

    body: bytes
    content_type: bytes
    boundary: bytes
    model_at: tuple[int, int]

    def naming(self, model: str) -> bytes:
        """The same form with another model's name."""
        start, end = self.model_at
        return self.body[:start] + model.encode() + self.body[end:]

    @property
    def said(self) -> bytes:
        """What it says, whatever boundary it was sent with."""
        return self.body.replace(self.boundary, b"")


class ModelRequest(msgspec.Struct, kw_only=True):
    """One request for a model's answer.

    `fields` is the whole body in the words of `wire`, each value still the JSON it came as; `size` is that body's length in bytes.
    `query` is the text of the last user message. `messages` is their JSON where there is more to show than `query`.
    `output_limit` is what the client allows the answer in tokens; `None`: it did not say. `service_tier` may change the price.
    `application_id` and `user_id` are empty where the client named none; `user_is_hint`: a key that may not label users
    ignores the name rather than to refuse it, because other tools send it for reasons of their own.
    `headers` go on to a provider that speaks the same wire. `as_array`: a stream of Gemini's wire is wanted as one JSON array.
    `as_bytes`: the stream is no events but a file as it comes. `characters` are to be spoken. `upload` is the form, where it was
    one: then `fields` holds its short parts as JSON texts. `wants_parts`: thoughts and tool calls are wanted beside the words.
    """

    operation: Operation
    model: str
    stream: bool
    fields: dict[str, msgspec.Raw]
    size: int
    query: str
    messages: str | None
    application_id: str
    user_id: str
    choices: int = 1
    output_limit: int | None = None
    wants_usage: bool = False
    service_tier: str = ""
    user_is_hint: bool = False
    wire: WireName = "openai"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    as_array: bool = False
    as_bytes: bool = False
    characters: int = 0
    upload: Upload | None = None
    wants_parts: bool = False
