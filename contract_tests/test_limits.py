"""Rate limits under real concurrency: exactly what is allowed passes, and the 429 says when more may."""

import asyncio
import json
import time
from collections import Counter
from typing import Any

import pytest

from administrator import ADMIN_KEY, Administrator, TestKey
from figures import record
from prompts import ROUTES, body, new_marker, prompt
from racing import Racer, race, racers
from rawhttp import Client, connect, request_bytes
from spending import MAX_TOKENS, rows_of, sized_call
from stack import ApiService, Mock, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

API_ENVIRONMENT = {"GATEWAY_ADMIN_KEY": ADMIN_KEY}
RACERS = 120
FIRST_MS = 3_000  # long enough for everybody to be told while nobody has been answered
SCOPES = ("key", "user", "application", "model", "everything")
FREED_S = 1.0
WINDOW_S = 60


@pytest.fixture(scope="module")
def admin(api: ApiService) -> Administrator:
    return Administrator(api)


def limited(admin: Administrator, scope: str, **most: int) -> tuple[list[TestKey], str]:
    """Keys that share one limit."""
    user, application = new_marker(), new_marker()
    keys = [admin.key(user_id=user, application_id=application) for _ in range(1 if scope == "key" else 3)]
    names = {"key": keys[0].id, "user": user, "application": application, "model": "openai/gpt-4o*", "everything": ""}
    return keys, admin.limit(scope, names[scope], **most)


def check_refusal(racer: Racer, limit_id: str, kind: str, most: int) -> None:
    """The 429 names the limit and says when to try again."""
    assert (racer.status, racer.error["code"], racer.error["type"]) == (429, "rate_limited", "rate_limit_error")
    told = racer.error["details"]["limit"]
    assert (told["id"], told["kind"], told["limit"]) == (limit_id, kind, most)
    assert told["remaining"] < most
    assert 1 <= told["retry_after_s"] <= WINDOW_S + 1
    assert int(racer.headers["retry-after"]) == told["retry_after_s"]


async def ask(api: ApiService, key: TestKey, **script: float) -> Racer:
    """One plain call to its end."""
    racer = Racer(key, "openai", stream=False, script=script)
    await racer.run(await connect(api.port))
    return racer


async def test_exactly_so_many_requests_a_minute_pass(api: ApiService, mock: Mock, admin: Administrator) -> None:
    for scope in SCOPES:
        keys, limit_id = limited(admin, scope, requests_per_minute=17)
        everybody = racers(keys, RACERS, first_ms=20)
        await race(api.port, everybody)
        admin.drop_limit(limit_id)
        passed = [racer for racer in everybody if racer.status == 200]
        assert Counter(racer.status for racer in everybody) == {200: 17, 429: RACERS - 17}, scope
        assert {racer.headers["x-ratelimit-limit-requests"] for racer in everybody} == {"17"}
        assert sum(racer.whole for racer in passed) == 17
        for racer in everybody:
            if racer.status == 429:
                check_refusal(racer, limit_id, "requests_per_minute", 17)
                assert racer.headers["x-ratelimit-remaining-requests"] == "0"
        called = {call["marker"] for call in mock.calls()} & {racer.marker for racer in everybody}
        assert called == {racer.marker for racer in passed}
        assert sum(len(rows_of(api, key.id)) for key in keys) == 17


async def test_the_headers_count_down(api: ApiService, admin: Administrator) -> None:
    keys, limit_id = limited(admin, "key", requests_per_minute=9, tokens_per_minute=10**6)
    shown = [(await ask(api, keys[0])).headers for _ in range(9)]
    assert [int(headers["x-ratelimit-remaining-requests"]) for headers in shown] == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    for headers in shown:
        assert headers["x-ratelimit-limit-requests"] == "9"
        assert headers["x-ratelimit-limit-tokens"] == "1000000"
        assert 1 <= int(headers["x-ratelimit-reset-requests"].removesuffix("s")) <= WINDOW_S + 1
    admin.drop_limit(limit_id)


async def test_what_one_limit_refuses_another_does_not_count(api: ApiService, admin: Administrator) -> None:
    keys, wide = limited(admin, "user", requests_per_minute=100)
    narrow = admin.limit("key", keys[0].id, requests_per_minute=5)
    everybody = racers(keys[:1], 40)
    await race(api.port, everybody)
    assert Counter(racer.status for racer in everybody) == {200: 5, 429: 35}
    assert {racer.error["details"]["limit"]["id"] for racer in everybody if racer.error} == {narrow}
    assert (await ask(api, keys[1])).headers["x-ratelimit-remaining-requests"] == "94"
    admin.drop_limit(wide)
    admin.drop_limit(narrow)


