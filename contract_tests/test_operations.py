"""Embeddings, pictures, speech and the rest, through the official OpenAI SDK: answered, metered, charged."""

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from faultmock.text import word_tokens
from faultmock.wires.audio import wav
from prompts import new_marker, prompt
from stack import ApiService, Mock, get_json, post_json, send_json, wait_until


@pytest.fixture
def client(api: ApiService) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{api.url}/v1", api_key="unused", max_retries=0, timeout=20) as opened:
        yield opened


def row_of(api: ApiService, marker: str) -> dict[str, Any]:
    """The request's row, by what it asked."""
    found = wait_until(lambda: api.rows("SELECT * FROM requests WHERE query LIKE ?", f"%{marker}%"), what="the row")
    assert len(found) == 1
    return dict(found[0])


def test_embeddings_are_parsed_and_charged(client: OpenAI, api: ApiService, mock: Mock) -> None:
    text = prompt(marker := new_marker(), 20)
    answer = client.embeddings.create(model="text-embedding-3-small", input=[text, "another"])
    assert [len(one.embedding) for one in answer.data] == [8, 8]
    row = row_of(api, marker)
    assert (row["operation"], row["stream"], row["query"], row["completion_tokens"]) == ("embeddings", 0, text, 0)
    assert row["prompt_tokens"] == answer.usage.prompt_tokens > 0
    assert row["cost_nano_usd"] == answer.usage.prompt_tokens * 20
    assert mock.ended_call(marker)["path"].endswith("/v1/embeddings")


def test_demo_embeddings_need_no_key(client: OpenAI) -> None:
    first, again = (client.embeddings.create(model="demo/echo", input="Hello").data[0].embedding for _ in range(2))
    assert first == again
    assert len(first) == 8


def test_a_legacy_completion_is_parsed_plain_and_streamed(client: OpenAI, api: ApiService) -> None:
    for stream in (False, True):
        text = prompt(marker := new_marker(), tokens=12)
        asked: Any = {"model": "gpt-3.5-turbo-instruct", "prompt": text, "max_tokens": 50}
        if stream:
            chunks = list(client.completions.create(stream=True, **asked))
            assert "".join(chunk.choices[0].text for chunk in chunks) == "".join(word_tokens(12, text))
            assert all(chunk.usage is None for chunk in chunks)
        else:
            assert client.completions.create(**asked).choices[0].text == "".join(word_tokens(12, text))
        row = row_of(api, marker)
        assert (row["operation"], row["stream"], row["completion_tokens"]) == ("completions", int(stream), 12)
        assert row["cost_nano_usd"] == row["prompt_tokens"] * 1_500 + 12 * 2_000


def test_pictures_are_charged_by_the_tokens_that_they_took(client: OpenAI, api: ApiService) -> None:
    text = prompt(marker := new_marker(), 5, tokens=30)
    answer: Any = client.images.generate(model="gpt-image-1", prompt=text, n=2)
    assert len(answer.data) == 2
    row = row_of(api, marker)
    assert row["operation"] == "images"
    assert row["cost_nano_usd"] == answer.usage.input_tokens * 5_000 + answer.usage.output_tokens * 40_000
    _, shown = get_json(f"{api.url}/api/requests/{row['id']}")
    assert {line["item"]: line["quantity"] for line in shown["receipt"]} == {
        "input": answer.usage.input_tokens, "output_image": answer.usage.output_tokens, "image": 2,
    }  # fmt: skip


def test_pictures_come_as_events_too(client: OpenAI, api: ApiService) -> None:
    text = prompt(marker := new_marker(), tokens=30)
    events: list[Any] = list(client.images.generate(model="gpt-image-1", prompt=text, stream=True, partial_images=2))
    assert [event.type.rpartition(".")[2] for event in events] == ["partial_image", "partial_image", "completed"]
    row = row_of(api, marker)
    usage = events[-1].usage
    assert row["cost_nano_usd"] == usage.input_tokens * 5_000 + usage.output_tokens * 40_000


def test_pictures_without_a_price_have_no_cost(client: OpenAI, api: ApiService) -> None:
    client.images.generate(model="openai/dall-e-3", prompt=(marker := new_marker()))
    assert row_of(api, marker)["cost_nano_usd"] is None


