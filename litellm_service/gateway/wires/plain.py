"""Reading answers that go on as they came: embeddings, pictures, sound, transcripts, rankings.

Sources: https://platform.openai.com/docs/api-reference/embeddings, …/images, …/images-streaming, …/audio, …/moderations;
https://docs.cohere.com/reference/rerank.
"""

from typing import Any, TypeVar

import msgspec

from gateway.wires.codec import Heard, Unreadable

T = TypeVar("T")
DONE = b"[DONE]"
SOMETHING = "."
MAX_SECONDS = 10**7
MAX_SEARCHES = 10**6
_NOTHING = msgspec.Raw()
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_ENDS = (".done", ".completed")


class Report(msgspec.Struct, omit_defaults=True):
    """What an answer says of its use: the provider's own usage object, and what is counted besides."""

    usage: msgspec.Raw = _NOTHING
    images: int = 0
    seconds: float | None = None
    searches: int | None = None


class _Units(msgspec.Struct):
    search_units: float | None = None


class _Meta(msgspec.Struct):
    billed_units: _Units | None = None


class _Body(msgspec.Struct):
    data: msgspec.Raw = _NOTHING
    results: msgspec.Raw = _NOTHING
    text: Any = None
    duration: Any = None
    usage: msgspec.Raw = _NOTHING
    meta: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING


class _Event(msgspec.Struct):
    type: str = ""
    delta: Any = None
    usage: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING


_body = msgspec.json.Decoder(_Body)
_event = msgspec.json.Decoder(_Event)
_meta = msgspec.json.Decoder(_Meta)
_items = msgspec.json.Decoder(list[msgspec.Raw])


class Decoder:
    """Reads one reply of JSON; a stream of events is complete when `answers` of them have said that they are the last.

    `has_images`: what stands in `data` are pictures, which are counted.
    """

    def __init__(self, *, has_images: bool = False, answers: int = 1) -> None:
        self._has_images = has_images
        self._unfinished = answers

    def event(self, payload: bytes) -> Heard:
        """See `codec.Decoder.event`."""
        if payload == DONE:
            return Heard(terminates=True)
        said = _decoded(payload, _event)
        if error := _given(said.error):
            return Heard(error=error)
        words = said.delta if isinstance(said.delta, str) else ""
        heard = Heard(text=words, counted=words or SOMETHING)
        if said.type.endswith(_ENDS):
            self._unfinished -= 1
            heard.finishes = self._unfinished <= 0
            heard.usage = _encoded(Report(_raw(said.usage), images=int(self._has_images)))
        return heard

    def whole(self, body: bytes) -> Heard:
        """See `codec.Decoder.whole`."""
        said = _decoded(body, _body)
        if (error := _given(said.error)) and not (_given(said.data) or _given(said.results)):
            return Heard(error=error)
        words = said.text if isinstance(said.text, str) else ""
        report = Report(
            _raw(said.usage),
            images=_count(said.data) if self._has_images else 0,
            seconds=_number(said.duration, MAX_SECONDS),
            searches=_search_units(said.meta),
        )
        return Heard(text=words, counted=words or SOMETHING, usage=_encoded(report))


class TextDecoder(Decoder):
    """Reads a reply that is nothing but words, or a file."""

    def whole(self, body: bytes) -> Heard:
        """See `codec.Decoder.whole`."""
        words = body.decode("utf-8", "replace")
        return Heard(text=words, counted=words or SOMETHING)


def _decoded(raw: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(raw)
    except _UNREADABLE:
        start = raw[:80].decode(errors="replace")
        raise Unreadable(f"The provider's answer cannot be read; it begins with {start!r}.") from None


def _given(raw: msgspec.Raw) -> bytes:
    """The JSON of a field; empty where it is absent or null."""
    value = bytes(raw)
    return b"" if value == b"null" else value


def _raw(raw: msgspec.Raw) -> msgspec.Raw:
    return raw if _given(raw) else _NOTHING


def _encoded(report: Report) -> bytes:
    """Empty where there is nothing to report."""
    return b"" if report == Report() else msgspec.json.encode(report)


def _count(data: msgspec.Raw) -> int:
    try:
        return len(_items.decode(data)) if _given(data) else 0
    except _UNREADABLE:
        return 0


def _search_units(meta: msgspec.Raw) -> int | None:
    try:
        read = _meta.decode(meta) if _given(meta) else None
    except _UNREADABLE:
        return None
    units = read.billed_units.search_units if read is not None and read.billed_units is not None else None
    stated = _number(units, MAX_SEARCHES)
    return None if stated is None else int(stated)


def _number(value: object, most: int) -> float | None:
    """A number that is none, or is negative or impossible, is as good as nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value <= most else None
