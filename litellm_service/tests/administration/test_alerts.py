"""What people were to be told of: listed, a page at a time, for those who may read it."""

import pytest
from office import office

pytestmark = pytest.mark.anyio


async def test_what_was_crossed_is_listed_newest_first_a_page_at_a_time(tmp_path):
    async with office(tmp_path) as it:
        for name in ("alice", "bob", "carol"):
            given = {"scope": {"kind": "user", "name": name}, "amount_usd": "0.0001", "period": "total", "hard": False}
            await it.made("/api/budgets", {**given, "thresholds": [1]})
            assert (
                await it.call("POST", "/api/chat", {"model": "demo/priced", "query": "x", "user_id": name})
            ).status == 200
        listed = (await it.get("/api/alerts")).json
        assert [alert["subject"] for alert in listed["alerts"]] == ["user carol", "user bob", "user alice"]
        newest = listed["alerts"][0]
        assert (newest["kind"], newest["delivered_at"], listed["webhook"]) == ("budget_threshold", None, None)
        assert {"threshold_percent": 1, "scope": {"kind": "user", "name": "carol"}}.items() <= newest["details"].items()
        first = (await it.get("/api/alerts", limit=2)).json
        rest = (await it.get("/api/alerts", limit=2, cursor=first["next_cursor"])).json
        assert first["alerts"] + rest["alerts"] == listed["alerts"]
        assert rest["next_cursor"] is None
        assert (await it.get("/api/alerts", cursor="'")).error["param"] == "cursor"


async def test_the_webhook_is_named_by_its_host_alone(tmp_path):
    secret = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy0xMjM0NTY3ODkw"
    url = "https://hooks.example.com/services/T0/secret-part"
    async with office(tmp_path, GATEWAY_WEBHOOK_URL=url, GATEWAY_WEBHOOK_SECRET=secret) as it:
        reply = await it.get("/api/alerts")
        assert reply.json["webhook"] == "hooks.example.com"
        assert b"secret-part" not in reply.body


async def test_members_may_not_read_them(tmp_path):
    async with office(tmp_path) as it:
        for role, status in (("member", 403), ("viewer", 200)):
            key = (await it.made("/api/keys", {"name": role, "role": role}))["key"]
            assert (await it.as_(key).get("/api/alerts")).status == status
