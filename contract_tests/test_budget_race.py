"""Suite c: a hard budget under concurrency admits what it has room for, no more and no less."""

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from administrator import ADMIN_KEY, Administrator, TestKey
from figures import record
from prompts import ROUTES, new_marker
from racing import FORMS, STAYS_S, Racer, race, racers
from rawhttp import Client, Reply, connect, request_bytes
from spending import hold_nano_usd, ledger_nano_usd, padded, rows_of, sized_call
from stack import ApiService, Mock, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

API_ENVIRONMENT = {"GATEWAY_ADMIN_KEY": ADMIN_KEY}
RACERS = 200
ROOM = 10
HOLD = hold_nano_usd()
FREED_S = 1.0
SCOPES = ("key", "user", "application", "model", "everything")
PERIODS = ("day", "week", "month", "total")
LONG_ROUNDS = 50


class Watch:
    """Asks all the time how a budget stands."""

    def __init__(self, admin: Administrator, budget_id: str) -> None:
        self._admin = admin
        self._budget_id = budget_id
        self.most_nano_usd = 0
        self.overspent: list[dict[str, Any]] = []

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator["Watch"]:
        task = asyncio.create_task(self._ask())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self.note(self._admin.standing(self._budget_id))

    async def _ask(self) -> None:
        while True:
            self.note(await asyncio.to_thread(self._admin.standing, self._budget_id))
            await asyncio.sleep(0.02)

    def note(self, standing: dict[str, Any]) -> None:
        taken = standing["spent_nano_usd"] + standing["held_nano_usd"]
        assert standing["remaining_nano_usd"] == standing["limit_nano_usd"] - taken
        self.most_nano_usd = max(self.most_nano_usd, taken)
        if taken > standing["limit_nano_usd"]:
            self.overspent.append(standing)


@pytest.fixture
def admin(api: ApiService) -> Administrator:
    return Administrator(api)


def contested(admin: Administrator, scope: str, room_nano_usd: int, period: str = "total") -> tuple[list[TestKey], str]:
    """Keys that share one hard budget with so much room."""
    user, application = new_marker(), new_marker()
    keys = [admin.key(user_id=user, application_id=application) for _ in range(1 if scope == "key" else 3)]
    names = {"key": keys[0].id, "user": user, "application": application, "model": "openai/gpt-4o", "everything": ""}
    before = 0 if scope in {"key", "user", "application"} else spent_already(admin, scope, names[scope], period)
    return keys, admin.budget(scope, names[scope], before + room_nano_usd, period=period)


def spent_already(admin: Administrator, scope: str, name: str, period: str) -> int:
    """What a new budget of such a scope starts with."""
    probe = admin.budget(scope, name, 10**15, period=period, hard=False)
    spent = admin.standing(probe)["spent_nano_usd"]
    admin.drop_budget(probe)
    return int(spent)


def check_refusal(error: dict[str, Any], budget_id: str) -> None:
    """It says what there was, and that there was too little."""
    assert error["code"] == "budget_exceeded", error
    told = error["details"]["budget"]
    assert told["id"] == budget_id
    nano = {name: round(told[f"{name}_usd"] * 1e9) for name in ("limit", "spent", "held", "needed")}
    assert nano["needed"] == HOLD
    assert nano["spent"] + nano["held"] <= nano["limit"] < nano["spent"] + nano["held"] + nano["needed"]
    assert told["period"] in PERIODS
    assert (told["resets_at"] is None) is (told["period"] == "total")
    assert told["held_by_requests"] <= ROOM


def check_books(api: ApiService, admin: Administrator, budget_id: str, keys: list[TestKey], before: int) -> int:
    """Nothing is held, and what is spent is what the ledger says; gives it back."""
    wait_until(lambda: admin.standing(budget_id)["held_nano_usd"] == 0, 5, "the release of all holds")
    standing, spent = admin.standing(budget_id), sum(ledger_nano_usd(api, key.id) for key in keys)
    assert standing["spent_nano_usd"] == before + spent
    assert standing["spent_nano_usd"] <= standing["limit_nano_usd"]
    return spent


