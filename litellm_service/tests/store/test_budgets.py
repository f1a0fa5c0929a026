"""Budgets in the ledger's file: who is admitted, what is spent, whatever happens in between."""

import asyncio
import contextlib
import sqlite3
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_entries import NOON_MS, hold, settlement

from gateway.domain.administration import AuditEntry, Change, Drop, Put
from gateway.domain.budget import Budget
from gateway.domain.entry import Correction, CostSource, Outcome
from gateway.domain.errors import BudgetExceeded, GatewayError, ModelPriceUnknown
from gateway.domain.scope import Scope
from gateway.domain.time import now_ms
from gateway.store.questions import AttemptQuery
from gateway.store.sqlite.audit import audit
from gateway.store.sqlite.reading import Reader
from gateway.store.sqlite.repair import repair
from gateway.store.sqlite.store import SqliteStore

pytestmark = pytest.mark.anyio
EVERYTHING = Scope("everything")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "usage.db"


@contextlib.asynccontextmanager
async def opened(path):
    store = SqliteStore(path, "test")
    store.open()
    store.start()
    try:
        yield store
    finally:
        await asyncio.to_thread(store.close)


def rows(path, statement, *parameters):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement, parameters).fetchall()


def wrong(path):
    return [check for check in audit(path) if check.wrong]


def budget(amount: int, scope: Scope = EVERYTHING, **more: object) -> Budget:
    return Budget(**{"id": "b1", "scope": scope, "amount_nano_usd": amount, "period": "total", **more})


def put(*budgets: Budget) -> Change:
    entry = AuditEntry(
        at_ms=1, actor="admin", action="create", object_kind="budget", object_id=budgets[0].id, after="{}"
    )
    return Change(steps=tuple(Put("budget", one.id, one) for one in budgets), audit=(entry,))


async def refused(store, of) -> bool:
    try:
        await store.hold(of)
    except BudgetExceeded:
        return True
    return False


async def test_two_hundred_at_once_against_a_budget_for_ten_are_exactly_ten(path):
    async with opened(path) as store:
        await store.change(put(budget(10_000)))
        results = await asyncio.gather(*(refused(store, hold(amount_nano_usd=1_000)) for _ in range(200)))
        assert results.count(False) == 10
        (account,) = store.accounts()
        assert (account.spent_nano_usd, account.held_nano_usd) == (0, 10_000)
    assert wrong(path) == []


async def test_what_a_hold_did_not_need_is_free_at_once(path):
    async with opened(path) as store:
        await store.change(put(budget(1_000)))
        one, two, three = (hold(amount_nano_usd=1_000) for _ in range(3))
        await store.hold(one)
        assert await refused(store, two)
        await store.settle(settlement(one, cost_nano_usd=400))
        assert await refused(store, three)
        await store.hold(hold(amount_nano_usd=600))
    assert rows(path, "SELECT spent_nano_usd FROM budget_periods") == [(400,)]
    assert wrong(path) == []


async def test_the_refusal_says_which_budget_and_how_much(path):
    async with opened(path) as store:
        await store.change(put(budget(5_000_000_000, Scope("user", "alice"), period="month", tz="Europe/Paris")))
        with pytest.raises(BudgetExceeded) as caught:
            await store.hold(hold(amount_nano_usd=6_000_000_000))
        assert caught.value.details["budget"]["resets_at"].endswith("Z")
        assert caught.value.details["budget"]["needed_usd"] == 6.0
        assert "monthly budget on user alice" in caught.value.message
        await store.hold(hold(amount_nano_usd=6_000_000_000, user_id="bob"))


async def test_a_model_without_a_price_is_refused_under_a_hard_budget_only(path):
    async with opened(path) as store:
        await store.change(put(budget(5_000, hard=False)))
        await store.hold(hold(price=None))
        await store.change(put(budget(5_000)))
        with pytest.raises(ModelPriceUnknown):
            await store.hold(hold(price=None))


