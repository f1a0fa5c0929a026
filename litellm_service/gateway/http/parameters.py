"""Query parameters of the reading routes, checked and typed."""

from collections.abc import Callable
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.datastructures import QueryParams
from starlette.requests import Request

from gateway.domain.errors import InvalidRequest
from gateway.domain.money import NANO_PER_USD
from gateway.domain.time import id_bytes, ms_of_iso, now_ms
from gateway.identity import Caller
from gateway.reports.zones import Bucket, Range, outward, previous
from gateway.store.questions import Filters, Owner

T = TypeVar("T")

FILTERS = ("application_id", "user_id", "key_id", "model", "provider", "status", "http_status")
RANGES = ("min_cost_usd", "max_cost_usd", "min_response_time", "max_response_time")
GROUPS = ("application_id", "user_id", "key_id", "model", "provider", "status", "http_status")
BUCKETS: tuple[Bucket, ...] = ("hour", "day", "week", "month")
MAX_VALUES = 100
MAX_BUCKETS = 5_000
DAY_MS = 86_400_000
_BUCKET_MS = {"hour": 3_600_000, "day": DAY_MS, "week": 7 * DAY_MS, "month": 28 * DAY_MS}


def refuse_unknown(given: QueryParams, known: tuple[str, ...]) -> None:
    """Raises `InvalidRequest` naming a parameter that this route does not have."""
    for name in given:
        if name not in known:
            raise InvalidRequest(f"{name}: there is no such parameter here; there are {', '.join(known)}.", param=name)


def owner(request: Request) -> Owner | None:
    """Whose requests the caller may see: a member its user's, or its key's where that has no user; others everybody's."""
    caller: Caller = request.scope["caller"]
    if caller.role != "member":
        return None
    user_id = caller.key.user_id if caller.key is not None else None
    return Owner("key_id", caller.key_id) if user_id is None else Owner("user_id", user_id)


def filters(request: Request, **fixed: str) -> Filters:
    """The filters, repeated ones for "or"; `fixed` ones cannot be changed. Never more than what the caller may see."""
    given = request.query_params
    values: dict[str, tuple[str, ...]] = {name: tuple(given.getlist(name)) for name in FILTERS if name in given}
    for name, several in values.items():
        if len(several) > MAX_VALUES:
            raise InvalidRequest(f"{name}: at most {MAX_VALUES} values.", param=name)
    statuses = tuple(number(given, "http_status", int, text) for text in values.pop("http_status", ()))
    for status in values.get("status", ()):
        one_of("status", status, ("success", "error"))
    values.update({name: (value,) for name, value in fixed.items()})
    return Filters(**values, http_status=statuses, owner=owner(request))


def span(given: QueryParams, *, default_days: int | None) -> Range:
    """`from` and `to` (ISO 8601; without a zone: UTC), rounded outward to quarters; all time where there is no default."""
    to_ms = moment(given, "to")
    from_ms = moment(given, "from")
    end = now_ms() + 1 if to_ms is None else to_ms
    if from_ms is None:
        from_ms = 0 if default_days is None else end - default_days * DAY_MS
    if from_ms >= end:
        raise InvalidRequest("to: it must be later than `from`.", param="to")
    return outward(from_ms, end)


def period_before(given: QueryParams, span: Range, zone: ZoneInfo) -> Range | None:
    """`compare=previous`: the period to compare with; `None` if not asked for."""
    if not given.get("compare"):
        return None
    one_of("compare", given["compare"], ("previous",))
    before = previous(span, zone)
    if before is None:
        raise InvalidRequest(
            "compare: the period before would begin before 1970. Give `from`, or a later one.", param="compare"
        )
    return before


def moment(given: QueryParams, name: str) -> int | None:
    """Milliseconds since 1970; `None` if not given."""
    text = given.get(name)
    if not text:
        return None
    try:
        return ms_of_iso(text)
    except ValueError:
        raise InvalidRequest(
            f"{name}: {text[:60]!r} is no ISO 8601 time from 1970 to 2169 such as 2026-11-23T00:00:00Z.", param=name
        ) from None


def zone(given: QueryParams) -> ZoneInfo:
    """`tz`, an IANA name; UTC if not given."""
    name = given.get("tz") or "UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidRequest(
            f"tz: {name[:60]!r} is no time zone; use an IANA name such as Europe/Paris.", param="tz"
        ) from None


def bucket(given: QueryParams, span: Range) -> Bucket:
    """`bucket`; raises `InvalidRequest` for more points than a chart can show."""
    name = one_of("bucket", given.get("bucket") or "day", BUCKETS)
    if (span.end_ms - span.start_ms) / _BUCKET_MS[name] > MAX_BUCKETS:
        raise InvalidRequest(f"bucket: {name} gives more than {MAX_BUCKETS} points; take a larger one.", param="bucket")
    return name


def group_by(given: QueryParams) -> tuple[str, ...]:
    """`group_by`, several separated by commas or repeated; `application` is short for `application_id`."""
    asked = [name.strip() for text in given.getlist("group_by") for name in text.split(",") if name.strip()]
    names = [f"{name}_id" if f"{name}_id" in GROUPS else name for name in asked]
    return tuple(dict.fromkeys(one_of("group_by", name, GROUPS) for name in names))


def one_of(param: str, value: str, allowed: tuple[T, ...]) -> T:
    """The value, if it is allowed."""
    for candidate in allowed:
        if value == candidate:
            return candidate
    raise InvalidRequest(f"{param}: {value[:60]!r} is none of {', '.join(map(str, allowed))}.", param=param)


def number(given: QueryParams, name: str, kind: Callable[[str], T], text: str | None = None) -> T:
    """A number; raises `InvalidRequest`."""
    value = given[name] if text is None else text
    try:
        found = kind(value)
    except ValueError:
        raise InvalidRequest(f"{name}: {value[:60]!r} is no number.", param=name) from None
    if not -(2**53) < found < 2**53:  # type: ignore[operator]  # an int or a float
        raise InvalidRequest(f"{name}: {value[:60]!r} is out of range.", param=name)
    return found


def limit(given: QueryParams, *, default: int, most: int) -> int:
    """`limit`, from 1 to `most`."""
    found = number(given, "limit", int) if given.get("limit") else default
    if not 1 <= found <= most:
        raise InvalidRequest(f"limit: {found} is not between 1 and {most}.", param="limit")
    return found


def ranges(given: QueryParams) -> dict[str, Any]:
    """Those fields of `RequestQuery` that bound cost and time."""
    return {
        "min_cost_nano_usd": nano_usd(given, "min_cost_usd"),
        "max_cost_nano_usd": nano_usd(given, "max_cost_usd"),
        "min_response_time": optional_number(given, "min_response_time"),
        "max_response_time": optional_number(given, "max_response_time"),
    }


def optional_number(given: QueryParams, name: str) -> float | None:
    """`None` if not given."""
    return number(given, name, float) if given.get(name) else None


def nano_usd(given: QueryParams, name: str) -> int | None:
    """A sum in USD as nano-USD; `None` if not given."""
    value = optional_number(given, name)
    return None if value is None else round(min(value, 2**33) * NANO_PER_USD)


def cursor(given: QueryParams) -> str | None:
    """The id after which to go on; raises `InvalidRequest` for anything else."""
    text = given.get("cursor")
    if not text:
        return None
    try:
        id_bytes(text)
    except ValueError:
        raise InvalidRequest("cursor: take it from `next_cursor` of the page before.", param="cursor") from None
    return text.lower()