@pytest.mark.parametrize("scope", SCOPES)
async def test_exactly_so_many_run_at_once(api: ApiService, admin: Administrator, scope: str) -> None:
    keys, limit_id = limited(admin, scope, concurrency=7)
    for _ in range(2):
        everybody = racers(keys, RACERS, first_ms=FIRST_MS)
        await race(api.port, everybody)
        others = [racer for racer in everybody if racer.status != 200]
        assert max(racer.answered_at for racer in others) - min(racer.answered_at for racer in others) < FIRST_MS / 1000
        assert Counter(racer.status for racer in everybody) == {200: 7, 429: RACERS - 7}
        for racer in others:
            check_refusal(racer, limit_id, "concurrency", 7)
    admin.drop_limit(limit_id)


async def test_one_after_the_other_nobody_is_refused(api: ApiService, admin: Administrator) -> None:
    """Whoever has the end of its answer has given its place back already."""
    keys, limit_id = limited(admin, "key", concurrency=1)
    for number in range(60):
        racer = racers(keys, 4)[number % 4]
        await racer.run(await connect(api.port))
        assert racer.status == 200, (number, racer.error)
    admin.drop_limit(limit_id)


async def stream(api: ApiService, key: TestKey, **script: float) -> Client:
    """A stream of which the first words have come."""
    client = await connect(api.port)
    call = sized_call("openai", new_marker(), stream=True, **script)
    await client.send(request_bytes(ROUTES["openai"], call, key.headers))
    assert (await client.head()).status == 200
    return client


async def test_a_stream_keeps_its_place_until_it_ends(api: ApiService, admin: Administrator) -> None:
    keys, limit_id = limited(admin, "key", concurrency=1)
    client = await stream(api, keys[0], tokens=90, delay_ms=20)
    for _ in range(5):
        await asyncio.sleep(0.1)
        assert (await ask(api, keys[0])).status == 429
    assert (await client.read_all()).endswith(b"[DONE]\n\n")
    assert (await ask(api, keys[0])).status == 200
    await client.leave("fin")
    admin.drop_limit(limit_id)


@pytest.mark.parametrize("how", ["rst", "fin"])
async def test_a_client_that_hangs_up_gives_its_place_back_within_a_second(
    api: ApiService, admin: Administrator, how: str
) -> None:
    keys, limit_id = limited(admin, "key", concurrency=1)
    client = await stream(api, keys[0], tokens=90, delay_ms=100)
    assert (await ask(api, keys[0])).status == 429
    left_at = time.monotonic()
    await client.leave(how)
    while (await ask(api, keys[0])).status != 200:
        assert time.monotonic() - left_at < FREED_S
    admin.drop_limit(limit_id)


@pytest.mark.parametrize("fault", ["500", "reset-mid", "invalid-json", "401"])
async def test_a_call_that_fails_gives_its_place_back(api: ApiService, admin: Administrator, fault: str) -> None:
    keys, limit_id = limited(admin, "key", concurrency=2)
    for _ in range(4):
        everybody = racers(keys, 2, fault=fault)  # type: ignore[arg-type]  # a name
        await race(api.port, everybody)
        assert all(racer.status != 429 or racer.error["code"] != "rate_limited" for racer in everybody)
    assert (await ask(api, keys[0])).status == 200
    admin.drop_limit(limit_id)


async def tokens_of(api: ApiService, admin: Administrator) -> tuple[int, int]:
    """What one such call counts as when it is admitted, and what it has used in the end."""
    key = admin.key()
    limit_id = admin.limit("key", key.id, tokens_per_minute=10**6)
    racer = Racer(key, "openai", stream=True, script={"tokens": 7}, marker="m-0123456789abcdef")
    await racer.run(await connect(api.port))
    admin.drop_limit(limit_id)
    (row,) = rows_of(api, key.id)
    estimate = 10**6 - int(racer.headers["x-ratelimit-remaining-tokens"])
    assert estimate >= MAX_TOKENS
    return estimate, row["input_tokens"] + row["output_tokens"]


async def test_exactly_so_many_tokens_a_minute_pass_by_their_estimate(api: ApiService, admin: Administrator) -> None:
    """Nobody has settled yet when the last one is told: only the estimates count."""
    estimate, _ = await tokens_of(api, admin)
    most = 8 * estimate + estimate - 1
    keys, limit_id = limited(admin, "user", tokens_per_minute=most)
    everybody = [Racer(keys[n % 3], "openai", stream=True, script={"first_ms": FIRST_MS}) for n in range(60)]
    await race(api.port, everybody)
    passed = [racer for racer in everybody if racer.status == 200]
    assert len(passed) == 8
    for racer in everybody:
        if racer.status != 200:
            check_refusal(racer, limit_id, "tokens_per_minute", most)
            assert racer.error["details"]["limit"]["remaining"] < estimate
    admin.drop_limit(limit_id)


