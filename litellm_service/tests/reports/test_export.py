"""Exports hold exactly what the reports and lists show, and burden nobody."""

import asyncio
import contextlib
import csv
import importlib
import io
import json
import sqlite3
import sys
from contextlib import closing

import anyio
import pytest
import uvicorn
from asgi import get
from hypothesis import given
from hypothesis import strategies as st
from reading_routes import SECRET, application
from seeded import DAY_MS, ZONES, Shape, fill, key_name

from gateway.domain.errors import StoreUnavailable
from gateway.domain.time import id_text, iso_z, new_request_id
from gateway.http.protocol import Protocol
from gateway.reports import exports
from gateway.reports.formats import FORMULA_STARTS, Column, Csv
from gateway.store.questions import RequestQuery
from gateway.store.sqlite.reading import Reader

pytestmark = pytest.mark.anyio

SPAN = [("from", "2026-10-28T00:00:00Z"), ("to", "2026-11-01T00:00:00Z")]
FILTERS = [
    [],
    [("user_id", "user-1"), ("user_id", "user-2")],
    [("key_id", key_name(1))],
    [("status", "error")],
    [("model", "openai/o3"), ("http_status", "200")],
    [("min_cost_usd", "0.004"), ("max_response_time", "2")],
    [("user_id", "nobody")],
]


async def file(app, parameters=()):
    reply = await get(app, "/api/usage/export", parameters)
    assert reply.status == 200, reply.body
    return reply


async def table(app, parameters=()):
    text = (await file(app, parameters)).body.decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def lines(app, parameters=()):
    return [json.loads(line) for line in (await file(app, [*parameters, ("format", "jsonl")])).body.splitlines()]


async def ok(app, path, parameters=()):
    reply = await get(app, path, parameters)
    assert reply.status == 200, reply.body
    return reply.json()


async def walked(app, parameters):
    found, cursor = [], []
    while True:
        page = await ok(app, "/api/requests", [*parameters, *cursor, ("limit", "200")])
        found += page["requests"]
        if page["next_cursor"] is None:
            return found
        cursor = [("cursor", page["next_cursor"])]


@pytest.mark.parametrize("filters", FILTERS)
async def test_lines_of_json_are_the_request_list(app, filters):
    assert await lines(app, [*SPAN, *filters]) == await walked(app, [*SPAN, *filters])


@pytest.mark.parametrize("filters", FILTERS)
async def test_csv_has_the_same_figures_cell_by_cell(app, filters):
    rows = await table(app, [*SPAN, *filters])
    listed = await walked(app, [*SPAN, *filters])
    assert len(rows) == len(listed)
    for cells, row in zip(rows, listed, strict=True):
        tokens = {f"{name}_tokens": count for name, count in row.pop("tokens").items()}
        expected = {**row, **tokens}
        assert cells.keys() == expected.keys()
        for name, value in expected.items():
            cell = cells[name]
            assert (cell == "") == (value in {None, ""}), name
            if isinstance(value, bool):
                assert cell == str(value).lower()
            elif isinstance(value, (int, float)):
                assert float(cell) == pytest.approx(value, rel=1e-12)
            elif value is not None:
                assert cell == value
        assert cells["cost_usd"].replace(".", "").lstrip("0") == cells["cost_nano_usd"].lstrip("0")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_no_content_is_exported_and_the_file_has_a_name(app, form):
    reply = await file(app, [*SPAN, ("format", form)])
    assert SECRET.encode() not in reply.body
    name = f'attachment; filename="requests-20261028T0000Z-20261101T0000Z.{form}"'
    assert reply.headers["content-disposition"] == name
    assert reply.headers["content-type"].startswith({"csv": "text/csv", "jsonl": "application/jsonl"}[form])


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("group_by", ["user_id", "key_id", "model,provider", "status"])
async def test_groups_are_the_report_and_add_up_to_the_requests(app, zone, group_by):
    given = [*SPAN, ("tz", zone), ("group_by", group_by), ("bucket", "day")]
    report = await ok(app, "/api/usage", [*given, ("limit", "1000")])
    rows = await lines(app, [*given, ("rows", "groups")])
    points = {
        (point["start"], *group["key"].values()): point
        for group in report["groups"]
        for point in group["series"]
        if point["total_tokens"] or point["requests"] or point["cost_nano_usd"]
    }
    names = group_by.split(",")
    found = {(row["start"], *(row[name] for name in names)): row for row in rows}
    assert found.keys() == points.keys()
    for at, row in found.items():
        for name in ("requests", "errors", "total_tokens", "cost_nano_usd", "unpriced_requests", "estimated_requests"):
            assert row[name] == points[at][name]
    for name in ("requests", "cost_nano_usd"):
        assert sum(row[name] or 0 for row in rows) == report["totals"][name]
        cells = await table(app, [*given, ("rows", "groups")])
        assert sum(int(cell[name] or 0) for cell in cells) == report["totals"][name]


