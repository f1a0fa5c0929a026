"""The one tree of errors that the gateway raises.

GatewayError
├── RequestError      InvalidRequest Unauthenticated NotAllowed UnknownModel NotFound TooLarge
│                     UnsupportedMediaType RequestTimeout
│                     IdempotencyInProgress IdempotencyResultNotStored IdempotencyMismatch
├── LimitError        RateLimited BudgetExceeded ModelPriceUnknown
├── ProviderError     ProviderRejected ProviderLimited ProviderTimeout ProviderUnavailable
└── ServiceError      ProviderNotConfigured StoreUnavailable Overloaded ShuttingDown
SettingsError         at start only; exit status 2, path of the bad field

The wire code is the class name in snake case (`UnknownModel` → `unknown_model`); statuses are in `http/errors.py`.
"""

import re


class GatewayError(Exception):
    """Anything the gateway tells a client: `message` is for the person who must act, `details` for programs (JSON values)."""

    code: str = "gateway_error"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: int | None = None,
        details: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.details = details

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


class RequestError(GatewayError):
    """The caller's request cannot be served as it is."""


class InvalidRequest(RequestError):
    """The body or a parameter is malformed; `param` names it."""


class Unauthenticated(RequestError):
    """The key is missing, unknown, expired or revoked: one same answer for all."""


class NotAllowed(RequestError):
    """The key is good but may not do this."""


class UnknownModel(RequestError):
    """No provider is known for this model name; the message names the nearest ones."""


class NotFound(RequestError):
    """No such object, or none that this caller may see."""


class MethodNotAllowed(RequestError):
    """The route exists, but not with this method."""


class TooLarge(RequestError):
    """The body is over the limit."""


class UnsupportedMediaType(RequestError):
    """The body is not JSON."""


class RequestTimeout(RequestError):
    """The client did not send its body in time."""


class IdempotencyInProgress(RequestError):
    """The first request with this `Idempotency-Key` still runs."""


class IdempotencyResultNotStored(RequestError):
    """A request with this `Idempotency-Key` was answered and billed, but its answer was not kept."""


class IdempotencyMismatch(RequestError):
    """This `Idempotency-Key` was used for another request."""


class LimitError(GatewayError):
    """A limit that somebody set forbids the request now."""


class RateLimited(LimitError):
    """Too many requests or tokens in the window, or at once."""


class BudgetExceeded(LimitError):
    """A hard budget has not enough left."""


class ModelPriceUnknown(LimitError):
    """A hard budget applies and the model has no price."""


class ProviderError(GatewayError):
    """The provider failed; `status` is its own HTTP status, `body` its scrubbed error object, where it gave them.

    `never_sent`: it has not heard of the request; `is_stale`: because a kept-alive connection was closed just as it was used.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        body: bytes | None = None,
        retry_after_s: int | None = None,
        never_sent: bool = False,
        is_stale: bool = False,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.status = status
        self.body = body
        self.never_sent = never_sent or is_stale
        self.is_stale = is_stale


class ProviderRejected(ProviderError):
    """The provider refused the request (4xx): trying again does not help."""


class ProviderLimited(ProviderError):
    """The provider answered 429."""

    retryable = True


class ProviderTimeout(ProviderError):
    """Connect, first byte, silence between bytes or the whole took too long."""

    retryable = True


class ProviderUnavailable(ProviderError):
    """Refused, reset, 5xx, or an answer that makes no sense."""

    retryable = True


class ServiceError(GatewayError):
    """A fault of the gateway or of its set-up, never of the caller."""


class ProviderNotConfigured(ServiceError):
    """The model is known, but its provider has no key here."""


class StoreUnavailable(ServiceError):
    """The database cannot be written or read now; `pending`: what was handed in may still be written later."""

    pending = False


class Overloaded(ServiceError):
    """Too much is waiting already."""


class ShuttingDown(ServiceError):
    """The service is stopping; another replica or a later try will answer."""


class SettingsError(Exception):
    """A setting is wrong: names its path; the process exits with status 2."""
