"""`Idempotency-Key`: a repetition gets the first answer again, and is billed once."""

import asyncio
import contextlib
import dataclasses
import json
import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from administrator import ADMIN_KEY, Administrator, TestKey, bearer
from prompts import ROUTES, body, new_marker, prompt
from rawhttp import Broken, Client, Reply, connect, request_bytes
from spending import ledger_nano_usd
from stack import ApiService, Mock, running_api, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

API_ENVIRONMENT = {"GATEWAY_ADMIN_KEY": ADMIN_KEY}
FORMS = [pytest.param(route, stream, id=f"{route}-{stream}") for route in ROUTES for stream in (False, True)]
DAY_MS = 86_400_000


@dataclasses.dataclass
class Answer:
    """A whole reply."""

    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def replayed(self) -> bool:
        return self.headers.get("idempotent-replayed") == "true"

    @property
    def request_id(self) -> str:
        return self.headers["x-request-id"]

    @property
    def code(self) -> str:
        return str(json.loads(self.data)["error"]["code"])


@dataclasses.dataclass
class Call:
    """A request that can be repeated to the byte."""

    route: str
    stream: bool = False
    secret: str = ADMIN_KEY
    script: dict[str, Any] = dataclasses.field(default_factory=dict)
    name: str = dataclasses.field(default_factory=lambda: secrets.token_hex(12))
    marker: str = dataclasses.field(default_factory=new_marker)

    @property
    def headers(self) -> dict[str, str]:
        return {**bearer(self.secret), "Idempotency-Key": self.name}

    @property
    def body(self) -> dict[str, Any]:
        return body(self.route, prompt(self.marker, 3, **self.script), stream=self.stream)

    async def start(self, api: ApiService) -> Client:
        client = await connect(api.port)
        await client.send(request_bytes(ROUTES[self.route], self.body, self.headers))
        return client

    async def send(self, api: ApiService) -> Answer:
        return await whole(await self.start(api))

    def rows(self, api: ApiService) -> list[dict[str, Any]]:
        return api.rows("SELECT * FROM requests WHERE query LIKE ? ORDER BY id", f"%{self.marker}%")


async def whole(client: Client) -> Answer:
    try:
        reply: Reply = await client.head()
        return Answer(reply.status, reply.headers, await client.read_all())
    finally:
        await client.leave("fin")


@pytest.fixture
def admin(api: ApiService) -> Administrator:
    return Administrator(api)


@pytest.fixture
def mortal(folder: Path, fresh_mock: Mock) -> Iterator[ApiService]:
    """A service that may be stopped and killed, with a database of its own."""
    service = ApiService(folder, fresh_mock.url, None, **API_ENVIRONMENT)
    service.start()
    yield service
    service.kill()


def check_once(api: ApiService, mock: Mock, call: Call, first: Answer) -> None:
    """One upstream call, one row, one bill."""
    assert len(mock.calls(call.marker)) == 1
    (row,) = call.rows(api)
    assert (row["id"], row["outcome"]) == (first.request_id, "completed")
    ledger = api.rows(
        "SELECT cost_nano_usd FROM ledger WHERE request_id = ?", bytes.fromhex(row["id"].replace("-", ""))
    )
    assert [entry["cost_nano_usd"] for entry in ledger] == [row["cost_nano_usd"]]
    assert row["cost_nano_usd"] > 0


def check_same(first: Answer, again: Answer) -> None:
    """To the byte, and it says that it is a repetition."""
    assert (first.status, first.replayed) == (200, False)
    assert (again.status, again.replayed) == (200, True)
    assert again.data == first.data
    assert again.request_id == first.request_id
    kept = {"content-type", "x-gateway-provider", "x-gateway-model", "x-gateway-cost-usd"} & set(first.headers)
    assert {name: again.headers[name] for name in kept} == {name: first.headers[name] for name in kept}


