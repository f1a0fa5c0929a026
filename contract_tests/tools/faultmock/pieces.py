"""Events of a stream, and JSON as the mock writes it."""

import dataclasses
import json
from typing import Any, Self

Json = dict[str, Any]


def dumps(value: Any) -> str:
    """Compact JSON with characters as themselves."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclasses.dataclass(frozen=True)
class Piece:
    """One event of a stream.

    `role`: start, token (something billed), close (one part of the answer is over), finish (why the answer ended), usage
    (nothing but that) or done (the terminator). `data` is sent as it is, without `data: ` if `raw`; `payload` is what it
    was made of. `usage` is the usage that it states.
    """

    role: str
    data: str
    event: str = ""
    tokens: int = 0
    usage: Json | None = None
    payload: Json | None = None
    raw: bool = False

    def sse(self, newline: str = "\n") -> bytes:
        """The event as bytes, ended by an empty line."""
        if self.raw:
            return self.data.encode()
        name = f"event: {self.event}{newline}" if self.event else ""
        return f"{name}data: {self.data}{newline}{newline}".encode()

    def changed(self, payload: Json, usage: Json | None = None) -> Self:
        """The same event with another payload, and with what usage that states."""
        return dataclasses.replace(self, data=dumps(payload), payload=payload, usage=usage)

    def as_is(self, data: str) -> Self:
        """The same event in other bytes."""
        return dataclasses.replace(self, data=data, raw=True)


def json_piece(role: str, payload: Json, event: str = "", tokens: int = 0, usage: Json | None = None) -> Piece:
    """An event whose data is a JSON object."""
    return Piece(role, dumps(payload), event, tokens, usage, payload)


def raw_piece(role: str, data: str) -> Piece:
    """Bytes that are no event of their own."""
    return Piece(role, data, raw=True)
