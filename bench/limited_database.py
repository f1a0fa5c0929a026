"""Makes a database with a key under budgets and limits, and prints the key: FILE PEPPER, run in `litellm_service/`."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))

from gateway.domain.administration import Change, Put
from gateway.domain.budget import Budget
from gateway.domain.key import Key
from gateway.domain.limit import RateLimit
from gateway.domain.money import MAX_NANO_USD
from gateway.domain.scope import Scope
from gateway.identity import KeyRing
from gateway.store.sqlite.store import SqliteStore

MANY = 2**40


async def main(database: str, pepper: str) -> None:
    """Everything in scope is large enough to refuse nothing."""
    issued = KeyRing(pepper.encode()).issue()
    key = Key(
        id=issued.id, name="bench", user_id="bench", application_id="bench", models=("openai/*", "anthropic/*", "deepseek/*"),
        digests=((issued.digest, None),),
    )  # fmt: skip
    scopes = (Scope("everything"), Scope("user", "bench"), Scope("key", key.id), Scope("model", "*"))
    budgets = [
        Budget(id=f"b{n}", scope=scope, amount_nano_usd=MAX_NANO_USD, period="month") for n, scope in enumerate(scopes)
    ]
    limits = [
        RateLimit(id=f"l{n}", scope=scope, requests_per_minute=MANY, tokens_per_minute=MANY, concurrency=MANY)
        for n, scope in enumerate(scopes[1:3])
    ]
    steps = (
        Put("key", key.id, key),
        *(Put("budget", budget.id, budget) for budget in budgets),
        *(Put("limit", limit.id, limit) for limit in limits),
    )
    store = SqliteStore(Path(database), "bench")
    store.open()
    store.start()
    await store.change(Change(steps=steps, audit=()))
    await asyncio.to_thread(store.close)
    print(issued.secret)


asyncio.run(main(sys.argv[1], sys.argv[2]))
