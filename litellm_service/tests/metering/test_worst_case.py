"""The most that an attempt can cost covers whatever it comes to cost."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.entry import Operation
from gateway.domain.request import ModelRequest
from gateway.domain.usage import Usage
from gateway.http import openai
from gateway.metering.models import ModelInfo, ModelMap
from gateway.metering.prices import PriceBook, priced
from gateway.metering.surcharges import UNSTATED_SEARCHES, searches_bound
from gateway.metering.tokens import UNKNOWN_CONTEXT_WINDOW
from gateway.metering.worst_case import WorstCase, output_bound

NOW_MS = 1_795_399_200_000
MODELS = ModelMap.load()
BOOK = PriceBook(MODELS)
PLAIN: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/a.png"}}]}]
AUDIO = [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]}]
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
FUNCTION = {"type": "function", "function": {"name": "web_search"}}
PROVIDERS = (
    "openai",
    "anthropic",
    "google",
    "xai",
    "groq",
    "openrouter",
    "deepseek",
    "perplexity",
    "dashscope",
    "demo",
)
CHAT = [info for row in PROVIDERS
        for info in MODELS.chat_models(row) if BOOK.price(info.provider, info.name)]  # fmt: skip


def request(**fields: Any) -> ModelRequest:
    body = {**PLAIN, **fields}
    raw = msgspec.json.encode(body)
    read = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    return ModelRequest(
        operation=Operation.CHAT, model="m", stream=False, fields=read, size=len(raw),
        query="", messages=None, application_id="", user_id="", choices=fields.get("n", 1), output_limit=fields.get("max_tokens"),
        service_tier=fields.get("service_tier", ""),
    )  # fmt: skip


def known(provider: str, name: str) -> ModelInfo:
    info = MODELS.find(provider, name)
    assert info is not None
    return info


def case(info: ModelInfo, asked: ModelRequest) -> WorstCase:
    return WorstCase(BOOK, info.provider, info.name, info, asked, NOW_MS)


@st.composite
def requests(draw: st.DrawFn) -> ModelRequest:
    fields: dict[str, Any] = {"messages": draw(st.sampled_from([PLAIN["messages"], IMAGE, AUDIO]))}
    fields["messages"] = [*fields["messages"], {"role": "user", "content": "x" * draw(st.integers(0, 3_000))}]
    if draw(st.booleans()):
        fields["n"] = draw(st.integers(1, 128))
    if draw(st.booleans()):
        fields["max_tokens"] = draw(st.integers(1, 200_000) | st.just(10**12))
    if tools := draw(st.lists(st.sampled_from([SEARCH, FUNCTION, {"googleSearch": {}}]), max_size=3)):
        fields["tools"] = tools
    if tier := draw(st.sampled_from(["", "auto", "default", "flex", "priority", "scale"])):
        fields["service_tier"] = tier
    if draw(st.booleans()):
        fields["prediction"] = {"type": "content", "content": "y" * draw(st.integers(0, 500))}
    return request(**fields)


def split(draw: st.DrawFn, total: int, names: tuple[str, ...]) -> dict[str, int]:
    """A total as disjoint classes."""
    cuts = sorted(draw(st.lists(st.integers(0, total), min_size=len(names) - 1, max_size=len(names) - 1)))
    return {name: end - start for name, start, end in zip(names, [0, *cuts], [*cuts, total], strict=True)}


INPUTS = ("input", "cache_read", "cache_write", "cache_write_1h", "audio_input", "image_input")
OUTPUTS = ("output", "reasoning", "audio_output", "image_output")


@settings(max_examples=500)
@given(st.data(), st.sampled_from(CHAT), requests())
def test_a_hold_covers_every_settlement_that_the_request_can_come_to(
    data: st.DataObject, info: ModelInfo, asked: ModelRequest
) -> None:
    bound = output_bound(asked, info, key_default=data.draw(st.none() | st.integers(1, 10_000)), setting_default=8_192)
    held = case(info, asked).nano_usd(bound)
    assert held is not None
    tokens_in = data.draw(st.integers(0, prompt_within(asked, info)))
    tokens_out = data.draw(st.integers(0, bound * asked.choices))
    searches = data.draw(st.integers(0, searches_bound(asked)))
    usage = Usage(searches=searches, **split(data.draw, tokens_in, INPUTS), **split(data.draw, tokens_out, OUTPUTS))
    for tier in tiers_within(asked.service_tier):
        cost, _ = priced(BOOK.price(info.provider, info.name, tier, at_ms=NOW_MS), usage)
        assert cost is not None
        assert held >= cost


def prompt_within(asked: ModelRequest, info: ModelInfo) -> int:
    """What the prompt can be, said in another way than in the code: media and server tools make it the whole window."""
    body = msgspec.json.encode(asked.fields).decode()
    window = info.context_window or UNKNOWN_CONTEXT_WINDOW
    if '"image_url"' in body or '"input_audio"' in body or "web_search_2025" in body or "googleSearch" in body:
        return window
    return min(asked.size, window)


def tiers_within(asked: str) -> tuple[str, ...]:
    return {"": ("",), "default": ("",), "flex": ("", "flex"), "priority": ("", "priority")}.get(
        asked, ("", "flex", "priority")
    )


@given(st.sampled_from(CHAT), requests(), st.integers(0, 10**12))
def test_the_longest_answer_within_a_cost_is_within_it_and_one_more_token_is_not(
    info: ModelInfo, asked: ModelRequest, most: int
) -> None:
    costs = case(info, asked)
    longest = costs.output_limit_within(most)
    if longest is None:
        assert (costs.nano_usd(1) or 0) > most
        return
    assert (costs.nano_usd(longest) or 0) <= most
    more = costs.nano_usd(longest + 1)
    assert more is not None
    assert more > most or more == costs.nano_usd(0)


@pytest.mark.parametrize(
    ("fields", "dearer"),
    [
        ({"n": 2}, True),
        ({"messages": IMAGE}, True),
        ({"messages": AUDIO}, True),
        ({"tools": [SEARCH]}, True),
        ({"web_search_options": {}}, True),
        ({"previous_response_id": "resp_1"}, True),
        ({"prediction": {"type": "content", "content": "abc"}}, True),
        ({"service_tier": "priority"}, True),
        ({"service_tier": "auto"}, True),
        ({"service_tier": "flex"}, False),
        ({"service_tier": "default"}, False),
        ({"tools": [FUNCTION]}, False),
    ],
)
def test_what_may_cost_more_is_held_for(fields: dict[str, Any], dearer: bool) -> None:
    info = known("openai", "gpt-5")
    plain, asked = request(), request(**fields)
    asked.size = plain.size
    assert ((case(info, asked).nano_usd(100) or 0) > (case(info, plain).nano_usd(100) or 0)) is dearer


@pytest.mark.parametrize(
    ("fields", "bound"),
    [
        ({}, 0),
        ({"tools": [FUNCTION]}, 0),
        ({"tools": [SEARCH, FUNCTION]}, 3),
        ({"tools": [{"googleSearch": {}}]}, UNSTATED_SEARCHES),
        ({"tools": "nonsense"}, UNSTATED_SEARCHES),
        ({"web_search_options": {}}, UNSTATED_SEARCHES),
    ],
)
def test_searches_are_bounded_by_what_the_request_says(fields: dict[str, Any], bound: int) -> None:
    assert searches_bound(request(**fields)) == bound


def test_a_model_without_a_price_has_no_worst_case() -> None:
    unpriced = WorstCase(BOOK, "vllm", "my-own-model", None, request(), NOW_MS)
    assert unpriced.nano_usd(10) is None
    assert unpriced.output_limit_within(10**9) is None


def test_a_free_model_costs_nothing_however_long_the_answer() -> None:
    free = case(known("demo", "echo"), request())
    assert free.nano_usd(10**6) == 0
    assert free.output_limit_within(0) == UNKNOWN_CONTEXT_WINDOW


@pytest.mark.parametrize(
    ("own", "key_default", "expected"),
    [
        (None, None, 8_192),
        (None, 500, 500),
        (None, 10**9, 16_384),
        (100, 500, 100),
        (10**12, None, 128_000),
        (20_000, None, 20_000),
    ],
)
def test_an_answer_is_bounded_by_the_request_then_the_key_then_the_setting(
    own: int | None, key_default: int | None, expected: int
) -> None:
    info = known("openai", "gpt-4o")
    assert (info.context_window, info.max_output_tokens) == (128_000, 16_384)
    asked = request(**({} if own is None else {"max_tokens": own}))
    assert output_bound(asked, info, key_default=key_default, setting_default=8_192) == expected


@pytest.mark.parametrize(
    ("tools", "searches"),
    [
        ([{"type": "web_search", "max_uses": -13}], 10),
        ([{"type": "web_search", "max_uses": 0}], 10),
        ([{"type": "web_search", "max_uses": 1000}, {"type": "function", "max_uses": "x"}], 1010),
        ([{"type": "web_search", "max_uses": 3}, {"type": "function"}, 7], 13),
        (None, 0),
    ],
)
def test_odd_tools_never_lower_the_bound(tools, searches):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": tools}).encode()
    assert searches_bound(openai.parse(body, {})) == searches