@pytest.mark.parametrize(("route", "stream"), FORMS)
async def test_a_repetition_gets_the_same_bytes_and_is_billed_once(
    api: ApiService, mock: Mock, admin: Administrator, route: str, stream: bool
) -> None:
    key = admin.key()
    budget = admin.budget("key", key.id, 10**12)
    call = Call(route, stream, key.secret, {"tokens": 40})
    first = await call.send(api)
    spent = admin.standing(budget)["spent_nano_usd"]
    for _ in range(3):
        check_same(first, await call.send(api))
    check_once(api, mock, call, first)
    standing = admin.standing(budget)
    assert (standing["spent_nano_usd"], standing["held_nano_usd"]) == (spent, 0)
    assert spent == ledger_nano_usd(api, key.id)


@pytest.mark.parametrize(("route", "stream"), FORMS)
async def test_an_answer_outlives_restarts_and_kills(
    mortal: ApiService, fresh_mock: Mock, route: str, stream: bool
) -> None:
    call = Call(route, stream, script={"tokens": 40})
    first = await call.send(mortal)
    assert mortal.stop() == 0
    mortal.start()
    check_same(first, await call.send(mortal))
    mortal.kill()
    mortal.start()
    check_same(first, await call.send(mortal))
    check_once(mortal, fresh_mock, call, first)


@pytest.mark.crash
@pytest.mark.parametrize("point", ["after_settle_commit", "before_last_byte"])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_was_settled_but_never_sent_is_not_billed_again(
    mortal: ApiService, fresh_mock: Mock, point: str, stream: bool
) -> None:
    """The very reason for the header: the service dies between the commit and the last byte."""
    call = Call("openai", stream, script={"tokens": 40})
    mortal.kill()
    mortal.start(GATEWAY_FAILPOINT=point)
    with contextlib.suppress(Broken, ConnectionError):
        assert not (await call.send(mortal)).data.endswith((b"[DONE]\n\n", b"}"))
    wait_until(lambda: not mortal.running, what=f"the failpoint {point}")
    mortal.kill()
    mortal.start()
    (row,) = call.rows(mortal)
    again = await call.send(mortal)
    assert (again.status, again.replayed, again.request_id) == (200, True, row["id"])
    assert again.data.endswith(b"data: [DONE]\n\n") if stream else json.loads(again.data)["usage"]
    check_once(mortal, fresh_mock, call, again)


@pytest.mark.crash
@pytest.mark.parametrize("point", ["mid_stream", "in_settle"])
async def test_a_crash_before_the_settlement_frees_the_key(mortal: ApiService, fresh_mock: Mock, point: str) -> None:
    call = Call("openai", stream=True, script={"tokens": 40})
    mortal.kill()
    mortal.start(GATEWAY_FAILPOINT=point)
    with contextlib.suppress(Broken, ConnectionError):
        await call.send(mortal)
    wait_until(lambda: not mortal.running, what=f"the failpoint {point}")
    mortal.kill()
    mortal.start()
    wait_until(lambda: mortal.open_holds() == 0, what="resolution of the orphan")
    first = await call.send(mortal)
    check_same(first, await call.send(mortal))
    assert len(fresh_mock.calls(call.marker)) == 2
    assert [row["kind"] for row in mortal.rows("SELECT kind FROM ledger ORDER BY id")] == [2, 1]


@pytest.mark.parametrize(("route", "stream"), FORMS)
async def test_of_many_at_once_one_is_sent_and_the_others_are_told_to_wait(
    api: ApiService, mock: Mock, route: str, stream: bool
) -> None:
    call = Call(route, stream, script={"first_ms": 700, "tokens": 5})
    answers = await asyncio.gather(*(call.send(api) for _ in range(20)))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 19}
    for answer in answers:
        if answer.status == 409:
            assert answer.code == "idempotency_in_progress"
            assert int(answer.headers["retry-after"]) >= 1
    (first,) = [answer for answer in answers if answer.status == 200]
    check_same(first, await call.send(api))
    check_once(api, mock, call, first)


