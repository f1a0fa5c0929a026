"""Suite k: a database of an earlier release is upgraded at the start, and every figure in it stays what it was."""

import contextlib
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psutil
import pytest

import first_release
from administrator import ADMIN_KEY, Administrator, bearer
from figures import record
from first_release import END_MS, SUMS, USERS, Fact
from stack import ApiService, Mock, get_json, wait_until

pytestmark = pytest.mark.slow

SPAN = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-30T00:00:00Z"}
GROUPS = ("application_id", "user_id", "key_id", "model", "provider", "status", "http_status")
ZONES = ("UTC", "Asia/Kathmandu", "America/New_York")
BUCKETS = ("day", "week", "month")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Fact]]:
    """The file, and every attempt in it."""
    database = tmp_path_factory.mktemp("first-release") / "usage.db"
    return database, first_release.write(database)


@pytest.fixture
def upgraded(folder: Path, mock: Mock, original: tuple[Path, list[Fact]]) -> Iterator[ApiService]:
    """Today's service on a copy of the file; not started yet."""
    database = folder / "usage.db"
    with (
        contextlib.closing(sqlite3.connect(original[0])) as source,
        contextlib.closing(sqlite3.connect(database)) as copy,
    ):
        source.backup(copy)
    api = ApiService(folder, mock.url, database, GATEWAY_ADMIN_KEY=ADMIN_KEY)
    yield api
    api.kill()


def read(api: ApiService, path: str, **parameters: Any) -> dict[str, Any]:
    query = f"?{urlencode(parameters, doseq=True)}" if parameters else ""
    status, answer = get_json(f"{api.url}{path}{query}", bearer(ADMIN_KEY))
    assert status == 200, (path, answer)
    found: dict[str, Any] = answer
    return found


def expected(facts: list[Fact], group: Callable[[Fact], Any] = lambda fact: ()) -> dict[Any, dict[str, int | None]]:
    """T of api.md for each group, by plain addition."""
    sums: dict[Any, list[int]] = defaultdict(lambda: [0] * len(SUMS))
    for fact in facts:
        sums[group(fact)] = list(map(int.__add__, sums[group(fact)], fact.sums))
    return {name: as_totals(dict(zip(SUMS, found, strict=True))) for name, found in sums.items()}


def as_totals(sums: dict[str, int]) -> dict[str, int | None]:
    prompt = sums["input_tokens"] + sums["cache_read_tokens"] + sums["cache_write_tokens"]
    completion = sums["output_tokens"] + sums["reasoning_tokens"]
    nothing_priced = sums["requests"] and sums["unpriced_requests"] == sums["requests"] and not sums["cost_nano_usd"]
    return {
        "requests": sums["requests"], "errors": sums["errors"], "prompt_tokens": prompt, "completion_tokens": completion,
        "total_tokens": prompt + completion, "cached_tokens": sums["cache_read_tokens"],
        "reasoning_tokens": sums["reasoning_tokens"], "unpriced_requests": sums["unpriced_requests"],
        "estimated_requests": sums["estimated_requests"], "cost_nano_usd": None if nothing_priced else sums["cost_nano_usd"],
    }  # fmt: skip


def told(totals: dict[str, Any]) -> dict[str, int | None]:
    """The figures of a T that are whole numbers."""
    return {name: totals[name] for name in as_totals(dict.fromkeys(SUMS, 0))}


