"""One request explained: corrections, holds, budgets; and that every view has the corrected cost."""

import csv
import io
import json

import anyio
import pytest
from asgi import get
from money import ask, make_budget
from office import office
from reading_routes import application
from store_entries import NOON_MS, PRICE, hold, settlement

from gateway.domain.entry import Correction, CostSource, Handover, Outcome
from gateway.domain.price import Price, Rates
from gateway.domain.scope import Scope
from gateway.domain.time import id_text, iso_z, ms_of_iso, new_request_id
from gateway.domain.usage import NO_USAGE
from gateway.reports.explaining import explain_budgets
from gateway.store.sqlite import opening
from gateway.store.sqlite.audit import audit
from gateway.store.sqlite.batch import BatchWriter
from gateway.store.sqlite.reading import Reader

pytestmark = pytest.mark.anyio

DEARER = Price(name="gpt-4o", version="2", source="test", rates=Rates(input=5_000_000, output=20_000_000))
SPAN = [("from", iso_z(NOON_MS - 3_600_000)), ("to", iso_z(NOON_MS + 3_600_000))]


class Written:
    """A file that the real writer fills, and the routes over it."""

    def __init__(self, path):
        self.path = path
        opening.migrate_if_behind(path)
        self._connection = opening.connect(path)
        self._writer = BatchWriter(self._connection, 1)
        self._reader = Reader(path)
        self.app = application(self._reader)

    def write(self, *operations, flush):
        for operation in operations:
            self._writer.write([operation], flush=flush)

    async def ok(self, path, parameters=()):
        reply = await get(self.app, path, parameters)
        assert reply.status == 200, reply.body
        return reply.json()

    async def explained(self, request_id):
        return await self.ok(f"/api/requests/{id_text(request_id)}")

    async def close(self):
        self._connection.close()
        await anyio.to_thread.run_sync(self._reader.close)


@pytest.fixture
async def written(tmp_path):
    file = Written(tmp_path / "usage.db")
    yield file
    await file.close()


async def costs(written, request_id):
    """The cost of the one request in every view."""
    views = [(await written.explained(request_id))["cost_nano_usd"]]
    views += [row["cost_nano_usd"] for row in (await written.ok("/api/requests"))["requests"]]
    for by in ("", "user_id", "key_id", "status", "model,provider"):
        report = await written.ok("/api/usage", [*SPAN, ("group_by", by)])
        assert report["totals"]["requests"] == 1
        views += [report["totals"]["cost_nano_usd"], *(group["totals"]["cost_nano_usd"] for group in report["groups"])]
        lines = await get(
            written.app, "/api/usage/export", [*SPAN, ("rows", "groups"), ("group_by", by), ("format", "jsonl")]
        )
        views += [json.loads(line)["cost_nano_usd"] for line in lines.body.splitlines()]
    for path in ("/api/stats", "/api/user/alice/usage"):
        views.append((await written.ok(path))["summary"]["cost_nano_usd"])
    cells = csv.DictReader(io.StringIO((await get(written.app, "/api/usage/export", SPAN)).body.decode()))
    views += [int(row["cost_nano_usd"]) for row in cells]
    return set(views)


@pytest.mark.parametrize("flush", [True, False], ids=["in the rollups", "above the watermark"])
async def test_a_corrected_cost_is_the_same_in_every_view_and_counts_no_request(written, flush):
    one = hold()
    written.write(one, settlement(one), flush=flush)
    assert await costs(written, one.request_id) == {75_000}
    written.write(Correction(request_id=one.request_id, attempt=0, cost_nano_usd=150_000, price=DEARER), flush=flush)
    assert await costs(written, one.request_id) == {150_000}
    assert [check for check in audit(written.path) if check.wrong] == []


async def test_corrections_are_listed_with_what_was_before(written):
    one = hold()
    written.write(one, settlement(one), flush=True)
    written.write(
        Correction(request_id=one.request_id, attempt=0, cost_nano_usd=150_000, price=DEARER),
        Correction(request_id=one.request_id, attempt=0, cost_nano_usd=140_000, price=None, source=CostSource.PROVIDER),
        flush=True,
    )
    found = await written.explained(one.request_id)
    (attempt,) = found["attempts_list"]
    changes = [
        (one["before_nano_usd"], one["after_nano_usd"], one["cost_source"], one["price_version"])
        for one in attempt["corrections"]
    ]
    assert changes == [(75_000, 150_000, "computed", "2"), (150_000, 140_000, "provider", None)]
    assert attempt["cost_nano_usd"] == found["cost_nano_usd"] == 140_000
    assert found["cost_explained"].startswith("The provider stated this cost itself. Corrected on ")
    assert "0.000075000 USD" in found["cost_explained"]
    assert (found["tokens"]["prompt"], found["tokens"]["completion"]) == (10, 5)


