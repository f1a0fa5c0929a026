"""Values that administrators send, checked; every refusal says what is allowed."""

from collections.abc import Callable
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, TypeVar, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET

from gateway.administration.input import Input, ScopeFields
from gateway.domain.budget import BudgetPeriod
from gateway.domain.errors import InvalidRequest
from gateway.domain.key import Role
from gateway.domain.money import MAX_NANO_USD
from gateway.domain.scope import Scope, ScopeKind
from gateway.domain.time import ms_of_iso

# Where a field's value goes, and what becomes of it (given its parameter's name); `None`: the decoder has checked all there is.
Fields = dict[str, tuple[str, Callable[[str, Any], Any] | None]]
S = TypeVar("S", bound=msgspec.Struct)

MAX_NAME_LENGTH = 256
MAX_PATTERNS = 200
MAX_THRESHOLDS = 20
MAX_COUNT = 10**12
MAX_GRACE_S = 30 * 86_400
_NANO = Decimal("0.000000001")
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])


def changed(old: S, given: Input, fields: Fields, at_ms: int, at: str = "") -> S:
    """The object with what was sent, `updated_at_ms` included; `at` is what to put before the names of parameters."""
    values = {}
    for name, (attribute, check) in fields.items():
        value = getattr(given, name, UNSET)
        if value is not UNSET:
            values[attribute] = value if value is None or check is None else check(f"{at}{name}", value)
    return msgspec.structs.replace(old, updated_at_ms=at_ms, **values)


def name(param: str, text: str) -> str:
    """Printable, and not too long to show."""
    if not text.strip() or len(text) > MAX_NAME_LENGTH or not text.isprintable():
        raise _refusal(param, f"1 to {MAX_NAME_LENGTH} printable characters are allowed")
    return text


def patterns(param: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Globs such as `openai/*`."""
    if len(texts) > MAX_PATTERNS:
        raise _refusal(param, f"at most {MAX_PATTERNS} are allowed, these are {len(texts)}")
    return tuple(dict.fromkeys(name(f"{param}[{number}]", text) for number, text in enumerate(texts)))


def route_patterns(param: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Globs of paths such as `/v1/*`."""
    for number, text in enumerate(texts):
        if not text.startswith(("/", "*")):
            raise _refusal(
                f"{param}[{number}]", f"{text[:60]!r} is no path; use one such as /v1/chat/completions or /v1/*"
            )
    return patterns(param, texts)


def nano_usd(param: str, amount: Decimal) -> int:
    """An amount of USD as whole nano-USD, exactly."""
    most = MAX_NANO_USD * _NANO
    if not amount.is_finite() or not 0 < amount < most:
        raise _refusal(param, f"an amount of USD above 0 and below {most:.0f} is allowed")
    try:
        return int(amount.quantize(_NANO, context=_EXACT).scaleb(9, context=_EXACT))
    except Inexact:
        raise _refusal(param, "at most 9 digits after the point are allowed (nano-USD)") from None


def count(param: str, value: int) -> int:
    """A number of things."""
    if not 1 <= value <= MAX_COUNT:
        raise _refusal(param, f"1 to {MAX_COUNT:,} is allowed")
    return value


def grace_s(param: str, value: int) -> int:
    """How long an old secret may live on."""
    if not 0 <= value <= MAX_GRACE_S:
        raise _refusal(param, f"0 to {MAX_GRACE_S:,} seconds (30 days) are allowed")
    return value


def zone(param: str, text: str) -> str:
    """An IANA name."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _refusal(param, f"{text[:60]!r} is no time zone; use an IANA name such as Europe/Paris") from None
    return text


def thresholds(param: str, values: tuple[int, ...]) -> tuple[int, ...]:
    """Percentages, ascending."""
    if len(values) > MAX_THRESHOLDS or not all(1 <= value <= 1000 for value in values):
        raise _refusal(param, f"at most {MAX_THRESHOLDS} percentages from 1 to 1000 are allowed")
    return tuple(sorted(set(values)))


def moment_ms(param: str, text: str) -> int:
    """An ISO 8601 time."""
    try:
        return ms_of_iso(text)
    except ValueError:
        raise _refusal(param, f"{text[:60]!r} is no ISO 8601 time such as 2027-01-31T00:00:00Z") from None


def check_future(param: str, given: object, moment_ms: int | None, at_ms: int) -> None:
    """Raises `InvalidRequest` if what was given is past already."""
    if given is not UNSET and moment_ms is not None and moment_ms <= at_ms:
        raise _refusal(param, f"{given} is past; a time in the future is allowed")


def role(param: str, text: str) -> Role:
    """One of the roles."""
    known: Role = _one_of(param, text, get_args(Role))
    return known


def period(param: str, text: str) -> BudgetPeriod:
    """One of the periods."""
    known: BudgetPeriod = _one_of(param, text, get_args(BudgetPeriod))
    return known


def scope(param: str, given: ScopeFields) -> Scope:
    """What a budget or limit stands on; whether there is such a key is for others to say."""
    kind: ScopeKind = _one_of(f"{param}.kind", given.kind, get_args(ScopeKind))
    if kind != "everything":
        return Scope(kind, name(f"{param}.name", given.name))
    if given.name:
        raise _refusal(f"{param}.name", "everything has no name; leave it out")
    return Scope(kind)


def _one_of(param: str, text: str, allowed: tuple[Any, ...]) -> Any:
    if text not in allowed:
        raise _refusal(param, f"{text[:60]!r} is none of {', '.join(allowed)}")
    return text


def _refusal(param: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{param}: {reason}.", param=param)
