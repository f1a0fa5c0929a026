"""A database with requests in it, written by the real writer; the newest third is above the rollups' watermark."""

import random
from pathlib import Path

from store_entries import NOON_MS, PRICE, hold, settlement

from gateway.domain.entry import CostSource, Outcome
from gateway.domain.usage import Usage
from gateway.store.sqlite import opening
from gateway.store.sqlite.batch import BatchWriter

MODELS = ("openai/gpt-4o", "anthropic/claude", "local/qwen")
DAY_MS = 86_400_000


def seeded(path: Path, count: int = 600, days: float = 5.0, seed: int = 7) -> list[dict]:
    """Fill a new file; gives what was written, oldest first."""
    chance = random.Random(seed)
    opening.migrate_if_behind(path)
    connection = opening.connect(path)
    writer = BatchWriter(connection, 1)
    written = []
    for number, at_ms in enumerate(sorted(NOON_MS + int(chance.random() * days * DAY_MS) for _ in range(count))):
        operations, facts = _one(chance, number, at_ms)
        writer.write(operations, flush=number % 50 == 49 and number < count * 2 // 3)
        written.append(facts)
    connection.close()
    return written


def _one(chance: random.Random, number: int, at_ms: int) -> tuple[list, dict]:
    model = chance.choice(MODELS)
    priced = not model.startswith("local/")
    failed = chance.random() < 0.1
    usage = (
        Usage()
        if failed
        else Usage(input=chance.randrange(1, 900), cache_read=chance.randrange(0, 90), output=chance.randrange(1, 400))
    )
    cost = 0 if failed else usage.input * 2_500 + usage.output * 10_000 if priced else None
    facts = {
        "at_ms": at_ms, "application_id": chance.choice(["webui", "ci", "search"]), "user_id": f"user{chance.randrange(4)}",
        "model": model, "provider": model.split("/")[0], "status": "error" if failed else "success",
        "tokens": usage.total_tokens, "cost": cost, "duration_us": chance.randrange(1_000, 9_000_000),
    }  # fmt: skip
    names = {key: facts[key] for key in ("application_id", "user_id", "model", "provider")}
    one = hold(at_ms, id=number + 1, price=PRICE if priced else None, upstream_model=model.split("/")[1], **names)
    ended = settlement(
        one, usage=usage, cost_nano_usd=cost, http_status=502 if failed else 200, duration_us=facts["duration_us"],
        outcome=Outcome.FAILED if failed else Outcome.COMPLETED,
        cost_source=CostSource.COMPUTED if priced and not failed else CostSource.NONE,
        error_message="overheated" if failed else None, query=f"question {number}", response=None if failed else "answer",
    )  # fmt: skip
    return [one, ended], {**facts, "id": one.request_id}