@pytest.mark.parametrize(
    ("cost", "items"), [(150_000, ["input", "output"]), (149_999, ["input", "output", "correction"])]
)
async def test_the_receipt_of_a_corrected_cost_adds_up_at_the_price_that_was_applied(written, cost, items):
    one = hold()
    written.write(one, settlement(one), flush=True)
    written.write(Correction(request_id=one.request_id, attempt=0, cost_nano_usd=cost, price=DEARER), flush=True)
    found = await written.explained(one.request_id)
    assert found["price"]["version"] == "2"
    assert [line["item"] for line in found["receipt"]] == items
    assert sum(line["amount_nano_usd"] for line in found["receipt"]) == found["cost_nano_usd"] == cost


async def test_what_was_not_priced_says_so_until_it_is(written):
    one = hold(price=None)
    written.write(one, settlement(one, cost_nano_usd=None, cost_source=CostSource.NONE), flush=True)
    found = await written.explained(one.request_id)
    assert (found["cost_nano_usd"], found["receipt"], found["price"]) == (None, [], None)
    assert "not known" in found["cost_explained"]
    assert (await written.ok("/api/usage", SPAN))["totals"]["unpriced_requests"] == 1
    written.write(Correction(request_id=one.request_id, attempt=0, cost_nano_usd=75_000, price=PRICE), flush=True)
    found = await written.explained(one.request_id)
    assert (found["cost_nano_usd"], found["price"]["version"]) == (75_000, "1")
    assert "settled at first: not priced" in found["cost_explained"]
    assert (await written.ok("/api/usage", SPAN))["totals"]["unpriced_requests"] == 0


async def test_each_attempt_says_what_was_held_for_it_and_when(written):
    request_id = new_request_id(NOON_MS)
    first = hold(id=1, request_id=request_id, amount_nano_usd=900_000)
    second = hold(id=2, request_id=request_id, attempt=1, amount_nano_usd=800_000, provider="azure")
    failed = settlement(
        first,
        outcome=Outcome.FAILED,
        http_status=502,
        usage=NO_USAGE,
        cost_nano_usd=0,
        cost_source=CostSource.NONE,
        final=False,
    )
    written.write(first, Handover(failed, second), settlement(second), flush=True)
    found = await written.explained(request_id)
    one, other = found["attempts_list"]
    assert (one["held_nano_usd"], other["held_nano_usd"], one["corrections"]) == (900_000, 800_000, [])
    assert one["held_at"] == iso_z(NOON_MS)
    assert other["held_at"] == one["recorded_at"]
    assert found["hold"] == {
        "amount_nano_usd": 800_000, "amount_usd": 0.0008, "held_at": other["held_at"], "settled_at": other["recorded_at"],
    }  # fmt: skip


async def test_the_budgets_that_a_request_counts_in_are_named_with_their_period(tmp_path):
    async with office(tmp_path) as it:
        scopes = [("everything", ""), ("user", "alice"), ("user", "bob"), ("model", "demo/*"), ("application", "other")]
        for kind, name in scopes:
            await it.made("/api/budgets", {"scope": {"kind": kind, "name": name}, "amount_usd": 2, "period": "day"})
        reply = await ask(it.gateway, headers={"x-user-id": "alice"})
        found = (await it.get(f"/api/requests/{reply.headers['x-request-id']}")).json
        named = {(one["scope"]["kind"], one["scope"]["name"]) for one in found["budgets"]}
        assert named == {("everything", ""), ("user", "alice"), ("model", "demo/*")}
        for one in found["budgets"]:
            assert one["period_start"] <= found["timestamp"] < one["period_end"]
            assert ms_of_iso(one["period_end"]) - ms_of_iso(one["period_start"]) == 86_400_000
        assert found["hold"]["amount_nano_usd"] > 0


def test_a_budget_without_end_has_no_end_of_its_period():
    row = {
        "application_id": "app",
        "user_id": "alice",
        "key_id": "k",
        "model": "openai/gpt-4o",
        "admitted_at_ms": NOON_MS,
    }
    budgets = [make_budget(5, Scope("key", "k"), hard=False), make_budget(5, Scope("key", "other"))]
    assert explain_budgets(budgets, row) == [
        {
            "id": "b1", "scope": {"kind": "key", "name": "k"}, "period": "total", "tz": "UTC", "hard": False,
            "period_start": "1970-01-01T00:00:00.000Z", "period_end": None,
        },
    ]  # fmt: skip
