"""Holds and settlements as rows, and the statements that write them."""

import time

import msgspec

from gateway.domain.administration import AuditEntry
from gateway.domain.entry import CostSource, Hold, Outcome, Settlement
from gateway.domain.time import id_text
from gateway.store.sqlite.dimensions import Refs
from gateway.store.sqlite.rollups import Facts

# The driver takes exact `int`, `float`, `str` and `bytearray` as they are; everything else (`bytes`, `bool`, enumerations) it first
# tries to adapt, which costs as much as the rest of a parameter's way. Hence the `+` and the `bytearray` below.
Row = tuple[object, ...]

_HOLD_COLUMNS = (
    "id, boot_id, request_id, attempt, admitted_at_ms, amount_nano_usd, application_ref, user_ref, key_ref, model_ref, "
    "provider_ref, upstream_model_ref, operation, stream, input_tokens_estimate, price_id"
)
_LEDGER_COLUMNS = (
    "id, request_id, attempt, kind, seq, final, admitted_at_ms, recorded_at_ms, "
    "application_ref, user_ref, key_ref, model_ref, provider_ref, upstream_model_ref, operation, stream, outcome, http_status, "
    "input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, usage_detail, "
    "cost_nano_usd, cost_source, estimated, price_id, held_nano_usd, duration_us, first_token_us, overhead_us, "
    "error_code, finish_reason, saved_nano_usd, reason"
)
_REQUEST_COLUMNS = (
    "id, application_id, user_id, model, response_time, prompt_tokens, completion_tokens, total_tokens, cost_usd, timestamp, "
    "status, error_message, provider, upstream_model, key_id, operation, outcome, http_status, stream, cached_tokens, "
    "cache_write_tokens, reasoning_tokens, cost_nano_usd, cost_source, time_to_first_token, overhead, attempts, admitted_at_ms, "
    "application_ref, user_ref, model_ref, query, response, messages"
)


def _insert(table: str, columns: str) -> str:
    return f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * (columns.count(',') + 1))})"


INSERT_HOLD = _insert("holds", _HOLD_COLUMNS)
INSERT_LEDGER = _insert("ledger", _LEDGER_COLUMNS)
INSERT_REQUEST = _insert("requests", _REQUEST_COLUMNS)
INSERT_AUDIT = _insert("audit", "at_ms, actor, action, object_kind, object_id, before, after")
PUT_REPLAY = _insert("idempotency", "caller, name, fingerprint, request_id, created_at_ms, headers, body").replace(
    "INSERT", "INSERT OR REPLACE", 1
)
PUT_PROGRESS = """
INSERT INTO progress (hold_id, output_tokens, first_token_us) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET output_tokens = max(output_tokens, excluded.output_tokens)
"""

_OUTCOMES = {outcome: outcome.name.lower() for outcome in Outcome}
_SOURCES = {source: source.name.lower() for source in CostSource}


def hold_row(hold: Hold, boot_id: int, refs: Refs, price_id: int | None) -> Row:
    """A row of `holds`."""
    return (
        hold.id, boot_id, bytearray(hold.request_id), hold.attempt, hold.admitted_at_ms, hold.amount_nano_usd, *refs,
        +hold.operation, +hold.stream, hold.input_tokens_estimate, price_id,
    )  # fmt: skip


def ledger_row(row_id: int, settlement: Settlement, refs: Refs, price_id: int | None, recorded_at_ms: int) -> Row:
    """A row of `ledger`: tokens in five disjoint classes, audio, images and 1-hour cache writes folded into them."""
    hold, usage = settlement.hold, settlement.usage
    return (
        row_id, bytearray(hold.request_id), hold.attempt, +settlement.kind, 0, +settlement.final, hold.admitted_at_ms,
        recorded_at_ms, *refs, +hold.operation, +hold.stream, +settlement.outcome, settlement.http_status,
        usage.input + usage.audio_input + usage.image_input, usage.cache_read, usage.cache_write + usage.cache_write_1h,
        usage.output + usage.audio_output + usage.image_output, usage.reasoning,
        None if usage.is_plain else msgspec.json.encode(usage).decode(),
        settlement.cost_nano_usd, +settlement.cost_source, +usage.estimated, price_id, hold.amount_nano_usd,
        settlement.duration_us, settlement.first_token_us, settlement.overhead_us,
        settlement.error_code, settlement.finish_reason, settlement.saved_nano_usd, settlement.reason,
    )  # fmt: skip


def facts(row: Row) -> Facts:
    """The part of a ledger row that rollups count (see `rollups.FACTS`)."""
    return (
        row[0], row[3], row[5], row[6], row[8], row[9], row[10], row[11], row[12], row[17],
        *row[18:23], row[24], row[26], *row[29:32], 0,
    )  # type: ignore[return-value]  # fmt: skip  # columns are what ledger_row put there


def audit_row(entry: AuditEntry) -> Row:
    """A row of `audit`."""
    return msgspec.structs.astuple(entry)


def replay_row(settlement: Settlement) -> Row:
    """A row of `idempotency`, of a settlement that has a replay."""
    replay, hold = settlement.replay, settlement.hold
    if replay is None:
        raise ValueError("this settlement has no replay")
    headers = msgspec.json.encode(replay.headers).decode()
    return (
        replay.caller, replay.name, replay.fingerprint, hold.request_id, hold.admitted_at_ms, headers, replay.body,
    )  # fmt: skip


class RequestRows:
    """Rows of `requests`; remembers the text of the second it last wrote."""

    def __init__(self) -> None:
        self._second = -1
        self._timestamp = ""

    def row(self, settlement: Settlement, refs: Refs) -> Row:
        """The seed's columns and ours, for the attempt that ended the request."""
        hold, usage = settlement.hold, settlement.usage
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        cost = settlement.cost_nano_usd
        first_token, overhead = settlement.first_token_us, settlement.overhead_us
        return (
            id_text(hold.request_id), hold.application_id, hold.user_id, hold.model, settlement.duration_us / 1e6,
            prompt, completion, prompt + completion, None if cost is None else cost / 1e9,
            self._seed_time(hold.admitted_at_ms),
            "success" if settlement.http_status < 400 else "error", settlement.error_message,
            hold.provider, hold.upstream_model, hold.key_id, hold.operation.name.lower(),
            _OUTCOMES[settlement.outcome], settlement.http_status, +hold.stream,
            usage.cache_read, usage.cache_write + usage.cache_write_1h, usage.reasoning,
            cost, _SOURCES[settlement.cost_source],
            None if first_token is None else first_token / 1e6, None if overhead is None else overhead / 1e6,
            hold.attempt + 1, hold.admitted_at_ms, refs[0], refs[1], refs[3],
            settlement.query, settlement.response, settlement.messages,
        )  # fmt: skip

    def _seed_time(self, at_ms: int) -> str:
        second = at_ms // 1000
        if second != self._second:
            self._second = second
            self._timestamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return self._timestamp
