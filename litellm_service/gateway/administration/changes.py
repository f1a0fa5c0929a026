"""Changes by administrators: decided here, committed with their audit entries, and only then in force."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from gateway.admission.budgets import BudgetBook
from gateway.admission.limits import RateLimits
from gateway.domain.administration import AuditEntry, Change, Drop, ObjectKind, Put
from gateway.domain.budget import Budget
from gateway.domain.entry import Hold
from gateway.domain.errors import GatewayError, StoreUnavailable
from gateway.domain.key import Key
from gateway.domain.limit import RateLimit
from gateway.domain.price import PriceMap, PriceOverride
from gateway.identity import KeyRing
from gateway.metering.prices import PriceBook
from gateway.store.sqlite.budget_account import Account

T = TypeVar("T")
Administered = Key | Budget | RateLimit | PriceOverride | PriceMap
KeyChanged = Callable[[str], None]
_KINDS: dict[type, ObjectKind] = {
    Key: "key",
    Budget: "budget",
    RateLimit: "limit",
    PriceOverride: "price",
    PriceMap: "book",
}


class ChangeStore(Protocol):
    """Where changes are written."""

    def change(self, change: Change, then: Callable[[GatewayError | None], None]) -> asyncio.Future[None]:
        """Give `then` the outcome, whoever still waits for the future, which may give up earlier."""

    def objects(self, kind: ObjectKind, type_: type[T]) -> list[T]:
        """What was written earlier; before the first change only."""

    def open_holds(self) -> list[Hold]:
        """What runs now."""

    def accounts(self) -> list[Account]:
        """What budgets have spent and hold now."""


class Edit(msgspec.Struct, frozen=True):
    """One object before (`None`: it is new) and after (`None`: it is deleted) an action."""

    action: str
    before: Administered | None
    after: Administered | None

    @property
    def kind(self) -> ObjectKind:
        """The kind of the object."""
        return _KINDS[type(self.after or self.before)]

    @property
    def id(self) -> str:
        """The id of the object."""
        known = self.after or self.before
        return "" if known is None else known.id


class InForce:
    """Everything that administrators have set, as it is in force; one change after the other.

    `on_key_changed` is told the id of each key that is not as it was.
    """

    def __init__(
        self,
        store: ChangeStore,
        keys: KeyRing,
        budgets: BudgetBook,
        limits: RateLimits,
        *,
        prices: PriceBook,
        on_key_changed: KeyChanged,
    ) -> None:
        self._store = store
        self.keys = keys
        self._budget_book = budgets
        self._rate_limits = limits
        self._prices = prices
        self._on_key_changed = on_key_changed
        self.budgets: dict[str, Budget] = {}
        self.limits: dict[str, RateLimit] = {}
        self.overrides: dict[str, PriceOverride] = {}
        self.maps: dict[str, PriceMap] = {}
        self._tables: dict[ObjectKind, dict[str, Any]] = {
            "budget": self.budgets, "limit": self.limits, "price": self.overrides, "book": self.maps,
        }  # fmt: skip
        self.lock = asyncio.Lock()
        self._is_in_doubt = False

    def take_up(self) -> None:
        """At the start: what the store has."""
        for key in self._store.objects("key", Key):
            self.keys.put(key)
        for type_, kind in _KINDS.items():
            if kind in self._tables:
                found: list[Any] = self._store.objects(kind, type_)
                self._tables[kind].update((known.id, known) for known in found)
        self._budget_book.replace(self.budgets.values())
        self._rate_limits.replace(self.limits.values())
        self._prices.replace(self.maps.values(), self.overrides.values())

    def accounts(self) -> list[Account]:
        """What budgets have spent and hold now."""
        return self._store.accounts()

    def open_holds(self) -> list[Hold]:
        """What runs now."""
        return self._store.open_holds()

    async def make(self, actor: str, edits: Sequence[Edit], at_ms: int) -> None:
        """All of them or none; call it with the lock held, and decide on what is in force while it is held.

        Raises `StoreUnavailable`. What is in force is what the file has, also where the caller has given up waiting.
        """
        if self._is_in_doubt:
            raise StoreUnavailable(
                "The database has not confirmed an earlier change yet; try again shortly.", retry_after_s=2
            )

        def then(error: GatewayError | None) -> None:
            self._is_in_doubt = False
            if error is None:
                self._apply(edits)

        confirmed = self._store.change(_change(actor, edits, at_ms), then)
        self._is_in_doubt = True
        await confirmed

    def _apply(self, edits: Iterable[Edit]) -> None:
        for edit in edits:
            self._put_or_drop(edit)
        self._budget_book.replace(self.budgets.values())
        self._rate_limits.replace(self.limits.values())
        if any(edit.kind in {"price", "book"} for edit in edits):
            self._prices.replace(self.maps.values(), self.overrides.values())
        for edit in edits:
            if edit.kind == "key":
                self._on_key_changed(edit.id)

    def _put_or_drop(self, edit: Edit) -> None:
        if isinstance(edit.after, Key):
            self.keys.put(edit.after)
        elif isinstance(edit.before, Key):
            self.keys.drop(edit.id)
        elif edit.after is not None:
            self._tables[edit.kind][edit.id] = edit.after
        else:
            del self._tables[edit.kind][edit.id]


def _change(actor: str, edits: Iterable[Edit], at_ms: int) -> Change:
    steps: list[Put | Drop] = []
    audit = []
    for edit in edits:
        steps.append(Drop(edit.kind, edit.id) if edit.after is None else Put(edit.kind, edit.id, edit.after))
        audit.append(
            AuditEntry(
                at_ms=at_ms, actor=actor, action=edit.action, object_kind=edit.kind, object_id=edit.id,
                before=_without_secrets(edit.before), after=_without_secrets(edit.after),
            )
        )  # fmt: skip
    return Change(steps=tuple(steps), audit=tuple(audit))


def _without_secrets(known: Administered | None) -> str | None:
    """Without the bulk of imported maps, too."""
    if known is None:
        return None
    if isinstance(known, Key):
        known = msgspec.structs.replace(known, digests=())
    if isinstance(known, PriceMap):
        known = msgspec.structs.replace(known, compact_gz=b"")
    return msgspec.json.encode(known).decode()
