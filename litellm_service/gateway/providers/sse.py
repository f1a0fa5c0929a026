"""Server-sent events out of arbitrary pieces (WHATWG HTML, section 9.2)."""

from gateway.domain.errors import ProviderUnavailable

MAX_EVENT_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class EventSplitter:
    """Cuts a byte stream into events; any chunking gives the same events.

    Events come whole, with their blank line, byte for byte; only CR and CRLF line ends become LF.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._ends_in_cr = False
        self._at_start = True

    def feed(self, data: bytes) -> list[bytes]:
        """The events that these bytes complete; raises `ProviderUnavailable` for one that grows past 1 MB."""
        if self._ends_in_cr or b"\r" in data:
            data = self._with_line_feeds(data)
        if self._at_start:
            data = self._without_bom(data)
        if not self._rest and data.endswith(b"\n\n") and data.count(b"\n\n") == 1:
            return [data]
        *events, self._rest = (self._rest + data).split(b"\n\n")
        if len(self._rest) > MAX_EVENT_BYTES:
            raise ProviderUnavailable("The provider sent an event longer than 1 MB.")
        return [event + b"\n\n" for event in events if event.strip(b"\n")]

    def end(self) -> list[bytes]:
        """What the stream left without its blank line, as an event."""
        rest, self._rest = self._rest.strip(b"\n"), b""
        return [rest + b"\n\n"] if rest else []

    def _with_line_feeds(self, data: bytes) -> bytes:
        if self._ends_in_cr:
            data = b"\r" + data
        self._ends_in_cr = data.endswith(b"\r")
        if self._ends_in_cr:
            data = data[:-1]
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _without_bom(self, data: bytes) -> bytes:
        data = self._rest + data
        self._rest = b""
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._rest = data
            return b""
        self._at_start = False
        return data.removeprefix(_BOM)


def event_data(event: bytes) -> bytes | None:
    """The data of one event, its lines joined; `None` for a comment or an event without data."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2:
        return event[6:-2]
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None
