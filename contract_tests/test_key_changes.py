"""Virtual keys that change while they are in use: in force within a second, open streams included."""

import asyncio
import dataclasses
import json
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from administrator import ADMIN_KEY, Administrator, TestKey, bearer
from figures import record
from load import Load
from prompts import ROUTES, body, new_marker, prompt
from rawhttp import Client, Reply, connect, post, request_bytes
from spending import rows_of
from stack import ApiService, Mock, get_json, post_json, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

API_ENVIRONMENT = {"GATEWAY_ADMIN_KEY": ADMIN_KEY}
IN_FORCE_S = 1.0
EXPIRES_IN_S = 1.5
CARRIERS = ("authorization", "x-api-key", "x-goog-api-key")
LONG = {"tokens": 2000, "delay_ms": 15}


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


@dataclasses.dataclass(frozen=True)
class Change:
    """What an administrator does to a key, after how many seconds it is in force, and what its calls get then."""

    fields: dict[str, Any]
    status: int
    after_s: float = 0.0
    deed: str = ""

    def make(self, admin: Administrator, key: TestKey) -> float:
        """Do it; gives the moment from which it holds."""
        if self.deed:
            getattr(admin, self.deed)(key)
            return time.time()
        fields = {"expires_at": soon(self.after_s)} if self.after_s else self.fields
        began = time.time()
        admin.change_key(key, **fields)
        return began + self.after_s if self.after_s else time.time()

    @property
    def code(self) -> str:
        return "unauthenticated" if self.status == 401 else "not_allowed"


CHANGES = {
    "blocked": Change({}, 401, deed="block"),
    "deleted": Change({}, 401, deed="delete_key"),
    "expired": Change({}, 401, after_s=EXPIRES_IN_S),
    "other models": Change({"models": ["anthropic/*", "openai/gpt-4o-mini"]}, 403),
    "other routes": Change({"routes": ["/api/models", "/api/stats"]}, 403),
    "reads only": Change({"role": "viewer"}, 403),
}


@pytest.fixture
def admin(api: ApiService) -> Administrator:
    return Administrator(api)


async def opened(port: int, key: TestKey, route: str, marker: str, **script: float) -> Client:
    """A stream of which some words have come."""
    asked = body(route, prompt(marker, 5, **script), stream=True)
    client, reply = await post(port, ROUTES[route], asked, key.headers)
    assert reply.status == 200
    for _ in range(3):
        assert await client.event() is not None
    return client


async def last_words(client: Client) -> dict[str, Any]:
    """Read to the proper end; the last event."""
    last = b""
    while (event := await client.event()) is not None:
        last = event
    found: dict[str, Any] = json.loads(last) if last != b"[DONE]" else {"done": True}
    return found


async def waiting_call(port: int, key: TestKey, route: str, marker: str) -> Client:
    """A plain call that the provider does not answer yet."""
    client = await connect(port)
    asked = body(route, prompt(marker, 5, first_ms=20_000), stream=False)
    await client.send(request_bytes(ROUTES[route], asked, key.headers))
    return client


@pytest.mark.parametrize("route", sorted(ROUTES))
@pytest.mark.parametrize("name", CHANGES)
async def test_what_runs_under_a_key_that_may_not_go_on_ends_within_a_second(
    api: ApiService, mock: Mock, admin: Administrator, name: str, route: str
) -> None:
    change, key, other = CHANGES[name], admin.key(), admin.key()
    markers = {part: new_marker() for part in ("stream", "plain", "other")}
    budget = admin.budget("model", "openai/gpt-4o", 10**14)
    stream = await opened(api.port, key, route, markers["stream"], **LONG)
    unconcerned = await opened(api.port, other, route, markers["other"], tokens=150, delay_ms=15)
    plain = await waiting_call(api.port, key, route, markers["plain"])
    wait_until(lambda: mock.calls(markers["plain"]), what="the plain call to be sent")
    since = await asyncio.to_thread(change.make, admin, key)
    told = await asyncio.wait_for(last_words(stream), change.after_s + IN_FORCE_S)
    assert told["error"]["code"] == change.code, told
    reply = await plain.head(change.after_s + IN_FORCE_S)
    refused = json.loads(await plain.read_all())
    took = time.time() - since
    assert took <= IN_FORCE_S
    assert (reply.status, refused["error"]["code"]) == (change.status, change.code)
    for part in ("stream", "plain"):
        check_ended(api, mock, markers[part], since, change)
    assert (await last_words(unconcerned)).keys() & {"done", "metadata"}, "another key's stream was ended"
    assert [row["outcome"] for row in rows_of(api, other.id)] == [1]
    assert admin.standing(budget)["held_nano_usd"] == 0
    admin.drop_budget(budget)
    for client in (stream, plain, unconcerned):
        await client.leave("fin")
    assert call(api, key.headers)[0] == change.status
    assert call(api, other.headers)[0] == 200


