"""Reading an upstream's reply piece by piece, whatever its wire."""

from collections import deque
from collections.abc import Callable

import msgspec

from gateway.domain.errors import ProviderError, ProviderUnavailable
from gateway.providers.refusal import stated_error
from gateway.providers.reply import Reply
from gateway.providers.sse import EventSplitter, event_data
from gateway.wires.codec import Decoder, Heard, Unreadable
from gateway.wires.neutral import Delta
from gateway.wires.plain import SOMETHING

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_HELD_BACK = 4
_FIELDS = (b":", b"event:", b"id:", b"retry:", b"data")


class Piece(msgspec.Struct):
    """Some of an answer: `raw` in the upstream's wire, `text` the words in it, `deltas` where more than the words is wanted.

    `closing`: it says that the answer is finished, or comes after that; it must wait for the settlement.
    `usage_only`: it carries nothing but usage, which the client gets only if it asked. `terminator`: the stream ends with it.
    """

    raw: bytes
    text: str = ""
    closing: bool = False
    usage_only: bool = False
    terminator: bool = False
    deltas: list[Delta] = []


class AnswerReader:
    """Reads one reply and keeps what the ledger needs of it.

    `text` are the words for people, `counted` all that the provider counts as output (reasoning and tool calls too).
    `usage_reports` are the usage objects as they came, oldest first. `service_tier` is what the provider says it charges by.
    `as_bytes`: the answer is a file, not events.
    The first events are held back until something of the answer itself comes, so that an error may yet become a status.
    """

    def __init__(self, reply: Reply, decoder: Decoder, *, stream: bool, as_bytes: bool = False) -> None:
        self._reply = reply
        self._decoder = decoder
        self._stream = stream
        self._as_bytes = as_bytes
        self._splitter = EventSplitter()
        self._ready: deque[Piece] = deque()
        self._held_back: list[tuple[bytes, Heard | None]] = []
        self._raw: list[bytes] = []
        self._words: list[str] = []
        self._deltas: list[Delta] = []
        self._ended = False
        self._failure: ProviderError | None = None
        self.text: list[str] = []
        self.counted: list[str] = []
        self.usage_reports: list[bytes] = []
        self.finish_reason: str | None = None
        self.service_tier: str | None = None
        self.refused = False
        self.kept_as: str | None = None
        self.finished = False
        self.terminated = False

    @property
    def full_text(self) -> str:
        """The words of the answer so far."""
        return "".join(self.text)

    @property
    def heard(self) -> bool:
        """Something of the answer itself has come."""
        return bool(self.counted) or self.finished

    async def next(self) -> Piece | None:
        """The next piece, `None` at the end; raises `ProviderError` for an answer that breaks off or makes no sense."""
        while not self._ready:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return None
            if self._as_bytes:
                await self._read_bytes()
            elif self._stream:
                await self._read_events()
            else:
                await self._read_whole()
        return self._ready.popleft()

    @property
    def content_type(self) -> bytes:
        """What the provider says that its answer is."""
        return next((value for name, value in self._reply.headers if name == b"content-type"), b"")

    async def _read_whole(self) -> None:
        parts, size = [], 0
        while data := await self._reply.read():
            parts.append(data)
            size += len(data)
            if size > MAX_ANSWER_BYTES:
                raise ProviderUnavailable("The provider's answer is larger than 64 MB.")
        raw = b"".join(parts)
        heard = self._decoded(raw, self._decoder.whole)
        if heard.error:
            raise stated_error(heard.error) or ProviderUnavailable("The provider's answer has no content.")
        self._ended = self.finished = True
        self._note(heard)
        self._ready.append(Piece(raw, self.full_text, closing=True, deltas=heard.deltas))

    async def _read_bytes(self) -> None:
        """A file, as it comes; JSON in its place is an error, or is read to its end to know that it is none."""
        if self.content_type.startswith(b"application/json"):
            await self._read_whole()
            return
        data = await self._reply.read()
        if data:
            self.counted.append(SOMETHING)
        else:
            self._ended = self.finished = True
        self._ready.append(Piece(data, closing=self._ended))

    async def _read_events(self) -> None:
        data = await self._reply.read()
        if data:
            events = self._splitter.feed(data)
        else:
            events, self._ended = self._splitter.end(), True
        try:
            for event in events:
                self._take(event)
        except ProviderError as error:
            self._failure = error
        self._flush()
        if self._ended and not self.finished and self._failure is None:
            self._failure = ProviderUnavailable("The provider's answer broke off before it was finished.")

    def _take(self, event: bytes) -> None:
        """Note one event; those that come at once go out at once."""
        payload = event_data(event)
        if payload is None:
            if not self.finished:
                self._hold_comment(event)
            return
        if self.finished:
            self._take_after_end(event, payload)
            return
        heard = self._decoded(payload, self._decoder.event)
        if heard.error and (error := stated_error(heard.error)):
            raise error
        ends = self._note(heard)
        if heard.ignored or self._is_too_early(heard):
            self._held_back.append((event, heard))
            return
        if ends:
            self._flush()
        for held, words in (*self._held_back, (event, heard)):
            self._raw.append(held)
            if words is not None:
                self._words.append(words.text)
                self._deltas += words.deltas
        self._held_back.clear()
        if ends:
            self._flush(closing=True)

    def _flush(self, *, closing: bool = False) -> None:
        if self._raw:
            piece = Piece(b"".join(self._raw), "".join(self._words), closing=closing, deltas=self._deltas)
            piece.terminator = closing and self.terminated
            self._ready.append(piece)
            self._raw, self._words, self._deltas = [], [], []

    def _is_too_early(self, heard: Heard) -> bool:
        """Before the first word: whatever goes out now takes the choice of another provider away."""
        return not (self.counted or heard.finishes or heard.terminates) and len(self._held_back) < MAX_HELD_BACK

    def _hold_comment(self, event: bytes) -> None:
        if not event.startswith(_FIELDS):
            raise self._no_stream(event)
        self._held_back.append((event, None))

    def _take_after_end(self, event: bytes, payload: bytes) -> None:
        """After the end only usage matters; a second terminator is dropped."""
        try:
            heard = self._decoder.event(payload)
        except Unreadable:
            return
        if heard.terminates:
            if not self.terminated:
                self._ready.append(Piece(event, closing=True, terminator=True))
            self.terminated = True
            return
        self._note_usage(heard)
        if heard.is_usage_only or not self.terminated:
            piece = Piece(event, heard.text, closing=True, usage_only=heard.is_usage_only, deltas=heard.deltas)
            self._ready.append(piece)

    def _note(self, heard: Heard) -> bool:
        """Says whether the answer is complete with this."""
        self._note_usage(heard)
        if heard.text:
            self.text.append(heard.text)
        if heard.counted:
            self.counted.append(heard.counted)
        self.refused = self.refused or heard.is_refusal
        self.kept_as = heard.kept_as or self.kept_as
        if heard.finish_reason is not None:
            self.finish_reason = heard.finish_reason
        if not (heard.finishes or heard.terminates):
            return False
        self.finished, self.terminated = True, heard.terminates
        return True

    def _note_usage(self, heard: Heard) -> None:
        if heard.service_tier is not None:
            self.service_tier = heard.service_tier
        if heard.usage:
            self.usage_reports.append(heard.usage)

    def _no_stream(self, event: bytes) -> ProviderError:
        """What to say of bytes that are no event: the provider's own error, if it is one."""
        heard = self._decoded(event, self._decoder.event)
        stated = stated_error(heard.error) if heard.error else None
        return stated or ProviderUnavailable("The provider did not answer with the stream that was asked for.")

    @staticmethod
    def _decoded(raw: bytes, decode: Callable[[bytes], Heard]) -> Heard:
        try:
            return decode(raw)
        except Unreadable as error:
            raise ProviderUnavailable(str(error)) from None
