"""What can be asked of a store's reader, and what it answers, whichever database it is."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from gateway.domain.conversation import ConversationSettings, Message
from gateway.domain.entry import CostSource
from gateway.domain.price import Price
from gateway.domain.usage import Usage

SUMS = (
    "requests", "errors", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
    "cost_nano_usd", "unpriced_requests", "estimated_requests", "duration_us",
)  # fmt: skip
ENDLESS_S = 2**53


class Owner(msgspec.Struct, frozen=True):
    """The one user or key whose requests somebody may see, and no others."""

    by: Literal["user_id", "key_id"]
    name: str


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Names that a report is narrowed to; an empty tuple narrows nothing. `status` is `success` or `error`.

    `owner`: whose requests the asker may see; `None`: everybody's.
    """

    application_id: tuple[str, ...] = ()
    user_id: tuple[str, ...] = ()
    key_id: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    http_status: tuple[int, ...] = ()
    owner: Owner | None = None

    def names(self, dimension: str) -> tuple[str, ...] | None:
        """The names that remain of a dimension, the owner's alone if it is the owner's; `None`: all."""
        asked: tuple[str, ...] = getattr(self, dimension)
        if self.owner is None or self.owner.by != dimension:
            return asked or None
        return (self.owner.name,) if not asked or self.owner.name in asked else ()


class Part(msgspec.Struct, frozen=True):
    """A range of quarters in which local time is UTC plus one offset; `unit_s`: the size of the units to group by.

    Unit u lasts from `u * unit_s` to `(u + 1) * unit_s` seconds of local time since 1970; with `ENDLESS_S` all is unit 0.
    """

    start: int
    end: int
    offset_s: int
    unit_s: int


class UsageQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over consecutive parts, by unit of time and by group: of the `limit` dearest groups (`None`: of all)."""

    parts: tuple[Part, ...]
    filters: Filters = Filters()
    group_by: tuple[str, ...] = ()
    limit: int | None = None


class Figures(msgspec.Struct, frozen=True):
    """Sums (in the order of `SUMS`), and histograms of duration, first token, overhead: `None` where none are kept."""

    sums: list[int]
    histograms: list[int] | None


def added(figures: Iterable[Figures]) -> Figures:
    """All together; of none, zeros."""
    found = list(figures)
    if not found:
        return Figures([0] * len(SUMS), None)
    sums = [sum(column) for column in zip(*(one.sums for one in found), strict=True)]
    kept = [one.histograms for one in found if one.histograms is not None]
    return Figures(sums, [sum(metric) for metric in zip(*kept, strict=True)] if kept else None)


class Cell(msgspec.Struct, frozen=True):
    """The figures of one group (names, or `success`/`error`) in one unit of one part."""

    part: int
    unit: int
    group: tuple[str, ...]
    figures: Figures


class UsageAnswer(msgspec.Struct, frozen=True):
    """Cells where there is anything; the `group_count - limit` groups that are not among them, summed up, are `others`."""

    cells: list[Cell]
    group_count: int
    others: Figures | None


# A request's columns in lists, without any content.
REQUEST_COLUMNS = (
    "id", "admitted_at_ms", "application_id", "user_id", "key_id", "operation", "model", "provider", "upstream_model", "status",
    "outcome", "http_status", "stream", "prompt_tokens", "cached_tokens", "cache_write_tokens", "completion_tokens",
    "reasoning_tokens", "total_tokens", "cost_nano_usd", "cost_source", "response_time", "time_to_first_token", "overhead",
    "attempts", "error_message",
)  # fmt: skip


class RequestQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests: newest first, before the id `cursor` and from the id `down_to` on.

    Costs in nano-USD, times in seconds, `None` narrows nothing.
    """

    filters: Filters = Filters()
    from_ms: int | None = None
    to_ms: int | None = None
    min_cost_nano_usd: int | None = None
    max_cost_nano_usd: int | None = None
    min_response_time: float | None = None
    max_response_time: float | None = None
    id_prefix: str = ""
    cursor: str | None = None
    down_to: str | None = None
    limit: int = 50


class Stretch(msgspec.Struct, frozen=True):
    """Some requests (`REQUEST_COLUMNS`), newest first, and the `cursor` with which to go on; `None`: there are no more."""

    rows: list[tuple[Any, ...]]
    cursor: str | None


class StoredReplay(msgspec.Struct, frozen=True):
    """How a request with an `Idempotency-Key` was answered; `headers` is JSON, `body` is `None` where it was not kept."""

    fingerprint: bytes
    request_id: str
    headers: str
    body: bytes | None


class StoredResponse(msgspec.Struct, frozen=True):
    """Whose a response is that a provider keeps (`caller`: the key's id), and which provider."""

    caller: str
    provider: str


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes by administrators: newest first, before the id `before_id`; an empty text narrows nothing."""

    before_id: int
    object_kind: str = ""
    object_id: str = ""
    actor: str = ""
    limit: int = 50


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events: newest first, before the id `before_id` (empty: from the newest one)."""

    before_id: str = ""
    limit: int = 50


class ConversationQuery(msgspec.Struct, frozen=True, kw_only=True):
    """An owner's conversations, newest first, after the row `before` (its time and number), with all of these words in them.

    `requests_of`: whose requests count in what they cost.
    """

    owner: str
    words: str = ""
    before: tuple[int, int] | None = None
    limit: int = 50
    requests_of: Owner | None = None


class ConversationRow(msgspec.Struct, frozen=True):
    """One in a list; `hit` is the first message that has the first word that was searched for."""

    number: int
    name: str
    title: str
    created_at_ms: int
    updated_at_ms: int
    requests: int
    unpriced_requests: int
    cost_nano_usd: int | None
    hit: str | None


class WholeConversation(msgspec.Struct, frozen=True):
    """One with its messages in the order they were made, and the rows of its requests by column."""

    title: str
    settings: ConversationSettings
    created_at_ms: int
    updated_at_ms: int
    messages: list[Message]
    requests: list[dict[str, Any]]


class StoredFile(msgspec.Struct, frozen=True):
    """An attached file."""

    media_type: str
    body: bytes


class AttemptQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Settled attempts admitted in a range, a page at a time: rows after `after_id`."""

    from_ms: int
    to_ms: int
    after_id: int = 0
    limit: int = 5_000


class PricedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """A settled attempt, its usage and what it costs by now (`None`: not priced), and the price it was charged at.

    `settled_nano_usd` is what it cost before any correction, `held_nano_usd` what was set aside for it.
    """

    id: int
    request_id: bytes
    attempt: int
    admitted_at_ms: int
    model: str
    provider: str
    upstream_model: str
    usage: Usage
    price: Price | None
    cost_nano_usd: int | None
    source: CostSource
    settled_nano_usd: int | None
    held_nano_usd: int


class FullRequest(msgspec.Struct, frozen=True):
    """A row of `requests` and its ledger rows, by column; `prices`: stored terms by id."""

    row: dict[str, Any]
    attempts: list[dict[str, Any]]
    prices: dict[int, str]
