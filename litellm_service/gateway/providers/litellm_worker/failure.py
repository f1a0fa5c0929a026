"""An exception of LiteLLM as a status, headers and an error object in OpenAI's form."""

import re
from collections.abc import Iterator
from typing import Any

Headers = list[tuple[bytes, bytes]]

BAD_GATEWAY, GATEWAY_TIMEOUT = 502, 504
MAX_MESSAGE_LENGTH = 2_000
_TIMEOUTS = {"Timeout", "APITimeoutError", "TimeoutException", "TimeoutError"}
_NO_ANSWER = {"APIConnectionError"}
_UNREADABLE = "Error converting to valid response block"
_OURS_ONLY = re.compile(
    r"\s*(Traceback \(most recent call last\)|(Got|Received)=).*", re.DOTALL
)  # paths, and the answer
_PREFIXES = re.compile(r"^(litellm\.\w+: |(\w+Error|\w+Exception): )+")


class BrokenOff(Exception):
    """The provider's stream ended before it said that the answer was finished."""


def status_of(error: BaseException) -> int:
    """The provider's own status; 504 where it was too slow, 502 where there was none."""
    error = _cause(error)
    names = {cls.__name__ for cls in type(error).__mro__}
    if names & _TIMEOUTS:
        return GATEWAY_TIMEOUT
    if _UNREADABLE in str(error):
        return BAD_GATEWAY
    status = getattr(error, "status_code", None)
    if names & _NO_ANSWER or not isinstance(status, int) or not 400 <= status < 600:
        return BAD_GATEWAY
    return status


def headers_of(error: BaseException) -> Headers:
    """`retry-after`, where the provider gave one."""
    for headers in _header_sets(_cause(error)):
        value = headers.get("retry-after")
        if value is not None and str(value).isprintable():
            return [(b"retry-after", str(value).encode("latin-1", "replace"))]
    return []


def body_of(error: BaseException, key: str) -> dict[str, Any]:
    """The error object, with this call's key masked wherever the provider repeats it."""
    cause = _cause(error)
    message = str(getattr(cause, "message", None) or cause) or type(cause).__name__
    message = _OURS_ONLY.sub("", message)
    code = getattr(cause, "code", None)
    return {
        "error": {
            "message": masked(_PREFIXES.sub("", message), key)[:MAX_MESSAGE_LENGTH],
            "type": masked(str(getattr(cause, "type", None) or type(cause).__name__), key),
            "code": None if code is None else masked(str(code), key),
            "param": getattr(cause, "param", None) if isinstance(getattr(cause, "param", None), str) else None,
        }
    }


def masked(text: str, key: str) -> str:
    """The text without the key."""
    return text.replace(key, "[key]") if key else text


def _cause(error: BaseException) -> BaseException:
    """What went wrong, inside the wrapper that LiteLLM puts around failures in mid-stream."""
    inner = getattr(error, "original_exception", None)
    return _cause(inner) if isinstance(inner, Exception) and inner is not error else error


def _header_sets(error: BaseException) -> Iterator[Any]:
    response = getattr(error, "response", None)
    for headers in (getattr(response, "headers", None), getattr(error, "litellm_response_headers", None)):
        if headers is not None:
            yield headers
