"""Virtual keys over their routes: from the first secret to the last."""

import sqlite3

import pytest
from money import ask
from office import office

pytestmark = pytest.mark.anyio


def stored(folder):
    """Every byte that is on disk."""
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.name.startswith("u.db"))


async def test_a_new_key_opens_at_once_and_its_secret_is_shown_this_once(tmp_path):
    async with office(tmp_path) as it:
        reply = await it.post("/api/keys", {"name": "ci", "user_id": "alice", "application_id": "app"})
        assert reply.headers["cache-control"] == "no-store"
        made = reply.json
        assert made["key"].startswith(f"sk-gw-{made['id']}-")
        assert (await ask(it.gateway, made["key"])).status == 200
        shown = (await it.get(f"/api/keys/{made['id']}")).json
        assert shown == {name: value for name, value in made.items() if name != "key"}
        assert (await it.get("/api/keys")).json == {"keys": [shown], "next_cursor": None}
        assert {"role": "member", "state": "open", "models": [], "store_content": True}.items() <= shown.items()


async def test_no_secret_and_no_digest_is_in_the_file_the_audit_log_or_any_answer(tmp_path):
    async with office(tmp_path) as it:
        made = await it.made("/api/keys", {"name": "ci"})
        rotated = await it.made(f"/api/keys/{made['id']}/rotate", {"grace_s": 60})
        (digest, _), _ = it.gateway._keys.get(made["id"]).digests
        answers = b"".join([
            (await it.get("/api/keys")).body, (await it.get("/api/audit")).body, (await it.get(f"/api/keys/{made['id']}")).body
        ])  # fmt: skip
        for secret in (made["key"], rotated["key"], made["key"][-43:], rotated["key"][-43:]):
            assert secret.encode() not in answers
            assert secret.encode() not in stored(tmp_path)
        assert digest.encode() not in answers
        with sqlite3.connect(tmp_path / "u.db") as connection:
            assert digest not in str(connection.execute("SELECT * FROM audit").fetchall())


async def test_no_secret_is_in_the_log_whatever_is_done_with_it(tmp_path, caplog, capfd):
    with caplog.at_level("DEBUG"):
        async with office(tmp_path, LOG_LEVEL="debug") as it:
            made = await it.made("/api/keys", {"name": "ci"})
            rotated = await it.made(f"/api/keys/{made['id']}/rotate", None)
            for key in (made["key"], rotated["key"], rotated["key"][:-1] + "x"):
                await ask(it.gateway, key)
                await it.as_(key).get("/api/me")
                await it.as_(key).post("/api/keys", {"name": key[:20], "key": key})
    written = caplog.text + "".join(capfd.readouterr())
    for secret in (made["key"], rotated["key"]):
        assert secret[-40:] not in written


async def test_what_is_changed_stays_changed_and_the_rest_as_it_was(tmp_path):
    given = {
        "name": "ci", "role": "member", "user_id": "alice", "application_id": "app", "models": ["demo/*"], "routes": ["/v1/*"],
        "may_label_users": True, "may_label_applications": True, "default_max_tokens": 10, "max_tokens": 20,
        "max_cost_per_request_usd": 0.1, "store_content": False, "expires_at": "2100-01-01T00:00:00Z",
    }  # fmt: skip
    async with office(tmp_path) as it:
        made = await it.made("/api/keys", given)
        changed = (await it.patch(f"/api/keys/{made['id']}", {"max_tokens": None, "models": ["demo/echo"]})).json
        for name, value in {**given, "max_tokens": None, "models": ["demo/echo"]}.items():
            assert changed[name] == (value if name != "expires_at" else "2100-01-01T00:00:00.000Z"), name
        assert changed["max_cost_per_request_nano_usd"] == 100_000_000
    async with office(tmp_path) as it:
        assert (await it.get(f"/api/keys/{made['id']}")).json == changed


async def test_a_blocked_key_opens_nothing_until_it_is_unblocked(tmp_path):
    async with office(tmp_path) as it:
        made = await it.made("/api/keys", {"name": "ci"})
        assert (await it.made(f"/api/keys/{made['id']}/block", None))["state"] == "blocked"
        assert (await ask(it.gateway, made["key"])).status == 401
        assert (await it.made(f"/api/keys/{made['id']}/unblock", {}))["state"] == "open"
        assert (await ask(it.gateway, made["key"])).status == 200


async def test_rotation_ends_the_old_secret_at_once_or_after_its_grace(tmp_path):
    async with office(tmp_path) as it:
        made = await it.made("/api/keys", {"name": "ci"})
        graced = await it.made(f"/api/keys/{made['id']}/rotate", {"grace_s": 3600})
        assert graced["old_secret_until"] is not None
        assert [(await ask(it.gateway, key)).status for key in (made["key"], graced["key"])] == [200, 200]
        strict = await it.made(f"/api/keys/{made['id']}/rotate", None)
        assert strict["old_secret_until"] is None
        keys = (made["key"], graced["key"], strict["key"])
        assert [(await ask(it.gateway, key)).status for key in keys] == [401, 401, 200]


