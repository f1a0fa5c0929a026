"""`Idempotency-Key`: a repetition gets the first answer, and is billed once.

As in the IETF draft "The Idempotency-Key HTTP Header Field", with the outcome kept for 24 hours.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping

import msgspec

from gateway.domain.entry import REPLAYS_KEPT_MS, Replay
from gateway.domain.errors import (
    IdempotencyInProgress,
    IdempotencyMismatch,
    IdempotencyResultNotStored,
    InvalidRequest,
)
from gateway.domain.time import now_ms
from gateway.store.questions import StoredReplay
from gateway.store.sqlite.reading import Reader

HEADER = b"idempotency-key"
MAX_KEY_LENGTH = 255
MAX_REPLAY_BYTES = 1_000_000

RawHeaders = list[tuple[bytes, bytes]]


class First:
    """The first request with its key: collects what the client is sent, as far as it can be kept."""

    def __init__(self, caller: str, name: bytes, fingerprint: bytes) -> None:
        self.caller = caller
        self.name = name
        self.fingerprint = fingerprint
        self._sent: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> None:
        """Part of the answer's body."""
        self._size += len(data)
        if self._size <= MAX_REPLAY_BYTES:
            self._sent.append(data)

    def replay(self, headers: RawHeaders, rest: bytes, *, keep_content: bool) -> Replay:
        """The whole answer; without its body where that is too long or may not be kept."""
        self.add(rest)
        kept = keep_content and self._size <= MAX_REPLAY_BYTES
        return Replay(
            caller=self.caller,
            name=self.name,
            fingerprint=self.fingerprint,
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers],
            body=b"".join(self._sent) if kept else None,
        )


class Repetitions:
    """Which keys are in use now, and what the ledger knows of those that were.

    One process owns the database, so what is in use is in memory: after a crash nothing is, and a repetition is a new request.
    """

    def __init__(self, reader: Callable[[], Reader]) -> None:
        self._reader = reader
        self._in_progress: dict[tuple[str, bytes], bytes] = {}

    @property
    def reader(self) -> Reader:
        """The database, as the routes read it."""
        return self._reader()

    async def begin(
        self, caller: str, headers: Mapping[bytes, bytes], path: str, body: bytes
    ) -> First | StoredReplay | None:
        """`None` without the header; else the right to be first, or the answer that the first one got."""
        key = headers.get(HEADER)
        if key is None:
            return None
        if not 1 <= len(key) <= MAX_KEY_LENGTH:
            raise InvalidRequest(f"Idempotency-Key: 1 to {MAX_KEY_LENGTH} characters.", param="Idempotency-Key")
        name, fingerprint = hashlib.sha256(key).digest(), hashlib.sha256(path.encode() + b"\0" + body).digest()
        running = self._in_progress.get((caller, name))
        if running is not None:
            raise _in_progress() if running == fingerprint else _mismatch()
        self._in_progress[caller, name] = fingerprint
        try:
            stored = await self._reader().replay(caller, name, now_ms() - REPLAYS_KEPT_MS)
            if stored is None:
                return First(caller, name, fingerprint)
            _check(stored, fingerprint)
        except BaseException:
            self._forget(caller, name)
            raise
        self._forget(caller, name)
        return stored

    def end(self, first: First, *, after_s: float = 0) -> None:
        """Its outcome is on record, or it has none: the key is free, or answers from the record."""
        if after_s:
            asyncio.get_running_loop().call_later(after_s, self._forget, first.caller, first.name)
        else:
            self._forget(first.caller, first.name)

    def _forget(self, caller: str, name: bytes) -> None:
        self._in_progress.pop((caller, name), None)


def raw_headers(stored: StoredReplay) -> RawHeaders:
    """The first answer's headers, and one that says that it is a repetition."""
    pairs = msgspec.json.decode(stored.headers, type=list[tuple[str, str]])
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs] + [
        (b"idempotent-replayed", b"true")
    ]


def _check(stored: StoredReplay, fingerprint: bytes) -> None:
    if stored.fingerprint != fingerprint:
        raise _mismatch()
    if stored.body is None:
        raise IdempotencyResultNotStored(
            f"The request with this Idempotency-Key was answered and billed as {stored.request_id}, but its answer was not kept "
            "(content is not stored here, or it was longer than 1 MB). Use a new key to ask again.",
            param="Idempotency-Key",
        )


def _in_progress() -> IdempotencyInProgress:
    return IdempotencyInProgress(
        "The first request with this Idempotency-Key still runs; try again shortly.",
        param="Idempotency-Key",
        retry_after_s=1,
    )


def _mismatch() -> IdempotencyMismatch:
    return IdempotencyMismatch(
        "This Idempotency-Key was used for another request. Use a new key for each request, and the same key only to repeat it.",
        param="Idempotency-Key",
    )
