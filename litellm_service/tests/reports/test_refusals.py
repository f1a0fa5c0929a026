"""What was refused is counted by code, as far as the asker may see it."""

import sqlite3
from contextlib import closing

import anyio
import pytest
from asgi import get
from reading_routes import application
from seeded import Shape, fill, key_name

from gateway.store.sqlite.reading import Reader

pytestmark = pytest.mark.anyio

FROM_MS = 1_793_232_000_000  # 2026-10-29T00:00:00Z
SPAN = [("from", "2026-10-29T00:00:00Z"), ("to", "2026-10-30T00:00:00Z")]
REFUSED = [
    (0, "app-1", "user-1", key_name(1), "openai/o3", "budget_exceeded", 3),
    (4, "app-1", "user-2", key_name(1), "openai/o3", "rate_limited", 5),
    (95, "app-2", "user-1", key_name(2), "openai/gpt-4o", "rate_limited", 7),
    (96, "app-2", "user-1", key_name(2), "openai/gpt-4o", "rate_limited", 100),
    (-1, "app-2", "user-1", key_name(2), "openai/gpt-4o", "budget_exceeded", 100),
]


@pytest.fixture
async def app(tmp_path):
    path = tmp_path / "usage.db"
    fill(path, Shape(requests=200))
    with closing(sqlite3.connect(path)) as connection:
        refs = dict(connection.execute("SELECT name, id FROM dimensions WHERE kind <= 4"))
        rows = [
            (FROM_MS // 900_000 + at, *(refs[name] for name in names), code, count)
            for at, *names, code, count in REFUSED
        ]
        connection.executemany("INSERT INTO refusals VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.commit()
    reader = Reader(path)
    yield application(reader)
    await anyio.to_thread.run_sync(reader.close)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], {"rate_limited": 12, "budget_exceeded": 3}),
        ([("user_id", "user-1")], {"rate_limited": 7, "budget_exceeded": 3}),
        ([("key_id", key_name(1)), ("application_id", "app-1")], {"rate_limited": 5, "budget_exceeded": 3}),
        ([("model", "openai/gpt-4o")], {"rate_limited": 7}),
        ([("user_id", "nobody")], {}),
        ([("provider", "openai")], {}),
        ([("status", "error")], {}),
    ],
)
async def test_refusals_are_counted_by_code_in_the_range_and_filters(app, filters, expected):
    report = (await get(app, "/api/usage", [*SPAN, *filters])).json()
    assert {one["code"]: one["count"] for one in report["refusals"]} == expected
    counts = [one["count"] for one in report["refusals"]]
    assert counts == sorted(counts, reverse=True)
