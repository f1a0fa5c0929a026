"""Which role may use which route, and what a key learns of itself."""

import pytest
from office import office

from gateway.http.openapi import DOCS
from gateway.http.routes import CALLING

pytestmark = pytest.mark.anyio

FOR_ADMINS = {"POST", "PATCH", "DELETE"}
FOR_READERS = ("/api/routes", "/api/keys", "/api/budgets", "/api/limits", "/api/audit", "/api/alerts",
               "/api/providers")  # fmt: skip
THEIR_OWN = ("/v1/responses/", "/api/conversations")  # whoever made it may change it; nobody else finds it
ADMINISTERING = [
    (doc.method, doc.path.replace("{", "").replace("}", ""))
    for doc in DOCS
    if doc.path not in CALLING
    and not doc.path.startswith(THEIR_OWN)
    and (doc.method in FOR_ADMINS or doc.path.startswith(FOR_READERS))
]


async def keys_of_every_role(it):
    roles = ("admin", "viewer", "member")
    return {role: (await it.made("/api/keys", {"name": role, "role": role}))["key"] for role in roles}


async def test_only_administrators_change_anything_and_only_readers_see_what_they_set(tmp_path):
    assert len(ADMINISTERING) > 15
    async with office(tmp_path) as it:
        keys = await keys_of_every_role(it)
        before = len((await it.get("/api/audit")).json["entries"])
        for method, path in ADMINISTERING:
            member = await it.as_(keys["member"]).call(method, path, {})
            assert (member.status, member.error["code"]) == (403, "not_allowed"), (method, path)
            viewer = await it.as_(keys["viewer"]).call(method, path, {})
            assert (viewer.status == 403) == (method in FOR_ADMINS), (method, path)
            admin = await it.as_(keys["admin"]).call(method, path, {"unknown": 1} if method in FOR_ADMINS else None)
            assert admin.status in ({400, 404} if method in FOR_ADMINS else {200, 404}), (method, path)
        assert len((await it.get("/api/audit")).json["entries"]) == before


async def test_nobody_without_a_key_gets_past_the_door(tmp_path):
    async with office(tmp_path) as it:
        answers = set()
        for method, path in [*ADMINISTERING, ("GET", "/api/me")]:
            for key in (None, "sk-gw-nonsense", "sk-admin-of-the-tests-0002"):
                reply = await it.as_(key).call(method, path)
                answers.add((reply.status, reply.error["message"]))
        assert len(answers) == 1
        assert answers.pop()[0] == 401


async def test_a_key_that_is_limited_to_routes_may_use_no_other(tmp_path):
    async with office(tmp_path) as it:
        given = {"name": "n", "role": "viewer", "routes": ["/api/me", "/api/keys/*"]}
        key = it.as_((await it.made("/api/keys", given))["key"])
        assert (await key.get("/api/me")).status == 200
        assert (await key.get("/api/keys/unknown")).status == 404
        for path in ("/api/keys", "/api/usage", "/v1/models", "/api/models"):
            assert (await key.get(path)).status == 403, path
        assert (await key.call("POST", "/api/chat", {"model": "demo/echo", "query": "x"})).status == 403


async def test_a_member_sees_its_own_rights_budgets_and_limits_and_no_others(tmp_path):
    async with office(tmp_path) as it:
        given = {
            "name": "n",
            "user_id": "alice",
            "application_id": "app",
            "models": ["demo/*"],
            "limits": {"concurrency": 3},
        }
        made = await it.made(
            "/api/keys", {**given, "budgets": [{"amount_usd": 1, "period": "day"}], "store_content": False}
        )
        scopes = [("everything", ""), ("user", "alice"), ("user", "bob"), ("application", "app"), ("application", "other"),
                  ("model", "demo/echo"), ("model", "*"), ("model", "openai/*"), ("key", "admin")]  # fmt: skip
        for kind, name in scopes:
            await it.made("/api/budgets", {"scope": {"kind": kind, "name": name}, "amount_usd": 2, "period": "total"})
        me = (await it.as_(made["key"]).get("/api/me")).json
        assert me["key_id"] == made["id"]
        assert {
            "role": "member",
            "name": "n",
            "user_id": "alice",
            "application_id": "app",
            "open_mode": False,
        }.items() <= me.items()
        assert (me["models"], me["routes"], me["store_content"], me["expires_at"]) == (["demo/*"], [], False, None)
        seen = {(one["scope"]["kind"], one["scope"]["name"]) for one in me["budgets"]}
        assert seen == {("key", made["id"]), ("everything", ""), ("user", "alice"), ("application", "app"),
                        ("model", "demo/echo"), ("model", "*")}  # fmt: skip
        assert [one["concurrency"] for one in me["limits"]] == [3]


async def test_in_open_mode_nobody_needs_a_key_and_the_log_says_so(tmp_path):
    async with office(tmp_path, admin_key=None) as it:
        me = (await it.as_(None).get("/api/me")).json
        assert (me["key_id"], me["role"], me["open_mode"], me["name"]) == ("", "admin", True, None)
        await it.as_(None).made("/api/keys", {"name": "n"})
        assert [entry["actor"] for entry in (await it.get("/api/audit")).json["entries"]] == ["open_mode"]


async def test_providers_are_shown_with_what_they_lack_and_never_with_their_keys(tmp_path):
    canary = "sk-canary-of-a-provider-1"
    async with office(
        tmp_path, OPENAI_API_KEY=canary, PROVIDERS_VIA_LITELLM="groq", OLLAMA_BASE_URL="http://10.0.0.5:11434/v1"
    ) as it:
        reply = await it.get("/api/providers")
        assert canary.encode() not in reply.body
        found = {row["name"]: row for row in reply.json["providers"]}
        assert {"configured": True, "callable": True, "reason": None, "via": "native", "key_set": True,
                "open_connections": 0}.items() <= found["openai"].items()  # fmt: skip
        assert {"configured": False, "callable": False, "via": "litellm", "key_set": False}.items() <= found[
            "groq"
        ].items()
        assert "GROQ_API_KEY" in found["groq"]["reason"]
        assert found["ollama"]["callable"]
        assert found["demo"]["via"] == "demo"
