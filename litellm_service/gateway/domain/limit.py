"""Rate limits: amounts per minute, and how many at once."""

import msgspec

from gateway.domain.scope import Scope


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """What a scope may do in any 60 seconds, and how many of its requests may run at once; `None`: no limit."""

    id: str
    scope: Scope
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    created_at_ms: int = 0
    updated_at_ms: int = 0