async def test_another_body_or_route_is_a_mismatch(api: ApiService, mock: Mock) -> None:
    call = Call("openai")
    first = await call.send(api)
    for route, changed in (
        ("openai", {**call.body, "temperature": 0.5}),
        ("openai", {**call.body, "stream": True}),
        ("seed", call.body),
        ("openai", dict(reversed(call.body.items()))),
    ):
        client = await connect(api.port)
        sent = {**changed, "user": "x"} if route == "openai" else {"model": "gpt-4o", "messages": call.body["messages"]}
        await client.send(request_bytes(ROUTES[route], sent, call.headers))
        answer = await whole(client)
        assert (answer.status, answer.code) == (422, "idempotency_mismatch")
    check_once(api, mock, call, first)
    check_same(first, await call.send(api))


async def test_another_body_while_the_first_runs_is_a_mismatch_too(api: ApiService, mock: Mock) -> None:
    call = Call("openai", script={"first_ms": 600})
    client = await call.start(api)
    wait_until(lambda: mock.calls(call.marker), what="the first call")
    other = await Call("openai", name=call.name).send(api)
    assert (other.status, other.code) == (422, "idempotency_mismatch")
    assert (await whole(client)).status == 200


async def test_the_same_name_of_two_callers_is_two_names(api: ApiService, mock: Mock, admin: Administrator) -> None:
    call = Call("openai")
    own = [dataclasses.replace(call, secret=secret) for secret in (ADMIN_KEY, admin.key().secret, admin.key().secret)]
    answers = [await one.send(api) for one in own]
    assert [(answer.status, answer.replayed) for answer in answers] == [(200, False)] * 3
    assert len({answer.request_id for answer in answers}) == 3
    for one, first in zip(own, answers, strict=True):
        check_same(first, await one.send(api))
    assert len(mock.calls(call.marker)) == 3


async def test_a_rotated_key_is_the_same_caller_and_a_blocked_one_gets_nothing(
    api: ApiService, admin: Administrator
) -> None:
    key = admin.key()
    call = Call("openai", secret=key.secret)
    first = await call.send(api)
    rotated = admin.rotate(key)
    assert (await call.send(api)).status == 401
    call.secret = rotated.secret
    check_same(first, await call.send(api))
    admin.block(rotated)
    assert (await call.send(api)).status == 401


@pytest.mark.parametrize(("route", "stream"), FORMS)
async def test_a_failed_call_frees_the_key(api: ApiService, mock: Mock, route: str, stream: bool) -> None:
    call = Call(route, stream, script={"fault": "500", "times": 1})
    failed = await call.send(api)
    assert failed.status >= 500
    first = await call.send(api)
    check_same(first, await call.send(api))
    assert len(mock.calls(call.marker)) == 2
    assert [row["outcome"] for row in call.rows(api)] == ["failed", "completed"]


@pytest.mark.parametrize(("route", "stream"), FORMS)
async def test_a_call_whose_client_left_frees_the_key(api: ApiService, mock: Mock, route: str, stream: bool) -> None:
    call = Call(route, stream, script={"tokens": 300, "delay_ms": 10})
    client = await call.start(api)
    if stream:
        await client.head()
    wait_until(lambda: mock.calls(call.marker), what="the call to be sent")
    await client.leave("rst")
    mock.ended_call(call.marker)
    first = await eventually_admitted(api, dataclasses.replace(call))
    assert (first.status, first.replayed) == (200, False)
    assert [row["outcome"] for row in call.rows(api)] == ["abandoned", "completed"]


async def eventually_admitted(api: ApiService, call: Call) -> Answer:
    """The answer once the key is free again, which must be soon."""
    for _ in range(50):
        answer = await call.send(api)
        if answer.status != 409:
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError("the key is still in use a second after its client left")


async def test_a_refusal_does_not_use_the_key_up(api: ApiService, mock: Mock, admin: Administrator) -> None:
    key = admin.key()
    budget = admin.budget("key", key.id, 1)
    call = Call("openai", secret=key.secret)
    assert [(await call.send(api)).status for _ in range(2)] == [402, 402]
    admin.drop_budget(budget)
    limit = admin.limit("key", key.id, requests_per_minute=1)
    assert (await Call("openai", secret=key.secret).send(api)).status == 200
    assert (await call.send(api)).status == 429
    admin.drop_limit(limit)
    check_same(await call.send(api), await call.send(api))
    assert len(mock.calls(call.marker)) == 1


