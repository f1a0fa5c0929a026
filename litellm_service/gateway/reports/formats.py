"""Tables as CSV and JSON lines, a piece at a time."""

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import msgspec

from gateway.domain.money import NANO_PER_USD
from gateway.domain.time import iso_z

Record = tuple[Any, ...]
Kind = Literal["text", "integer", "number", "flag", "usd", "time"]

# A spreadsheet takes a cell that begins so for a formula: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_STARTS = frozenset("=+-@\t\r\n")


class Column(msgspec.Struct, frozen=True):
    """A column of a table: `None` is an empty cell, values of `usd` are nano-USD, of `time` milliseconds since 1970."""

    name: str
    kind: Kind


class Encoder(Protocol):
    """Writes one table: `begin` once, `rows` as they come, `end` once. Each gives the bytes that are ready, maybe none."""

    def begin(self) -> bytes:
        """What stands before the rows."""

    def rows(self, records: Sequence[Record]) -> bytes:
        """More rows; called from one thread at a time."""

    def end(self) -> bytes:
        """What stands after the rows."""


class Csv:
    """RFC 4180 in UTF-8 with a header; text that a spreadsheet would take for a formula gets a leading apostrophe."""

    def __init__(self, columns: Sequence[Column], cells: Callable[[Record], Record]) -> None:
        self._columns = columns
        self._cells = cells
        self._converters = [_CELLS[column.kind] for column in columns]

    def begin(self) -> bytes:
        """The header."""
        return _csv([[column.name for column in self._columns]])

    def rows(self, records: Sequence[Record]) -> bytes:
        """Lines."""
        return _csv([self._row(record) for record in records])

    def end(self) -> bytes:
        """Nothing."""
        return b""

    def _row(self, record: Record) -> list[object]:
        cells = zip(self._converters, self._cells(record), strict=True)
        return [None if cell is None else convert(cell) for convert, cell in cells]


class JsonLines:
    """One object a line, as `as_object` makes it of a row."""

    def __init__(self, as_object: Callable[[Record], dict[str, Any]]) -> None:
        self._as_object = as_object
        self._encoder = msgspec.json.Encoder()

    def begin(self) -> bytes:
        """Nothing."""
        return b""

    def rows(self, records: Sequence[Record]) -> bytes:
        """Lines."""
        return self._encoder.encode_lines([self._as_object(record) for record in records])

    def end(self) -> bytes:
        """Nothing."""
        return b""


def exact_usd(nano_usd: int) -> str:
    """USD with all nine decimals."""
    whole, rest = divmod(abs(nano_usd), NANO_PER_USD)
    return f"{'-' if nano_usd < 0 else ''}{whole}.{rest:09d}"


def defused(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in FORMULA_STARTS else text


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    lines = io.StringIO()
    csv.writer(lines).writerows(rows)
    return lines.getvalue().encode()


def _same(value: Any) -> Any:
    return value


def _flag(value: Any) -> str:
    return "true" if value else "false"


_CELLS: dict[Kind, Callable[[Any], object]] = {
    "text": defused, "integer": _same, "number": _same, "flag": _flag, "usd": exact_usd, "time": iso_z,
}  # fmt: skip