async def test_every_budget_in_scope_applies_and_a_refusal_takes_from_none(path):
    scopes = (
        EVERYTHING,
        Scope("application", "app"),
        Scope("user", "alice"),
        Scope("key", ""),
        Scope("model", "openai/*"),
    )
    budgets = [budget(1_000 * (n + 1), scope, id=f"b{n}") for n, scope in enumerate(scopes)]
    async with opened(path) as store:
        await store.change(put(*budgets))
        await store.hold(hold(amount_nano_usd=900))
        assert await refused(store, hold(amount_nano_usd=200))
        assert {account.held_nano_usd for account in store.accounts()} == {900}


async def test_a_new_budget_counts_what_was_spent_and_what_is_held_already(path):
    at_ms = now_ms()
    async with opened(path) as store:
        done, running, old = hold(at_ms), hold(at_ms, amount_nano_usd=30), hold(at_ms - 40 * 86_400_000)
        for one in (done, running, old):
            await store.hold(one)
        await store.settle(settlement(done, cost_nano_usd=100))
        await store.settle(settlement(old, cost_nano_usd=7))
        await store.change(put(budget(1_000, period="month"), budget(1_000, Scope("user", "alice"), id="b2")))
        assert [(a.budget.id, a.spent_nano_usd, a.held_nano_usd) for a in store.accounts()] == [
            ("b1", 100, 30), ("b2", 107, 30),
        ]  # fmt: skip
        await store.settle(settlement(running, cost_nano_usd=25))
    assert rows(path, "SELECT spent_nano_usd FROM budget_periods ORDER BY budget_id") == [(125,), (132,)]
    assert wrong(path) == []


async def test_spending_survives_a_restart_and_belongs_to_the_period_of_its_admission(path):
    midnight = 1_790_035_200_000
    daily = budget(1_000, period="day")
    async with opened(path) as store:
        await store.change(put(daily))
        before, after = hold(midnight - 1, amount_nano_usd=900), hold(midnight, amount_nano_usd=900)
        await store.hold(before)
        await store.hold(after)
        await store.settle(settlement(before, cost_nano_usd=800))
        await store.settle(settlement(after, cost_nano_usd=300))
    async with opened(path) as store:
        assert await refused(store, hold(midnight + 5, amount_nano_usd=701))
        assert await refused(store, hold(midnight - 5, amount_nano_usd=201))
        await store.hold(hold(midnight + 5, amount_nano_usd=700))
    assert wrong(path) == []


async def test_a_raise_ends_when_it_ends(path):
    raised = budget(1_000, raised_nano_usd=2_000, raised_until_ms=NOON_MS)
    async with opened(path) as store:
        await store.change(put(raised))
        await store.hold(hold(NOON_MS - 1, amount_nano_usd=1_900))
        assert await refused(store, hold(NOON_MS, amount_nano_usd=1))


async def test_an_attempt_hands_its_money_over_to_the_next(path):
    async with opened(path) as store:
        await store.change(put(budget(1_000)))
        first = hold(amount_nano_usd=1_000)
        await store.hold(first)
        second = hold(amount_nano_usd=900, attempt=1, request_id=first.request_id)
        failed = settlement(first, outcome=Outcome.FAILED, http_status=502, cost_nano_usd=0, final=False)
        await store.hand_over(failed, second)
        await store.settle(settlement(second, cost_nano_usd=10))
    assert rows(path, "SELECT attempt, final FROM ledger ORDER BY attempt") == [(0, 0), (1, 1)]
    assert wrong(path) == []


async def test_a_refused_next_attempt_leaves_the_first_as_the_last(path):
    async with opened(path) as store:
        await store.change(put(budget(1_000)))
        first = hold(amount_nano_usd=500)
        await store.hold(first)
        second = hold(amount_nano_usd=1_001, attempt=1, request_id=first.request_id)
        failed = settlement(first, outcome=Outcome.FAILED, http_status=502, cost_nano_usd=0, final=False)
        with pytest.raises(BudgetExceeded):
            await store.hand_over(failed, second)
        assert store.accounts()[0].held_nano_usd == 0
    assert rows(path, "SELECT attempt, final, http_status FROM ledger") == [(0, 1, 502)]
    assert rows(path, "SELECT http_status FROM requests") == [(502,)]
    assert wrong(path) == []


