"""Tables as Parquet; imported only where pyarrow is installed."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from gateway.domain.money import NANO_PER_USD
from gateway.reports.formats import Column, Kind, Record

ROWS_PER_GROUP = 32_768

_TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "flag": pa.bool_(), "usd": pa.float64(),
    "time": pa.timestamp("ms", tz="UTC"),
}  # fmt: skip


class Parquet:
    """Row groups of some ten thousand rows; until one is full, its rows wait in Arrow's own form."""

    def __init__(self, columns: Sequence[Column], cells: Callable[[Record], Record]) -> None:
        self._columns = columns
        self._cells = cells
        self._schema = pa.schema([(column.name, _TYPES[column.kind]) for column in columns])
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(pa.PythonFile(self._sink, mode="w"), self._schema)
        self._waiting: list[pa.RecordBatch] = []
        self._count = 0

    def begin(self) -> bytes:
        """The magic bytes."""
        return self._sink.taken()

    def rows(self, records: Sequence[Record]) -> bytes:
        """Row groups that are full."""
        if records:
            self._waiting.append(self._batch(records))
            self._count += len(records)
        if self._count >= ROWS_PER_GROUP:
            self._write_group()
        return self._sink.taken()

    def end(self) -> bytes:
        """The last row group and the footer."""
        if self._count:
            self._write_group()
        self._writer.close()
        return self._sink.taken()

    def _batch(self, records: Sequence[Record]) -> pa.RecordBatch:
        values = zip(*map(self._cells, records), strict=True)
        arrays = [_array(column.kind, cells) for column, cells in zip(self._columns, values, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _write_group(self) -> None:
        self._writer.write_table(pa.Table.from_batches(self._waiting), row_group_size=self._count)
        self._waiting, self._count = [], 0


class _Sink:
    """A file that is taken away as it grows."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self._length += len(data)
        return len(data)

    def tell(self) -> int:
        return self._length

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """The file ends."""

    def taken(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def _array(kind: Kind, cells: Sequence[object]) -> pa.Array:
    if kind == "flag":
        cells = [None if cell is None else bool(cell) for cell in cells]
    if kind == "usd":
        cells = [None if cell is None else cell / NANO_PER_USD for cell in cells]  # type: ignore[operator]  # nano-USD
    return pa.array(cells, _TYPES[kind])
