"""Corrections: rows of the difference between what an attempt cost and what it should have cost."""

import sqlite3

import msgspec

from gateway.domain.entry import Correction, Hold, Kind, Operation
from gateway.domain.time import id_text
from gateway.store.sqlite.rollups import FACTS, Facts

_COPIED = (
    "request_id, attempt, final, admitted_at_ms, application_ref, user_ref, key_ref, model_ref, provider_ref, "
    "upstream_model_ref, operation, stream, outcome, http_status"
)
_ORIGINAL = f"""
SELECT id, cost_nano_usd, final, admitted_at_ms FROM ledger WHERE request_id = ? AND attempt = ? AND kind != {Kind.CORRECTION:d}
"""
_CORRECTED = f"""
SELECT count(*), coalesce(sum(cost_nano_usd), 0) FROM ledger WHERE request_id = ? AND attempt = ? AND kind = {Kind.CORRECTION:d}
"""
_INSERT = f"""
INSERT INTO ledger (id, kind, seq, recorded_at_ms, cost_nano_usd, cost_source, price_id, newly_priced, {_COPIED},
    input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, estimated, held_nano_usd, duration_us)
SELECT ?, {Kind.CORRECTION:d}, ?, ?, ?, ?, ?, ?, {_COPIED}, 0, 0, 0, 0, 0, 0, 0, 0 FROM ledger WHERE id = ?
"""
_SHOW = "UPDATE requests SET cost_usd = ?, cost_nano_usd = ?, cost_source = ? WHERE id = ?"
_NAMES = """
SELECT a.name, u.name, k.name, m.name, p.name, um.name FROM ledger l
JOIN dimensions a ON a.id = l.application_ref JOIN dimensions u ON u.id = l.user_ref JOIN dimensions k ON k.id = l.key_ref
JOIN dimensions m ON m.id = l.model_ref JOIN dimensions p ON p.id = l.provider_ref
JOIN dimensions um ON um.id = l.upstream_model_ref WHERE l.id = ?
"""


class Corrected(msgspec.Struct, frozen=True):
    """A correction as written: for the rollups, and for the budgets of whoever the request is charged to."""

    difference_nano_usd: int
    facts: Facts
    hold: Hold


def write(
    connection: sqlite3.Connection, correction: Correction, price_id: int | None, row_id: int, at_ms: int
) -> Corrected | None:
    """Write the difference to what is on record; `None` if there is none, so it may be repeated."""
    which = (correction.request_id, correction.attempt)
    original = connection.execute(_ORIGINAL, which).fetchone()
    if original is None:
        return None
    original_id, cost, final, admitted_at_ms = original
    corrections, corrected = connection.execute(_CORRECTED, which).fetchone()
    newly_priced = int(bool(final) and cost is None and not corrections)
    difference = correction.cost_nano_usd - (cost or 0) - corrected
    if not difference and not newly_priced:
        return None
    values = (row_id, corrections + 1, at_ms, difference, correction.source, price_id, newly_priced, original_id)
    connection.execute(_INSERT, values)
    if final:
        total, source = correction.cost_nano_usd, correction.source.name.lower()
        connection.execute(_SHOW, (total / 1e9, total, source, id_text(correction.request_id)))
    facts = connection.execute(f"SELECT {FACTS} FROM ledger WHERE id = ?", (row_id,)).fetchone()
    return Corrected(difference, facts, _hold(connection, correction, row_id, admitted_at_ms))


def _hold(connection: sqlite3.Connection, correction: Correction, row_id: int, admitted_at_ms: int) -> Hold:
    application_id, user_id, key_id, model, provider, upstream_model = connection.execute(_NAMES, (row_id,)).fetchone()
    return Hold(
        request_id=correction.request_id, attempt=correction.attempt, admitted_at_ms=admitted_at_ms,
        application_id=application_id, user_id=user_id, key_id=key_id, model=model, provider=provider,
        upstream_model=upstream_model, operation=Operation.CHAT, stream=False, input_tokens_estimate=0, amount_nano_usd=0,
        price=correction.price,
    )  # fmt: skip