async def test_a_replay_is_no_request_to_a_rate_limit_or_a_budget(api: ApiService, admin: Administrator) -> None:
    """It costs nobody anything: an SDK that retries after its answer was lost must get it."""
    key = admin.key()
    call = Call("openai", secret=key.secret)
    first = await call.send(api)
    admin.budget("key", key.id, 1)
    admin.limit("key", key.id, requests_per_minute=1, concurrency=1)
    for _ in range(3):
        check_same(first, await call.send(api))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("why", ["the service", "the key"])
async def test_an_answer_that_may_not_be_stored_is_not_replayed_and_not_billed_again(
    folder: Path, fresh_mock: Mock, why: str, stream: bool
) -> None:
    environment = {**API_ENVIRONMENT, **({"STORE_CONTENT": "false"} if why == "the service" else {})}
    with running_api(folder, fresh_mock.url, None, **environment) as api:
        secret = Administrator(api).key(store_content=why == "the service").secret
        call = Call("openai", stream, secret, {"tokens": 12})
        first = await call.send(api)
        assert first.status == 200
        for _ in range(2):
            again = await call.send(api)
            assert (again.status, again.code) == (409, "idempotency_result_not_stored")
            assert first.request_id in json.loads(again.data)["error"]["message"]
        assert len(fresh_mock.calls(call.marker)) == 1
        assert api.rows("SELECT count(*) AS n FROM requests") == [{"n": 1}]
        stored = b"".join(path.read_bytes() for path in api.database.parent.glob("usage.db*"))
        assert call.marker.encode() not in stored


async def test_an_answer_of_more_than_a_megabyte_is_not_kept(api: ApiService, mock: Mock) -> None:
    call = Call("openai", stream=True, script={"tokens": 8000})
    first = await call.send(api)
    assert len(first.data) > 1_000_000
    again = await call.send(api)
    assert (again.status, again.code) == (409, "idempotency_result_not_stored")
    assert len(mock.calls(call.marker)) == 1


async def test_after_a_day_the_key_is_free(mortal: ApiService, fresh_mock: Mock) -> None:
    call = Call("openai")
    first = await call.send(mortal)
    for age_ms, same in ((DAY_MS - 60_000, True), (120_000, False)):
        assert mortal.stop() == 0
        with contextlib.closing(sqlite3.connect(mortal.database)) as connection:
            connection.execute("UPDATE idempotency SET created_at_ms = created_at_ms - ?", (age_ms,))
            connection.commit()
        mortal.start()
        again = await call.send(mortal)
        assert (again.request_id == first.request_id, again.replayed) == (same, same)
    assert len(fresh_mock.calls(call.marker)) == 2


@pytest.mark.parametrize("name", ["", "x" * 256])
async def test_a_name_without_sense_is_refused(api: ApiService, mock: Mock, name: str) -> None:
    call = Call("openai", name=name)
    answer = await call.send(api)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert mock.calls(call.marker) == []


async def test_a_repetition_without_the_header_is_a_new_request(
    api: ApiService, mock: Mock, admin: Administrator
) -> None:
    key: TestKey = admin.key()
    call = Call("openai", secret=key.secret)
    for _ in range(2):
        client = await connect(api.port)
        await client.send(request_bytes(ROUTES["openai"], call.body, key.headers))
        assert (await whole(client)).status == 200
    assert len(mock.calls(call.marker)) == 2
    assert not (await call.send(api)).replayed


def test_nothing_is_left_behind(api: ApiService) -> None:
    """Last in this file."""
    wait_until(lambda: api.open_holds() == 0, what="the end of all holds")
    assert "Traceback" not in api.log
    assert api.gateway("doctor", "--audit").returncode == 0