async def test_the_truth_takes_the_place_of_the_estimate(api: ApiService, admin: Administrator) -> None:
    """To the token: so many settled calls fit that by their estimates would not."""
    estimate, used = await tokens_of(api, admin)
    assert used < estimate
    calls = 10
    most = (calls - 1) * used + estimate
    key = admin.key()
    limit_id = admin.limit("key", key.id, tokens_per_minute=most)
    for number in range(calls):
        racer = Racer(key, "openai", stream=True, script={"tokens": 7}, marker="m-0123456789abcdef")
        await racer.run(await connect(api.port))
        assert racer.status == 200, (number, racer.error)
        assert int(racer.headers["x-ratelimit-remaining-tokens"]) == most - number * used - estimate
    racer = Racer(key, "openai", stream=True, script={"tokens": 7}, marker="m-0123456789abcdef")
    await racer.run(await connect(api.port))
    assert racer.status == 429
    assert racer.error["details"]["limit"]["remaining"] == estimate - used
    admin.drop_limit(limit_id)


async def test_what_can_never_pass_is_told_so(api: ApiService, admin: Administrator) -> None:
    keys, limit_id = limited(admin, "key", tokens_per_minute=MAX_TOKENS)
    racer = await ask(api, keys[0])
    assert (racer.status, racer.error["details"]["limit"]["retry_after_s"]) == (429, None)
    assert "retry-after" not in racer.headers
    assert "cannot pass" in racer.error["message"]
    admin.drop_limit(limit_id)


async def test_a_changed_limit_holds_at_once(api: ApiService, admin: Administrator) -> None:
    keys, limit_id = limited(admin, "key", requests_per_minute=2)
    assert [(await ask(api, keys[0])).status for _ in range(3)] == [200, 200, 429]
    admin.send("PATCH", f"/api/limits/{limit_id}", {"requests_per_minute": 4})
    assert [(await ask(api, keys[0])).status for _ in range(3)] == [200, 200, 429]
    admin.send("PATCH", f"/api/limits/{limit_id}", {"requests_per_minute": None, "concurrency": 1})
    assert [(await ask(api, keys[0])).status for _ in range(3)] == [200, 200, 200]
    admin.drop_limit(limit_id)


async def test_refusals_are_counted_but_are_no_requests(api: ApiService, admin: Administrator) -> None:
    keys, limit_id = limited(admin, "key", requests_per_minute=1)
    statuses = [(await ask(api, keys[0])).status for _ in range(5)]
    assert statuses == [200, 429, 429, 429, 429]
    assert len(rows_of(api, keys[0].id)) == 1

    def counted() -> list[dict[str, Any]]:
        found = admin.send("GET", f"/api/usage?key_id={keys[0].id}")
        assert found["totals"]["requests"] == 1
        return list(found["refusals"])

    wait_until(lambda: counted() == [{"code": "rate_limited", "count": 4}], 3, "the count of refusals")
    admin.drop_limit(limit_id)


# Retry-after: asked for at the start of this file, held to at its end.


@pytest.fixture(scope="module", autouse=True)
def exhausted(api: ApiService, admin: Administrator) -> dict[str, tuple[TestKey, float]]:
    """Keys that have used up a limit, and when they were told to come back."""
    found = {}
    for kind in ("requests_per_minute", "tokens_per_minute"):
        key = admin.key()
        admin.limit("key", key.id, **{kind: 3 if kind == "requests_per_minute" else 400})
        while (refused := asyncio.run(ask(api, key, tokens=90))).status == 200:
            pass
        found[kind] = (key, time.monotonic() + int(refused.headers["retry-after"]))
    return found


async def test_retry_after_is_the_truth(
    api: ApiService, admin: Administrator, exhausted: dict[str, tuple[TestKey, float]]
) -> None:
    """Last but one in this file. Not a second too long, and whoever comes then is served."""
    early = min(at for _, at in exhausted.values()) - 2.5
    await asyncio.sleep(max(0.0, early - time.monotonic()))
    for kind, (key, _) in exhausted.items():
        assert (await ask(api, key, tokens=90)).status == 429, kind
    for kind, (key, at) in sorted(exhausted.items(), key=lambda item: item[1][1]):
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        assert (await ask(api, key, tokens=90)).status == 200, kind
    record("rate limits", admitted_at_once="exactly the limit", retry_after="true to 2.5 s")


def test_nothing_is_left_behind(api: ApiService, admin: Administrator) -> None:
    """Last in this file."""
    wait_until(lambda: api.open_holds() == 0, what="the end of all holds")
    assert "Traceback" not in api.log
    answer = admin.send("POST", "/v1/chat/completions", body("openai", prompt(new_marker()), stream=False))
    assert json.dumps(answer)
