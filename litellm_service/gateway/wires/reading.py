"""Reading a body that a client sent, with errors that name the field."""

from typing import TypeVar

import msgspec

from gateway.domain.errors import InvalidRequest

T = TypeVar("T")
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError)
_LONGEST_NOTHING = 16


def typed(value: msgspec.Raw | bytes, decoder: msgspec.json.Decoder[T], at: str = "") -> T:
    """The typed value; raises `InvalidRequest` that names the field; `at` is where the value stands in the body."""
    try:
        return decoder.decode(value)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        param = (at + path.rstrip("`")).lstrip(".")
        raise InvalidRequest(f"{param or 'The body'}: {reason}.", param=param or None) from None
    except RecursionError:
        raise InvalidRequest(f"{at or 'The body'}: This is nested too deeply.", param=at or None) from None
    except UNREADABLE as error:
        raise InvalidRequest(f"{at or 'The body'}: {error}.", param=at or None) from None


def says_nothing(raw: msgspec.Raw) -> bool:
    """Null, false, 0 and what is empty ask for nothing."""
    value = bytes(raw)
    if len(value) > _LONGEST_NOTHING:
        return False
    try:
        return not msgspec.json.decode(value)
    except UNREADABLE:
        return False


def is_given(raw: msgspec.Raw) -> bool:
    """Whether a field that was left out as an empty `Raw` is there, and not null."""
    return bytes(raw) not in {b"", b"null"}