def audit_is_clean(api: ApiService) -> None:
    audited = api.gateway("doctor", "--audit")
    assert audited.returncode == 0, audited.stdout + audited.stderr


async def one_race(api: ApiService, mock: Mock, admin: Administrator, scope: str, period: str) -> tuple[int, int]:
    """Room for ten and a little; the provider answers once everybody has been told. Gives the admitted, the overspend."""
    keys, budget_id = contested(admin, scope, ROOM * HOLD + random.randrange(HOLD), period)
    wider = admin.budget("key", keys[0].id, 10**12)
    before = admin.standing(budget_id)["spent_nano_usd"]
    everybody = racers(keys, RACERS, first_ms=2500)
    async with Watch(admin, budget_id).watching() as watch:
        await race(api.port, everybody)
    admitted = [racer for racer in everybody if racer.status == 200]
    others = [racer for racer in everybody if racer.status != 200]
    assert max(racer.answered_at for racer in others) < min(racer.answered_at for racer in admitted), "too slow to tell"
    assert len(admitted) == ROOM, Counter(racer.status for racer in everybody)
    assert all(racer.whole for racer in admitted)
    for racer in others:
        assert racer.status == 402
        check_refusal(racer.error, budget_id)
    called = {call["marker"] for call in mock.calls()} & {racer.marker for racer in everybody}
    assert called == {racer.marker for racer in admitted}
    assert watch.overspent == []
    assert watch.most_nano_usd - before == ROOM * HOLD
    check_books(api, admin, budget_id, keys, before)
    over = max(0, watch.most_nano_usd - admin.standing(budget_id)["limit_nano_usd"])
    admin.drop_budget(budget_id)
    admin.drop_budget(wider)
    return len(admitted), over


async def test_two_hundred_at_once_get_exactly_what_there_is_room_for(
    api: ApiService, mock: Mock, admin: Administrator, long_form: bool
) -> None:
    rounds = LONG_ROUNDS if long_form else len(SCOPES)
    outcomes = []
    for number in range(rounds):
        period = PERIODS[number % len(PERIODS)] if long_form else random.choice(PERIODS)
        outcomes.append(await one_race(api, mock, admin, SCOPES[number % len(SCOPES)], period))
    audit_is_clean(api)
    record(
        "c budget race",
        races=rounds,
        calls_each=RACERS,
        room_for=ROOM,
        admitted=", ".join(sorted({str(admitted) for admitted, _ in outcomes})),
        overspent_nano_usd=sum(over for _, over in outcomes),
    )


