"""Holds and settlements to write."""

from gateway.domain.entry import CostSource, Hold, Operation, Outcome, Settlement
from gateway.domain.price import Price, Rates
from gateway.domain.time import new_request_id
from gateway.domain.usage import Usage

NOON_MS = 1_790_000_000_000
PRICE = Price(name="gpt-4o", version="1", source="test", rates=Rates(input=2_500_000, output=10_000_000))


def hold(at_ms: int = NOON_MS, *, attempt: int = 0, request_id: bytes | None = None, **names: object) -> Hold:
    fields = {
        "request_id": request_id or new_request_id(at_ms),
        "attempt": attempt,
        "admitted_at_ms": at_ms,
        "application_id": "app",
        "user_id": "alice",
        "key_id": "",
        "model": "openai/gpt-4o",
        "provider": "openai",
        "upstream_model": "gpt-4o",
        "operation": Operation.CHAT,
        "stream": False,
        "input_tokens_estimate": 10,
        "amount_nano_usd": 0,
        "under_hard_budget": True,
        "price": PRICE,
    }
    return Hold(**{**fields, **names})


def settlement(of: Hold, **changes: object) -> Settlement:
    fields = {
        "hold": of,
        "outcome": Outcome.COMPLETED,
        "http_status": 200,
        "usage": Usage(input=10, output=5),
        "cost_nano_usd": 75_000,
        "cost_source": CostSource.COMPUTED,
        "duration_us": 120_000,
        "overhead_us": 900,
        "query": "Hi",
        "response": "Hello",
    }
    return Settlement(**{**fields, **changes})
