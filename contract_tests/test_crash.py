"""Suite a: `kill -9` at random and at named points loses nothing and doubles nothing."""

import asyncio
import contextlib
import random
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from administrator import ADMIN_KEY, Administrator
from auditing import Acknowledged, Findings, compare
from figures import record
from load import Load
from spending import ledger_nano_usd
from stack import ApiService, Mock, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.crash, pytest.mark.slow]

UNDER_LOAD = (
    "before_hold_commit",
    "after_hold_commit",
    "before_dispatch",
    "first_byte",
    "mid_stream",
    "usage_seen",
    "in_settle",
    "after_settle_commit",
    "before_last_byte",
)
RANDOM_KILLS = 14
LONG_FACTOR = 20
AMPLE_NANO_USD = 10**15
# About five holds of the load's calls, whose answers the gateway limits to 8,192 tokens under a hard budget.
TIGHT_NANO_USD = 5 * 86_000_000
READY_S = 2.0
DEATH_S = 10.0


class Campaign:
    """Kills of one service on one database, and what its clients were acknowledged meanwhile."""

    def __init__(self, api: ApiService) -> None:
        self.api = api
        self.acknowledged: list[Acknowledged] = []
        self.ready_after: list[float] = []
        self.kills = 0
        self.sent = 0
        self.refused: Counter[int] = Counter()
        self.tight: str | None = None

    def start(self, failpoint: str = "") -> None:
        """Start, noting how long it takes until the service is ready again."""
        self.ready_after.append(self.api.start(GATEWAY_FAILPOINT=failpoint))

    def set_budget(self, scope: str, name: str, nano_usd: int) -> str:
        """A hard budget beside what runs already; its id."""
        self.start()
        made = Administrator(self.api).budget(scope, name, nano_usd)
        self.api.kill()
        return made

    def check_budgets(self) -> None:
        """Nothing is held, and what is spent is what the ledger says."""
        for standing in Administrator(self.api).send("GET", "/api/budgets")["budgets"]:
            assert standing["held_nano_usd"] == 0, standing
            assert standing["spent_nano_usd"] == ledger_nano_usd(self.api), standing
            assert standing["spent_nano_usd"] <= standing["limit_nano_usd"], standing

    def _make_room(self) -> None:
        """The tight budget gets room for a few holds: what the last kill left open has used it up."""
        if self.tight is None:
            return
        with contextlib.suppress(OSError):  # it died in recovery
            admin = Administrator(self.api)
            spent = admin.standing(self.tight)["spent_nano_usd"]
            admin.send("PATCH", f"/api/budgets/{self.tight}", {"amount_usd": (spent + TIGHT_NANO_USD) / 1e9})

    async def kill_at_random(self) -> None:
        """Start, load, kill."""
        self.start()
        self._make_room()
        load = Load(self.api.port, key=ADMIN_KEY)
        load.start()
        await asyncio.sleep(random.uniform(0.3, 1.2))
        self.api.kill()
        await self._end(load)

    async def die_at(self, failpoint: str) -> None:
        """Start armed, load until the process ends itself (in recovery already, where that passes the point)."""
        self.api.spawn(GATEWAY_FAILPOINT=failpoint)
        wait_until(self.api.ready_or_dead, DEATH_S, "readiness or death")
        self._make_room()
        load = Load(self.api.port, key=ADMIN_KEY)
        load.start()
        await self._death(failpoint)
        await self._end(load)

    async def die_in_recovery(self) -> None:
        """Leave orphans, and die while they are resolved."""
        await self.kill_at_random()
        self.api.spawn(GATEWAY_FAILPOINT="in_recovery")
        await self._death("in_recovery")
        self.kills += 1

    async def _death(self, failpoint: str) -> None:
        end = time.monotonic() + DEATH_S
        while self.api.running:
            assert time.monotonic() < end, f"the failpoint {failpoint} was not reached"
            await asyncio.sleep(0.02)
        assert self.api.wait() == -9
        self.api.kill()

    async def _end(self, load: Load) -> None:
        await load.stop()
        self.kills += 1
        self.sent += load.sent
        self.refused.update(load.refused)
        self.acknowledged += load.acknowledged

    def recover(self) -> None:
        """A last start; waits until the holds are resolved and the sums flushed."""
        self.start()
        wait_until(lambda: self.api.open_holds() == 0, 5, "resolution of all holds")
        wait_until(self._flushed, 5, "the rollups' flush")

    def _flushed(self) -> bool:
        row = self.api.rows(
            "SELECT (SELECT value FROM meta WHERE name = 'rollup_watermark') >= (SELECT max(id) FROM ledger) AS done"
        )[0]
        return bool(row["done"])


