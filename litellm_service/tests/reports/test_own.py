"""A member reads what is its own and nothing else, on every reading route."""

import pytest
from asgi import get
from reading_routes import application
from seeded import key_name

from gateway.domain.key import Key
from gateway.domain.time import id_text
from gateway.identity import KeyRing

pytestmark = pytest.mark.anyio

SPAN = [("from", "2026-10-28T00:00:00Z"), ("to", "2026-11-01T00:00:00Z")]
KEY = key_name(2)
OWNERS = {
    "a user": ({"id": "f" * 16, "user_id": "user-3"}, lambda row: row["user"] == "user-3"),
    "a key without a user": ({"id": KEY}, lambda row: row["key"] == KEY),
    "nothing yet": ({"id": "e" * 16}, lambda row: False),
    "nothing yet as a user": ({"id": KEY, "user_id": "newcomer"}, lambda row: False),
}


class Asker:
    """Asks with one key."""

    def __init__(self, reader, **fields):
        ring = KeyRing(b"pepper")
        issued = ring.issue(fields["id"])
        ring.put(Key(name="n", digests=((issued.digest, None),), **fields))
        self._app = application(reader, ring)
        self._headers = [(b"authorization", b"Bearer " + issued.secret.encode())]

    async def reply(self, path, parameters=()):
        return await get(self._app, path, parameters, self._headers)

    async def ok(self, path, parameters=()):
        reply = await self.reply(path, parameters)
        assert reply.status == 200, reply.body
        return reply.json()


@pytest.fixture(params=OWNERS)
def owner(request, filled_reader, rows):
    """Who asks, and the ledger rows that are its own."""
    fields, matches = OWNERS[request.param]
    return Asker(filled_reader, **fields), [row for row in rows if matches(row)]


def cost(rows):
    return sum(row["cost_nano_usd"] or 0 for row in rows)


def count(rows):
    return sum(row["counts"] for row in rows)


@pytest.mark.parametrize("group_by", ["", "user_id", "key_id", "application_id", "model,provider", "status"])
async def test_a_report_counts_what_is_its_own_in_every_grouping(owner, group_by):
    asker, own = owner
    report = await asker.ok("/api/usage", [*SPAN, ("group_by", group_by), ("limit", "1000")])
    assert (report["totals"]["requests"], report["totals"]["cost_nano_usd"] or 0) == (count(own), cost(own))
    assert sum(group["totals"]["requests"] for group in report["groups"]) == count(own)


async def test_stats_list_nobody_else(owner):
    asker, own = owner
    stats = await asker.ok("/api/stats", SPAN)
    assert stats["summary"]["requests"] == count(own)
    for name, listed in (("user", "usage_by_user"), ("application", "usage_by_application")):
        assert {item[f"{name}_id"] for item in stats[listed]} == {row[name] for row in own}


async def test_the_list_of_requests_has_its_own_only(owner):
    asker, own = owner
    expected = sorted((id_text(row["request_id"]) for row in own if row["counts"]), reverse=True)
    page = await asker.ok("/api/requests", [("limit", "200")])
    assert [row["request_id"] for row in page["requests"]] == expected[:200]


@pytest.mark.parametrize("path", ["/api/usage", "/api/stats", "/api/requests"])
async def test_filters_for_others_find_nothing(owner, rows, path):
    asker, own = owner
    for name, column in (("user_id", "user"), ("key_id", "key")):
        others = {row[column] for row in rows} - {row[column] for row in own}
        given = [(name, other) for other in [*sorted(others), "nobody"]][:90]
        found = await asker.ok(path, [*given, *(SPAN if path != "/api/requests" else [])])
        shown = found["requests"] if path == "/api/requests" else found.get("summary") or found["totals"]
        assert shown == [] or shown["requests"] == 0


async def test_anothers_request_is_not_found(owner, rows):
    asker, own = owner
    mine = {row["request_id"] for row in own}
    theirs = next(row for row in rows if row["request_id"] not in mine)
    reply = await asker.reply(f"/api/requests/{id_text(theirs['request_id'])}")
    assert (reply.status, reply.json()["error"]["code"]) == (404, "not_found")
    assert all([await asker.ok(f"/api/requests/{id_text(id_)}") for id_ in sorted(mine)[:3]])


async def test_a_user_is_found_where_its_requests_are_the_askers_own(owner, rows):
    asker, own = owner
    mine = {row["user"] for row in own}
    for user in sorted({row["user"] for row in rows}):
        reply = await asker.reply(f"/api/user/{user}/usage")
        assert reply.status == (200 if user in mine else 404)
        if user in mine:
            assert reply.json()["summary"]["requests"] == count([row for row in own if row["user"] == user])
            recent = reply.json()["recent_requests"]
            assert {row["user_id"] for row in recent} == {user}


async def test_a_user_that_has_called_nothing_yet_has_zeros_of_its_own(filled_reader):
    asker = Asker(filled_reader, id=KEY, user_id="newcomer")
    assert (await asker.ok("/api/user/newcomer/usage"))["summary"]["requests"] == 0


@pytest.mark.parametrize("role", ["viewer", "admin"])
async def test_viewers_and_administrators_see_all(filled_reader, rows, role):
    asker = Asker(filled_reader, id=KEY, user_id="user-3", role=role)
    assert (await asker.ok("/api/stats", SPAN))["summary"]["requests"] == count(rows)
    assert (await asker.ok("/api/user/nobody/usage"))["summary"]["requests"] == 0
