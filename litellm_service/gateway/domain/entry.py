"""What the ledger is told: a hold before a call, a settlement after it."""

from enum import IntEnum

import msgspec

from gateway.domain.price import Price
from gateway.domain.usage import NO_USAGE, Usage

REPLAYS_KEPT_MS = 24 * 3_600_000


class Outcome(IntEnum):
    """How an admitted request ended; stored as its number, shown as its lower-case name."""

    COMPLETED = 1
    ABANDONED = 2
    FAILED = 3


class CostSource(IntEnum):
    """Where a cost comes from; stored as its number, shown as its lower-case name."""

    NONE = 0
    PROVIDER = 1
    COMPUTED = 2
    ESTIMATED = 3
    CACHE = 4


class Operation(IntEnum):
    """The kind of a request; stored as its number, shown as its lower-case name."""

    CHAT = 1
    EMBEDDINGS = 2
    COMPLETIONS = 3
    IMAGES = 4
    SPEECH = 5
    TRANSCRIPTION = 6
    TRANSLATION = 7
    MODERATIONS = 8
    RERANK = 9
    TOKEN_COUNT = 10


class Kind(IntEnum):
    """The kind of a ledger row."""

    SETTLEMENT = 1
    ESTIMATE = 2
    CORRECTION = 3


class Hold(msgspec.Struct, kw_only=True):
    """One attempt that is about to be sent: who pays, where it goes, the most it may cost.

    `id` is set when the hold is handed to the ledger. `price` is `None` where the model has none. `under_hard_budget`: the
    amount was reckoned; otherwise nobody knew of a budget that could refuse it.
    """

    request_id: bytes
    attempt: int
    admitted_at_ms: int
    application_id: str
    user_id: str
    key_id: str
    model: str
    provider: str
    upstream_model: str
    operation: Operation
    stream: bool
    input_tokens_estimate: int
    amount_nano_usd: int
    price: Price | None
    under_hard_budget: bool = False
    id: int = 0


class Settlement(msgspec.Struct, kw_only=True):
    """How one attempt ended. Times in microseconds; `final`: no other attempt follows, so the request is written too.

    `cost_nano_usd` is `None` where the model has no price. Content fields are empty where content is not stored.
    `saved_nano_usd` is what an answer from the cache did not cost; `reason` says why the request went there, where it had a choice.
    `stored_response` is the id of a response that its provider keeps.
    """

    hold: Hold
    outcome: Outcome
    http_status: int
    usage: Usage = NO_USAGE
    cost_nano_usd: int | None = None
    cost_source: CostSource = CostSource.NONE
    duration_us: int = 0
    first_token_us: int | None = None
    overhead_us: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    final: bool = True
    kind: Kind = Kind.SETTLEMENT
    query: str = ""
    response: str | None = None
    messages: str | None = None
    finish_reason: str | None = None
    replay: "Replay | None" = None
    saved_nano_usd: int | None = None
    reason: str | None = None
    stored_response: str | None = None


class Handover(msgspec.Struct):
    """One attempt has failed and the next is about to be sent: both or, where the second is refused, the first as the last."""

    settlement: Settlement
    hold: Hold


class Correction(msgspec.Struct, kw_only=True):
    """A settled attempt should have cost something else: `cost_nano_usd` is the whole of what it costs now."""

    request_id: bytes
    attempt: int
    cost_nano_usd: int
    price: Price | None
    source: CostSource = CostSource.COMPUTED


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a repetition with the same `Idempotency-Key` is answered with.

    `name` and `fingerprint` are digests of the key and of the request. `body` is `None` where it may not or cannot be kept.
    """

    caller: str
    name: bytes
    fingerprint: bytes
    headers: list[tuple[str, str]]
    body: bytes | None
