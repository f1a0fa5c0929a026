"""Anthropic's JSON objects, each value read once."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.wires.neutral import CacheTtl
from gateway.wires.reading import says_nothing, typed

T = TypeVar("T")
TEXT = msgspec.json.Decoder(str)
TEXTS = msgspec.json.Decoder(list[str])
FLAG = msgspec.json.Decoder(bool)
WHOLE = msgspec.json.Decoder(int)
NUMBER = msgspec.json.Decoder(float)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST: msgspec.json.Decoder[Iterable[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_TTLS: dict[str, CacheTtl] = {"5m": "5m", "1h": "1h"}


class Object:
    """One object; `at` says where it stands in the body. What is taken is gone, so that `left` was not understood."""

    def __init__(self, fields: dict[str, msgspec.Raw], at: str = "") -> None:
        self.at = at
        self._fields = dict(fields)

    def path(self, name: str) -> str:
        """Where a field of this object stands."""
        return f"{self.at}.{name}" if self.at else name

    def raw(self, name: str) -> msgspec.Raw | None:
        """A field's JSON; `None` where it is absent or null."""
        raw = self._fields.pop(name, None)
        return None if raw is None or bytes(raw) == b"null" else raw

    def take(self, name: str, decoder: msgspec.json.Decoder[T]) -> T | None:
        """A field's value; `None` where it is absent or null. Raises `InvalidRequest`."""
        raw = self.raw(name)
        return None if raw is None else typed(raw, decoder, self.path(name))

    def need(self, name: str) -> str:
        """A text that must be there; raises `InvalidRequest`."""
        text = self.take(name, TEXT)
        if not text:
            raise InvalidRequest(f"{self.path(name)}: This is needed.", param=self.path(name))
        return text

    def object(self, name: str) -> "Object | None":
        """An object in this one."""
        raw = self.raw(name)
        return None if raw is None else read_object(raw, self.path(name))

    def objects(self, name: str) -> "list[Object]":
        """A list of objects."""
        raw = self.raw(name)
        return [] if raw is None else read_objects(raw, self.path(name))

    def json_object(self, name: str) -> msgspec.Raw | None:
        """An object whose names are the client's own, as JSON."""
        raw = self.raw(name)
        if raw is not None:
            typed(raw, _FIELDS, self.path(name))
            _check_text(raw, self.path(name))
        return raw

    def cache(self) -> CacheTtl | None:
        """How long everything up to here is to be kept."""
        mark = self.object("cache_control")
        if mark is None:
            return None
        ttl = mark.take("ttl", TEXT) or "5m"
        if ttl not in _TTLS:
            raise InvalidRequest(f"{mark.path('ttl')}: {ttl!r} is not one of 5m and 1h.", param=mark.path("ttl"))
        return _TTLS[ttl]

    def left(self) -> list[str]:
        """The names of the other fields that say something: null, false, 0 and what is empty do not."""
        return [name for name, raw in self._fields.items() if not says_nothing(raw)]


def read_object(raw: msgspec.Raw, at: str) -> Object:
    """Raises `InvalidRequest` for anything but an object."""
    return Object(typed(raw, _FIELDS, at), at)


def read_objects(raw: msgspec.Raw, at: str) -> list[Object]:
    """Raises `InvalidRequest` for anything but a list of objects."""
    return [read_object(one, f"{at}[{place}]") for place, one in enumerate(typed(raw, _LIST, at))]


def is_text(raw: msgspec.Raw) -> bool:
    """Whether it is a JSON string, where a list may stand too."""
    return bytes(raw).startswith(b'"')


def _check_text(raw: msgspec.Raw, at: str) -> None:
    try:
        bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{at}: {error}.", param=at) from None