@pytest.fixture
def campaign(folder: Path, fresh_mock: Mock) -> Iterator[Campaign]:
    api = ApiService(folder, fresh_mock.url, None, GATEWAY_ADMIN_KEY=ADMIN_KEY)
    yield Campaign(api)
    api.kill()


def audit_is_clean(api: ApiService) -> None:
    audited = api.gateway("doctor", "--audit")
    assert audited.returncode == 0, audited.stdout + audited.stderr


def check(campaign: Campaign, mock: Mock) -> Findings:
    findings = compare(campaign.api, mock, campaign.acknowledged)
    assert findings.faults == {}
    assert findings.acknowledged > 0
    assert findings.estimated > 0
    audit_is_clean(campaign.api)
    return findings


async def test_kills_at_random_and_at_every_point_lose_nothing(
    campaign: Campaign, fresh_mock: Mock, long_form: bool
) -> None:
    """A quarter without budgets, half under an ample hard one, the last quarter under a tight one too."""
    rounds = LONG_FACTOR if long_form else 1
    deeds = [campaign.kill_at_random for _ in range(RANDOM_KILLS * rounds)]
    deeds += [campaign.die_in_recovery for _ in range(rounds)]
    points = list(UNDER_LOAD) * rounds
    random.shuffle(points)
    began = time.monotonic()
    steps = max(len(deeds), len(points))
    for i in range(steps):
        if i == steps // 4:
            campaign.set_budget("everything", "", AMPLE_NANO_USD)
        if i == 3 * steps // 4:
            campaign.tight = campaign.set_budget("model", "openai/gpt-4o", TIGHT_NANO_USD)
        if i < len(deeds):
            await deeds[i]()
        if i < len(points):
            await campaign.die_at(points[i])
    campaign.recover()
    findings = check(campaign, fresh_mock)
    campaign.check_budgets()
    assert set(campaign.refused) <= {402, 503}
    assert campaign.refused[402] > 0
    assert campaign.kills >= 25 * rounds
    record(
        "a crash",
        kills=campaign.kills,
        requests_sent=campaign.sent,
        acknowledged=findings.acknowledged,
        lost_or_unequal=len(findings.lost) + len(findings.unequal),
        duplicates=len(findings.duplicated),
        dispatched=findings.dispatched,
        estimated=findings.estimated,
        refused_by_the_tight_budget=campaign.refused[402],
        ready_again_s=f"{statistics.median(campaign.ready_after):.2f} median, {max(campaign.ready_after):.2f} most",
        seconds=time.monotonic() - began,
    )
    assert statistics.median(campaign.ready_after) <= READY_S


async def test_dying_in_the_first_migration_leaves_a_file_that_starts(campaign: Campaign, fresh_mock: Mock) -> None:
    api = campaign.api
    api.spawn(GATEWAY_FAILPOINT="in_migration")
    wait_until(lambda: not api.running, DEATH_S, "the failpoint in_migration")
    campaign.start()
    load = Load(api.port, workers=4, key=ADMIN_KEY)
    load.start()
    await asyncio.sleep(0.5)
    await load.stop()
    assert load.broken == 0
    assert load.refused == []
    assert load.acknowledged
    with contextlib.closing(sqlite3.connect(api.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_stream_killed_in_the_middle_is_estimated_near_the_truth(campaign: Campaign, fresh_mock: Mock) -> None:
    """Progress rides along once a second: the estimate may miss what came after it."""
    campaign.start()
    load = Load(campaign.api.port, workers=8, delay_ms=20, tokens=500, words=200, key=ADMIN_KEY)
    load.start()
    await asyncio.sleep(3.5)
    campaign.api.kill()
    await load.stop()
    campaign.recover()
    rows = {
        row["id"]: row
        for row in campaign.api.rows(
            "SELECT lower(hex(request_id)) AS id, * FROM ledger WHERE kind = 2 AND stream = 1 AND estimated = 1"
        )
    }
    calls = [call for call in fresh_mock.calls() if call["ids"]["x-request-id"].replace("-", "") in rows]
    assert len(calls) >= 4
    for call in calls:
        row = rows[call["ids"]["x-request-id"].replace("-", "")]
        per_second = 50
        missing = call["tokens_sent"] - row["output_tokens"]
        assert -0.25 * call["tokens_sent"] <= missing <= 0.25 * call["tokens_sent"] + 1.2 * per_second
        assert abs(row["input_tokens"] - call["prompt_tokens"]) <= max(40, 0.6 * call["prompt_tokens"])