async def test_clients_that_leave_never_make_room_twice(
    api: ApiService, mock: Mock, admin: Administrator, long_form: bool
) -> None:
    """A third hang up at any moment; whoever is admitted in their place, no more is ever set aside than there is."""
    for _ in range(20 if long_form else 2):
        keys, budget_id = contested(admin, "user", ROOM * HOLD + HOLD // 2)
        everybody = racers(keys, RACERS, first_ms=150, delay_ms=5, tokens=20)
        for racer in everybody[::3]:
            racer.leaves_after_s = random.uniform(0.001, 0.4)
        async with Watch(admin, budget_id).watching() as watch:
            for wave in range(0, RACERS, 50):
                await race(api.port, everybody[wave : wave + 50])
        statuses = Counter(racer.status for racer in everybody if racer.leaves_after_s == STAYS_S)
        assert set(statuses) == {200, 402}, statuses
        for racer in everybody:
            if racer.error:
                check_refusal(racer.error, budget_id)
        assert watch.overspent == []
        wait_until(lambda: api.open_holds() == 0, 5, "the end of all holds")
        check_books(api, admin, budget_id, keys, 0)
        outcomes = Counter(row["outcome"] for key in keys for row in rows_of(api, key.id))
        assert outcomes[1] >= statuses[200]
        assert outcomes[2] > 0, "nobody left in time"
        called = {call["marker"] for call in mock.calls()} & {racer.marker for racer in everybody}
        assert len(called) <= sum(outcomes.values())
    audit_is_clean(api)


async def test_budgets_that_are_changed_meanwhile_forget_no_hold(
    api: ApiService, mock: Mock, admin: Administrator
) -> None:
    """Others come and go, and its own terms are written again, while two hundred ask and ten wait."""
    keys, budget_id = contested(admin, "application", ROOM * HOLD + HOLD // 2)
    everybody = racers(keys, RACERS, first_ms=4000)
    async with Watch(admin, budget_id).watching() as watch:
        changing = asyncio.create_task(asyncio.to_thread(change_budgets, admin, budget_id, keys[1]))
        running = []
        for wave in range(0, RACERS, 50):
            running.append(asyncio.create_task(race(api.port, everybody[wave : wave + 50])))
            await asyncio.sleep(0.3)
        await changing
        wider = admin.budget("key", keys[0].id, 10**12)
        assert admin.standing(wider)["held_nano_usd"] == HOLD * held_by(mock, everybody, keys[0])
        await asyncio.gather(*running)
    assert Counter(racer.status for racer in everybody) == {200: ROOM, 402: RACERS - ROOM}
    assert watch.overspent == []
    assert watch.most_nano_usd == ROOM * HOLD
    check_books(api, admin, budget_id, keys, 0)
    admin.drop_budget(wider)


def held_by(mock: Mock, everybody: list[Racer], key: TestKey) -> int:
    """How many of a key's calls the provider has not answered yet."""
    markers = {racer.marker for racer in everybody if racer.key == key}
    return sum(1 for call in mock.calls() if call["marker"] in markers and call["how"] is None)


def change_budgets(admin: Administrator, budget_id: str, key: TestKey) -> None:
    """For as long as the race takes."""
    terms = admin.standing(budget_id)
    for number in range(12):
        other = admin.budget("key", key.id, 10**12, hard=number % 2 == 0)
        admin.send("PATCH", f"/api/budgets/{budget_id}", {"thresholds": [50 + number], "period": terms["period"]})
        admin.send("PATCH", f"/api/budgets/{other}", {"amount_usd": 5000})
        admin.drop_budget(other)
        time.sleep(0.05)


@pytest.mark.parametrize("how", ["rst", "fin"])
async def test_the_money_of_a_client_that_left_is_usable_within_a_second(
    api: ApiService, admin: Administrator, how: str
) -> None:
    keys, budget_id = contested(admin, "key", ROOM * HOLD + HOLD // 2)
    waits = []
    clients = await fill(api.port, admin, keys[0], budget_id)
    for client in clients[:3]:
        left_at = time.monotonic()
        await client.leave(how)
        await admitted_in_time(api.port, keys[0])
        waits.append(time.monotonic() - left_at)
        wait_until(lambda: admin.standing(budget_id)["held_nano_usd"] == (ROOM - len(waits)) * HOLD, what="the rest")
    for client in clients[3:]:
        await client.leave("rst")
    assert max(waits) <= FREED_S
    record(f"c budget race, freed money ({how})", usable_after_ms=f"{max(waits) * 1e3:.0f} at most after leaving")


async def test_the_money_of_a_settled_call_is_usable_by_the_very_next(api: ApiService, admin: Administrator) -> None:
    keys, budget_id = contested(admin, "key", ROOM * HOLD + HOLD // 2)
    clients = await fill(api.port, admin, keys[0], budget_id, first_ms=2000)
    assert (await clients[-1].head()).status == 200
    await clients[-1].read_all()
    assert await probe(api.port, keys[0]) == 200
    for client in clients:
        await client.leave("rst")


async def fill(port: int, admin: Administrator, key: TestKey, budget_id: str, first_ms: float = 20_000) -> list[Client]:
    """Ten calls that wait for the provider, the last one for `first_ms` only; nothing is left for another."""
    clients = [await opened(port, key, number, 20_000) for number in range(ROOM - 1)]
    clients.append(await opened(port, key, ROOM - 1, first_ms))
    wait_until(lambda: admin.standing(budget_id)["held_nano_usd"] == ROOM * HOLD, what="ten holds")
    assert await probe(port, key) == 402
    return clients


async def opened(port: int, key: TestKey, number: int, first_ms: float) -> Client:
    """A call that the provider lets wait."""
    client = await connect(port)
    route, stream = FORMS[number % len(FORMS)]
    call = sized_call(route, new_marker(), stream=stream, first_ms=first_ms)
    await client.send(request_bytes(ROUTES[route], call, key.headers))
    return client


async def probe(port: int, key: TestKey) -> int:
    """The status of one plain call that is answered at once."""
    racer = Racer(key, "openai", stream=False, script={})
    await racer.run(await connect(port))
    return racer.status


async def admitted_in_time(port: int, key: TestKey) -> None:
    end = time.monotonic() + 2 * FREED_S
    while await probe(port, key) != 200:
        assert time.monotonic() < end, "the money of a client that left is not usable"


@pytest.mark.parametrize("route", sorted(ROUTES))
@pytest.mark.parametrize("stream", [False, True])
async def test_a_budget_that_fits_exactly_refuses_nothing(
    api: ApiService, admin: Administrator, route: str, stream: bool
) -> None:
    """To the nano-USD: room for the last call's worst case and not for one more."""
    calls, cost = 12, await exact_cost(api, admin, route, stream=stream)
    key = admin.key()
    budget_id = admin.budget("key", key.id, (calls - 1) * cost + HOLD)
    for number in range(calls):
        racer = await same_call(api, key, route, stream=stream)
        assert racer.status == 200, (number, racer.error)
    refused = await same_call(api, key, route, stream=stream)
    assert refused.status == 402
    check_refusal(refused.error, budget_id)
    assert admin.standing(budget_id)["remaining_nano_usd"] == HOLD - cost


async def exact_cost(api: ApiService, admin: Administrator, route: str, *, stream: bool) -> int:
    """What one such call costs in the end."""
    key = admin.key()
    assert (await same_call(api, key, route, stream=stream)).status == 200
    cost = ledger_nano_usd(api, key.id)
    assert 0 < cost < HOLD
    return cost


async def same_call(api: ApiService, key: TestKey, route: str, *, stream: bool) -> Racer:
    """Always the same bytes, so always the same cost."""
    racer = Racer(key, route, stream, {"tokens": 7}, marker="m-0123456789abcdef")
    await racer.run(await connect(api.port))
    return racer


async def test_ten_at_once_fit_into_ten_holds(api: ApiService, admin: Administrator, long_form: bool) -> None:
    for _ in range(50 if long_form else 5):
        keys, budget_id = contested(admin, "key", ROOM * HOLD)
        everybody = racers(keys, ROOM, first_ms=200)
        await race(api.port, everybody)
        assert [racer.status for racer in everybody] == [200] * ROOM
        check_books(api, admin, budget_id, keys, 0)


async def test_one_nano_usd_too_little_is_too_little(api: ApiService, admin: Administrator) -> None:
    keys, budget_id = contested(admin, "key", HOLD - 1)
    racer = Racer(keys[0], "openai", stream=False, script={})
    await racer.run(await connect(api.port))
    assert racer.status == 402
    check_refusal(racer.error, budget_id)
    admin.drop_budget(budget_id)
    admin.budget("key", keys[0].id, HOLD)
    assert await probe(api.port, keys[0]) == 200


async def test_a_model_without_a_price_is_refused_under_a_hard_budget_only(
    api: ApiService, mock: Mock, admin: Administrator
) -> None:
    key, marker = admin.key(), new_marker()
    made = {"model": "openai/nobody-knows-its-price", "messages": [{"role": "user", "content": marker}]}
    unpriced = padded(made, "openai")
    budget_id = admin.budget("key", key.id, 10**12)
    status, error = await ask(api.port, key, unpriced)
    assert (status, error["code"]) == (402, "model_price_unknown")
    assert mock.calls(marker) == []
    admin.drop_budget(budget_id)
    assert (await ask(api.port, key, unpriced))[0] == 200
    assert [row["cost_nano_usd"] for row in rows_of(api, key.id)] == [None]


async def ask(port: int, key: TestKey, call: bytes) -> tuple[int, dict[str, Any]]:
    client = await connect(port)
    await client.send(request_bytes(ROUTES["openai"], call, key.headers))
    reply: Reply = await client.head()
    data = json.loads(await client.read_all())
    await client.leave("fin")
    return reply.status, data.get("error", {})


@pytest.fixture
def mortal(folder: Path, fresh_mock: Mock) -> Iterator[ApiService]:
    """A service that may be killed, with a database of its own."""
    service = ApiService(folder, fresh_mock.url, None, **API_ENVIRONMENT)
    service.start()
    yield service
    service.kill()


@pytest.mark.crash
async def test_a_kill_in_the_middle_leaves_no_hold_and_takes_no_more_than_there_was(
    mortal: ApiService, fresh_mock: Mock, long_form: bool
) -> None:
    kills = 50 if long_form else 4
    points = ("", "before_hold_commit", "after_hold_commit", "in_settle", "after_settle_commit", "mid_stream")
    charged = 0
    admin = Administrator(mortal)
    for number in range(kills):
        point = points[number % len(points)]
        keys, budget_id = contested(admin, "key", 2 * ROOM * HOLD + random.randrange(HOLD))
        if point:
            mortal.kill()
            mortal.start(GATEWAY_FAILPOINT=point)
        everybody = racers(keys, RACERS, first_ms=300, delay_ms=20, tokens=30)
        racing = asyncio.create_task(race(mortal.port, everybody))
        if point:
            await asyncio.to_thread(wait_until, lambda: not mortal.running, 10, f"the failpoint {point}")
        else:
            await asyncio.sleep(random.uniform(0.3, 0.6))
        mortal.kill()
        await racing
        mortal.start()
        charged += check_recovery(mortal, fresh_mock, admin, budget_id, keys[0], everybody)
        await check_room(mortal, admin, budget_id, keys)
        admin.drop_budget(budget_id)
    audit_is_clean(mortal)
    record("c budget race, kills", kills=kills, whole_holds_charged=charged, overspent_nano_usd=0)


def check_recovery(
    api: ApiService, mock: Mock, admin: Administrator, budget_id: str, key: TestKey, everybody: list[Racer]
) -> int:
    """All that was open is charged in full; gives how many that were."""
    wait_until(lambda: api.open_holds() == 0, 5, "resolution of all holds")
    check_books(api, admin, budget_id, [key], 0)
    audit_is_clean(api)
    rows = rows_of(api, key.id)
    orphans = [row for row in rows if row["kind"] == 2]
    assert all(row["cost_nano_usd"] == row["held_nano_usd"] == HOLD for row in orphans)
    recorded = Counter(row["request"] for row in rows)
    markers = {racer.marker for racer in everybody}
    calls = [call for call in mock.calls() if call["marker"] in markers]
    assert {call["ids"]["x-request-id"].replace("-", "") for call in calls} <= set(recorded), "a call without a row"
    assert set(recorded.values()) <= {1}
    settled = {call["marker"] for call in calls}
    assert {racer.marker for racer in everybody if racer.status == 200} <= settled
    return len(orphans)


async def check_room(api: ApiService, admin: Administrator, budget_id: str, keys: list[TestKey]) -> None:
    """What is left after recovery can be used: exactly so many more are admitted."""
    room = admin.standing(budget_id)["remaining_nano_usd"] // HOLD
    everybody = racers(keys, 40, first_ms=1000)
    await race(api.port, everybody)
    statuses = Counter(racer.status for racer in everybody)
    assert statuses == Counter({200: min(40, room), 402: max(0, 40 - room)}) - Counter(), (room, statuses)
