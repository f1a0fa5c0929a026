"""What every wire can do: read and write requests, read and write answers.

Each wire's folder has up to four modules: `prompt_in` and `prompt_out` for requests, `answer_in` and `answer_out` for replies.

- `prompt_in.read(fields, …) -> Prompt` raises `InvalidRequest` that names the field.
- `prompt_out.write(prompt, model, …) -> Written`; a conversation that the wire cannot carry raises `InvalidRequest`.
- `answer_in.Decoder` reads an upstream's reply, `answer_out.Writer` writes the client's.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.domain.usage import Usage
from gateway.wires.neutral import Delta, Unsaid


class Written(msgspec.Struct):
    """A body for a provider, and what of the request its wire has no word for."""

    body: bytes
    unsaid: Sequence[Unsaid] = ()


class Heard(msgspec.Struct, kw_only=True):
    """What one event, or a whole reply, says.

    `text` are words for people, `counted` all that the provider bills as output (reasoning and tool calls too). `usage` is a
    usage object as it came, empty where there is none. `finishes`: the answer is complete with this; only usage and ends of the
    stream may follow. `terminates`: nothing follows. `is_usage_only`: nothing but usage is in it. `error` is the JSON of an error
    that the provider reports instead of an answer. `deltas` are there where the reader was asked to translate. `ignored`: an event
    without meaning, such as a ping. `is_refusal`: the model declines.
    `kept_as` is the id of an answer that the provider keeps.
    """

    text: str = ""
    counted: str = ""
    usage: bytes = b""
    service_tier: str | None = None
    finish_reason: str | None = None
    finishes: bool = False
    terminates: bool = False
    is_usage_only: bool = False
    ignored: bool = False
    is_refusal: bool = False
    kept_as: str | None = None
    error: bytes = b""
    deltas: list[Delta] = []


class Unreadable(Exception):
    """A reply is not what its wire prescribes; the text says how it begins."""


class Decoder(Protocol):
    """Reads one reply of one wire. `counted` and `finish_reason` are in the wire's own words."""

    def event(self, payload: bytes) -> Heard:
        """The data of one event; raises `Unreadable`."""

    def whole(self, body: bytes) -> Heard:
        """A reply that was not streamed; raises `Unreadable`."""


class Frame(msgspec.Struct, kw_only=True, frozen=True):
    """What an answer says of itself beside its content.

    `id` is ours, `model` the name that the client asked for, `created_s` Unix time. `wants_usage`: a stream's client asked for it
    (OpenAI chat). `fields` is the client's own request, for wires whose answers repeat it (Responses).
    """

    id: str
    model: str
    created_s: int
    wants_usage: bool = False
    fields: dict[str, msgspec.Raw] = {}


class Writer(Protocol):
    """Writes one answer in the client's wire, from deltas; made anew for each answer with its `Frame`.

    A stream is `some`* and one `end`, or `some`* and one `failure`; a plain answer is one `whole`.
    """

    def some(self, deltas: Sequence[Delta]) -> bytes:
        """Events for more of a stream; may be empty."""

    def end(self, deltas: Sequence[Delta], usage: Usage) -> bytes:
        """The events that finish a stream, its last content first; `usage` is what was settled."""

    def failure(self, status: int, code: str, message: str) -> bytes:
        """The event that tells of an error in mid-stream, in the form that the wire's SDKs raise."""

    def whole(self, deltas: Sequence[Delta], usage: Usage) -> bytes:
        """A plain reply."""
