"""The record of changes: complete, in order, without secrets, and for ever."""

import asyncio
import itertools
import sqlite3

import pytest
from office import office

pytestmark = pytest.mark.anyio


async def test_every_change_is_recorded_with_who_did_what_before_and_after(tmp_path):
    async with office(tmp_path) as it:
        boss = await it.made("/api/keys", {"name": "boss", "role": "admin"})
        as_boss = it.as_(boss["key"])
        made = await as_boss.made("/api/keys", {"name": "n", "budgets": [{"amount_usd": 0.1, "period": "day"}]})
        path = f"/api/keys/{made['id']}"
        await as_boss.patch(path, {"name": "m"})
        for action in ("block", "unblock", "rotate"):
            await as_boss.post(f"{path}/{action}")
        await as_boss.delete(path)
        entries = (await it.get("/api/audit")).json["entries"]
        assert [(e["actor"], e["action"], e["object_kind"]) for e in reversed(entries)] == [
            ("admin", "create", "key"),
            *((boss["id"], action, kind) for action, kind in [
                ("create", "key"), ("create", "budget"), ("change", "key"), ("block", "key"), ("unblock", "key"),
                ("rotate", "key"), ("delete", "key"), ("delete", "budget"),
            ]),
        ]  # fmt: skip
        (change,) = [entry for entry in entries if entry["action"] == "change"]
        assert (change["before"]["name"], change["after"]["name"], change["object_id"]) == ("n", "m", made["id"])
        assert entries[0]["after"] is None
        assert entries[0]["before"]["amount_nano_usd"] == 100_000_000


async def test_it_is_narrowed_and_read_a_page_at_a_time(tmp_path):
    async with office(tmp_path) as it:
        made = [await it.made("/api/keys", {"name": f"k{number}"}) for number in range(3)]
        await it.post(f"/api/keys/{made[0]['id']}/block")
        await it.made("/api/limits", {"scope": {"kind": "everything"}, "concurrency": 1})
        assert [e["action"] for e in (await it.get("/api/audit", object_id=made[0]["id"])).json["entries"]] == [
            "block",
            "create",
        ]
        assert len((await it.get("/api/audit", object_kind="limit")).json["entries"]) == 1
        assert (await it.get("/api/audit", actor="nobody")).json == {"entries": [], "next_cursor": None}
        first = (await it.get("/api/audit", limit=4)).json
        rest = (await it.get("/api/audit", limit=4, cursor=first["next_cursor"])).json
        assert (len(first["entries"]), len(rest["entries"]), rest["next_cursor"]) == (4, 1, None)
        ids = [entry["id"] for entry in first["entries"] + rest["entries"]]
        assert ids == sorted(ids, reverse=True)
        assert (await it.get("/api/audit", cursor="'--")).error["param"] == "cursor"


async def test_the_file_itself_refuses_to_change_or_delete_an_entry(tmp_path):
    async with office(tmp_path) as it:
        await it.made("/api/keys", {"name": "n"})
        with sqlite3.connect(tmp_path / "u.db") as connection:
            for statement in (
                "UPDATE audit SET actor = 'me'",
                "DELETE FROM audit",
                "INSERT OR REPLACE INTO audit SELECT * FROM audit",
            ):
                with pytest.raises(sqlite3.DatabaseError, match="append-only"):
                    connection.execute(statement)
        assert len((await it.get("/api/audit")).json["entries"]) == 1


async def test_changes_at_the_same_time_are_made_one_after_the_other_and_none_is_lost(tmp_path):
    async with office(tmp_path) as it:
        made = await it.made("/api/keys", {"name": "n"})
        fields = [
            {"user_id": "u"},
            {"application_id": "a"},
            {"max_tokens": 5},
            {"models": ["demo/*"]},
            {"store_content": False},
        ]
        replies = await asyncio.gather(*(it.patch(f"/api/keys/{made['id']}", one) for one in fields))
        assert {reply.status for reply in replies} == {200}
        key = (await it.get(f"/api/keys/{made['id']}")).json
        assert {name: key[name] for one in fields for name in one} == {
            name: value for one in fields for name, value in one.items()
        }
        changes = [e for e in (await it.get("/api/audit")).json["entries"] if e["action"] == "change"]
        for newer, older in itertools.pairwise(changes):
            assert newer["before"] == older["after"]
