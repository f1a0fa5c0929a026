"""The official OpenAI SDK, unmodified, against `/v1`."""

from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionChunk

from faultmock.text import word_tokens
from prompts import new_marker, prompt
from stack import ApiService, Mock, wait_until

WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture
def client(api: ApiService) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{api.url}/v1", api_key="unused", max_retries=0, timeout=20) as opened:
        yield opened


def row_of(api: ApiService, marker: str) -> dict[str, object]:
    found = wait_until(lambda: api.rows("SELECT * FROM requests WHERE query LIKE ?", f"%{marker}%"), what="the row")
    assert len(found) == 1
    return dict(found[0])


def test_a_plain_answer_is_parsed_whole(client: OpenAI, api: ApiService, mock: Mock) -> None:
    text = prompt(marker := new_marker(), 10, tokens=20)
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}])
    assert answer.choices[0].message.content == "".join(word_tokens(20, text))
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_none=True) == mock.ended_call(marker)["usage"]
    row = row_of(api, marker)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (answer.usage.prompt_tokens, 20)


def test_a_stream_is_parsed_chunk_by_chunk(client: OpenAI, api: ApiService) -> None:
    text = prompt(marker := new_marker(), tokens=20)
    stream = client.chat.completions.create(
        model="openai/gpt-4o", messages=[{"role": "user", "content": text}], stream=True
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "".join(word_tokens(20, text))
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    assert row_of(api, marker)["completion_tokens"] == 20


def test_usage_comes_in_a_stream_that_asks_for_it(client: OpenAI) -> None:
    text = prompt(new_marker(), tokens=7)
    chunks: list[ChatCompletionChunk] = list(
        client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": text}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 7


def test_tool_calls_arrive_plain_and_streamed(client: OpenAI) -> None:
    text = prompt(new_marker(), fault="tool-calls")
    answer = client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": text}],
        tools=[WEATHER],  # type: ignore[list-item]
    )
    assert answer.choices[0].message.tool_calls is not None
    assert answer.choices[0].message.tool_calls[0].function.arguments == '{"city":"Paris"}'  # type: ignore[union-attr]
    with client.chat.completions.stream(
        model="gpt-4o",
        messages=[{"role": "user", "content": text}],
        tools=[WEATHER],  # type: ignore[list-item]
    ) as stream:
        call = stream.get_final_completion().choices[0].message.tool_calls
    assert call is not None
    assert (call[0].function.name, call[0].function.arguments) == ("get_weather", '{"city":"Paris"}')


def test_several_choices_arrive(client: OpenAI, api: ApiService) -> None:
    text = prompt(marker := new_marker(), tokens=5)
    stream = client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": text}], n=3, stream=True
    )
    finished = [choice.index for chunk in stream for choice in chunk.choices if choice.finish_reason]
    assert sorted(finished) == [0, 1, 2]
    assert row_of(api, marker)["completion_tokens"] == 15


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("429-seconds", openai.RateLimitError),
        ("400-context", openai.BadRequestError),
        ("404", openai.NotFoundError),
        ("422", openai.UnprocessableEntityError),
        ("500", openai.InternalServerError),
        ("401", openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_the_sdks_own(client: OpenAI, fault: str, error: type[openai.APIStatusError], stream: bool) -> None:
    text = prompt(new_marker(), fault=fault)
    with pytest.raises(error) as caught:
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}], stream=stream)
    assert caught.value.request_id
    assert caught.value.body["request_id"] == caught.value.request_id  # type: ignore[index]


def test_an_error_in_mid_stream_is_raised(client: OpenAI) -> None:
    text = prompt(new_marker(), fault="error-event", tokens=10)
    stream = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}], stream=True)
    with pytest.raises(openai.APIError, match="server had an error"):
        list(stream)


def test_an_unknown_model_says_what_to_do(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-4oo", messages=[{"role": "user", "content": "hi"}])
    assert caught.value.code == "unknown_model"
    assert "gpt-4o" in caught.value.message


def test_models_are_listed_and_found(client: OpenAI) -> None:
    ids = [model.id for model in client.models.list()]
    assert "openai/gpt-4o" in ids
    assert client.models.retrieve("openai/gpt-4o").id == "openai/gpt-4o"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


def test_closing_a_stream_cancels_the_provider(client: OpenAI, api: ApiService, mock: Mock) -> None:
    text = prompt(marker := new_marker(), tokens=200, delay_ms=20)
    stream = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}], stream=True)
    for _, _chunk in zip(range(5), stream, strict=False):
        pass
    stream.close()
    call = mock.ended_call(marker)
    assert call["how"] in {"peer_fin", "peer_rst"}
    assert call["tokens_sent"] < 100
    assert row_of(api, marker)["outcome"] == "abandoned"


def test_a_timeout_of_the_client_cancels_the_provider(client: OpenAI, api: ApiService, mock: Mock) -> None:
    text = prompt(marker := new_marker(), first_ms=5000)
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5).chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": text}]
        )
    assert mock.ended_call(marker)["how"] in {"peer_fin", "peer_rst"}
    assert row_of(api, marker)["outcome"] == "abandoned"


def test_the_sdk_retries_by_itself_what_the_gateway_says_may_be_retried(api: ApiService, mock: Mock) -> None:
    text = prompt(marker := new_marker(), fault="503", times=1)
    with OpenAI(base_url=f"{api.url}/v1", api_key="unused", max_retries=2) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}])
    assert answer.choices[0].finish_reason == "stop"
    assert len(mock.calls(marker)) == 2