async def test_a_deleted_key_takes_its_budgets_and_limits_with_it(tmp_path):
    async with office(tmp_path) as it:
        budget = {"amount_usd": 5, "period": "month"}
        made = await it.made("/api/keys", {"name": "ci", "budgets": [budget], "limits": {"concurrency": 2}})
        assert [one["amount_usd"] for one in made["budgets"]] == [5]
        assert [one["concurrency"] for one in made["limits"]] == [2]
        other = await it.made("/api/budgets", {"scope": {"kind": "user", "name": made["id"]}, **budget})
        assert (await it.delete(f"/api/keys/{made['id']}")).json == {"id": made["id"], "deleted": True}
        assert (await ask(it.gateway, made["key"])).status == 401
        assert (await it.get(f"/api/keys/{made['id']}")).status == 404
        assert (await it.delete(f"/api/keys/{made['id']}")).status == 404
        assert [one["id"] for one in (await it.get("/api/budgets")).json["budgets"]] == [other["id"]]
        assert (await it.get("/api/limits")).json["limits"] == []


async def test_keys_are_listed_a_page_at_a_time(tmp_path):
    async with office(tmp_path) as it:
        ids = [(await it.made("/api/keys", {"name": f"k{number}"}))["id"] for number in range(5)]
        found, cursor = [], {}
        while True:
            page = (await it.get("/api/keys", limit=2, **cursor)).json
            found += [key["id"] for key in page["keys"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert sorted(found) == sorted(ids)
        assert len(found) == len(ids)
        assert (await it.get("/api/keys", cursor="x")).error["param"] == "cursor"
        assert (await it.get("/api/keys", colour="x")).error["param"] == "colour"


async def test_an_expiry_may_be_set_and_taken_away(tmp_path):
    async with office(tmp_path) as it:
        made = await it.made("/api/keys", {"name": "ci", "expires_at": "2100-01-01"})
        past = await it.patch(f"/api/keys/{made['id']}", {"expires_at": "2020-01-01T00:00:00Z"})
        assert (past.status, past.error["param"]) == (400, "expires_at")
        assert (await it.patch(f"/api/keys/{made['id']}", {"expires_at": None})).json["expires_at"] is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "name"), ({"name": ""}, "name"), ({"name": "a\nb"}, "name"), ({"name": "x" * 257}, "name"), ({"name": 1}, "name"),
        ({"name": "n", "role": "root"}, "role"), ({"name": "n", "user_id": ""}, "user_id"),
        ({"name": "n", "models": "openai/*"}, "models"), ({"name": "n", "models": ["a", "\x00"]}, "models[1]"),
        ({"name": "n", "routes": ["v1"]}, "routes[0]"), ({"name": "n", "max_tokens": 0}, "max_tokens"),
        ({"name": "n", "max_tokens": 5, "default_max_tokens": 6}, "default_max_tokens"),
        ({"name": "n", "max_cost_per_request_usd": 0}, "max_cost_per_request_usd"),
        ({"name": "n", "expires_at": "tomorrow"}, "expires_at"), ({"name": "n", "expires_at": "2020-01-01"}, "expires_at"),
        ({"name": "n", "role": "admin", "models": ["openai/*"]}, "role"),
        ({"name": "n", "budgets": [{"amount_usd": 1, "period": "year"}]}, "budgets[0].period"),
        ({"name": "n", "budgets": [{"amount_usd": -1, "period": "day"}]}, "budgets[0].amount_usd"),
        ({"name": "n", "limits": {}}, "limits.requests_per_minute"),
        ({"name": "n", "limits": {"concurrency": 0}}, "limits.concurrency"),
        ({"name": "n", "id": "0" * 16}, "id"), ({"name": "n", "digests": []}, "digests"),
        ({"name": "n", "blocked": True}, "blocked"),
        ({"name": "n", "key": "sk-gw-mine"}, "key"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_by_name_and_nothing_is_made(tmp_path, fields, param):
    async with office(tmp_path) as it:
        reply = await it.post("/api/keys", fields)
        assert (reply.status, reply.error["code"], reply.error["param"]) == (400, "invalid_request", param)
        assert reply.error["message"].startswith(f"{param}: ")
        assert (await it.get("/api/keys")).json["keys"] == []
        assert (await it.get("/api/audit")).json["entries"] == []


async def test_bodies_are_json_of_a_bounded_size(tmp_path):
    async with office(tmp_path, MAX_BODY_BYTES="2000") as it:
        assert (await it.post("/api/keys", b"{")).status == 400
        assert (await it.post("/api/keys")).status == 415
        assert (await it.post("/api/keys", {"name": "x" * 3000})).status == 413
        made = await it.made("/api/keys", {"name": "n"})
        assert (await it.post(f"/api/keys/{made['id']}/block", {"why": "x"})).error["param"] == "why"
        assert (await it.post(f"/api/keys/{made['id']}/rotate", {"grace_s": -1})).error["param"] == "grace_s"
