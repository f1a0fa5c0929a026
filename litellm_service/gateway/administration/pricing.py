"""Prices: overrides, imported maps, and what earlier requests should have cost."""

import asyncio
import secrets
from collections.abc import Awaitable
from typing import Any, Protocol

import msgspec

from gateway.administration import checks
from gateway.administration.changes import Edit, InForce
from gateway.administration.price_input import (
    MapImport,
    NewOverride,
    Recomputation,
    effective_from_ms,
    override_of,
)
from gateway.administration.recomputation import Attempts, Recomputed, recompute
from gateway.domain.administration import AuditEntry, Change
from gateway.domain.entry import Correction
from gateway.domain.errors import InvalidRequest, NotFound
from gateway.domain.price import PriceMap, PriceOverride
from gateway.domain.time import now_ms
from gateway.metering.importing import Differences, differences, imported_map
from gateway.metering.models import ModelMap
from gateway.metering.prices import PriceBook

_ID_BYTES = 8


class LedgerStore(Protocol):
    """Where corrections are written."""

    def correct(self, correction: Correction) -> Awaitable[None]:
        """Record what an attempt should have cost; may be repeated."""

    def change(self, change: Change) -> Awaitable[None]:
        """Write what was done to the audit log."""


class Imported(msgspec.Struct, frozen=True):
    """A map that could be or was imported, and what it changes."""

    price_map: PriceMap
    differences: Differences
    applied: bool


class Pricing:
    """What administrators may do about prices.

    All that changes something raises `NotFound`, `InvalidRequest` (nothing was changed) or `StoreUnavailable` (it may be later).
    """

    def __init__(self, in_force: InForce, book: PriceBook, models: ModelMap, store: LedgerStore) -> None:
        self._in_force = in_force
        self._store = store
        self.book = book
        self.models = models

    def overrides(self) -> list[PriceOverride]:
        """Every override, the oldest first."""
        return sorted(self._in_force.overrides.values(), key=lambda known: (known.created_at_ms, known.id))

    def maps(self) -> list[PriceMap]:
        """Every imported map, the oldest first."""
        return sorted(self._in_force.maps.values(), key=lambda known: (known.imported_at_ms, known.version))

    async def create_override(self, actor: str, given: NewOverride) -> PriceOverride:
        """The price is in force at once, or from the moment that was given."""
        at_ms = now_ms()
        new = override_of(secrets.token_hex(_ID_BYTES), given, self.models.catalog.providers, at_ms)
        async with self._in_force.lock:
            await self._in_force.make(actor, [Edit("create", None, new)], at_ms)
        return new

    async def replace_override(self, actor: str, override_id: str, given: NewOverride) -> PriceOverride:
        """The whole of it; what was settled by the old one stays as it is."""
        at_ms = now_ms()
        new = override_of(override_id, given, self.models.catalog.providers, at_ms)
        async with self._in_force.lock:
            old = self._override(override_id)
            new = msgspec.structs.replace(new, created_at_ms=old.created_at_ms)
            await self._in_force.make(actor, [Edit("change", old, new)], at_ms)
        return new

    async def delete_override(self, actor: str, override_id: str) -> None:
        """What the maps say is the price again."""
        async with self._in_force.lock:
            await self._in_force.make(actor, [Edit("delete", self._override(override_id), None)], now_ms())

    async def import_map(self, actor: str, given: MapImport) -> Imported:
        """What would change, or with `apply` has changed."""
        at_ms = now_ms()
        starts_ms = effective_from_ms(given.effective_from, at_ms)
        version = checks.name("version", given.version) if given.version else ""
        new = await asyncio.to_thread(
            imported_map, bytes(given.map), version=version, effective_from_ms=starts_ms, at_ms=at_ms
        )
        found = await asyncio.to_thread(differences, self.models, ModelMap.imported(new, self.models.catalog))
        if not given.apply:
            return Imported(new, found, applied=False)
        if found.suspects and not given.confirm:
            raise InvalidRequest(
                f"confirm: {len(found.suspects)} of the changes are suspect ({found.suspects[0]}). Look at the differences "
                "(the same without `apply`), and send `confirm: true` if they are right. Nothing was imported.",
                param="confirm",
            )
        async with self._in_force.lock:
            old = self._in_force.maps.get(new.version)
            await self._in_force.make(actor, [Edit("change" if old else "create", old, new)], at_ms)
        return Imported(new, found, applied=True)

    async def delete_map(self, actor: str, version: str) -> None:
        """The maps before it say again what its models cost."""
        async with self._in_force.lock:
            found = self._in_force.maps.get(version)
            if found is None:
                raise NotFound(f"There is no imported map {version[:60]!r}; GET /api/prices lists them.")
            await self._in_force.make(actor, [Edit("delete", found, None)], now_ms())

    async def recompute(self, actor: str, given: Recomputation, attempts: Attempts) -> Recomputed:
        """What attempts of a range should have cost by the book of now; with `apply` corrections are written."""
        from_ms, to_ms = checks.moment_ms("from", given.from_), checks.moment_ms("to", given.to)
        if from_ms >= to_ms:
            raise InvalidRequest("to: it must be after `from`.", param="to")
        if not given.apply:
            return await recompute(self.book, attempts, _nothing, from_ms=from_ms, to_ms=to_ms)
        # Said before, so that corrections that break off half-way are nobody's secret.
        await self._store.change(Change(steps=(), audit=(_audited(actor, given, None),)))
        found = await recompute(self.book, attempts, self._store.correct, from_ms=from_ms, to_ms=to_ms)
        await self._store.change(Change(steps=(), audit=(_audited(actor, given, found),)))
        return found

    def _override(self, override_id: str) -> PriceOverride:
        found = self._in_force.overrides.get(override_id)
        if found is None:
            raise NotFound(f"There is no override {override_id[:60]!r}; GET /api/prices lists them.")
        return found


async def _nothing(_correction: Correction) -> None:
    """A dry run."""


def _audited(actor: str, given: Recomputation, found: Recomputed | None) -> AuditEntry:
    told: dict[str, Any] = {"from": given.from_, "to": given.to}
    if found is not None:
        told |= {
            "attempts": found.attempts, "corrections": found.corrections, "difference_nano_usd": found.difference_nano_usd,
        }  # fmt: skip
    action = "begin_recompute" if found is None else "recompute"
    return AuditEntry(
        at_ms=now_ms(), actor=actor, action=action, object_kind="price", object_id="",
        after=msgspec.json.encode(told).decode(),
    )  # fmt: skip
