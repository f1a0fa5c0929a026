"""Estimates without a tokenizer, checked against counts by real ones."""

import importlib.util
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.metering.tokens import CHAT_TEMPLATE_TOKENS, estimate_tokens, input_token_bound, points_elsewhere


class Sample(msgspec.Struct):
    name: str
    text: str
    o200k_base: int
    cl100k_base: int


SAMPLES = msgspec.json.decode((Path(__file__).parent / "token_samples.json").read_bytes(), type=list[Sample])


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_an_estimate_is_within_a_quarter_of_the_count(sample: Sample) -> None:
    assert abs(estimate_tokens(sample.text) - sample.o200k_base) <= 0.25 * sample.o200k_base


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_the_bound_covers_the_count(sample: Sample) -> None:
    assert input_token_bound(len(sample.text.encode())) >= max(sample.o200k_base, sample.cl100k_base)


def test_the_recorded_counts_are_those_of_the_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None or importlib.util.find_spec("tiktoken") is None:
        pytest.skip("litellm or tiktoken is not installed: the recorded token counts were NOT checked")
    encodings = Path(spec.origin).parent / "litellm_core_utils" / "tokenizers"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(encodings))
    import tiktoken

    for name in ("o200k_base", "cl100k_base"):
        encoding = tiktoken.get_encoding(name)
        assert [len(encoding.encode(sample.text)) for sample in SAMPLES] == [
            getattr(sample, name) for sample in SAMPLES
        ]


@given(st.text())
def test_an_estimate_is_never_negative_and_zero_only_for_nothing_visible(text: str) -> None:
    estimate = estimate_tokens(text)
    assert estimate >= 0
    assert estimate > 0 or all(ord(character) < 0x20 or character == "\x7f" for character in text)


def test_half_a_surrogate_pair_is_estimated_too() -> None:
    assert estimate_tokens("\ud83c") >= 1


def test_a_bound_ends_at_the_context_window() -> None:
    assert input_token_bound(100) == 100 + CHAT_TEMPLATE_TOKENS
    assert input_token_bound(100, 8_192) == 100 + CHAT_TEMPLATE_TOKENS
    assert input_token_bound(10**7, 128_000) == 128_000
    assert input_token_bound(100, 128_000, points_elsewhere=True) == 128_000
    assert input_token_bound(100, points_elsewhere=True) == 1_048_576


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (b'[{"role":"user","content":"hello"}]', False),
        (b'[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/a.png"}}]}]', True),
        (b'[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}]', True),
        (b'[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]}]', True),
        (
            b'[{"role":"user","content":[{"\\u0074ype":"im\\u0061ge_url","im\\u0061ge_url":{"url":"https://x/a.png"}}]}]',
            True,
        ),
        (b'[{"role":"assistant","audio":{"id":"audio_1"}},{"role":"user","content":"go on"}]', True),
        (b'[{"role":"user","content":[{"type":"text","text":"see \\"file\\" and \\"image_url\\" \\u00e9"}]}]', False),
        (b'[{"role":"user","content":"the file, the document and the image_url"}]', False),
        (b'[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"file"}}]}]', True),
    ],
)
def test_media_and_references_are_noticed(messages: bytes, expected: bool) -> None:
    assert points_elsewhere(messages) is expected
