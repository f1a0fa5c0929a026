"""What the administrators' routes share: bodies in, JSON out, pages."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.administration.office import Administration
from gateway.domain.errors import InvalidRequest
from gateway.http import parameters as p
from gateway.http.body import decode, read_json
from gateway.http.protocol import HEADERS

T = TypeVar("T")
OPEN_MODE = "open_mode"
DEFAULT_LIMIT, MAX_LIMIT = 100, 1000


class Dated(Protocol):
    """Anything that was made at a time."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def created_at_ms(self) -> int:
        """When it was made."""


D = TypeVar("D", bound=Dated)


def administration(request: Request) -> Administration:
    """The part that decides."""
    found: Administration = request.app.state.administration
    return found


def actor(request: Request) -> str:
    """Who asks for a change, for the audit log."""
    key_id: str = request.scope["caller"].key_id
    return key_id or OPEN_MODE


async def read(request: Request, decoder: msgspec.json.Decoder[T]) -> T:
    """The body; raises `InvalidRequest` that names an unknown field."""
    body = await read_json(request.scope[HEADERS], request.receive, request.app.state.max_body_bytes)
    return decode(body, decoder)


async def read_if_any(request: Request, decoder: msgspec.json.Decoder[T]) -> T:
    """The same where a body may be left out, which is as good as `{}`."""
    headers = request.scope[HEADERS]
    if headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers:
        return decode(b"{}", decoder)
    return await read(request, decoder)


def answer(value: object) -> Response:
    """JSON that nobody keeps: it may hold a new secret."""
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"cache-control": "no-store"})


def page(
    request: Request, noun: str, found: Sequence[D], views: Callable[[Sequence[D]], list[dict[str, Any]]]
) -> Response:
    """One page of what is sorted by age: `{noun: […], "next_cursor"}`."""
    given = request.query_params
    p.refuse_unknown(given, ("limit", "cursor"))
    limit, after = p.limit(given, default=DEFAULT_LIMIT, most=MAX_LIMIT), _cursor(given.get("cursor"))
    rest = [known for known in found if after is None or (known.created_at_ms, known.id) > after]
    shown = rest[:limit]
    next_cursor = f"{shown[-1].created_at_ms}-{shown[-1].id}" if len(rest) > limit else None
    return answer({noun: views(shown), "next_cursor": next_cursor})


def _cursor(text: str | None) -> tuple[int, str] | None:
    if not text:
        return None
    at_ms, hyphen, id_ = text.partition("-")
    if not hyphen or not at_ms.isascii() or not at_ms.isdigit() or len(at_ms) > 16:
        raise InvalidRequest("cursor: take it from `next_cursor` of the page before.", param="cursor")
    return int(at_ms), id_
