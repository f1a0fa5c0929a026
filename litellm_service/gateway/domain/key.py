"""Virtual keys: who may call what, and who pays."""

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

Role = Literal["admin", "viewer", "member"]


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual key without its secret.

    `models` and `routes` are globs; empty means all. `user_id` and `application_id` are whom its requests are charged to;
    `None` means that each request names them itself, which a key with a fixed one may do only with the right to label.
    `digests` are hex HMACs of the secrets that open it, each with the moment until which it does (`None`: for good).
    """

    id: str
    name: str
    role: Role = "member"
    user_id: str | None = None
    application_id: str | None = None
    models: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    may_label_users: bool = False
    may_label_applications: bool = False
    default_max_tokens: int | None = None
    max_tokens: int | None = None
    max_cost_per_request_nano_usd: int | None = None
    store_content: bool = True
    created_at_ms: int = 0
    updated_at_ms: int = 0
    expires_at_ms: int | None = None
    blocked: bool = False
    digests: tuple[tuple[str, int | None], ...] = ()

    def is_open(self, at_ms: int) -> bool:
        """Whether it lets anybody in at this moment."""
        return not self.blocked and (self.expires_at_ms is None or at_ms < self.expires_at_ms)

    def allows_model(self, *names: str) -> bool:
        """Whether one of a model's names (as asked for, canonical) is allowed."""
        return not self.models or any(fnmatchcase(name, pattern) for name in names for pattern in self.models)

    def allows_route(self, path: str) -> bool:
        """Whether the path of a route is allowed."""
        return not self.routes or any(fnmatchcase(path, pattern) for pattern in self.routes)
