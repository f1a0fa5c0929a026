"""Keys, budgets and rate limits: made, changed and deleted."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from gateway.administration import checks
from gateway.administration.changes import Edit, InForce
from gateway.administration.input import (
    BudgetFields,
    KeyFields,
    LimitFields,
    NewBudget,
    NewKey,
    NewLimit,
    ScopeFields,
)
from gateway.administration.objects import changed_budget, changed_key, changed_limit, new_budget, new_limit
from gateway.administration.views import Standing, View, hold_views, key_views
from gateway.domain.budget import Budget
from gateway.domain.errors import InvalidRequest, NotFound
from gateway.domain.key import Key
from gateway.domain.limit import RateLimit
from gateway.domain.scope import Scope
from gateway.domain.time import now_ms
from gateway.identity import ADMIN_KEY_ID

T = TypeVar("T", Budget, RateLimit)


class Administration:
    """What administrators may do. Every method that changes something takes who does it, and may be repeated.

    All raise `NotFound`, `InvalidRequest` (nothing was changed) or `StoreUnavailable` (it may be changed later).
    """

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force

    def standing(self) -> Standing:
        """How every budget stands now."""
        return Standing(self._in_force.accounts(), now_ms())

    # keys

    def key_views(self, keys: Iterable[Key]) -> list[View]:
        """Keys as people see them."""
        return key_views(keys, self.budgets(), self.limits(), self.standing())

    def keys(self) -> list[Key]:
        """Every key, the oldest first."""
        return self._in_force.keys.all()

    def key(self, key_id: str) -> Key:
        """One key."""
        found = self._in_force.keys.get(key_id)
        if found is None:
            raise NotFound(f"There is no key {key_id[:60]!r}; GET /api/keys lists them.")
        return found

    async def create_key(self, actor: str, given: NewKey) -> tuple[Key, str]:
        """The key and its secret, which nobody can see again."""
        at_ms = now_ms()
        issued = self._in_force.keys.issue()
        blank = Key(id=issued.id, name="", created_at_ms=at_ms, digests=((issued.digest, None),))
        key = changed_key(blank, given, at_ms)
        scope = Scope("key", key.id)
        edits = [Edit("create", None, key)]
        for number, terms in enumerate(given.budgets):
            edits.append(Edit("create", None, new_budget(terms, scope, at_ms, f"budgets[{number}].")))
        if given.limits is not None:
            edits.append(Edit("create", None, new_limit(given.limits, scope, at_ms, "limits.")))
        async with self._in_force.lock:
            await self._in_force.make(actor, edits, at_ms)
        return key, issued.secret

    async def change_key(self, actor: str, key_id: str, given: KeyFields) -> Key:
        """As it is from now on."""
        at_ms = now_ms()
        async with self._in_force.lock:
            old = self.key(key_id)
            new = changed_key(old, given, at_ms)
            await self._in_force.make(actor, [Edit("change", old, new)], at_ms)
        return new

    async def block_key(self, actor: str, key_id: str, *, blocked: bool) -> Key:
        """A blocked key opens nothing, until it is unblocked."""
        at_ms = now_ms()
        async with self._in_force.lock:
            old = self.key(key_id)
            new = msgspec.structs.replace(old, blocked=blocked, updated_at_ms=at_ms)
            await self._in_force.make(actor, [Edit("block" if blocked else "unblock", old, new)], at_ms)
        return new

    async def rotate_key(self, actor: str, key_id: str, grace_s: int) -> tuple[Key, str]:
        """A new secret; the old ones open the key for at most `grace_s` more seconds."""
        checks.grace_s("grace_s", grace_s)
        at_ms = now_ms()
        async with self._in_force.lock:
            old = self.key(key_id)
            issued = self._in_force.keys.issue(key_id)
            until = at_ms + grace_s * 1000
            kept = ((digest, until if end is None else min(end, until)) for digest, end in old.digests)
            still_open = tuple((digest, end) for digest, end in kept if end > at_ms)
            new = msgspec.structs.replace(old, digests=((issued.digest, None), *still_open), updated_at_ms=at_ms)
            await self._in_force.make(actor, [Edit("rotate", old, new)], at_ms)
        return new, issued.secret

    async def delete_key(self, actor: str, key_id: str) -> None:
        """With the budgets and limits that stand on it; what it has used stays in the ledger."""
        async with self._in_force.lock:
            key = self.key(key_id)
            scope = Scope("key", key_id)
            edits = [Edit("delete", key, None)]
            edits += [Edit("delete", budget, None) for budget in self.budgets() if budget.scope == scope]
            edits += [Edit("delete", limit, None) for limit in self.limits() if limit.scope == scope]
            await self._in_force.make(actor, edits, now_ms())

    # budgets

    def budgets(self) -> list[Budget]:
        """Every budget, the oldest first."""
        return _by_age(self._in_force.budgets.values())

    def budget(self, budget_id: str) -> Budget:
        """One budget."""
        return _found(self._in_force.budgets, "budget", budget_id)

    def holds(self, budget: Budget) -> list[View]:
        """Which running requests hold how much of a budget's current period, the largest first."""
        period = budget.period_at(now_ms())
        return hold_views(budget, period, self._in_force.open_holds())

    async def create_budget(self, actor: str, given: NewBudget) -> Budget:
        """What is spent already in its current period counts."""
        at_ms = now_ms()
        async with self._in_force.lock:
            budget = new_budget(given, self._scope(given.scope), at_ms)
            await self._in_force.make(actor, [Edit("create", None, budget)], at_ms)
        return budget

    async def change_budget(self, actor: str, budget_id: str, given: BudgetFields) -> Budget:
        """What is spent stays where scope, period and zone stay."""
        at_ms = now_ms()
        async with self._in_force.lock:
            old = self.budget(budget_id)
            new = changed_budget(old, given, at_ms)
            if new.scope != old.scope:
                self._check_key(new.scope)
            await self._in_force.make(actor, [Edit("change", old, new)], at_ms)
        return new

    async def delete_budget(self, actor: str, budget_id: str) -> None:
        """From now on it refuses nothing."""
        async with self._in_force.lock:
            await self._in_force.make(actor, [Edit("delete", self.budget(budget_id), None)], now_ms())

    # rate limits

    def limits(self) -> list[RateLimit]:
        """Every rate limit, the oldest first."""
        return _by_age(self._in_force.limits.values())

    def limit(self, limit_id: str) -> RateLimit:
        """One rate limit."""
        return _found(self._in_force.limits, "limit", limit_id)

    async def create_limit(self, actor: str, given: NewLimit) -> RateLimit:
        """It counts from now on."""
        at_ms = now_ms()
        async with self._in_force.lock:
            limit = new_limit(given, self._scope(given.scope), at_ms)
            await self._in_force.make(actor, [Edit("create", None, limit)], at_ms)
        return limit

    async def change_limit(self, actor: str, limit_id: str, given: LimitFields) -> RateLimit:
        """As it is from now on."""
        at_ms = now_ms()
        async with self._in_force.lock:
            old = self.limit(limit_id)
            new = changed_limit(old, given, at_ms)
            if new.scope != old.scope:
                self._check_key(new.scope)
            await self._in_force.make(actor, [Edit("change", old, new)], at_ms)
        return new

    async def delete_limit(self, actor: str, limit_id: str) -> None:
        """From now on it limits nothing."""
        async with self._in_force.lock:
            await self._in_force.make(actor, [Edit("delete", self.limit(limit_id), None)], now_ms())

    def _scope(self, given: ScopeFields) -> Scope:
        scope = checks.scope("scope", given)
        self._check_key(scope)
        return scope

    def _check_key(self, scope: Scope) -> None:
        if scope.kind == "key" and scope.name != ADMIN_KEY_ID and self._in_force.keys.get(scope.name) is None:
            raise InvalidRequest(
                f"scope.name: there is no key {scope.name[:60]!r}; GET /api/keys lists them.", param="scope.name"
            )


def _found(objects: dict[str, T], noun: str, id_: str) -> T:
    found = objects.get(id_)
    if found is None:
        raise NotFound(f"There is no {noun} {id_[:60]!r}; GET /api/{noun}s lists them.")
    return found


def _by_age(objects: Iterable[T]) -> list[T]:
    return sorted(objects, key=lambda known: (known.created_at_ms, known.id))