def check_ended(api: ApiService, mock: Mock, marker: str, since: float, change: Change) -> None:
    """The provider was hung up on, and what it had served until then is on record."""
    served = mock.ended_call(marker)
    assert served["how"] in {"peer_fin", "peer_rst"}, served
    assert served["ended_at"] - since <= IN_FORCE_S
    entry = wait_until(lambda: api.rows("SELECT * FROM requests WHERE id = ?", served["ids"]["x-request-id"]))[0]
    assert (entry["outcome"], entry["http_status"]) == ("failed", change.status)
    assert entry["cost_source"] == "estimated"
    assert entry["cost_nano_usd"] > 0
    assert abs(entry["completion_tokens"] - served["tokens_sent"]) <= max(5, 0.25 * served["tokens_sent"])
    ledger = api.rows("SELECT * FROM ledger WHERE request_id = ?", bytes.fromhex(entry["id"].replace("-", "")))
    assert [(row["error_code"], row["estimated"]) for row in ledger] == [(change.code, 1)]


def call(api: ApiService, headers: dict[str, str], model: str = "demo/echo") -> tuple[int, dict[str, Any]]:
    status, answer = post_json(
        f"{api.url}/v1/chat/completions", body("openai", "hi", stream=False, model=model), headers
    )
    return status, answer


async def test_a_block_during_load_stops_one_key_and_no_other(
    api: ApiService, mock: Mock, admin: Administrator
) -> None:
    blocked, other = admin.key(), admin.key()
    loads = [Load(api.port, workers=8, delay_ms=3, key=key.secret) for key in (blocked, other)]
    for load in loads:
        load.start()
    await asyncio.sleep(1.0)
    await asyncio.to_thread(admin.block, blocked)
    since = time.time()
    acknowledged = len(loads[1].acknowledged)
    await asyncio.sleep(1.5)
    refused = list(loads[0].refused)
    await asyncio.to_thread(admin.unblock, blocked)
    again = len(loads[0].acknowledged)
    await asyncio.sleep(IN_FORCE_S)
    for load in loads:
        await load.stop()
    assert set(refused) == {401}
    assert loads[1].refused == []
    assert loads[1].broken == 0
    assert len(loads[1].acknowledged) > acknowledged
    assert len(loads[0].acknowledged) > again
    late = [
        row for row in rows_of(api, blocked.id) if since * 1000 + 50 < row["admitted_at_ms"] < (since + 1.5) * 1000 - 50
    ]
    assert late == [], "a blocked key was admitted"
    wait_until(lambda: api.open_holds() == 0, what="the end of all holds")
    assert api.gateway("doctor", "--audit").returncode == 0


def test_rotating_keeps_the_key_and_the_old_secret_for_its_grace_only(api: ApiService, admin: Administrator) -> None:
    old = admin.key(user_id="ada")
    new = admin.rotate(old, grace_s=2)
    rotated_at = time.monotonic()
    assert new.id == old.id
    assert new.secret != old.secret
    assert [call(api, key.headers)[0] for key in (old, new)] == [200, 200]
    wait_until(lambda: get_json(f"{api.url}/api/me", old.headers)[0] == 401, 4, "the end of the grace")
    assert time.monotonic() - rotated_at >= 1.9
    assert call(api, old.headers)[0] == 401
    assert call(api, new.headers)[0] == 200
    newest = admin.rotate(new)
    assert [call(api, key.headers)[0] for key in (old, new, newest)] == [401, 401, 200]
    assert {row["key_id"] for row in api.rows("SELECT key_id FROM requests WHERE user_id = 'ada'")} == {old.id}


def test_a_key_that_is_unblocked_or_given_its_rights_back_works_at_once(api: ApiService, admin: Administrator) -> None:
    key = admin.key(models=["demo/*"])
    assert call(api, key.headers, "gpt-4o")[0] == 403
    admin.change_key(key, models=[])
    assert call(api, key.headers, "gpt-4o")[0] == 200
    admin.block(key)
    assert call(api, key.headers)[0] == 401
    admin.unblock(key)
    assert call(api, key.headers)[0] == 200


