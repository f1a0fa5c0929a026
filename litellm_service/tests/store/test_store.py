"""The ledger's file through its public edge: real SQLite, real threads."""

import asyncio
import contextlib
import sqlite3

import pytest
from store_entries import hold, settlement

from gateway.domain.entry import Kind, Outcome
from gateway.domain.errors import StoreUnavailable
from gateway.domain.time import id_text
from gateway.domain.usage import NO_USAGE
from gateway.store.migrations.__main__ import upgrade
from gateway.store.sqlite import opening
from gateway.store.sqlite.audit import audit
from gateway.store.sqlite.opening import DatabaseUnusable
from gateway.store.sqlite.store import SqliteStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path):
    return tmp_path / "usage.db"


@contextlib.asynccontextmanager
async def opened(path):
    store = SqliteStore(path, "test")
    store.open()
    store.start()
    try:
        yield store
    finally:
        await asyncio.to_thread(store.close)


def rows(path, statement, *parameters):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement, parameters).fetchall()


def clean(path):
    return [check for check in audit(path) if check.wrong] == []


async def test_a_settled_request_is_in_the_file_before_its_future_is_done(path):
    async with opened(path) as store:
        one = hold()
        await store.hold(one)
        await store.settle(settlement(one))
        assert rows(path, "SELECT id, query, response, cost_usd, status FROM requests") == [
            (id_text(one.request_id), "Hi", "Hello", 0.000075, "success")
        ]
    assert rows(path, "SELECT count(*) FROM holds") == [(0,)]
    assert rows(path, "SELECT requests, cost_nano_usd FROM rollups") == [(1, 75_000)]
    assert clean(path)


async def test_attempts_are_rows_of_the_ledger_and_one_row_of_requests(path):
    async with opened(path) as store:
        first = hold()
        second = hold(request_id=first.request_id, attempt=1)
        await store.hold(first)
        await store.settle(
            settlement(first, outcome=Outcome.FAILED, http_status=502, usage=NO_USAGE, cost_nano_usd=0, final=False)
        )
        await store.hold(second)
        await store.settle(settlement(second))
    assert rows(path, "SELECT attempt, final, http_status FROM ledger ORDER BY attempt") == [(0, 0, 502), (1, 1, 200)]
    assert rows(path, "SELECT attempts, http_status FROM requests") == [(2, 200)]
    assert clean(path)


async def test_text_that_is_no_unicode_costs_the_text_not_the_figures(path):
    async with opened(path) as store:
        bad, good = hold(), hold()
        await asyncio.gather(store.hold(bad), store.hold(good))
        await asyncio.gather(store.settle(settlement(bad, query="\ud800")), store.settle(settlement(good)))
    assert sorted(rows(path, "SELECT query, total_tokens FROM requests")) == [("", 15), ("Hi", 15)]
    assert clean(path)


async def test_the_same_fact_twice_is_one_row(path):
    async with opened(path) as store:
        one = hold()
        await store.hold(one)
        await asyncio.gather(store.settle(settlement(one)), store.settle(settlement(one)))
        await store.settle(settlement(one))
    assert rows(path, "SELECT count(*) FROM ledger") == [(1,)]
    assert clean(path)


async def test_while_the_file_cannot_be_written_settlements_wait_and_holds_are_refused(path):
    async with opened(path) as store:
        one = hold()
        await store.hold(one)
        store._connection.execute("PRAGMA query_only = ON")
        waiting = store.settle(settlement(one))
        with pytest.raises(StoreUnavailable):
            await store.hold(hold())
        assert store.fault is not None
        with pytest.raises(StoreUnavailable, match="Nothing was sent"):
            await store.hold(hold())
        assert not waiting.done()
        store._connection.execute("PRAGMA query_only = OFF")
        await asyncio.wait_for(waiting, 5)
        async with asyncio.timeout(5):
            while store.fault is not None:  # the store tells nobody when it recovers
                await asyncio.sleep(0.05)
        two = hold()
        await store.hold(two)
        await store.settle(settlement(two))
    assert rows(path, "SELECT count(*) FROM requests") == [(2,)]
    assert clean(path)