def test_speech_is_a_file_that_comes_as_it_is_made(client: OpenAI, api: ApiService) -> None:
    text = prompt(marker := new_marker(), 5, tokens=20)
    with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input=text) as answer:
        assert answer.headers["content-type"] == "audio/mpeg"
        sound = b"".join(answer.iter_bytes())
    assert sound[:4] == b"RIFF"
    row = row_of(api, marker)
    assert (row["operation"], row["cost_nano_usd"]) == ("speech", len(text) * 15_000)
    assert row["response"] in (None, "")


def test_speech_that_is_charged_by_tokens_is_estimated(client: OpenAI, api: ApiService) -> None:
    client.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input=prompt(marker := new_marker(), 5))
    row = row_of(api, marker)
    assert row["cost_source"] == "estimated"
    assert row["cost_nano_usd"] > 0


def test_a_moderation_is_free(client: OpenAI, api: ApiService) -> None:
    answer = client.moderations.create(input=prompt(marker := new_marker()))
    assert answer.results[0].flagged is False
    row = row_of(api, marker)
    assert (row["operation"], row["model"], row["cost_nano_usd"]) == ("moderations", "openai/omni-moderation-latest", 0)


def test_a_ranking_is_passed_on(api: ApiService) -> None:
    asked = {"model": "openai/reranker", "query": prompt(marker := new_marker()), "documents": ["one", "two"]}
    status, answer = post_json(f"{api.url}/v1/rerank", asked)
    assert (status, len(answer["results"])) == (200, 2)
    assert row_of(api, marker)["operation"] == "rerank"


def test_tokens_are_counted_for_models_of_any_provider(api: ApiService) -> None:
    marker = new_marker()
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"{marker} how many words are these?"}]}
    status, answer = post_json(f"{api.url}/v1/messages/count_tokens", asked)
    assert status == 200
    assert 10 < answer["input_tokens"] < 60
    row = row_of(api, marker)
    assert (row["operation"], row["cost_nano_usd"], row["prompt_tokens"]) == ("token_count", 0, 0)


def recording(seconds: float = 1.0) -> bytes:
    """A sound of this length."""
    return wav(int(seconds * 24_000))


def test_a_transcription_is_charged_by_the_second(client: OpenAI, api: ApiService, mock: Mock) -> None:
    marker = new_marker()
    answer = client.audio.transcriptions.create(
        model="whisper-1", file=(f"{marker}.wav", recording(2.5)), prompt=prompt(marker, tokens=9)
    )
    assert answer.text
    row = row_of(api, marker)
    assert (row["operation"], row["cost_nano_usd"]) == ("transcription", 3 * 100_000)
    assert row["response"] == answer.text
    assert "RIFF" not in str(row)
    assert mock.ended_call(marker)["model"] == "whisper-1"


def test_only_the_model_of_a_form_is_rewritten(client: OpenAI, api: ApiService, mock: Mock) -> None:
    marker = new_marker()
    for model in ("openai/gpt-4o-transcribe", "gpt-4o-transcribe"):
        answer: Any = client.audio.transcriptions.create(
            model=model, file=(f"{marker}.wav", recording()), prompt=prompt(marker, tokens=9), temperature=0.5
        )
        assert answer.usage.total_tokens > 0
    assert {call["model"] for call in mock.calls(marker)} == {"gpt-4o-transcribe"}


def test_a_transcription_comes_as_events_too(client: OpenAI, api: ApiService) -> None:
    marker = new_marker()
    events: list[Any] = list(
        client.audio.transcriptions.create(
            model="gpt-4o-transcribe", file=(f"{marker}.wav", recording()), prompt=prompt(marker, tokens=9), stream=True
        )
    )
    assert events[-1].type == "transcript.text.done"
    row = row_of(api, marker)
    usage = events[-1].usage
    assert row["cost_nano_usd"] == usage.input_tokens * 2_500 + usage.output_tokens * 10_000
    assert row["response"] == events[-1].text


def test_a_transcript_without_usage_has_no_cost(client: OpenAI, api: ApiService) -> None:
    marker = new_marker()
    answer = client.audio.translations.create(
        model="whisper-1", file=(f"{marker}.wav", recording()), prompt=prompt(marker), response_format="srt"
    )
    assert "-->" in str(answer)
    row = row_of(api, marker)
    assert (row["operation"], row["cost_nano_usd"], row["outcome"]) == ("translation", None, "completed")
    _, shown = get_json(f"{api.url}/api/requests/{row['id']}")
    assert (shown["operation"], shown["cost_usd"], shown["receipt"]) == ("translation", None, [])
    assert shown["cost_explained"].startswith("The provider did not say what was used")


