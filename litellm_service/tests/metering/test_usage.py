"""Usage objects: odd data, and what always holds."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.usage import Usage
from gateway.metering.usage import MAX_TOKENS, last, normalise
from gateway.providers.catalog import UsageRule

RULES: list[UsageRule] = ["openai", "xai", "openrouter", "perplexity", "litellm"]
FIELDS = [
    "prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details",
    "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "cost",
    "cost_details", "cost_in_usd_ticks", "is_byok",
]  # fmt: skip
DETAILS = ["cached_tokens", "cache_write_tokens", "cache_creation_token_details", "audio_tokens", "reasoning_tokens"]

numbers = st.integers(-(2**70), 2**70) | st.integers(0, 50) | st.floats()
leaves = st.none() | st.booleans() | numbers | st.text(max_size=5)
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
details = st.dictionaries(st.sampled_from([*DETAILS, "total_cost", "upstream_inference_cost"]), leaves | anything)
odd_usage = st.dictionaries(st.sampled_from(FIELDS), leaves | details | anything)
counts = st.integers(0, 10**6)
usages = st.builds(
    Usage,
    input=counts,
    cache_read=counts,
    cache_write=counts,
    output=counts,
    reasoning=counts,
    stated_cost_nano_usd=st.none() | counts,
    estimated=st.booleans(),
)


def of(value: object, rule: UsageRule = "openai") -> Usage | None:
    return normalise(msgspec.json.encode(value), rule)


def classes(usage: Usage) -> list[int]:
    sides = (usage.input, usage.cache_read, usage.cache_write, usage.cache_write_1h, usage.audio_input)
    return [*sides, usage.output, usage.reasoning, usage.audio_output]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"x"',
        b"{",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"prompt_tokens": null}',
        b'{"prompt_tokens": 5}',
        b'{"completion_tokens": 5}',
        b'{"total_tokens": 5}',
        b'{"prompt_tokens": -1, "completion_tokens": 2}',
        b'{"prompt_tokens": "many", "completion_tokens": 2}',
        b'{"prompt_tokens": 1' + b"0" * 5_000 + b', "completion_tokens": 2}',
    ],
)
def test_a_usage_that_says_nothing_usable_is_no_usage(body: bytes) -> None:
    assert normalise(body, "openai") is None


def test_no_usage_object_is_no_usage() -> None:
    assert normalise(None, "openai") is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage()),
        ({"prompt_tokens": 3, "total_tokens": 10}, Usage(input=3, output=7)),
        ({"completion_tokens": 4, "total_tokens": 10}, Usage(input=6, output=4)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": None}, Usage(input=3, output=4)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": None}, Usage(input=3, output=4)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "cost": 1.0}, Usage(input=3, output=4)),
    ],
)
def test_null_is_missing_and_zero_is_not(raw: object, expected: Usage) -> None:
    assert of(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": -1}, Usage(input=3, output=4, estimated=True)),
        ({"prompt_tokens": 3.0, "completion_tokens": 4}, Usage(input=3, output=4, estimated=True)),
        (
            {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 9}},
            Usage(cache_read=3, output=4, estimated=True),
        ),
        (
            {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": -2}},
            Usage(input=3, output=4, estimated=True),
        ),
        (
            {"prompt_tokens": 3, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 50}},
            Usage(input=3, reasoning=4, estimated=True),
        ),
        (
            {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": "odd"},
            Usage(input=3, output=4, estimated=True),
        ),
        (
            {"prompt_tokens": 3, "completion_tokens": MAX_TOKENS + 1, "total_tokens": 5},
            Usage(input=3, output=2, estimated=True),
        ),
    ],
)
def test_what_was_repaired_is_marked_as_estimated(raw: object, expected: Usage) -> None:
    assert of(raw) == expected


def test_cached_audio_counts_as_cached() -> None:
    raw = {
        "prompt_tokens": 10,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 6},
    }
    assert of(raw) == Usage(cache_read=8, audio_input=2, output=1)


def test_reasoning_is_apart_where_the_total_says_so() -> None:
    raw = {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 3}}
    assert of(raw | {"total_tokens": 15}) == Usage(input=10, output=2, reasoning=3)
    assert of(raw | {"total_tokens": 18}) == Usage(input=10, output=5, reasoning=3)
    assert of(raw) == Usage(input=10, output=2, reasoning=3)
    assert of(raw, "xai") == Usage(input=10, output=5, reasoning=3)


@pytest.mark.parametrize("cost", [-0.1, 1e300, 20_000, "NaN", "Infinity", "dear", None, [], {"total_cost": -1}, {}])
@pytest.mark.parametrize("rule", ["openrouter", "perplexity", "litellm"])
def test_an_impossible_stated_cost_is_ignored(cost: object, rule: UsageRule) -> None:
    usage = of({"prompt_tokens": 1, "completion_tokens": 1, "cost": cost}, rule)
    assert usage is not None
    assert usage.stated_cost_nano_usd is None


def test_a_stated_cost_is_read_to_the_nano_usd_without_floating_point() -> None:
    body = b'{"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.1234567895}'
    usage = normalise(body, "openrouter")
    assert usage is not None
    assert usage.stated_cost_nano_usd == 123_456_790


@given(odd_usage | anything, st.sampled_from(RULES))
def test_odd_usage_never_raises_and_never_gives_a_negative_class(value: object, rule: UsageRule) -> None:
    usage = normalise(msgspec.json.encode(value), rule)
    if usage is not None:
        assert all(0 <= count <= 2 * MAX_TOKENS for count in classes(usage))
        assert usage.stated_cost_nano_usd is None or usage.stated_cost_nano_usd >= 0


@given(st.binary(max_size=200), st.sampled_from(RULES))
def test_bytes_never_raise(body: bytes, rule: UsageRule) -> None:
    normalise(body, rule)


@given(st.lists(counts, min_size=7, max_size=7))
def test_classes_sum_to_the_reported_totals(parts: list[int]) -> None:
    fresh, read, written, audio, text, reasoning, voice = parts
    prompt, completion = fresh + read + written + audio, text + reasoning + voice
    raw = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written, "audio_tokens": audio},
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": voice},
    }
    for rule in RULES:
        usage = of(raw, rule)
        assert usage is not None
        assert not usage.estimated
        assert classes(usage) == [fresh, read, written, 0, audio, text, reasoning, voice]
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (
            prompt,
            completion,
            prompt + completion,
        )


def test_the_last_cumulative_report_holds_and_is_never_added() -> None:
    first, second = Usage(input=10, output=5), Usage(input=10, output=9)
    assert last(None, first) == first
    assert last(first, None) == first
    assert last(first, second) == second
    assert last(second, second) == second


def test_a_decreasing_report_keeps_the_greater_of_each_side() -> None:
    assert last(Usage(input=10, output=9), Usage(input=10, output=4)) == Usage(input=10, output=9)
    assert last(Usage(input=10), Usage(output=4)) == Usage(input=10, output=4)


def test_a_cost_that_an_earlier_report_stated_stays() -> None:
    previous = Usage(input=1, output=1, stated_cost_nano_usd=7)
    assert last(previous, Usage(input=1, output=2)) == Usage(input=1, output=2, stated_cost_nano_usd=7)


@given(usages, usages)
def test_a_further_report_never_lowers_prompt_completion_or_cost(previous: Usage, new: Usage) -> None:
    held = last(previous, new)
    assert held is not None
    assert held.prompt_tokens == max(previous.prompt_tokens, new.prompt_tokens)
    assert held.completion_tokens == max(previous.completion_tokens, new.completion_tokens)
    assert last(held, held) == held


def test_images_searches_and_durations_are_read() -> None:
    wire = (
        b'{"prompt_tokens":100,"completion_tokens":60,"prompt_tokens_details":{"image_tokens":30,"cached_tokens":80},'
        b'"completion_tokens_details":{"image_tokens":50},"server_tool_use":{"web_search_requests":2}}'
    )
    assert normalise(wire, "litellm") == Usage(image_input=20, cache_read=80, output=10, image_output=50, searches=2)
    grounded = b'{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"web_search_requests":3}}'
    assert normalise(grounded, "litellm") == Usage(input=5, output=1, searches=3)
    assert normalise(b'{"type":"duration","seconds":3.2}', "openai") == Usage(seconds=4)
    assert normalise(b'{"type":"duration","seconds":-1}', "openai") is None


def test_an_impossible_number_of_searches_is_marked() -> None:
    wire = b'{"prompt_tokens":5,"completion_tokens":1,"server_tool_use":{"web_search_requests":-3}}'
    assert normalise(wire, "litellm") == Usage(input=5, output=1, estimated=True)