async def test_what_a_dead_process_held_is_found_with_its_progress(path):
    dead = SqliteStore(path, "test")
    dead.open()
    dead.start()
    streaming, settled = hold(stream=True), hold()
    await asyncio.gather(dead.hold(streaming), dead.hold(settled))
    await dead.settle(settlement(settled))
    dead.note_progress(streaming, 42, 1_000)
    await asyncio.to_thread(dead._writer.stop)
    dead._connection.close()
    dead._lock.release()
    async with opened(path) as store:
        (orphan,) = store.orphans()
        assert orphan.hold.request_id == streaming.request_id
        assert orphan.hold.price == streaming.price
        assert (orphan.output_tokens, orphan.first_token_us) == (42, 1_000)
        await store.settle(settlement(orphan.hold, kind=Kind.ESTIMATE, outcome=Outcome.FAILED, http_status=500))
        assert store.orphans() == []
    assert clean(path)


async def test_rollups_that_were_never_flushed_are_counted_at_the_next_start(path):
    dead = SqliteStore(path, "test")
    dead.open()
    dead.start()
    dead._writer._last_flush += 3600
    one = hold()
    await dead.hold(one)
    await dead.settle(settlement(one))
    assert rows(path, "SELECT count(*) FROM rollups") == [(0,)]
    dead._writer._batch.rebuild = lambda: None
    dead._lock.release()
    async with opened(path):
        pass
    assert rows(path, "SELECT requests FROM rollups") == [(1,)]
    assert clean(path)


async def test_a_second_process_is_refused_and_told_who_has_the_file(path):
    async with opened(path):
        with pytest.raises(DatabaseUnusable, match="already uses"):
            SqliteStore(path, "test").open()


def make(path):
    opening.migrate_if_behind(path)
    connection = opening.connect(path)
    connection.execute("INSERT INTO meta VALUES ('rollup_watermark', 0)")
    connection.close()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "page"])
def test_a_damaged_file_is_refused_and_left_as_it_is(path, damage):
    make(path)
    whole = path.read_bytes()
    broken = {
        "garbage": b"not a database at all" * 100,
        "truncated": whole[: len(whole) // 2],
        "page": whole[:4096] + b"\xff" * 8192 + whole[12288:],
    }[damage]
    path.write_bytes(broken)
    for leftover in (path.with_name("usage.db-wal"), path.with_name("usage.db-shm")):
        leftover.unlink(missing_ok=True)
    with pytest.raises(DatabaseUnusable, match=r"damaged.*Restore"):
        SqliteStore(path, "test").open()
    assert path.read_bytes() == broken


def test_a_new_file_has_the_schema_that_the_migrations_give(tmp_path):
    new, migrated = tmp_path / "new.db", tmp_path / "migrated.db"
    opening.migrate_if_behind(new)
    upgrade(f"sqlite:///{migrated}")
    catalogue = """SELECT type, name, replace(replace(replace(sql, char(9), ''), char(10), ''), ' ', '')
        FROM sqlite_master ORDER BY name"""
    assert rows(new, catalogue) == rows(migrated, catalogue)
    assert opening.schema_version(new) == opening.schema_version(migrated) == opening.HEAD


def test_an_empty_file_is_a_new_database(path):
    path.touch()
    store = SqliteStore(path, "test")
    store.open()
    assert opening.schema_version(path) == opening.HEAD


def test_a_newer_file_is_refused(path):
    make(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(DatabaseUnusable, match="newer"):
        SqliteStore(path, "test").open()


async def test_a_bug_in_one_operation_costs_that_operation_not_the_writer(path, caplog):
    async with opened(path) as store:
        bad, good = hold(), hold()
        bad.application_id = ["not", "a", "name"]
        results = await asyncio.gather(store.hold(bad), store.hold(good), return_exceptions=True)
        assert isinstance(results[0], StoreUnavailable)
        assert results[1] is None
        await store.settle(settlement(good, query="canary-in-the-log"))
    assert rows(path, "SELECT count(*) FROM requests") == [(1,)]
    assert "canary" not in caplog.text
    assert clean(path)
