"""Anthropic's usage: what it counts where, odd data, and what always holds."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.usage import Usage
from gateway.metering.anthropic_usage import usage
from gateway.metering.usage import MAX_SEARCHES, MAX_TOKENS

COUNTS = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"]
INNER = {
    "cache_creation": ["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"],
    "output_tokens_details": ["thinking_tokens"],
    "server_tool_use": ["web_search_requests"],
}
numbers = st.integers(-(2**70), 2**70) | st.integers(0, 50) | st.floats()
leaves = st.none() | st.booleans() | numbers | st.text(max_size=5)
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
odd_usage = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(COUNTS, leaves | anything)
    | {
        name: st.fixed_dictionaries({}, optional=dict.fromkeys(inner, leaves)) | leaves for name, inner in INNER.items()
    },
)
counts = st.integers(0, 10**6)


def of(**fields: object) -> Usage | None:
    return usage(msgspec.json.encode(fields))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"7", b"{", b"{}", b"\xff", b"[" * 100_000, b'{"input_tokens": null}', b'{"x": 1}',
        b'{"input_tokens": -5, "output_tokens": -7}', b'{"input_tokens": 1180591620717411303424, "output_tokens": 1e30}',
        b'{"input_tokens": 1000000000000000, "output_tokens": 1000000000000000, "service_tier": "standard"}',
    ],
)  # fmt: skip
def test_what_says_nothing_is_none(body: bytes) -> None:
    assert usage(body) is None


def test_a_plain_message_counts_input_and_output() -> None:
    assert of(input_tokens=12, output_tokens=6) == Usage(input=12, output=6)


def test_the_cache_stands_beside_the_input() -> None:
    told = of(input_tokens=10, cache_read_input_tokens=200, cache_creation_input_tokens=30, output_tokens=5)
    assert told == Usage(input=10, cache_read=200, cache_write=30, output=5)


def test_what_was_written_is_split_by_how_long_it_is_kept() -> None:
    creation = {"ephemeral_5m_input_tokens": 456, "ephemeral_1h_input_tokens": 100}
    told = of(input_tokens=2, cache_creation_input_tokens=556, cache_creation=creation, output_tokens=1)
    assert told == Usage(input=2, cache_write=456, cache_write_1h=100, output=1)


def test_a_split_without_a_total_is_enough() -> None:
    told = of(input_tokens=2, cache_creation={"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3})
    assert told == Usage(input=2, cache_write=4, cache_write_1h=3)


def test_more_written_for_an_hour_than_at_all_is_cut() -> None:
    told = of(input_tokens=2, cache_creation_input_tokens=5, cache_creation={"ephemeral_1h_input_tokens": 9})
    assert told == Usage(input=2, cache_write_1h=5, estimated=True)


def test_thinking_is_part_of_the_output() -> None:
    told = of(input_tokens=1, output_tokens=10, output_tokens_details={"thinking_tokens": 7})
    assert told == Usage(input=1, output=3, reasoning=7)


def test_searches_are_counted() -> None:
    told = of(input_tokens=105, output_tokens=6, server_tool_use={"web_search_requests": 3})
    assert told == Usage(input=105, output=6, searches=3)


def test_the_end_of_a_stream_may_name_the_output_only() -> None:
    assert of(output_tokens=15) == Usage(output=15)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"input_tokens": "12", "output_tokens": 6}, Usage(input=12, output=6, estimated=True)),
        ({"input_tokens": -1, "output_tokens": 6}, Usage(output=6, estimated=True)),
        ({"input_tokens": 1, "output_tokens": MAX_TOKENS + 1}, Usage(input=1, estimated=True)),
        ({"input_tokens": 1, "cache_creation": "much", "output_tokens": 2}, Usage(input=1, output=2, estimated=True)),
        (
            {"input_tokens": 1, "server_tool_use": {"web_search_requests": MAX_SEARCHES + 1}},
            Usage(input=1, searches=MAX_SEARCHES, estimated=True),
        ),
    ],
)
def test_what_is_impossible_is_cut_and_marked(fields: dict[str, object], expected: Usage) -> None:
    assert usage(msgspec.json.encode(fields)) == expected


@given(odd_usage | anything)
def test_odd_data_never_raises_nor_goes_out_of_bounds(fields: object) -> None:
    told = usage(msgspec.json.encode(fields))
    if told is not None:
        figures = [value for value in msgspec.structs.astuple(told) if type(value) is int]
        assert all(0 <= value <= MAX_TOKENS for value in figures)


@given(st.binary(max_size=60))
def test_garbage_never_raises(raw: bytes) -> None:
    usage(raw)


@given(counts, counts, counts, counts, counts)
def test_every_token_is_counted_once(put_in: int, read: int, written: int, for_an_hour: int, out: int) -> None:
    told = of(
        input_tokens=put_in,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written + for_an_hour,
        cache_creation={"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": for_an_hour},
        output_tokens=out,
    )
    assert told is not None
    assert not told.estimated
    assert told.prompt_tokens == put_in + read + written + for_an_hour
    assert told.completion_tokens == out
