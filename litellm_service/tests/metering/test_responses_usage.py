"""Usage as OpenAI's Responses report it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.usage import Usage
from gateway.metering.native_usage import usage_of
from gateway.metering.responses_usage import usage

counts = st.integers(0, 10**6)


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        (
            {
                "input_tokens": 36, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 87,
                "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 123,
            },
            Usage(input=36, output=87),
        ),
        (
            {
                "input_tokens": 2006, "input_tokens_details": {"cached_tokens": 1920, "cache_write_tokens": 50},
                "output_tokens": 300, "output_tokens_details": {"reasoning_tokens": 256}, "total_tokens": 2306,
            },
            Usage(input=36, cache_read=1920, cache_write=50, output=44, reasoning=256),
        ),
        ({"input_tokens": 5, "output_tokens": 3}, Usage(input=5, output=3)),
        ({"input_tokens": 5, "total_tokens": 8}, Usage(input=5, output=3)),
        ({"input_tokens": 5, "output_tokens": 3, "input_tokens_details": None}, Usage(input=5, output=3)),
    ],
)  # fmt: skip
def test_each_token_is_in_one_class(reported: dict[str, object], expected: Usage) -> None:
    assert usage(msgspec.json.encode(reported)) == expected
    assert usage_of(msgspec.json.encode(reported), "responses") == expected


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        (
            {"input_tokens": 5, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 9}},
            Usage(cache_read=5, output=3, estimated=True),
        ),
        (
            {"input_tokens": 5, "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": -1}},
            Usage(input=5, output=3, estimated=True),
        ),
        (
            {"input_tokens": 5, "output_tokens": 3, "output_tokens_details": "many"},
            Usage(input=5, output=3, estimated=True),
        ),
        ({"input_tokens": 5, "output_tokens": 3, "total_tokens": "8?"}, Usage(input=5, output=3, estimated=True)),
    ],
)
def test_odd_figures_are_mended_and_marked(reported: dict[str, object], expected: Usage) -> None:
    assert usage(msgspec.json.encode(reported)) == expected


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b"{}", b"7", b'{"input_tokens":', b'{"input_tokens":-1}', b"\xff"]
)
def test_what_says_nothing_is_no_usage(raw: bytes) -> None:
    assert usage(raw) is None


@given(counts, counts, st.data())
def test_the_totals_are_what_was_reported(prompt: int, completion: int, data: st.DataObject) -> None:
    reported = {
        "input_tokens": prompt, "input_tokens_details": {"cached_tokens": data.draw(st.integers(0, prompt))},
        "output_tokens": completion, "output_tokens_details": {"reasoning_tokens": data.draw(st.integers(0, completion))},
        "total_tokens": prompt + completion,
    }  # fmt: skip
    found = usage(msgspec.json.encode(reported))
    assert found is not None
    assert (found.prompt_tokens, found.completion_tokens, found.estimated) == (prompt, completion, False)
