"""What a request says of its route, in headers and in OpenRouter's words, and what that leaves."""

import contextlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.errors import InvalidRequest, NotAllowed
from gateway.providers.catalog import Provider
from gateway.providers.deployment import Deployment, Endpoint
from gateway.routing.plan import Way
from gateway.routing.steering import MAX_NAMES, Steering, chosen, of_body, of_headers, together

USD_PER_MILLION = {"quick/small": 1, "quick/large": 15, "cheap/small": 0.2}


def way(key, model):
    provider = Provider(name=model.partition("/")[0], title="A provider", source="a test")
    endpoint = Endpoint(provider, None, "", b"", (), via_litellm=False)
    return Way(key=key, deployment=Deployment(endpoint, model, model.partition("/")[2]))


WAYS = [
    way(*pair) for pair in {"main": "quick/small", "big": "quick/large", "spare": "cheap/small", "new": "x/y"}.items()
]


def price_of(deployment):
    usd = USD_PER_MILLION.get(deployment.model)
    return None if usd is None else int(usd * 10**9)


def body(**fields):
    return of_body({name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()})


def left(steering, **how):
    return [one.key for one in chosen(steering, WAYS, price_of, **how)]


def test_who_says_nothing_is_not_steered():
    assert of_headers({b"content-type": b"application/json", b"x-gateway-project": b"x"}) is None
    assert of_body({}) is None
    assert body(models=[], provider={}) is None
    assert body(provider={"order": [], "max_price": {}}) is None
    assert body(models=None, provider=None) is None
    assert body(provider={"order": None, "only": None, "ignore": None, "max_price": None}) is None


@pytest.mark.parametrize(
    ("header", "value", "steering"),
    [
        (b"x-gateway-only", b"openai", Steering(only=("openai",))),
        (b"x-gateway-order", b" main , spare,", Steering(order=("main", "spare"))),
        (b"x-gateway-ignore", b"openai/gpt-4o,demo", Steering(ignore=("openai/gpt-4o", "demo"))),
        (b"x-gateway-models", b"demo/echo", Steering(models=("demo/echo",))),
        (b"x-gateway-max-price", b"2.5", Steering(max_price=2_500_000_000)),
        (b"x-gateway-max-price", b"0", Steering(max_price=0)),
    ],
)
def test_a_header_says_one_thing(header, value, steering):
    assert of_headers({header: value}) == steering


def test_headers_add_up():
    headers = {b"x-gateway-only": b"quick", b"x-gateway-order": b"big", b"x-gateway-max-price": b"20"}
    assert of_headers(headers) == Steering(only=("quick",), order=("big",), max_price=20_000_000_000)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"x-gateway-only", b""),
        (b"x-gateway-order", b" , "),
        (b"x-gateway-models", b",".join([b"m"] * (MAX_NAMES + 1))),
        *((b"x-gateway-max-price", value) for value in (b"", b"much", b"-1", b"nan", b"inf", b"1e6", b"\xff")),
    ],
)
def test_a_header_that_makes_no_sense_is_named(header, value):
    with pytest.raises(InvalidRequest) as refused:
        of_headers({header: value})
    assert refused.value.param == header.decode()
    assert header.decode() in refused.value.message


def test_a_body_says_the_same_in_the_words_of_openrouter():
    provider = {"order": ["a"], "only": ["a", "b"], "ignore": ["c"], "max_price": {"completion": 3}}
    assert body(models=["x/y"], provider=provider) == Steering(
        models=("x/y",), order=("a",), only=("a", "b"), ignore=("c",), max_price=3_000_000_000
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("models", "gpt"),
        ("models", [1]),
        ("provider", "openai"),
        ("provider", {"only": "openai"}),
        ("provider", {"max_price": {"completion": "dear"}}),
        ("provider", {"max_price": {"completion": -1}}),
        ("provider", {"max_price": {"completion": 1e308}}),
        ("provider", {"ignore": ["m"] * (MAX_NAMES + 1)}),
        ("models", ["m"] * (MAX_NAMES + 1)),
    ],
)
def test_a_field_that_makes_no_sense_is_named(field, value):
    with pytest.raises(InvalidRequest) as refused:
        body(**{"models": ["x/y"], "provider": {"only": ["x"]}, field: value})
    assert refused.value.param == field
    assert field in refused.value.message


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(["models", "provider"]), st.binary(max_size=40)))
def test_a_garbled_body_raises_nothing_else(fields):
    with contextlib.suppress(InvalidRequest):
        of_body({name: msgspec.Raw(value) for name, value in fields.items()})


@pytest.mark.parametrize("value", [b"[" * 100_000, b'{"only":' * 100_000, b'"\xed\xa0\x80"'])
def test_a_field_that_cannot_be_read_is_refused(value):
    with pytest.raises(InvalidRequest):
        of_body({"provider": msgspec.Raw(value)})


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from([b"x-gateway-only", b"x-gateway-max-price"]), st.binary(max_size=40)))
def test_garbled_headers_raise_nothing_else(headers):
    with contextlib.suppress(InvalidRequest):
        of_headers(headers)


@pytest.mark.parametrize(
    ("steering", "keys"),
    [
        (Steering(), ["main", "big", "spare", "new"]),
        (Steering(only=("quick",)), ["main", "big"]),
        (Steering(only=("spare", "x/y")), ["spare", "new"]),
        (Steering(ignore=("quick",)), ["spare", "new"]),
        (Steering(only=("quick",), ignore=("big",)), ["main"]),
        (Steering(order=("spare", "quick")), ["spare", "main", "big", "new"]),
        (Steering(order=("nobody",)), ["main", "big", "spare", "new"]),
        (Steering(max_price=1_000_000_000), ["main", "spare"]),
        (Steering(max_price=0, only=("quick", "x")), None),
        (Steering(only=("nobody",)), None),
    ],
)
def test_steering_leaves_so_much_in_that_order(steering, keys):
    assert left(steering, required=False) == (keys or [])
    if keys is None:
        with pytest.raises(NotAllowed):
            left(steering)


names = st.lists(st.sampled_from(["main", "big", "spare", "quick", "cheap", "x/y", "nobody"]), max_size=3).map(tuple)


@settings(max_examples=150)
@given(st.builds(Steering, only=names, ignore=names, order=names, max_price=st.none() | st.integers(0, 2 * 10**10)))
def test_nothing_that_is_left_goes_against_what_was_said(steering):
    for one in chosen(steering, WAYS, price_of, required=False):
        called = {one.key, one.deployment.model, one.deployment.provider.name}
        assert not called & set(steering.ignore)
        assert not steering.only or called & set(steering.only)
        if steering.max_price is not None:
            assert price_of(one.deployment) <= steering.max_price


@pytest.mark.parametrize("provider", [{"zdr": True}, {"data_collection": "deny"}])
def test_a_promise_that_the_gateway_cannot_keep_is_refused(provider):
    with pytest.raises(InvalidRequest, match="what a provider keeps"):
        of_body({"provider": msgspec.Raw(msgspec.json.encode(provider))})


def test_headers_and_body_say_it_together_and_headers_first():
    header, body = Steering(only=("a",), max_price=5), Steering(models=("m",), only=("b",))
    assert together(header, body) == Steering(only=("a",), max_price=5, models=("m",))
    assert together(None, body) is body
    assert together(header, None) is header
