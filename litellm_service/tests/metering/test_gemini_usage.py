"""Google's usage metadata: what it counts where, odd data, and what always holds."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.usage import Usage
from gateway.metering.gemini_usage import usage
from gateway.metering.usage import MAX_TOKENS

COUNTS = [
    "promptTokenCount", "cachedContentTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount", "thoughtsTokenCount",
    "totalTokenCount", "searchQueryCount",
]  # fmt: skip
DETAILS = ["promptTokensDetails", "toolUsePromptTokensDetails", "cacheTokensDetails", "candidatesTokensDetails"]
numbers = st.integers(-(2**70), 2**70) | st.integers(0, 50) | st.floats()
leaves = st.none() | st.booleans() | numbers | st.text(max_size=5)
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
modalities = st.sampled_from(["TEXT", "IMAGE", "AUDIO", "VIDEO", "DOCUMENT", "audio", "SMELL"]) | leaves
details = st.lists(st.fixed_dictionaries({}, optional={"modality": modalities, "tokenCount": leaves}), max_size=4)
odd_usage = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(COUNTS, leaves | anything) | dict.fromkeys(DETAILS, details)
)
counts = st.integers(0, 10**6)


def of(**fields: object) -> Usage | None:
    return usage(msgspec.json.encode(fields))


def modality(name: str, count: int) -> dict[str, object]:
    return {"modality": name, "tokenCount": count}


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
        b'{"promptTokenCount": null}',
        b'{"candidatesTokenCount": 5}',
        b'{"totalTokenCount": 5}',
        b'{"promptTokenCount": -1, "candidatesTokenCount": 2}',
        b'{"promptTokenCount": 1' + b"0" * 5_000 + b', "candidatesTokenCount": 2}',
    ],
)
def test_metadata_that_says_nothing_usable_is_no_usage(body: bytes) -> None:
    assert usage(body) is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"promptTokenCount": 4, "candidatesTokenCount": 10, "totalTokenCount": 14},
            Usage(input=4, output=10),
        ),
        (
            {"promptTokenCount": 12, "candidatesTokenCount": 10, "totalTokenCount": 40, "thoughtsTokenCount": 18},
            Usage(input=12, output=10, reasoning=18),
        ),
        (
            {"promptTokenCount": 9, "cachedContentTokenCount": 6, "candidatesTokenCount": 1, "totalTokenCount": 10},
            Usage(input=3, cache_read=6, output=1),
        ),
        (
            {
                "promptTokenCount": 20, "toolUsePromptTokenCount": 100, "candidatesTokenCount": 30, "thoughtsTokenCount": 50,
                "totalTokenCount": 200,
            },
            Usage(input=120, output=30, reasoning=50),
        ),
        (
            {
                "promptTokenCount": 32334, "candidatesTokenCount": 645, "totalTokenCount": 35290, "thoughtsTokenCount": 2311,
                "promptTokensDetails": [modality("IMAGE", 32240), modality("TEXT", 94)], "serviceTier": "standard",
            },
            Usage(input=94, image_input=32240, output=645, reasoning=2311),
        ),
        (
            {
                "promptTokenCount": 300, "cachedContentTokenCount": 120, "candidatesTokenCount": 0, "totalTokenCount": 300,
                "promptTokensDetails": [modality("TEXT", 50), modality("AUDIO", 150), modality("VIDEO", 100)],
                "cacheTokensDetails": [modality("AUDIO", 100), modality("TEXT", 20)],
            },
            Usage(input=130, cache_read=120, audio_input=50),
        ),
        (
            {
                "promptTokenCount": 8, "candidatesTokenCount": 1300, "totalTokenCount": 1308,
                "candidatesTokensDetails": [modality("IMAGE", 1290)],
            },
            Usage(input=8, output=10, image_output=1290),
        ),
        (
            {
                "promptTokenCount": 8, "candidatesTokenCount": 90, "totalTokenCount": 98,
                "candidatesTokensDetails": [modality("AUDIO", 90)],
            },
            Usage(input=8, audio_output=90),
        ),
        ({"promptTokenCount": 8, "candidatesTokenCount": 1, "searchQueryCount": 3}, Usage(input=8, output=1, searches=3)),
    ],
)  # fmt: skip
def test_google_s_counts_become_disjoint_classes(fields: dict[str, object], expected: Usage) -> None:
    assert of(**fields) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"promptTokenCount": 10}, Usage(input=10)),
        ({"promptTokenCount": 10, "totalTokenCount": 10}, Usage(input=10)),
        ({"promptTokenCount": 10, "totalTokenCount": 30, "thoughtsTokenCount": 20}, Usage(input=10, reasoning=20)),
        ({"promptTokenCount": 10, "totalTokenCount": 17}, Usage(input=10, output=7)),
        ({"candidatesTokenCount": 7, "totalTokenCount": 17}, Usage(input=10, output=7)),
        ({"promptTokenCount": 0, "candidatesTokenCount": 0}, Usage()),
    ],
)
def test_a_count_that_is_absent_is_nothing_yet_or_what_the_total_leaves(
    fields: dict[str, object], expected: Usage
) -> None:
    assert of(**fields) == expected


def test_thoughts_that_the_total_counts_among_the_candidates_are_not_charged_twice() -> None:
    counted = of(promptTokenCount=10, candidatesTokenCount=50, thoughtsTokenCount=40, totalTokenCount=60)
    assert counted == Usage(input=10, output=10, reasoning=40)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"promptTokenCount": 3, "candidatesTokenCount": 4.0}, Usage(input=3, output=4)),
        ({"promptTokenCount": "3", "candidatesTokenCount": 4}, Usage(input=3, output=4)),
        ({"promptTokenCount": 3, "candidatesTokenCount": "few"}, Usage(input=3)),
        (
            {"promptTokenCount": 3, "candidatesTokenCount": MAX_TOKENS + 1, "totalTokenCount": 5},
            Usage(input=3, output=2),
        ),
        (
            {"promptTokenCount": 3, "candidatesTokenCount": 4, "cachedContentTokenCount": 9},
            Usage(cache_read=3, output=4),
        ),
        (
            {"promptTokenCount": 3, "candidatesTokenCount": 4, "promptTokensDetails": [modality("AUDIO", 9)]},
            Usage(audio_input=3, output=4),
        ),
        ({"promptTokenCount": 3, "candidatesTokenCount": 4, "promptTokensDetails": "odd"}, Usage(input=3, output=4)),
        ({"promptTokenCount": 3, "candidatesTokenCount": 4, "thoughtsTokenCount": -1}, Usage(input=3, output=4)),
        ({"promptTokenCount": 3, "candidatesTokenCount": 4, "searchQueryCount": -1}, Usage(input=3, output=4)),
    ],
)
def test_what_was_repaired_is_marked_as_an_estimate(fields: dict[str, object], expected: Usage) -> None:
    assert of(**fields) == msgspec.structs.replace(expected, estimated=True)


@given(odd_usage)
def test_odd_data_never_raises_and_gives_no_negative_count(fields: dict[str, object]) -> None:
    counted = usage(msgspec.json.encode(fields))
    if counted is not None:
        assert all(value >= 0 for value in msgspec.structs.asdict(counted).values() if isinstance(value, int))


@given(st.binary(max_size=60))
def test_garbage_never_raises(raw: bytes) -> None:
    assert usage(raw) is None or raw.strip().startswith(b"{")


@given(counts, counts, counts, counts)
def test_the_classes_add_up_to_google_s_total(prompt: int, tools: int, candidates: int, thoughts: int) -> None:
    total = prompt + tools + candidates + thoughts
    counted = of(
        promptTokenCount=prompt,
        toolUsePromptTokenCount=tools,
        candidatesTokenCount=candidates,
        thoughtsTokenCount=thoughts,
        totalTokenCount=total,
    )
    assert counted is not None
    assert (counted.prompt_tokens, counted.completion_tokens) == (prompt + tools, candidates + thoughts)