def check(api: ApiService, facts: list[Fact]) -> None:
    """Every reading route against plain addition, the orphans of the earlier process included."""
    wait_until(lambda: api.open_holds() == 0, 5, "resolution of the orphans")
    everything = facts + first_release.orphans()
    check_usage(api, everything)
    check_stats(api, everything)
    check_requests(api, everything)
    with contextlib.closing(sqlite3.connect(api.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    audited = api.gateway("doctor", "--audit")
    assert audited.returncode == 0, audited.stdout + audited.stderr


def check_usage(api: ApiService, facts: list[Fact]) -> None:
    whole = expected(facts)[()]
    for number, name in enumerate(GROUPS):
        answer = read(
            api, "/api/usage", **SPAN, group_by=name, tz=ZONES[number % 3], bucket=BUCKETS[number % 3], limit=1000
        )
        assert told(answer["totals"]) == whole, name
        groups = {str(group["key"][name]): told(group["totals"]) for group in answer["groups"]}
        assert groups == {str(key): found for key, found in expected(facts, attrgetter(name)).items()}, name
        for group in answer["groups"]:
            assert sum(point["requests"] for point in group["series"]) == group["totals"]["requests"]
            assert sum(point["cost_nano_usd"] or 0 for point in group["series"]) == (
                group["totals"]["cost_nano_usd"] or 0
            )
    by_day = {point["start"][:10]: told(point) for point in read(api, "/api/usage", **SPAN)["groups"][0]["series"]}
    days = expected(facts, lambda fact: time.strftime("%Y-%m-%d", time.gmtime(fact.at_ms // 1000)))
    assert {day: found for day, found in by_day.items() if found["requests"]} == days


def check_stats(api: ApiService, facts: list[Fact]) -> None:
    stats = read(api, "/api/stats")
    assert told(stats["summary"]) == expected(facts)[()]
    for part, name in (("usage_by_model", "model"), ("usage_by_user", "user_id"), ("usage_by_provider", "provider")):
        listed = {item[name]: told(item) for item in stats[part]}
        assert listed == expected(facts, attrgetter(name))
    for user in USERS[:3]:
        usage = read(api, f"/api/user/{quote(user)}/usage")
        assert told(usage["summary"]) == expected([fact for fact in facts if fact.user_id == user])[()]


def check_requests(api: ApiService, facts: list[Fact]) -> None:
    finals = {str(fact.request_id): fact for fact in facts if fact.final}
    found: dict[str, dict[str, Any]] = {}
    cursor = ""
    while True:
        page = read(api, "/api/requests", limit=200, **({"cursor": cursor} if cursor else {}))
        found |= {row["request_id"]: row for row in page["requests"]}
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert found.keys() == finals.keys()
    for request_id, fact in finals.items():
        row = found[request_id]
        tokens = row["tokens"]["total"]
        assert (row["cost_nano_usd"], row["user_id"], row["http_status"]) == (
            fact.cost_nano_usd,
            fact.user_id,
            fact.http_status,
        )
        assert tokens == sum(fact.sums[2:7])
    for fact in random.sample(list(finals.values()), 25):
        detail = read(api, f"/api/requests/{fact.request_id}")
        assert len(detail["attempts_list"]) == fact.attempt + 1
        assert detail["cost_nano_usd"] == fact.cost_nano_usd
        if fact.cost_nano_usd:
            assert sum(line["amount_nano_usd"] for line in detail["receipt"]) == fact.cost_nano_usd
            assert detail["price"]["version"] == "litellm 1.106.2"


def test_every_figure_of_the_first_release_stays_to_the_unit(
    upgraded: ApiService, original: tuple[Path, list[Fact]]
) -> None:
    took = upgraded.start()
    check(upgraded, original[1])
    assert upgraded.stop() == 0
    upgraded.start()
    check(upgraded, original[1])
    record("k upgrade", requests=len(original[1]), first_start_s=took, totals="equal to the unit")


def test_budgets_count_what_was_spent_before_they_could_exist(
    upgraded: ApiService, original: tuple[Path, list[Fact]]
) -> None:
    upgraded.start()
    wait_until(lambda: upgraded.open_holds() == 0, 5, "resolution of the orphans")
    facts = original[1] + first_release.orphans()
    admin = Administrator(upgraded)
    for kind, name, mine in (
        ("everything", "", lambda fact: True),
        ("user", USERS[0], lambda fact: fact.user_id == USERS[0]),
        ("application", "größer", lambda fact: fact.application_id == "größer"),
        ("model", "openai/*", lambda fact: fact.model.startswith("openai/")),
        ("key", "admin", lambda fact: fact.key_id == "admin"),
    ):
        spent = sum(fact.cost_nano_usd or 0 for fact in facts if mine(fact))
        budget = admin.standing(admin.budget(kind, name, 10**15))
        assert (budget["spent_nano_usd"], budget["held_nano_usd"]) == (spent, 0), kind
    assert upgraded.gateway("doctor", "--audit").returncode == 0


def test_dying_in_the_upgrade_changes_nothing_and_the_next_start_finishes_it(
    upgraded: ApiService, original: tuple[Path, list[Fact]]
) -> None:
    before = content(upgraded.database)
    upgraded.spawn(GATEWAY_FAILPOINT="in_migration")
    wait_until(lambda: not upgraded.running, 15, "the end at the failpoint")
    assert upgraded.wait() != 0
    assert content(upgraded.database) == before
    upgraded.start()
    check(upgraded, original[1])


def test_kills_at_any_moment_of_the_upgrade_lose_nothing(
    upgraded: ApiService, original: tuple[Path, list[Fact]], long_form: bool
) -> None:
    """The first start of one file again and again, killed at every moment of it; each time the next one finishes."""
    untouched = upgraded.database.with_name("untouched.db")
    shutil.copy(upgraded.database, untouched)
    kills, versions = 60 if long_form else 8, set()
    for number in range(kills):
        for path in upgraded.database.parent.glob("usage.db*"):
            path.unlink()
        shutil.copy(untouched, upgraded.database)
        upgraded.spawn()
        time.sleep(0.2 + 1.6 * number / kills)
        upgraded.kill()
        versions.add(version(upgraded.database))
    upgraded.start()
    check(upgraded, original[1])
    assert versions <= {"0001", version(upgraded.database)}


def test_a_migration_that_outlives_its_service_is_waited_for(
    upgraded: ApiService, original: tuple[Path, list[Fact]]
) -> None:
    """Only the service is killed, not the process that migrates for it; the next service starts beside that."""
    upgraded.spawn()
    wait_until(lambda: psutil.Process(upgraded.pid).children(), 10, "the process that migrates")
    os.kill(upgraded.pid, signal.SIGKILL)
    upgraded.wait()
    upgraded.start()
    check(upgraded, original[1])


def test_a_file_of_a_later_release_is_refused_and_left_alone(upgraded: ApiService) -> None:
    with contextlib.closing(sqlite3.connect(upgraded.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = content(upgraded.database)
    upgraded.spawn()
    assert upgraded.wait() != 0
    assert "newer" in upgraded.log
    assert content(upgraded.database) == before


def test_the_earlier_file_is_what_the_first_release_wrote(original: tuple[Path, list[Fact]]) -> None:
    """The tool is only as good as its file: its own sums must agree with its rows."""
    with contextlib.closing(sqlite3.connect(original[0])) as connection:
        stored = connection.execute(f"SELECT {', '.join(f'sum({name})' for name in SUMS)} FROM rollups").fetchone()
        watermark = connection.execute("SELECT value FROM meta").fetchone()[0]
        assert connection.execute("SELECT max(admitted_at_ms) FROM requests").fetchone()[0] < END_MS
    assert list(stored) == [sum(column) for column in zip(*(f.sums for f in original[1][:watermark]), strict=True)]


def version(database: Path) -> str:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def content(database: Path) -> str:
    """A digest of every row and the whole schema."""
    digest = hashlib.sha256()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        for line in connection.iterdump():
            digest.update(line.encode())
    return digest.hexdigest()
