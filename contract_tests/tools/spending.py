"""Calls whose worst case is known to the nano-USD, and what the ledger says they cost."""

import json
from typing import Any

from prompts import MODEL, Body, body, prompt
from stack import ApiService

# gpt-4o in LiteLLM's map: 2.50 USD for a million tokens of input, 10 USD for a million of output.
INPUT_NANO_USD = 2_500
OUTPUT_NANO_USD = 10_000
# ledger.md: a token is at least a byte; chat templates add some (metering/tokens.py).
TEMPLATE_TOKENS = 1_024
SIZE = 640
MAX_TOKENS = 100


def hold_nano_usd(size: int = SIZE, max_tokens: int = MAX_TOKENS) -> int:
    """What must be held for one call of the test model."""
    return (size + TEMPLATE_TOKENS) * INPUT_NANO_USD + max_tokens * OUTPUT_NANO_USD


def sized_call(route: str, marker: str, *, stream: bool, **script: str | float) -> bytes:
    """A call of `SIZE` bytes exactly, so that its hold is known whatever it says."""
    made = body(route, prompt(marker, 0, **script), stream=stream, max_tokens=MAX_TOKENS, model=MODEL)
    for name in ("user", "user_id", "application_id"):
        made.pop(name, None)
    return padded(made, route)


def padded(made: Body, route: str, size: int = SIZE) -> bytes:
    """Fill the user's words up until the JSON has this size."""
    missing = size - len(json.dumps(made).encode())
    assert missing >= 0, f"the call is {-missing} bytes too long"
    if route == "seed":
        made["query"] += " " + "x" * (missing - 1) if missing else ""
    else:
        made["messages"][0]["content"] += " " + "x" * (missing - 1) if missing else ""
    data = json.dumps(made).encode()
    assert len(data) == size
    return data


def ledger_nano_usd(api: ApiService, key_id: str | None = None) -> int:
    """The sum of all costs in the ledger, or of one key's."""
    where, given = ("", ()) if key_id is None else ("WHERE d.name = ?", (key_id,))
    statement = (
        "SELECT coalesce(sum(l.cost_nano_usd), 0) AS spent FROM ledger l "
        f"JOIN dimensions d ON d.id = l.key_ref {where}"  # no value of a request
    )
    return int(api.rows(statement, *given)[0]["spent"])


def rows_of(api: ApiService, key_id: str) -> list[dict[str, Any]]:
    """The ledger rows of one key, oldest first."""
    return api.rows(
        "SELECT l.*, lower(hex(l.request_id)) AS request FROM ledger l JOIN dimensions d ON d.id = l.key_ref "
        "WHERE d.name = ? ORDER BY l.id",
        key_id,
    )