async def test_the_rotated_secret_of_an_open_stream_is_no_reason_to_end_it(
    api: ApiService, admin: Administrator
) -> None:
    """The key is the same and may go on; whoever wants its streams ended blocks it."""
    key = admin.key()
    client = await opened(api.port, key, "openai", new_marker(), tokens=100, delay_ms=15)
    await asyncio.to_thread(admin.rotate, key)
    assert await last_words(client) == {"done": True}
    await client.leave("fin")
    assert call(api, key.headers)[0] == 401


def strangers(admin: Administrator) -> dict[str, str]:
    """Secrets that open nothing, each for another reason."""
    good, blocked, deleted, expired = (admin.key() for _ in range(4))
    rotated = admin.rotate(good)
    admin.block(blocked)
    admin.delete_key(deleted)
    admin.change_key(expired, expires_at=soon(0.3))
    time.sleep(0.4)
    head, last = rotated.secret[:-1], rotated.secret[-1]
    return {
        "unknown": "sk-gw-0123456789abcdef-" + "A" * 43,
        "malformed": "sk-gw-0123456789abcdef",
        "not ours": "sk-proj-" + "B" * 48,
        "wrong secret": head + ("A" if last != "A" else "B"),
        "replaced": good.secret,
        "blocked": blocked.secret,
        "deleted": deleted.secret,
        "expired": expired.secret,
        "short": "x",
    }


async def ask(client: Client, path: str, headers: dict[str, str]) -> tuple[Reply, bytes, float]:
    data = request_bytes(path, body("openai", "hi", stream=False), headers) if "chat" in path else None
    began = time.perf_counter()
    await client.send(data or request_bytes(path, b"", headers, method="GET"))
    reply = await client.head()
    return reply, await client.read_all(), time.perf_counter() - began


async def test_all_refusals_of_a_key_are_byte_for_byte_alike(api: ApiService, admin: Administrator) -> None:
    seen = set()
    for path in ("/api/models", "/v1/chat/completions", "/api/chat", "/api/keys", "/api/requests"):
        for secret in strangers(admin).values():
            for carrier in CARRIERS:
                headers = {carrier: f"Bearer {secret}" if carrier == "authorization" else secret}
                client = await connect(api.port)
                reply, data, _ = await ask(client, path, headers)
                await client.leave("fin")
                request_id = reply.headers.pop("x-request-id")
                assert data.count(request_id.encode()) == 1
                reply.headers.pop("date", None)
                seen.add((reply.status, data.replace(request_id.encode(), b""), tuple(sorted(reply.headers.items()))))
    assert len(seen) == 1, seen
    assert seen.pop()[0] == 401


async def test_refusals_take_the_same_time_whatever_is_wrong(api: ApiService, admin: Administrator) -> None:
    """Asked in turn over one connection, so that the machine's moods hit all alike."""
    times: dict[str, list[float]] = {}
    client, secrets = await connect(api.port), strangers(admin)
    for _ in range(300):
        for name, secret in secrets.items():
            reply, _, took = await ask(client, "/api/models", bearer(secret))
            assert reply.status == 401
            times.setdefault(name, []).append(took)
    await client.leave("fin")
    medians = {name: statistics.median(took) * 1e6 for name, took in times.items()}
    assert max(medians.values()) - min(medians.values()) <= max(150, 0.5 * min(medians.values())), medians
    record("m rights, refusals", median_us=f"{min(medians.values()):.0f} to {max(medians.values()):.0f}")


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_key_opens_the_same_with_every_carrier(api: ApiService, admin: Administrator, carrier: str) -> None:
    key = admin.key(user_id="carried", models=["demo/echo"])
    headers = {carrier: f"Bearer {key.secret}" if carrier == "authorization" else key.secret}
    assert call(api, headers)[0] == 200
    assert call(api, headers, "gpt-4o")[0] == 403
    assert get_json(f"{api.url}/api/me", headers)[1]["key_id"] == key.id
    assert get_json(f"{api.url}/api/keys", headers)[0] == 403
    listed = get_json(f"{api.url}/api/requests", headers)[1]["requests"]
    assert {row["user_id"] for row in listed} == {"carried"}


def test_nothing_is_left_behind(api: ApiService) -> None:
    """Last in this file."""
    wait_until(lambda: api.open_holds() == 0, what="the end of all holds")
    assert "Traceback" not in api.log
    assert api.gateway("doctor", "--audit").returncode == 0