async def test_requests_and_their_failed_attempts_add_up_to_the_report(app, rows):
    """A request shows what its last attempt cost; what failed before it is in the sums only."""
    exported = await lines(app, SPAN)
    report = await ok(app, "/api/usage", SPAN)
    earlier = sum(row["cost_nano_usd"] or 0 for row in rows if not row["final"])
    assert len(exported) == report["totals"]["requests"]
    assert sum(row["cost_nano_usd"] or 0 for row in exported) + earlier == report["totals"]["cost_nano_usd"]


text = st.one_of(
    st.text(max_size=12), st.sampled_from(["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '"', 'a,"b"\r\n', "'=1"])
)
amount = st.one_of(st.none(), st.integers(-(2**62), 2**62))


@given(
    st.lists(st.tuples(st.one_of(st.none(), text), amount, st.one_of(st.none(), st.floats(allow_nan=False)), amount))
)
def test_no_cell_of_text_is_a_formula_and_every_number_stays_one(records):
    columns = [Column("t", "text"), Column("i", "integer"), Column("n", "number"), Column("u", "usd")]
    writer = Csv(columns, lambda record: record)
    written = (writer.begin() + writer.rows(records) + writer.end()).decode()
    header, *found = csv.reader(io.StringIO(written, newline=""), strict=True)
    assert header == ["t", "i", "n", "u"]
    assert len(found) == len(records)
    for (word, count, number, nano), cells in zip(records, found, strict=True):
        assert cells[0][:1] not in FORMULA_STARTS
        assert cells[0] in {word or "", f"'{word}"}
        assert cells[1] == ("" if count is None else str(count))
        assert (float(cells[2]) if cells[2] else None) == number
        assert round(float(cells[3] or 0) * 1e9) == pytest.approx(nano or 0, rel=1e-15)
        assert cells[3].replace(".", "").replace("-", "").lstrip("0") == str(abs(nano or 0)).lstrip("0")


async def test_a_file_without_rows_still_has_its_header(app):
    reply = await file(app, [*SPAN, ("user_id", "nobody")])
    assert reply.body.count(b"\r\n") == 1
    assert reply.body.startswith(b"request_id,timestamp,application_id,")
    assert (await file(app, [*SPAN, ("user_id", "nobody"), ("format", "jsonl")])).body == b""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "xlsx"),
        ("rows", "tokens"),
        ("bucket", "day"),
        ("group_by", "model"),
        ("limit", "5"),
        ("tz", "Mars"),
        ("status", "x"),
    ],
)
async def test_a_wrong_parameter_is_refused_by_name(app, name, value):
    reply = await get(app, "/api/usage/export", [(name, value)])
    error = reply.json()["error"]
    assert (reply.status, error["code"], error["param"]) == (400, "invalid_request", name)


async def test_bounds_of_single_requests_do_not_fit_groups(app):
    reply = await get(app, "/api/usage/export", [("rows", "groups"), ("min_cost_usd", "1")])
    assert (reply.status, reply.json()["error"]["param"]) == (400, "min_cost_usd")


async def test_a_database_that_cannot_be_read_is_told_before_the_file_begins(tmp_path):
    path = tmp_path / "usage.db"
    path.write_bytes(b"this is no database" * 100)
    with closing(Reader(path)) as reader:
        reply = await get(application(reader), "/api/usage/export")
    assert (reply.status, reply.json()["error"]["code"]) == (503, "store_unavailable")


class Counted(Reader):
    """Counts how often it is asked."""

    asked = 0

    async def stretch(self, query):
        self.asked += 1
        return await super().stretch(query)


@pytest.fixture
async def long(tmp_path):
    """A database of many stretches, and a reader that counts them."""
    path = tmp_path / "usage.db"
    fill(path, Shape(requests=6 * exports.REQUESTS_AT_ONCE, days=1))
    reader = Counted(path)
    yield path, reader
    await anyio.to_thread.run_sync(reader.close)


async def test_a_client_that_leaves_ends_the_reading(long):
    _, reader = long
    left, sent = anyio.Event(), []

    async def receive():
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        if message.get("body"):
            left.set()
            await anyio.sleep(0.05)

    scope = {
        "type": "http", "method": "GET", "path": "/api/usage/export", "query_string": b"from=2026-10-01",
        "headers": [(b"host", b"localhost")],
    }  # fmt: skip
    await application(reader)(scope, receive, send)
    asked = reader.asked
    assert asked < 4
    await anyio.sleep(0.1)
    assert reader.asked == asked