def test_forms_that_make_no_sense_are_refused(api: ApiService) -> None:
    whole = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--x--\r\n'
    kind = {"content-type": "multipart/form-data; boundary=x"}
    for body in (b"", b"garbage", b"--x", whole, whole[:-8], whole.replace(b"form-data;", b"form-data"), b"\0" * 9_999):
        status, answer = send_json("POST", f"{api.url}/v1/audio/transcriptions", body, kind)
        assert (status, answer["error"]["code"]) == (400, "invalid_request"), body
    status, answer = send_json("POST", f"{api.url}/v1/audio/transcriptions", b"{}", None)
    assert status == 415


def test_a_form_that_is_too_large_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        client.audio.transcriptions.create(model="whisper-1", file=("long.wav", b"\0" * 32_000_001))
    assert refused.value.status_code == 413


def test_speech_that_nobody_hears_any_more_is_given_up(api: ApiService, mock: Mock) -> None:
    marker = new_marker()
    asked = {"model": "tts-1", "voice": "alloy", "input": prompt(marker, tokens=40, fault="stall")}
    with httpx.Client(timeout=20) as client, client.stream("POST", f"{api.url}/v1/audio/speech", json=asked) as answer:
        assert next(answer.iter_raw())
    row = row_of(api, marker)
    assert (row["outcome"], row["http_status"]) == ("abandoned", 499)
    assert row["cost_nano_usd"] == len(str(asked["input"])) * 15_000


def test_speech_that_breaks_off_is_seen_to_be_incomplete(api: ApiService) -> None:
    marker = new_marker()
    asked = {"model": "tts-1", "voice": "alloy", "input": prompt(marker, tokens=40, fault="close-mid")}
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{api.url}/v1/audio/speech", json=asked, timeout=20)
    row = row_of(api, marker)
    assert (row["outcome"], row["http_status"], row["cost_source"]) == ("failed", 502, "estimated")


def test_models_of_other_wires_are_refused_by_name(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.speech.create(model="demo/echo", voice="alloy", input="Hello")
    assert refused.value.param == "model"
    assert "speech" in refused.value.message


def test_a_repetition_gets_the_first_answer_and_is_billed_once(client: OpenAI, api: ApiService) -> None:
    for asked in (
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": (marker := new_marker())}),
        ("/v1/audio/speech", {"model": "tts-1", "voice": "alloy", "input": (spoken := new_marker())}),
    ):
        answers = [
            httpx.post(f"{api.url}{asked[0]}", json=asked[1], headers={"idempotency-key": marker + asked[0]})
            for _ in range(2)
        ]
        assert answers[0].content == answers[1].content
        assert answers[0].headers["content-type"] == answers[1].headers["content-type"]
        assert answers[1].headers["idempotent-replayed"] == "true"
    assert row_of(api, marker)
    assert row_of(api, spoken)


def test_a_form_may_be_repeated_under_another_boundary(client: OpenAI, api: ApiService) -> None:
    marker = new_marker()
    answers = [
        client.audio.transcriptions.create(
            model="whisper-1", file=(f"{marker}.wav", recording()), extra_headers={"idempotency-key": marker}
        )
        for _ in range(2)
    ]
    assert answers[0].text == answers[1].text
    assert row_of(api, marker)


FAULTS = {"429": 429, "500": 502, "html-200": 502, "error-in-200": 502, "invalid-json": 502, "reset-on-request": 502}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_provider_does_wrong_is_an_error_that_the_sdk_knows(client: OpenAI, api: ApiService, fault: str) -> None:
    for path, ask in (
        ("embeddings", lambda text: client.embeddings.create(model="text-embedding-3-small", input=text)),
        ("images", lambda text: client.images.generate(model="gpt-image-1", prompt=text)),
        ("completions", lambda text: client.completions.create(model="gpt-3.5-turbo-instruct", prompt=text)),
    ):
        with pytest.raises(openai.APIStatusError) as refused:
            ask(prompt(marker := new_marker(), fault=fault))
        assert refused.value.status_code == FAULTS[fault], path
        row = row_of(api, marker)
        assert (row["operation"], row["outcome"], row["http_status"]) == (path, "failed", FAULTS[fault])


@pytest.mark.parametrize("fault", ["429", "500", "error-in-200", "reset-on-request"])
def test_speech_that_does_not_begin_is_an_error(client: OpenAI, api: ApiService, fault: str) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        client.audio.speech.create(model="tts-1", voice="alloy", input=prompt(marker := new_marker(), fault=fault))
    assert refused.value.status_code == FAULTS[fault]
    assert row_of(api, marker)["outcome"] == "failed"
