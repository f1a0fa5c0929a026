"""Usage objects of every wire as disjoint token classes."""

from collections.abc import Callable

from gateway.domain.usage import Usage
from gateway.metering import anthropic_usage, gemini_usage, responses_usage
from gateway.metering.usage import normalise
from gateway.providers.catalog import UsageRule

_NATIVE: dict[UsageRule, Callable[[bytes], Usage | None]] = {
    "anthropic": anthropic_usage.usage,
    "responses": responses_usage.usage,
    "gemini": gemini_usage.usage,
}


def usage_of(raw: bytes, rule: UsageRule) -> Usage | None:
    """The classes of a usage object under its rule; `None`: it says nothing that can be used."""
    native = _NATIVE.get(rule)
    return normalise(raw, rule) if native is None else native(raw)
