"""The fields that an administrator may send; whatever else is sent is refused by name."""

from decimal import Decimal
from typing import Annotated, get_args

import msgspec
from msgspec import UNSET, UnsetType

from gateway.domain.budget import BudgetPeriod
from gateway.domain.key import Role
from gateway.domain.scope import ScopeKind

# Typed as texts, so that the refusal of another value can say which ones are allowed.
RoleText = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(get_args(Role))})]
PeriodText = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(get_args(BudgetPeriod))})]
ScopeText = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(get_args(ScopeKind))})]
Texts = tuple[str, ...]


class Input(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Fields that are left out stay as they are; `null` takes a value away where there may be none."""


class ScopeFields(Input, kw_only=True, frozen=True):
    """What a budget or a rate limit stands on; `name` is empty for `everything`."""

    kind: ScopeText
    name: str = ""


class BudgetTerms(Input, kw_only=True, frozen=True):
    """Money per period; `raised_to_usd` is the limit until `raised_until`."""

    amount_usd: Decimal | UnsetType = UNSET
    period: PeriodText | UnsetType = UNSET
    tz: str | UnsetType = UNSET
    hard: bool | UnsetType = UNSET
    thresholds: tuple[int, ...] | UnsetType = UNSET
    raised_to_usd: Decimal | UnsetType | None = UNSET
    raised_until: str | UnsetType | None = UNSET


class BudgetFields(BudgetTerms, kw_only=True, frozen=True):
    """A change of a budget."""

    scope: ScopeFields | UnsetType = UNSET


class NewKeyBudget(BudgetTerms, kw_only=True, frozen=True):
    """A budget on the key that is being made."""

    amount_usd: Decimal
    period: PeriodText


class NewBudget(NewKeyBudget, kw_only=True, frozen=True):
    """A budget on anything."""

    scope: ScopeFields


class LimitTerms(Input, kw_only=True, frozen=True):
    """How much in any 60 seconds, and how many at once."""

    requests_per_minute: int | UnsetType | None = UNSET
    tokens_per_minute: int | UnsetType | None = UNSET
    concurrency: int | UnsetType | None = UNSET


class LimitFields(LimitTerms, kw_only=True, frozen=True):
    """A change of a rate limit."""

    scope: ScopeFields | UnsetType = UNSET


class NewLimit(LimitTerms, kw_only=True, frozen=True):
    """A rate limit on anything."""

    scope: ScopeFields


class KeyFields(Input, kw_only=True, frozen=True):
    """A change of a key."""

    name: str | UnsetType = UNSET
    role: RoleText | UnsetType = UNSET
    user_id: str | UnsetType | None = UNSET
    application_id: str | UnsetType | None = UNSET
    models: Texts | UnsetType = UNSET
    routes: Texts | UnsetType = UNSET
    may_label_users: bool | UnsetType = UNSET
    may_label_applications: bool | UnsetType = UNSET
    default_max_tokens: int | UnsetType | None = UNSET
    max_tokens: int | UnsetType | None = UNSET
    max_cost_per_request_usd: Decimal | UnsetType | None = UNSET
    store_content: bool | UnsetType = UNSET
    expires_at: str | UnsetType | None = UNSET


class NewKey(KeyFields, kw_only=True, frozen=True):
    """A new key, and what stands on it from the start."""

    name: str
    budgets: tuple[NewKeyBudget, ...] = ()
    limits: LimitTerms | None = None


class Rotation(Input, kw_only=True, frozen=True):
    """For how many seconds the old secret still opens the key."""

    grace_s: int = 0


class Nothing(Input, kw_only=True, frozen=True):
    """A body without fields."""