async def test_between_two_pieces_the_log_can_be_emptied(long):
    path, reader = long
    everything = exports.requests(reader, RequestQuery(from_ms=0))
    pieces = exports.written(everything, exports.encoder(everything, "csv"))
    await anext(pieces)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO meta VALUES ('something', 1)")
        connection.commit()
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    await pieces.aclose()


async def test_what_arrives_meanwhile_is_in_no_piece(long):
    path, reader = long
    now = Shape().to_ms
    everything = exports.requests(reader, RequestQuery(from_ms=0, to_ms=now))
    pieces = exports.written(everything, exports.encoder(everything, "jsonl"))
    body = b""
    with closing(sqlite3.connect(path)) as connection:
        before = {row[0] for row in connection.execute("SELECT id FROM requests")}
        columns = [row[1] for row in connection.execute("PRAGMA table_info(requests)")]
        copied = ", ".join(name for name in columns if name not in {"id", "admitted_at_ms"})
        statement = f"INSERT INTO requests (id, admitted_at_ms, {copied}) SELECT ?, ?, {copied} FROM requests LIMIT 1"
        async for piece in pieces:
            body += piece
            connection.execute(statement, (id_text(new_request_id(now + 1)), now + 1))
            connection.commit()
    found = [json.loads(line)["request_id"] for line in body.splitlines()]
    assert sorted(before, reverse=True) == found


async def test_without_an_end_it_ends_now(tmp_path):
    path = tmp_path / "usage.db"
    to_ms = Shape().to_ms + 400 * DAY_MS
    fill(path, Shape(requests=100, days=1, to_ms=to_ms))
    with closing(Reader(path)) as reader:
        assert await lines(application(reader), [("from", "2026-10-01"), ("to", iso_z(to_ms + DAY_MS))]) == []


async def test_without_its_extra_parquet_is_refused_with_what_to_install(app, monkeypatch):
    monkeypatch.setitem(sys.modules, "gateway.reports.parquet", None)  # as if its import failed
    reply = await get(app, "/api/usage/export", [("format", "parquet")])
    error = reply.json()["error"]
    assert (reply.status, error["param"]) == (400, "format")
    assert "`parquet`" in error["message"]


@pytest.mark.parametrize("rows", ["requests", "groups"])
async def test_parquet_has_the_same_rows(app, rows, monkeypatch):
    pq = importlib.import_module("pyarrow.parquet")
    monkeypatch.setattr("gateway.reports.parquet.ROWS_PER_GROUP", 1_500)
    given = [*SPAN, ("rows", rows)] + ([("group_by", "user_id")] if rows == "groups" else [])
    file_ = pq.ParquetFile(io.BytesIO((await file(app, [*given, ("format", "parquet")])).body))
    assert file_.metadata.num_row_groups == (2 if rows == "requests" else 1)
    found, expected = file_.read().to_pylist(), await table(app, given)
    costs = ["" if row["cost_nano_usd"] is None else str(row["cost_nano_usd"]) for row in found]
    assert costs == [row["cost_nano_usd"] for row in expected]
    assert [row["requests" if rows == "groups" else "model"] for row in found] == [
        int(row["requests"]) if rows == "groups" else row["model"] for row in expected
    ]
    if rows == "requests":
        assert [iso_z(round(row["timestamp"].timestamp() * 1000)) for row in found] == [
            row["timestamp"] for row in expected
        ]


class Failing(Counted):
    """Cannot read the fourth stretch."""

    async def stretch(self, query):
        if self.asked == 3:
            raise StoreUnavailable("The disk is on fire.")
        return await super().stretch(query)


async def test_a_file_that_breaks_off_does_not_look_whole(long, free_tcp_port, caplog):
    path, _ = long
    reader = Failing(path)
    config = uvicorn.Config(
        application(reader), port=free_tcp_port, http=Protocol, lifespan="off", log_config=None, ws="none"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await anyio.sleep(0.01)
        _, writing = connection = await asyncio.open_connection("127.0.0.1", free_tcp_port)
        writing.write(b"GET /api/usage/export?from=2026-10-01 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            received = await connection[0].read(-1)
            assert received.startswith(b"HTTP/1.1 200 OK")
            assert not received.endswith(b"0\r\n\r\n")
        writing.close()
    finally:
        server.should_exit = True
        await serving
        await anyio.to_thread.run_sync(reader.close)
    assert [record.message for record in caplog.records if record.levelname != "INFO"] == [
        "an export broke off: The disk is on fire."
    ]
