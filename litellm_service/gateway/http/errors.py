"""Errors as statuses and bodies: the one table."""

import math
from typing import Any

import msgspec

from gateway.admission.limits import limit_headers
from gateway.domain import errors as e
from gateway.domain.errors import GatewayError, ProviderError

STATUS: dict[type[GatewayError], int] = {
    e.InvalidRequest: 400,
    e.Unauthenticated: 401,
    e.BudgetExceeded: 402,
    e.ModelPriceUnknown: 402,
    e.NotAllowed: 403,
    e.UnknownModel: 404,
    e.NotFound: 404,
    e.MethodNotAllowed: 405,
    e.RequestTimeout: 408,
    e.IdempotencyInProgress: 409,
    e.IdempotencyResultNotStored: 409,
    e.TooLarge: 413,
    e.UnsupportedMediaType: 415,
    e.IdempotencyMismatch: 422,
    e.RateLimited: 429,
    e.ProviderLimited: 429,
    e.ProviderRejected: 502,
    e.ProviderUnavailable: 502,
    e.ProviderTimeout: 504,
    e.ProviderNotConfigured: 503,
    e.StoreUnavailable: 503,
    e.Overloaded: 503,
    e.ShuttingDown: 503,
}
INTERNAL_ERROR = 500
INTERNAL = "internal_error"
UNEXPLAINED = "The gateway failed on this request; its log has the reason under {}."
_UPSTREAM_BUSY = {503, 529}

_FAMILIES: tuple[tuple[type[GatewayError], str], ...] = (
    (e.Unauthenticated, "authentication_error"),
    (e.NotAllowed, "permission_error"),
    (e.RequestError, "invalid_request_error"),
    (e.RateLimited, "rate_limit_error"),
    (e.ProviderLimited, "rate_limit_error"),
    (e.LimitError, "insufficient_quota"),
    (e.ProviderError, "provider_error"),
    (e.ServiceError, "server_error"),
)

RawHeaders = list[tuple[bytes, bytes]]


class _Stated(msgspec.Struct):
    type: str | None = None
    code: str | int | float | None = None
    param: str | None = None


def status_of(error: BaseException) -> int:
    """The HTTP status of anything that may go wrong; a provider's own 4xx is passed on."""
    if isinstance(error, ProviderError) and error.status is not None:
        if 400 <= error.status < 500:
            return error.status
        if error.status in _UPSTREAM_BUSY and isinstance(error, e.ProviderUnavailable):
            return 503
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return INTERNAL_ERROR


def body_of(error: BaseException, request_id: str) -> dict[str, object]:
    """`{"error": {message, type, code, param, request_id}}`; what a provider said of its own 4xx is kept."""
    if not isinstance(error, GatewayError):
        message = UNEXPLAINED.format(request_id)
        return {
            "error": {
                "message": message,
                "type": "server_error",
                "code": INTERNAL,
                "param": None,
                "request_id": request_id,
            }
        }
    family = next(name for kind, name in _FAMILIES if isinstance(error, kind))
    stated = _stated(error)
    details = {} if error.details is None else {"details": error.details}
    return {
        "error": {
            "message": error.message,
            "type": stated.type or family,
            "code": stated.code or error.code,
            "param": stated.param or error.param,
            "request_id": request_id,
            **details,
        }
    }


def parts_of(error: BaseException, request_id: str) -> tuple[int, str, str]:
    """Status, code and message of anything that may go wrong, for the wires' own forms."""
    if isinstance(error, GatewayError):
        return status_of(error), error.code, error.message
    return status_of(error), INTERNAL, UNEXPLAINED.format(request_id)


def headers_of(error: BaseException) -> RawHeaders:
    """`retry-after` where waiting helps, and what keeps SDKs from retrying where it does not."""
    headers: RawHeaders = []
    if isinstance(error, GatewayError) and error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % math.ceil(error.retry_after_s)))
    if isinstance(error, e.RateLimited) and error.details is not None:
        headers += _limit_headers(error.details["limit"])
    if isinstance(error, e.ProviderNotConfigured):
        headers.append((b"x-should-retry", b"false"))
    return headers


def _limit_headers(limit: Any) -> RawHeaders:
    """What was hit, in the form in which successful answers name it."""
    unit, per_minute, _ = limit["kind"].partition("_per_minute")
    return (
        limit_headers(unit.encode(), limit["limit"], limit["remaining"], limit["retry_after_s"] or 0)
        if per_minute
        else []
    )


def _stated(error: GatewayError) -> _Stated:
    if not isinstance(error, ProviderError) or error.body is None:
        return _Stated()
    return msgspec.json.decode(error.body, type=_Stated)
