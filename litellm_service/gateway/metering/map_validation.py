"""Whether a model map that an operator gives can be believed."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

from gateway.domain.errors import InvalidRequest
from gateway.metering.compaction import RATE_OF_FIELD, SAMPLE, SUFFIX_OF_TIER, UNITS_OF_MODE, Model

MAX_USD_PER_TOKEN = Decimal("0.01")
MAX_USD_PER_UNIT = Decimal(1_000)
MAX_TOKENS = 2**40
MAX_NAME_LENGTH = 256
_LIMITS = ("max_tokens", "max_input_tokens", "max_output_tokens")
_UNIT_FIELDS = {field for units in UNITS_OF_MODE.values() for field in units} | {"input_cost_per_request"}
_TAIL = re.compile(rf"(_above_\d{{1,6}}k_tokens)?({'|'.join(SUFFIX_OF_TIER.values())})?")
_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")
_SHOWN = 60


def read_map(source: bytes | str) -> Model:
    """LiteLLM's `model_prices_and_context_window.json` as rows by model, numbers exact.

    Raises `InvalidRequest` that names the model and the field. Fields that we do not read may hold anything.
    """
    try:
        rows = json.loads(source, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"map: it is not JSON: {str(error)[:200]}", param="map") from None
    if not isinstance(rows, dict):
        raise InvalidRequest("map: an object of models by name is needed, as LiteLLM publishes it.", param="map")
    models = {name: row for name, row in rows.items() if name != SAMPLE and not _is_about_no_model(row)}
    if not models:
        raise InvalidRequest("map: there is no model in it.", param="map")
    for name, row in models.items():
        _check_row(name, row)
    return models


def _is_about_no_model(row: object) -> bool:
    return isinstance(row, dict) and "litellm_provider" not in row


def _check_row(name: str, row: object) -> None:
    if not _is_name(name):
        _refuse(name, "", f"a name of 1 to {MAX_NAME_LENGTH} printable characters is needed")
    if not isinstance(row, dict):
        _refuse(name, "", "an object is needed")
    if not _is_name(row.get("litellm_provider")):
        _refuse(name, "litellm_provider", "a provider's name is needed")
    if not isinstance(row.get("mode"), str | None):
        _refuse(name, "mode", "a text is needed")
    for field, value in row.items():
        if value is not None and (check := _check_of(field)) is not None:
            check(name, field, value)


def _check_of(field: str) -> Callable[[str, str, Any], None] | None:
    if field in _LIMITS:
        return _check_limit
    if known := _NESTED.get(field):
        return known
    return _check_price if _is_price(field) else None


def _is_price(field: str) -> bool:
    if field in _UNIT_FIELDS:
        return True
    return any(field.startswith(start) and _TAIL.fullmatch(field, len(start)) for start in RATE_OF_FIELD)


def _check_price(name: str, field: str, value: object) -> None:
    most = MAX_USD_PER_UNIT if field in _UNIT_FIELDS or "query" in field else MAX_USD_PER_TOKEN
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        _refuse(name, field, f"{str(value)[:_SHOWN]!r} is no number")
    if not 0 <= value <= most:
        _refuse(name, field, f"{str(value)[:_SHOWN]} USD is not between 0 and {most}")


def _check_limit(name: str, field: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value <= MAX_TOKENS:
        _refuse(name, field, f"{str(value)[:_SHOWN]!r} is no number of tokens")


def _check_search(name: str, field: str, value: object) -> None:
    if not isinstance(value, dict):
        _refuse(name, field, "an object of prices is needed")
    for size, fee in value.items():
        if fee is not None:
            _check_price(name, f"{field}.{size}"[:_SHOWN], fee)


def _check_brackets(name: str, field: str, value: object) -> None:
    if not isinstance(value, list) or not all(isinstance(bracket, dict) for bracket in value):
        _refuse(name, field, "a list of objects is needed")
    for number, bracket in enumerate(value):
        span = bracket.get("range")
        if span is not None and not (isinstance(span, list) and len(span) == 2):
            _refuse(name, f"{field}[{number}].range", "two numbers of tokens are needed")
        for end in span or ():
            _check_limit(name, f"{field}[{number}].range", end)
        _check_prices_in(name, f"{field}[{number}]", bracket)


def _check_off_peak(name: str, field: str, value: object) -> None:
    if not isinstance(value, dict):
        _refuse(name, field, "an object is needed")
    rules = value.get("windows") or [value]
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        _refuse(name, f"{field}.windows", "a list of objects is needed")
    for rule in rules:
        hours, days = rule.get("hours_utc") or [], rule.get("weekdays") or []
        spans = [hours] if isinstance(hours, str) else hours
        if not isinstance(spans, list) or not all(isinstance(span, str) and _HOURS.fullmatch(span) for span in spans):
            _refuse(name, f"{field}.hours_utc", "hours such as 16:30-00:30 are needed")
        if not isinstance(days, list) or not all(type(day) is int and 1 <= day <= 7 for day in days):
            _refuse(name, f"{field}.weekdays", "a list of numbers from 1 (Monday) to 7 is needed")
    _check_prices_in(name, field, value)


def _check_prices_in(name: str, at: str, row: Model) -> None:
    for field, value in row.items():
        if value is not None and field in RATE_OF_FIELD:
            _check_price(name, f"{at}.{field}", value)


_NESTED: dict[str, Callable[[str, str, Any], None]] = {
    "search_context_cost_per_query": _check_search,
    "tiered_pricing": _check_brackets,
    "off_peak_pricing": _check_off_peak,
}


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME_LENGTH and value.isprintable()


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _refuse(name: str, field: str, why: str) -> NoReturn:
    place = ".".join(part for part in (ascii(name[:_SHOWN])[1:-1], field) if part)
    raise InvalidRequest(f"map: {place}: {why}. Nothing was imported.", param=f"map.{place}")
