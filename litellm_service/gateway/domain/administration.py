"""Changes of what administrators set: keys, budgets, limits, prices; and the record of who changed what."""

from typing import Literal

import msgspec

ObjectKind = Literal["key", "budget", "limit", "price", "book"]


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to which object; `before` and `after` are its JSON without secrets, `None` where it did not exist."""

    at_ms: int
    actor: str
    action: str
    object_kind: str
    object_id: str
    before: str | None = None
    after: str | None = None


class Put(msgspec.Struct, frozen=True):
    """Create or replace an object, whole."""

    kind: ObjectKind
    id: str
    value: msgspec.Struct


class Drop(msgspec.Struct, frozen=True):
    """Delete an object; deleting what is not there is no error."""

    kind: ObjectKind
    id: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """All of it in one transaction, with its audit entries."""

    steps: tuple[Put | Drop, ...]
    audit: tuple[AuditEntry, ...]
