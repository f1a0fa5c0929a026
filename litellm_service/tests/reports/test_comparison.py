"""`compare=previous`: the period before with the same filters and groups."""

import pytest
from asgi import get

from gateway.reports.comparison import change

pytestmark = pytest.mark.anyio

NOW = [("from", "2026-10-30T00:00:00Z"), ("to", "2026-11-01T00:00:00Z")]
BEFORE = [("from", "2026-10-28T00:00:00Z"), ("to", "2026-10-30T00:00:00Z")]
COMPARE = [("compare", "previous")]


async def ok(app, path, parameters=()):
    reply = await get(app, path, parameters)
    assert reply.status == 200, reply.body
    return reply.json()


@pytest.mark.parametrize("group_by", ["", "model", "user_id", "key_id", "status", "application_id,model"])
@pytest.mark.parametrize("filters", [[], [("user_id", "user-1"), ("user_id", "user-2")], [("status", "error")]])
async def test_it_is_what_a_report_on_that_period_says(app, group_by, filters):
    given = [*filters, ("group_by", group_by)]
    report = await ok(app, "/api/usage", [*NOW, *given, *COMPARE, ("limit", "3")])
    before = await ok(app, "/api/usage", [*BEFORE, *given, ("limit", "1000")])
    compared = report["previous"]
    assert (compared["from"], compared["to"]) == (before["from"], before["to"])
    assert compared["totals"] == before["totals"]
    assert [group["key"] for group in compared["groups"]] == [group["key"] for group in report["groups"]]
    known = {tuple(group["key"].values()): group["totals"] for group in before["groups"]}
    for group in compared["groups"]:
        found = known.get(tuple(group["key"].values()))
        assert group["totals"] == found if found else group["totals"]["requests"] == 0


@pytest.mark.parametrize("path", ["/api/stats", "/api/user/user-1/usage"])
async def test_totals_are_compared_too(app, path):
    report = await ok(app, path, [*NOW, *COMPARE])
    before = (await ok(app, path, BEFORE))["summary"]
    compared = report["previous"]
    assert compared["totals"].items() <= {**before, "avg_response_time": before["avg_response_time"]}.items()
    expected = (report["summary"]["requests"] - before["requests"]) / before["requests"]
    assert compared["change"]["requests"] == pytest.approx(expected)
    assert "previous" not in await ok(app, path, NOW)


def test_a_change_is_a_fraction_of_what_was_and_of_nothing_there_is_none():
    then = {
        "requests": 4,
        "errors": 0,
        "cost_usd": None,
        "cost_nano_usd": None,
        "overhead_p95": 0.5,
        "avg_response_time": 2.0,
    }
    now = {
        "requests": 5,
        "errors": 3,
        "cost_usd": 1.0,
        "cost_nano_usd": 10**9,
        "overhead_p95": None,
        "avg_response_time": 1.0,
    }
    assert change(then, now) == {
        "requests": 0.25, "errors": None, "cost_usd": None, "overhead_p95": None, "avg_response_time": -0.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/api/usage", [("compare", "next")]),
        ("/api/stats", COMPARE),
        ("/api/usage", [("from", "1970-01-02T00:00:00Z"), ("to", "1970-02-02T00:00:00Z"), *COMPARE]),
    ],
)
async def test_what_cannot_be_compared_is_refused(app, path, given):
    reply = await get(app, path, given)
    assert (reply.status, reply.json()["error"]["param"]) == (400, "compare")
