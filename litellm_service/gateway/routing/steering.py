"""What one request says of where it wants to go.

Headers `x-gateway-models`, `-only`, `-order`, `-ignore` and `-max-price`, and in the body `models` and `provider` as OpenRouter has
them (https://openrouter.ai/docs/features/model-routing, /provider-routing).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import msgspec

from gateway.domain.errors import InvalidRequest, NotAllowed
from gateway.domain.money import NANO_PER_USD
from gateway.providers.deployment import Deployment
from gateway.routing.plan import Way

MAX_NAMES = 20
DEAREST_USD = 1e6
Field = TypeVar("Field")
_PREFIX = b"x-gateway-"
_HEADERS = {name: b"x-gateway-" + name.encode() for name in ("models", "only", "order", "ignore")}
_MAX_PRICE = b"x-gateway-max-price"
_SAID = frozenset({*_HEADERS.values(), _MAX_PRICE})


class _Price(msgspec.Struct):
    completion: float | None = None


class _Provider(msgspec.Struct):
    order: list[str] | None = None
    only: list[str] | None = None
    ignore: list[str] | None = None
    max_price: _Price | None = None
    data_collection: str | None = None
    zdr: bool | None = None


class Steering(msgspec.Struct, kw_only=True, frozen=True):
    """`models` to go on with after the one that is asked for; names of providers or deployments otherwise.

    `max_price` is nano-USD for a million tokens of output.
    """

    models: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    max_price: int | None = None


_models = msgspec.json.Decoder(list[str] | None)
_provider = msgspec.json.Decoder(_Provider | None)


def of_headers(headers: Mapping[bytes, bytes]) -> Steering | None:
    """`None` where nothing is said; raises `InvalidRequest` that names the header."""
    if _SAID.isdisjoint(headers):
        return None
    lists = {name: _names(headers[header]) for name, header in _HEADERS.items() if header in headers}
    price = headers.get(_MAX_PRICE)
    for name, names in lists.items():
        if not names or len(names) > MAX_NAMES:
            raise InvalidRequest(
                f"x-gateway-{name}: 1 to {MAX_NAMES} names, with commas between.", param=f"x-gateway-{name}"
            )
    return Steering(**lists, max_price=None if price is None else _price(price))


def of_body(fields: Mapping[str, msgspec.Raw]) -> Steering | None:
    """`models` and `provider` of a body; `None` where nothing is said; raises `InvalidRequest` that names the field."""
    models = _read(_models, fields, "models")
    provider = _read(_provider, fields, "provider") or _Provider()
    if provider.zdr or provider.data_collection == "deny":
        message = "provider: the gateway does not know what a provider keeps; choose providers by `only` or `ignore`."
        raise InvalidRequest(message, param="provider")
    price = provider.max_price.completion if provider.max_price is not None else None
    if price is not None and not 0 <= price < DEAREST_USD:
        message = "provider.max_price.completion: USD for a million tokens of output, such as 15."
        raise InvalidRequest(message, param="provider")
    steering = Steering(
        models=_few("models", models), only=_few("provider.only", provider.only),
        order=_few("provider.order", provider.order), ignore=_few("provider.ignore", provider.ignore),
        max_price=None if price is None else int(price * NANO_PER_USD),
    )  # fmt: skip
    return None if steering == Steering() else steering


def together(first: Steering | None, second: Steering | None) -> Steering | None:
    """What both say; where both say something of the same, the first one counts."""
    if first is None or second is None:
        return first or second
    stated = {name: value for name, value in msgspec.structs.asdict(first).items() if value not in ((), None)}
    return msgspec.structs.replace(second, **stated)


def chosen(
    steering: Steering, ways: Iterable[Way], price_of: Callable[[Deployment], int | None], *, required: bool = True
) -> list[Way]:
    """What is left of the ways, in the order that was asked for; raises `NotAllowed` where that is nothing and `required`."""
    left = [way for way in ways if _may(steering, way, price_of)]
    if required and not left:
        raise NotAllowed(
            "What this request says of its route (x-gateway-… or provider) leaves no deployment.", param="provider"
        )
    places = {name: place for place, name in enumerate(steering.order)}
    return sorted(
        left, key=lambda way: min((places[name] for name in _called(way) if name in places), default=len(places))
    )


def _may(steering: Steering, way: Way, price_of: Callable[[Deployment], int | None]) -> bool:
    names = _called(way)
    if (steering.only and not names & set(steering.only)) or names & set(steering.ignore):
        return False
    if steering.max_price is None:
        return True
    price = price_of(way.deployment)
    return price is not None and price <= steering.max_price


def _called(way: Way) -> set[str]:
    return {way.key, way.deployment.model, way.deployment.provider.name}


def _read(decoder: msgspec.json.Decoder[Field], fields: Mapping[str, msgspec.Raw], name: str) -> Field | None:
    if name not in fields:
        return None
    try:
        return decoder.decode(fields[name])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"{name}: {error}.", param=name) from None


def _few(field: str, names: list[str] | None) -> tuple[str, ...]:
    if names and len(names) > MAX_NAMES:
        raise InvalidRequest(f"{field}: at most {MAX_NAMES} names.", param=field.partition(".")[0])
    return tuple(names or ())


def _names(value: bytes) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.decode("utf-8", "replace").split(",") if name.strip())


def _price(value: bytes) -> int:
    try:
        usd = float(value)
    except ValueError:
        usd = -1.0
    if not 0 <= usd < DEAREST_USD:
        raise InvalidRequest(
            "x-gateway-max-price: USD for a million tokens of output, such as 15.", param="x-gateway-max-price"
        )
    return int(usd * NANO_PER_USD)