async def test_thresholds_are_told_once_each_and_kept_in_the_file(path):
    events = []
    async with opened(path) as store:
        store.on_event = events.append
        await store.change(put(budget(1_000, thresholds=(50, 80, 100), hard=False)))
        for cost in (499, 1, 1, 350, 300, 10):
            one = hold()
            await store.hold(one)
            await store.settle(settlement(one, cost_nano_usd=cost))
        await asyncio.sleep(0)
    assert [event.body["threshold_percent"] for event in events] == [50, 80, 100]
    assert events[0].body["spent_nano_usd"] == 500
    assert (
        rows(path, "SELECT kind, subject, delivered_at_ms FROM events")
        == [("budget_threshold", "everything", None)] * 3
    )


async def test_a_correction_moves_the_cost_everywhere_and_may_be_repeated(path):
    async with opened(path) as store:
        await store.change(put(budget(10_000, hard=False)))
        priced, unpriced = hold(), hold(price=None)
        for one, cost, source in ((priced, 500, CostSource.COMPUTED), (unpriced, None, CostSource.NONE)):
            await store.hold(one)
            await store.settle(settlement(one, cost_nano_usd=cost, cost_source=source))
        for _ in range(2):
            for one, cost in ((priced, 450), (unpriced, 70)):
                await store.correct(
                    Correction(request_id=one.request_id, attempt=0, cost_nano_usd=cost, price=priced.price)
                )
    assert rows(path, "SELECT kind, seq, cost_nano_usd, newly_priced FROM ledger ORDER BY id") == [
        (1, 0, 500, 0), (1, 0, None, 0), (3, 1, -50, 0), (3, 1, 70, 1),
    ]  # fmt: skip
    assert rows(path, "SELECT cost_nano_usd FROM requests ORDER BY cost_nano_usd") == [(70,), (450,)]
    assert rows(path, "SELECT sum(cost_nano_usd), sum(unpriced_requests), sum(requests) FROM rollups") == [(520, 0, 2)]
    assert rows(path, "SELECT spent_nano_usd FROM budget_periods") == [(520,)]
    assert wrong(path) == []


