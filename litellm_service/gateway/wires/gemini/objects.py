"""Google's JSON objects: names in either spelling, each value read once.

Protocol buffers' JSON form takes `systemInstruction` and `system_instruction` alike, numbers as strings too, and one value where a
list is meant (https://protobuf.dev/programming-guides/json/).
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from gateway.domain.errors import InvalidRequest

T = TypeVar("T")
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError)
TEXT = msgspec.json.Decoder(str)
TEXTS = msgspec.json.Decoder(list[str])
FLAG = msgspec.json.Decoder(bool, strict=False)
WHOLE = msgspec.json.Decoder(int, strict=False)
NUMBER = msgspec.json.Decoder(float, strict=False)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_LONGEST_NOTHING = 16
_NO = (b"null", b"false")


class Object:
    """One object; `at` says where it stands in the body. What is taken is gone, so that `left` was not understood."""

    def __init__(self, fields: dict[str, msgspec.Raw], at: str = "") -> None:
        self.at = at
        self._fields = {_camel(name): value for name, value in fields.items()}

    def path(self, name: str) -> str:
        """Where a field of this object stands."""
        return f"{self.at}.{name}" if self.at else name

    def take(self, name: str, decoder: msgspec.json.Decoder[T]) -> T | None:
        """A field's value; `None` where it is absent or null. Raises `InvalidRequest`."""
        raw = self.raw(name)
        return None if raw is None else decoded(raw, decoder, self.path(name))

    def raw(self, name: str) -> msgspec.Raw | None:
        """A field's JSON; `None` where it is absent or null."""
        raw = self._fields.pop(name, None)
        return None if raw is None or bytes(raw).strip() == b"null" else raw

    def object(self, name: str) -> "Object | None":
        """An object in this one."""
        raw = self.raw(name)
        return None if raw is None else read_object(raw, self.path(name))

    def objects(self, name: str) -> "list[Object]":
        """A list of objects, of which one may stand alone."""
        raw = self.raw(name)
        if raw is None:
            return []
        at = self.path(name)
        if bytes(raw).lstrip().startswith(b"{"):
            return [read_object(raw, at)]
        several = decoded(raw, _LIST, at)
        return [read_object(one, f"{at}[{place}]") for place, one in enumerate(several)]

    def present(self) -> list[str]:
        """The names of all other fields."""
        return [name for name, raw in self._fields.items() if bytes(raw) not in _NO]

    def left(self) -> list[str]:
        """The names of the other fields that say something: null, false, 0 and what is empty do not."""
        return [name for name, raw in self._fields.items() if not _is_nothing(raw)]


def read_object(raw: msgspec.Raw, at: str) -> Object:
    """Raises `InvalidRequest` for anything but an object."""
    return Object(decoded(raw, _FIELDS, at), at)


def decoded(raw: msgspec.Raw, decoder: msgspec.json.Decoder[T], at: str) -> T:
    """The typed value; raises `InvalidRequest` that names the field and what is allowed."""
    return readable(lambda: decoder.decode(raw), at)


def json_object(raw: msgspec.Raw, at: str) -> str:
    """The JSON text of an object whose names are the client's own."""
    decoded(raw, _FIELDS, at)
    return readable(lambda: bytes(raw).decode(), at)


def readable(read: Callable[[], T], at: str) -> T:
    """What is read; raises `InvalidRequest` where it cannot be."""
    try:
        return read()
    except RecursionError:
        raise InvalidRequest(f"{at}: This is nested too deeply.", param=at) from None
    except UNREADABLE as error:
        raise InvalidRequest(f"{at}: {error}.", param=at) from None


def _camel(name: str) -> str:
    if "_" not in name:
        return name
    first, *others = name.strip("_").split("_")
    return first + "".join(other[:1].upper() + other[1:] for other in others)


def _is_nothing(raw: msgspec.Raw) -> bool:
    value = bytes(raw)
    if len(value) > _LONGEST_NOTHING:
        return False
    try:
        return not msgspec.json.decode(value)
    except UNREADABLE:
        return False
