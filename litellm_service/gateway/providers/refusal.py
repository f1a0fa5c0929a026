"""An upstream's refusal as one of our errors, scrubbed of secrets."""

from email.utils import parsedate_to_datetime

import msgspec

from gateway.domain.errors import ProviderError, ProviderLimited, ProviderRejected, ProviderTimeout, ProviderUnavailable
from gateway.domain.time import now_ms
from gateway.providers.deployment import Endpoint
from gateway.providers.reply import Headers, Reply

MAX_ERROR_BYTES = 64 * 1024
MAX_RETRY_AFTER_S = 86_400
MAX_MESSAGE_LENGTH = 2_000


class _Error(msgspec.Struct):
    message: str | None = None
    type: str | None = None
    code: str | int | float | None = None
    param: str | None = None
    status: int | str | None = None
    details: msgspec.Raw = msgspec.Raw()


class _Detail(msgspec.Struct, rename="camel"):
    """One of Google's (https://cloud.google.com/apis/design/errors#error_details)."""

    reason: str | None = None
    retry_delay: str | None = None


class _ErrorBody(msgspec.Struct):
    error: _Error | str | None = None
    message: str | None = None
    detail: str | None = None


async def refusal(reply: Reply, endpoint: Endpoint) -> ProviderError:
    """Read a reply whose status is not 2xx and say what it means."""
    raw = b""
    while len(raw) < MAX_ERROR_BYTES and (data := await reply.read()):
        raw += data
    reply.abort(ProviderUnavailable("The provider's error is too long."))
    error = _error_of(raw)
    message = scrub(error.message or _plain_text(raw) or f"HTTP {reply.status}", endpoint.secrets)[:MAX_MESSAGE_LENGTH]
    return _classified(reply, endpoint, message, msgspec.structs.replace(error, message=message))


def stated_error(raw: bytes) -> ProviderError | None:
    """An error object inside an answer whose status said that all was well; `None` if there is none."""
    if raw in {b"", b"null"}:
        return None
    error = _error_of(b'{"error":' + raw + b"}")
    message = f"The provider reported an error in its answer: {error.message or raw[:200].decode(errors='replace')}"
    return ProviderUnavailable(message[:MAX_MESSAGE_LENGTH])


def retry_after_s(headers: Headers) -> int | None:
    """Seconds to wait, from a Retry-After of seconds or of a date (RFC 9110, section 10.2.3); nonsense is `None`."""
    value = next((value.decode("latin-1").strip() for name, value in headers if name == b"retry-after"), "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now_ms() / 1000
        except (ValueError, TypeError, OverflowError):
            return None
    if not 0 <= seconds < float("inf"):
        return 0 if seconds < 0 else None
    return min(MAX_RETRY_AFTER_S, int(-(-seconds // 1)))


def scrub(text: str, secrets: tuple[str, ...]) -> str:
    """The text with every secret masked."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[key]")
    return text


def _classified(reply: Reply, endpoint: Endpoint, message: str, error: _Error) -> ProviderError:
    status, title = reply.status, endpoint.provider.title
    details = _details(error.details)
    stated_wait = next((detail.retry_delay for detail in details if detail.retry_delay), "")
    wait = retry_after_s([*reply.headers, (b"retry-after", stated_wait.removesuffix("s").encode())])
    is_bad_key = status in {401, 403} or any(detail.reason == "API_KEY_INVALID" for detail in details)
    # A number repeats the status, and OpenAI's clients expect a word.
    code = error.code if isinstance(error.code, str) else None
    kind = error.type or ("invalid_request_error" if status != 429 else None)
    body = msgspec.json.encode({"message": error.message, "type": kind, "code": code, "param": error.param})
    if is_bad_key and endpoint.provider.key_variable:
        variable = endpoint.provider.key_variable
        return ProviderRejected(
            f"{title} refused the key in {variable} ({status}): {message} Check {variable} in .env.", status=502
        )
    if status == 429:
        return ProviderLimited(f"{title} is rate-limiting: {message}", status=status, body=body, retry_after_s=wait)
    if status in {408, 504}:
        return ProviderTimeout(f"{title} timed out: {message}", status=status, retry_after_s=wait)
    if 400 <= status < 500:
        return ProviderRejected(message, status=status, body=body)
    if 300 <= status < 400:
        return ProviderUnavailable(
            f"{title} answered with a redirect ({status}), which is not followed. Check its base URL.", status=status
        )
    return ProviderUnavailable(f"{title} failed ({status}): {message}", status=status, retry_after_s=wait)


def _details(raw: msgspec.Raw) -> list[_Detail]:
    try:
        return msgspec.json.decode(raw, type=list[_Detail])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _error_of(raw: bytes) -> _Error:
    """Google's streams state an error as an array of one."""
    try:
        read = msgspec.json.decode(raw, type=_ErrorBody | list[_ErrorBody])
        body = read if isinstance(read, _ErrorBody) else next(iter(read), _ErrorBody())
    except (msgspec.DecodeError, RecursionError):
        return _Error()
    if isinstance(body.error, _Error):
        return body.error
    return _Error(message=body.error or body.message or body.detail)


def _plain_text(raw: bytes) -> str:
    """The start of a body that is no JSON error, if it is not a page."""
    text = raw[:300].decode(errors="replace").strip()
    return "" if text.startswith("<") or not text.isprintable() else text
