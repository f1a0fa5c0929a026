"""Something that people want to be told of."""

from typing import Any

import msgspec


class Delivered(msgspec.Struct, frozen=True):
    """An event need not be delivered any more."""

    event_id: str
    at_ms: int


class ToldEvent(msgspec.Struct, frozen=True):
    """An event and when it need not be delivered any more (`None`: it still waits, or nobody is to be told)."""

    event: "Event"
    delivered_at_ms: int | None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to whom; `body` is a JSON object that needs no other source to be understood."""

    id: str
    at_ms: int
    kind: str
    subject: str
    body: dict[str, Any]
