"""Who is calling: a credential becomes a caller."""

import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from gateway.domain.errors import Unauthenticated

ADMIN_KEY_ID = "admin"


class Caller(msgspec.Struct, frozen=True):
    """Whoever presented a key; `key_id` is empty where no key is needed."""

    key_id: str
    role: str


_OPEN = Caller("", "admin")
_ADMIN = Caller(ADMIN_KEY_ID, "admin")


class Identity:
    """Checks the one admin key; without one (loopback only) everybody is let in.

    The three carriers have the same rights: `Authorization: Bearer`, `x-api-key`, `x-goog-api-key`.
    """

    def __init__(self, admin_key: str | None) -> None:
        self.required = admin_key is not None
        self._digest = _digest(admin_key.encode()) if admin_key is not None else b""

    def caller(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Raises `Unauthenticated`, with one same answer whatever is wrong with the key."""
        if not self.required:
            return _OPEN
        if hmac.compare_digest(_digest(_presented(headers)), self._digest):
            return _ADMIN
        raise Unauthenticated(
            "No valid key. Send the gateway's key as `Authorization: Bearer …`; it is GATEWAY_ADMIN_KEY, "
            "or the one that was made at the first start and kept in gateway_admin.key beside the database."
        )


def _presented(headers: Mapping[bytes, bytes]) -> bytes:
    authorization = headers.get(b"authorization", b"")
    if authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip()
    return headers.get(b"x-api-key") or headers.get(b"x-goog-api-key") or b""


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
