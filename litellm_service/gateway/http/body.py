"""Reading a body: type, size, time; of JSON the shape."""

import json
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import msgspec

from gateway.domain.errors import InvalidRequest, RequestTimeout, TooLarge, UnsupportedMediaType
from gateway.http.replying import Receive

T = TypeVar("T")


JSON = b"application/json"
FORM = b"multipart/form-data"


class Accepted(NamedTuple):
    """What a route takes: a type of body, and so many bytes."""

    kind: bytes
    limit: int


async def read_json(headers: Mapping[bytes, bytes], receive: Receive, limit: int) -> bytes:
    """As `read_body`."""
    return await read_body(headers, receive, Accepted(JSON, limit))


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, accepted: Accepted) -> bytes:
    """The bytes of a body of the type that is wanted.

    Raises `UnsupportedMediaType`, `TooLarge`, or `RequestTimeout` when the client leaves before its end.
    """
    wanted, limit = accepted
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind != wanted:
        shown = kind.decode("latin-1") or "nothing"
        form = "JSON" if wanted == JSON else "a form"
        raise UnsupportedMediaType(
            f"Send {form} with the header Content-Type: {wanted.decode()} (this came as {shown})."
        )
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedMediaType("Send the body without compression.")
    declared = headers.get(b"content-length")
    if declared is not None and int(declared) > limit:
        raise _too_large(limit, wanted)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        body = await _rest(body, receive, limit, wanted)
    elif message["type"] == "http.disconnect":
        raise _left()
    if len(body) > limit:
        raise _too_large(limit, wanted)
    return body


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The typed value; raises `InvalidRequest` that names the field and what is allowed."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not valid JSON: {_where(body, error)}.") from None


def text_of(raw: msgspec.Raw) -> str | None:
    """A field that should be a text; `None` where it is none."""
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def invalid(error: msgspec.ValidationError) -> InvalidRequest:
    """`Expected `str`, got `int` - at `$.model`` as a sentence with the parameter's name."""
    reason, _, path = str(error).partition(" - at `$")
    name = path.rstrip("`").lstrip(".") or None
    if "missing required field" in reason or "unknown field" in reason:
        name = reason.split("`")[1]
    return InvalidRequest(f"{name}: {reason}." if name else f"The body: {reason}.", param=name)


async def _rest(start: bytes, receive: Receive, limit: int, wanted: bytes) -> bytes:
    parts, size, more = [start], len(start), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _left()
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > limit:
            raise _too_large(limit, wanted)
        more = message.get("more_body", False)
    return b"".join(parts)


def _where(body: bytes, error: Exception) -> str:
    try:
        json.loads(body)
    except json.JSONDecodeError as known:
        return f"{known.msg} at line {known.lineno}, column {known.colno}"
    except (ValueError, RecursionError):
        return str(error)
    return str(error)


def _too_large(limit: int, wanted: bytes) -> TooLarge:
    setting = "MAX_BODY_BYTES" if wanted == JSON else "MAX_UPLOAD_BYTES"
    return TooLarge(f"The body is larger than {limit:,} bytes; send less, or raise {setting}.")


def _left() -> RequestTimeout:
    return RequestTimeout("The connection ended before the body was complete.")
