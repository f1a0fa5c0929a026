"""Who is calling: a credential becomes a caller."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping

import msgspec

from gateway.domain.errors import Unauthenticated
from gateway.domain.key import Key, Role
from gateway.domain.time import now_ms

ADMIN_KEY_ID = "admin"
KEY_PREFIX = "sk-gw-"
_ID_BYTES = 8
_SECRET_BYTES = 32
_FORM = re.compile(rb"sk-gw-([0-9a-f]{16})-[A-Za-z0-9_-]{43}")


class Caller(msgspec.Struct, frozen=True):
    """Whoever presented a key; `key_id` is empty where no key is needed, `key` is the virtual key if it was one."""

    key_id: str
    role: Role
    key: Key | None = None


class IssuedKey(msgspec.Struct, frozen=True):
    """A new secret: shown once as `secret`, kept as `digest` only."""

    id: str
    secret: str
    digest: str


_OPEN = Caller("", "admin")
_ADMIN = Caller(ADMIN_KEY_ID, "admin")


class KeyRing:
    """The virtual keys, in memory; digests are HMAC-SHA-256 with a pepper that the database does not hold."""

    def __init__(self, pepper: bytes, keys: Iterable[Key] = ()) -> None:
        self._pepper = pepper
        self._callers = {key.id: Caller(key.id, key.role, key) for key in keys}

    def issue(self, key_id: str | None = None) -> IssuedKey:
        """A new secret, for a new key or for one that exists."""
        key_id = key_id or secrets.token_hex(_ID_BYTES)
        secret = f"{KEY_PREFIX}{key_id}-{secrets.token_urlsafe(_SECRET_BYTES)}"
        return IssuedKey(key_id, secret, self._hmac(secret.encode()).hex())

    def put(self, key: Key) -> None:
        """From now on the key is as it is here."""
        self._callers[key.id] = Caller(key.id, key.role, key)

    def drop(self, key_id: str) -> None:
        """From now on there is no such key."""
        self._callers.pop(key_id, None)

    def get(self, key_id: str) -> Key | None:
        """One key."""
        caller = self._callers.get(key_id)
        return None if caller is None else caller.key

    def all(self) -> list[Key]:
        """Every key, the oldest first."""
        keys = (caller.key for caller in self._callers.values() if caller.key is not None)
        return sorted(keys, key=lambda key: (key.created_at_ms, key.id))

    def caller(self, presented: bytes, at_ms: int) -> Caller | None:
        """Whoever this secret belongs to; `None` for one that is unknown, malformed, replaced, expired or blocked."""
        form = _FORM.fullmatch(presented)
        found = self._callers.get(form[1].decode()) if form else None
        digest = self._hmac(presented)
        if found is None or found.key is None:
            return None
        fits = [until for known, until in found.key.digests if hmac.compare_digest(bytes.fromhex(known), digest)]
        opens = any(until is None or at_ms < until for until in fits)
        return found if opens and found.key.is_open(at_ms) else None

    def _hmac(self, secret: bytes) -> bytes:
        return hmac.digest(self._pepper, secret, "sha256")


class Identity:
    """Checks keys; without an admin key (loopback only) everybody else is let in too.

    The three carriers have the same rights: `Authorization: Bearer`, `x-api-key`, `x-goog-api-key`.
    """

    def __init__(self, admin_key: str | None, keys: KeyRing) -> None:
        self.required = admin_key is not None
        self.keys = keys
        self._digest = _digest(admin_key.encode()) if admin_key is not None else b""

    def caller(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Raises `Unauthenticated`, with one same answer whatever is wrong with the key.

        Where no key is needed, one that looks like ours still counts: with its rights, or not at all.
        """
        presented = _presented(headers)
        if presented.startswith(b"sk-gw-"):
            found = self.keys.caller(presented, now_ms())
            if found is not None:
                return found
        elif not self.required:
            return _OPEN
        if self.required and hmac.compare_digest(_digest(presented), self._digest):
            return _ADMIN
        raise unauthenticated()

    def is_current(self, caller: Caller) -> bool:
        """Whether the caller's key is still the one that it was."""
        return caller.key is None or self.keys.get(caller.key_id) is caller.key


def unauthenticated() -> Unauthenticated:
    """The one same answer."""
    return Unauthenticated(
        "No valid key. Send a key of this gateway as `Authorization: Bearer …`: one that an administrator made for you "
        "(it begins with sk-gw-), or GATEWAY_ADMIN_KEY (if none was set, one was made at the first start and is kept in "
        "gateway_admin.key beside the database)."
    )


def _presented(headers: Mapping[bytes, bytes]) -> bytes:
    authorization = headers.get(b"authorization", b"")
    if authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip()
    return headers.get(b"x-api-key") or headers.get(b"x-goog-api-key") or b""


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
