"""`/api/keys`: virtual keys."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.administration.input import KeyFields, NewKey, Nothing, Rotation
from gateway.domain.key import Key
from gateway.http.admin.wire import actor, administration, answer, page, read, read_if_any

_new = msgspec.json.Decoder(NewKey)
_fields = msgspec.json.Decoder(KeyFields)
_rotation = msgspec.json.Decoder(Rotation)
_nothing = msgspec.json.Decoder(Nothing)


async def listed(request: Request) -> Response:
    """Every key, the oldest first, without secrets."""
    office = administration(request)
    return page(request, "keys", office.keys(), office.key_views)


async def created(request: Request) -> Response:
    """The new key; `key` is its secret, shown this once."""
    given = await read(request, _new)
    key, secret = await administration(request).create_key(actor(request), given)
    return _answer(request, key, secret)


async def shown(request: Request) -> Response:
    """One key."""
    return _answer(request, administration(request).key(_id(request)))


async def changed(request: Request) -> Response:
    """The fields that are sent are changed."""
    given = await read(request, _fields)
    return _answer(request, await administration(request).change_key(actor(request), _id(request), given))


async def blocked(request: Request) -> Response:
    """From now on it opens nothing; what runs is ended."""
    await read_if_any(request, _nothing)
    return _answer(request, await administration(request).block_key(actor(request), _id(request), blocked=True))


async def unblocked(request: Request) -> Response:
    """It opens again what it did."""
    await read_if_any(request, _nothing)
    return _answer(request, await administration(request).block_key(actor(request), _id(request), blocked=False))


async def rotated(request: Request) -> Response:
    """A new secret, shown this once."""
    given = await read_if_any(request, _rotation)
    key, secret = await administration(request).rotate_key(actor(request), _id(request), given.grace_s)
    return _answer(request, key, secret)


async def deleted(request: Request) -> Response:
    """With its budgets and limits."""
    await administration(request).delete_key(actor(request), _id(request))
    return answer({"id": _id(request), "deleted": True})


def _answer(request: Request, key: Key, secret: str | None = None) -> Response:
    (view,) = administration(request).key_views([key])
    return answer(view if secret is None else {**view, "key": secret})


def _id(request: Request) -> str:
    key_id: str = request.path_params["key_id"]
    return key_id
