"""Pricing earlier requests anew: page by page, with a summary of what that changes."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from gateway.domain.entry import Correction
from gateway.domain.time import id_text
from gateway.metering.prices import PriceBook
from gateway.metering.recomputing import repriced
from gateway.store.questions import AttemptQuery, PricedAttempt

Attempts = Callable[[AttemptQuery], Awaitable[list[PricedAttempt]]]
Correct = Callable[[Correction], Awaitable[None]]
EXAMPLES = 20
_PAGE = 1_000


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt before and after; `None`: it was not priced."""

    request_id: str
    attempt: int
    model: str
    before_nano_usd: int | None
    after_nano_usd: int
    price: str
    version: str


class ModelChange(msgspec.Struct, kw_only=True):
    """All corrections of one model; what was not priced counts as nothing before."""

    model: str
    corrections: int = 0
    newly_priced: int = 0
    before_nano_usd: int = 0
    after_nano_usd: int = 0


class Recomputed(msgspec.Struct, kw_only=True):
    """How many attempts were looked at, what changes for each model, and the first few."""

    attempts: int = 0
    corrections: int = 0
    difference_nano_usd: int = 0
    models: dict[str, ModelChange] = {}
    examples: list[Example] = []


async def recompute(book: PriceBook, attempts: Attempts, correct: Correct, *, from_ms: int, to_ms: int) -> Recomputed:
    """Every attempt admitted in a range; each correction is given to `correct`. May be repeated."""
    found = Recomputed(models={}, examples=[])
    after_id = 0
    while page := await attempts(AttemptQuery(from_ms=from_ms, to_ms=to_ms, after_id=after_id, limit=_PAGE)):
        pairs = [(attempt, correction) for attempt in page if (correction := repriced(book, attempt)) is not None]
        await asyncio.gather(*(correct(correction) for _, correction in pairs))
        for attempt, correction in pairs:
            _count(found, attempt, correction)
        found.attempts += len(page)
        after_id = page[-1].id
    return found


def _count(found: Recomputed, attempt: PricedAttempt, correction: Correction) -> None:
    before, after = attempt.cost_nano_usd, correction.cost_nano_usd
    model = found.models.setdefault(attempt.model, ModelChange(model=attempt.model))
    model.corrections += 1
    model.newly_priced += before is None
    model.before_nano_usd += before or 0
    model.after_nano_usd += after
    found.corrections += 1
    found.difference_nano_usd += after - (before or 0)
    if len(found.examples) < EXAMPLES and correction.price is not None:
        found.examples.append(
            Example(
                request_id=id_text(attempt.request_id),
                attempt=attempt.attempt,
                model=attempt.model,
                before_nano_usd=before,
                after_nano_usd=after,
                price=correction.price.name,
                version=correction.price.version,
            )
        )