async def test_the_audit_log_cannot_be_rewritten(path):
    async with opened(path) as store:
        await store.change(put(budget(1)))
    for statement in ("UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            rows(path, statement)
    assert rows(path, "SELECT actor, action, object_kind, object_id FROM audit") == [
        ("admin", "create", "budget", "b1")
    ]


async def test_repair_makes_rollups_and_budgets_anew(path):
    async with opened(path) as store:
        await store.change(put(budget(10_000)))
        for _ in range(3):
            one = hold(amount_nano_usd=100)
            await store.hold(one)
            await store.settle(settlement(one, cost_nano_usd=60))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE rollups SET cost_nano_usd = 1")
        connection.execute("UPDATE budget_periods SET spent_nano_usd = 7")
        connection.commit()
    assert len(wrong(path)) >= 2
    assert repair(path, apply=False) == [
        "rollups: 2 quarter-hour sums differ from the ledger, of 1", "budgets: 1 accounts differ from the ledger",
    ]  # fmt: skip
    assert len(wrong(path)) >= 2
    repair(path, apply=True)
    assert wrong(path) == []


@dataclass
class _Model:
    """The same rules, written the other way round."""

    limit: int
    spent: int = 0
    held: dict[int, int] = field(default_factory=dict)

    def admits(self, amount: int) -> bool:
        return amount == 0 or self.spent + sum(self.held.values()) + amount <= self.limit


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hold"), st.integers(0, 60)),
        st.tuples(st.just("settle"), st.integers(0, 80)),
        st.tuples(st.just("limit"), st.integers(1, 200)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("garbage"), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_any_order_of_holds_settlements_changes_and_restarts_agrees_with_a_small_model(steps, tmp_path_factory):
    asyncio.run(_follow(steps, tmp_path_factory.mktemp("model") / "usage.db"))


async def _follow(steps, path):
    model, open_holds, store = _Model(100), [], await _begin(path)
    await store.change(put(budget(100)))
    for action, value in steps:
        if action == "hold":
            one = hold(amount_nano_usd=value)
            assert (not await refused(store, one)) == model.admits(value)
            if model.admits(value):
                open_holds.append(one)
                model.held[one.id] = value
        elif action == "settle" and open_holds:
            one = open_holds.pop(0)
            await store.settle(settlement(one, cost_nano_usd=value))
            model.spent += value
            del model.held[one.id]
        elif action == "limit":
            model.limit = value
            await store.change(put(budget(value)))
        elif action == "garbage":
            with pytest.raises(GatewayError):
                await store.hold(hold(application_id="\ud800"))
        elif action == "restart":
            for one in open_holds:
                await store.settle(settlement(one, cost_nano_usd=one.amount_nano_usd))
                model.spent += one.amount_nano_usd
            open_holds, model.held = [], {}
            await asyncio.to_thread(store.close)
            store = await _begin(path)
        account = next(iter(store.accounts()))
        assert (account.spent_nano_usd, account.held_nano_usd) == (model.spent, sum(model.held.values()))
    await asyncio.to_thread(store.close)
    assert wrong(path) == []


async def _begin(path):
    store = SqliteStore(path, "test")
    store.open()
    store.start()
    return store


async def test_a_dropped_budget_is_gone(path):
    async with opened(path) as store:
        await store.change(put(budget(10)))
        assert await refused(store, hold(amount_nano_usd=11))
        await store.change(Change(steps=(Drop("budget", "b1"),), audit=()))
        await store.hold(hold(amount_nano_usd=11))
        assert store.accounts() == []
    async with opened(path) as store:
        assert store.objects("budget", Budget) == []
    assert msgspec.json.encode(budget(10))


async def test_attempts_are_read_with_what_they_cost_by_now(path):
    reader = None
    async with opened(path) as store:
        priced, unpriced = hold(), hold(price=None)
        for one, cost, source in ((priced, 500, CostSource.COMPUTED), (unpriced, None, CostSource.NONE)):
            await store.hold(one)
            await store.settle(settlement(one, cost_nano_usd=cost, cost_source=source))
        await store.correct(Correction(request_id=priced.request_id, attempt=0, cost_nano_usd=450, price=priced.price))
        reader = Reader(path)
        found = await reader.attempts(AttemptQuery(from_ms=NOON_MS, to_ms=NOON_MS + 1))
        rest = await reader.attempts(AttemptQuery(from_ms=NOON_MS, to_ms=NOON_MS + 1, after_id=found[-1].id))
        reader.close()
    assert [(one.cost_nano_usd, one.usage.input, one.model) for one in found] == [
        (450, 10, "openai/gpt-4o"), (None, 10, "openai/gpt-4o"),
    ]  # fmt: skip
    assert found[0].price == priced.price
    assert rest == []


async def test_a_settlement_of_a_period_long_over_finds_its_account(path):
    day = 86_400_000
    today = now_ms()
    async with opened(path) as store:
        early = hold(today - day)
        await store.hold(early)
        await store.change(put(budget(10_000, period="day", hard=False)))
        await store.settle(settlement(early, cost_nano_usd=75))
        stream, later = hold(today - day), hold(today)
        await store.hold(stream)
        await store.hold(later)
        await store.settle(settlement(later, cost_nano_usd=5))
        await store.correct(Correction(request_id=early.request_id, attempt=0, cost_nano_usd=100, price=early.price))
        await store.settle(settlement(stream, cost_nano_usd=75))
    assert rows(path, "SELECT spent_nano_usd FROM budget_periods ORDER BY start_ms") == [(175,), (5,)]
    assert wrong(path) == []


async def test_a_lost_account_is_summed_up_again(path):
    async with opened(path) as store:
        await store.change(put(budget(1_000)))
        one = hold(amount_nano_usd=800)
        await store.hold(one)
        await store.settle(settlement(one, cost_nano_usd=700))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM budget_periods")
        connection.commit()
    async with opened(path) as store:
        assert await refused(store, hold(amount_nano_usd=301))


async def test_after_a_raise_thresholds_are_told_again(path):
    events = []
    async with opened(path) as store:
        store.on_event = events.append
        await store.change(put(budget(100, hard=False)))
        for limit in (100, 1_000):
            await store.change(put(budget(limit, hard=False)))
            one = hold()
            await store.hold(one)
            await store.settle(settlement(one, cost_nano_usd=limit))
        await asyncio.sleep(0)
    assert [(event.body["threshold_percent"], event.body["limit_usd"]) for event in events] == [
        (80, 1e-7), (100, 1e-7), (80, 1e-6), (100, 1e-6),
    ]  # fmt: skip
