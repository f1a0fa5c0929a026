"""The response cache: what may be kept, under which key, and what is given back.

Nothing is shared: the key holds the caller, whom the request is charged to, where it may go, and every field of the body.
Only whole answers are kept, with a finish that says so: no errors, no truncations, no refusals.
"""

import hashlib
import logging
from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from gateway.domain.request import ModelRequest
from gateway.domain.scope import Subject
from gateway.domain.time import now_ms

log = logging.getLogger(__name__)

FORMAT = b"2"
MAX_ANSWER_BYTES = 1_000_000
Wish = Literal["use", "renew", "off"]
_WISHES: dict[bytes, Wish] = {b"use": "use", b"renew": "renew", b"off": "off"}
# Each wire's words for an answer that came to its end.
_WHOLE = {"stop", "tool_calls", "function_call", "end_turn", "stop_sequence", "tool_use", "STOP", "completed"}
# What makes an answer depend on more than the body: state, or the world, at the provider.
_ELSEWHERE = (
    "previous_response_id",
    "conversation",
    "background",
    "store",
    "container",
    "mcp_servers",
    "cachedContent",
    "web_search_options",
)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: the bytes that its client was sent, who gave it, and the cost that it saves from now on."""

    model: str
    provider: str
    upstream_model: str
    body: bytes
    text: str
    finish_reason: str | None
    cost_nano_usd: int | None
    stored_at_ms: int


class Backend(Protocol):
    """Keeps bytes for a while; loses them whenever it likes, and never raises."""

    async def get(self, key: bytes) -> bytes | None:
        """What was put, or nothing."""

    async def put(self, key: bytes, value: bytes, ttl_s: float) -> None:
        """Keep it for so long."""

    async def close(self) -> None:
        """No more."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Kept)


class AnswerCache:
    """Keeps answers for `ttl_s` seconds."""

    def __init__(self, backend: Backend, ttl_s: float) -> None:
        self._backend = backend
        self._ttl_s = ttl_s
        self.hits = self.misses = self.stored = 0
        self.saved_nano_usd = 0

    async def find(self, key: bytes) -> Kept | None:
        """The answer kept under a key."""
        raw = await self._backend.get(key)
        kept = None if raw is None else _read(raw)
        if kept is None or now_ms() - kept.stored_at_ms > self._ttl_s * 1000:
            self.misses += 1
            return None
        self.hits += 1
        self.saved_nano_usd += kept.cost_nano_usd or 0
        return kept

    async def keep(self, key: bytes, kept: Kept) -> None:
        """Keep an answer."""
        self.stored += 1
        await self._backend.put(key, _encoder.encode(kept), self._ttl_s)

    async def close(self) -> None:
        """Let the backend go."""
        await self._backend.close()


def key_of(request: ModelRequest, subject: Subject, route: str, scope: str) -> bytes | None:
    """The key of a request that came by `route` and may go to `scope`; `None`: its answer depends on more than what it says."""
    fields = request.fields
    if any(name in fields and bytes(fields[name]) not in {b"null", b"false"} for name in _ELSEWHERE):
        return None
    digest = hashlib.sha256(FORMAT)
    charged = (subject.key_id, subject.user_id, subject.application_id)
    for part in (*charged, route, scope, request.wire, request.model, str(request.stream), str(request.as_array)):
        _add(digest, part.encode("utf-8", "replace"))
    for name, value in request.headers:
        _add(digest, name)
        _add(digest, value)
    for field in sorted(fields):
        _add(digest, field.encode("utf-8", "replace"))
        _add(digest, bytes(fields[field]))
    return digest.digest()


def wish_of(headers: Mapping[bytes, bytes]) -> Wish:
    """What a client wants of the cache: to use it, to have its answer renewed, or to have nothing to do with it."""
    stated = headers.get(b"x-gateway-cache")
    if stated is not None:
        return _WISHES.get(stated.strip().lower(), "off")
    control = headers.get(b"cache-control")
    if control is None:
        return "use"
    control = control.lower()
    return "off" if b"no-store" in control else "renew" if b"no-cache" in control else "use"


def may_be_kept(finish_reason: str | None, body: bytes, *, refused: bool) -> bool:
    """Whether an answer that was given whole may be given again."""
    return finish_reason in _WHOLE and not refused and 0 < len(body) <= MAX_ANSWER_BYTES


def _add(digest: "hashlib._Hash", part: bytes) -> None:
    """With its length: no two lists of parts look alike."""
    digest.update(b"%d:" % len(part))
    digest.update(part)


def _read(raw: bytes) -> Kept | None:
    try:
        return _decoder.decode(raw)
    except msgspec.DecodeError:
        log.warning("the cache holds something that is no answer; it is passed over")
        return None
