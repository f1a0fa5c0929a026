"""What embeddings, pictures, speech, recordings and rankings used, and that a hold covers it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.entry import Operation
from gateway.domain.price import Price, Rates
from gateway.domain.request import ModelRequest
from gateway.domain.usage import NO_USAGE, Usage
from gateway.metering import operations
from gateway.metering.models import ModelInfo, ModelMap
from gateway.metering.prices import PriceBook, priced
from gateway.metering.worst_case import WorstCase
from gateway.wires.plain import Decoder

NOW_MS = 1_795_399_200_000
MODELS = ModelMap.load()
BOOK = PriceBook(MODELS)
HELD = (
    (Operation.EMBEDDINGS, "openai", "text-embedding-3-small"),
    (Operation.EMBEDDINGS, "google", "gemini-embedding-001"),
    (Operation.COMPLETIONS, "openai", "gpt-3.5-turbo-instruct"),
    (Operation.IMAGES, "openai", "gpt-image-1"),
    (Operation.IMAGES, "openai", "gpt-image-1.5"),
    (Operation.SPEECH, "openai", "tts-1"),
    (Operation.SPEECH, "openai", "gpt-4o-mini-tts"),
    (Operation.RERANK, "cohere", "rerank-v3.5"),
)


def request(operation: Operation, **fields: Any) -> ModelRequest:
    raw = msgspec.json.encode({"model": "m", **fields})
    return ModelRequest(
        operation=operation, model="m", stream=False, fields=msgspec.json.decode(raw, type=dict[str, msgspec.Raw]),
        size=len(raw), query="", messages=None, application_id="", user_id="", choices=fields.get("n", 1),
        output_limit=fields.get("max_tokens"), characters=len(fields.get("input", "")),
    )  # fmt: skip


def price(**rates: int) -> Price:
    return Price(name="p", version="1", source="override", rates=Rates(**{"input": 0, "output": 0, **rates}))


def used(asked: ModelRequest, answer: dict[str, Any], rates: Price | None = None) -> Usage | None:
    """What the decoder reports of an answer, as it is metered."""
    heard = Decoder(has_images=asked.operation is Operation.IMAGES).whole(msgspec.json.encode(answer))
    return operations.used(asked, [heard.usage] if heard.usage else [], "openai", rates)


TEXT = "one two three four five six seven eight"
EMBED = request(Operation.EMBEDDINGS, input=TEXT)
DRAW = request(Operation.IMAGES, prompt=TEXT, n=3)
SPEAK = request(Operation.SPEECH, input=TEXT)
HEAR = request(Operation.TRANSCRIPTION)
RANK = request(Operation.RERANK, query="why", documents=["a"] * 101)
TOLD = {"usage": {"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}}


@pytest.mark.parametrize(
    ("asked", "answer", "rates", "expected"),
    [
        (EMBED, {"data": [], "usage": {"prompt_tokens": 5, "total_tokens": 5}}, None, Usage(input=5)),
        (EMBED, {"data": [], "usage": {"total_tokens": 5}}, None, Usage(input=5)),
        (EMBED, {"data": [], "usage": {"prompt_tokens": 5, "total_tokens": 9}}, None, Usage(input=5)),
        (DRAW, {"data": [{}, {}], **TOLD}, price(output=1), Usage(input=7, image_output=9, images=2)),
        (DRAW, {"data": [{}, {}]}, price(image=1), Usage(images=2)),
        (DRAW, {"data": [{}, {}]}, None, Usage(images=2)),
        (SPEAK, TOLD, price(input=1, audio_output=2), Usage(input=7, audio_output=9, characters=39)),
        (SPEAK, {}, price(character=1), Usage(characters=39)),
        (HEAR, {"text": "a", "usage": {"type": "duration", "seconds": 2.2}}, price(second=1), Usage(seconds=3)),
        (HEAR, {"text": "a", "duration": 2.2}, price(second=1), Usage(seconds=3)),
        (HEAR, {"text": "a", **TOLD, "duration": 1}, price(second=1), Usage(input=7, output=9, seconds=1)),
        (HEAR, {"text": "a", **TOLD}, price(second=1), None),
        (HEAR, {"text": "a", **TOLD}, price(input=1, second=1), Usage(input=7, output=9)),
        (HEAR, {"text": "a"}, price(second=1), None),
        (RANK, {"results": [], "meta": {"billed_units": {"search_units": 2}}}, price(search=1), Usage(searches=2)),
        (RANK, {"results": []}, price(search=1), Usage(searches=2, estimated=True)),
        (RANK, {"results": [], "usage": {"total_tokens": 8}}, price(input=1), Usage(input=8)),
        (request(Operation.TOKEN_COUNT), {"input_tokens": 9}, operations.FREE, NO_USAGE),
    ],
)
def test_an_answer_is_metered_as_it_says(asked, answer, rates, expected):
    assert used(asked, answer, rates) == expected


def test_a_recording_says_which_of_its_tokens_were_sound():
    details = {"input_token_details": {"text_tokens": 2, "audio_tokens": 5}}
    answer = {"text": "a", "usage": {**TOLD["usage"], **details}}
    assert used(HEAR, answer, price(input=1)) == Usage(input=2, audio_input=5, output=9)


def test_what_is_not_said_is_estimated_from_what_was_asked():
    for asked in (EMBED, DRAW, SPEAK):
        found = used(asked, {"data": [{}]}, price(input=1, output=1))
        assert found is not None
        assert found.estimated
        assert 5 <= found.input <= 15


def test_a_ranking_reads_its_query_with_each_document():
    asked = request(Operation.RERANK, query="q" * 500, documents=["d"] * 100)
    assert operations.input_bound(asked, None) >= 50_000
    assert operations.asked_tokens(asked) >= 100 * 100


def test_token_ids_count_one_each():
    assert operations.asked_tokens(request(Operation.EMBEDDINGS, input=[[1, 2, 3], [4]])) == 4


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["usage", "data", "input_tokens", "total_tokens", "seconds", "duration", "meta"]) | st.text(), inner),
))  # fmt: skip
def test_odd_usage_never_raises(said):
    for asked in (EMBED, DRAW, SPEAK, HEAR, RANK):
        found = used(asked, {"usage": said, "duration": said, "meta": said, "text": said, "data": said}, price(input=1))
        assert found is None or min(found.input, found.output, found.seconds, found.searches) >= 0


@st.composite
def asked_and_used(draw: st.DrawFn) -> tuple[ModelInfo, ModelRequest, Usage]:
    """A request, and anything that it can come to."""
    operation, provider, name = draw(st.sampled_from(HELD))
    info = MODELS.find(provider, name)
    assert info is not None
    texts = draw(st.lists(st.text(max_size=400), min_size=1, max_size=30))
    size = sum(len(text.encode()) for text in texts)
    went_in = draw(st.integers(0, size))
    if operation is Operation.EMBEDDINGS:
        return info, request(operation, input=texts), Usage(input=went_in)
    if operation is Operation.COMPLETIONS:
        n, limit = draw(st.integers(1, 20)), draw(st.integers(1, 5_000))
        asked = request(operation, prompt=texts, n=n * len(texts), max_tokens=limit)
        return info, asked, Usage(input=went_in, output=draw(st.integers(0, limit * n * len(texts))))
    if operation is Operation.IMAGES:
        n = draw(st.integers(1, 10))
        size, most = draw(
            st.sampled_from([("1024x1024", 7_024), ("2880x2880", 30_000), (["odd"], 30_000), (None, 30_000)])
        )
        asked = request(operation, prompt=" ".join(texts), n=n, size=size)
        return info, asked, Usage(input=went_in, image_output=draw(st.integers(0, most * n)), images=n)
    if operation is Operation.RERANK:
        pieces = len(texts) + size // 450
        return info, request(operation, query="why", documents=texts), Usage(searches=-(-pieces // 100))
    asked = request(operation, input=" ".join(texts))
    unstated = operations.unstated(asked, BOOK.price(provider, name))
    assert unstated is not None
    return info, asked, unstated


@settings(max_examples=300)
@given(asked_and_used())
def test_a_hold_covers_whatever_it_comes_to(drawn: tuple[ModelInfo, ModelRequest, Usage]) -> None:
    info, asked, usage = drawn
    held = WorstCase(BOOK, info.provider, info.name, info, asked, NOW_MS).nano_usd(asked.output_limit or 0)
    cost, _ = priced(BOOK.price(info.provider, info.name, at_ms=NOW_MS), usage)
    assert held is not None
    assert cost is not None
    assert held >= cost


def test_many_inputs_are_not_bounded_by_one_context_window():
    asked = request(Operation.EMBEDDINGS, input=["x" * 5_000] * 100)
    assert operations.input_bound(asked, 8_191) >= 500_000


def test_pictures_to_embed_may_fill_the_context_window_each():
    picture = {"image_url": "https://x/a.png", "type": "image_url"}
    assert operations.input_bound(request(Operation.EMBEDDINGS, input=[picture] * 3), 1_000) >= 3_000
