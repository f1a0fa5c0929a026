"""Suite q, what passes between the two: ids, signatures, typed answers, limits, refusals of each SDK with each upstream."""

import base64
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from faultmock.fitting import fitting
from faultmock.text import word_tokens
from prompts import new_marker, prompt
from sdk_clients import RAISED, Clients, Forecast
from sdk_drivers import ANY_ERRORS, CITY, DRIVERS, STATUS_ERRORS, TIME, Driver, status_of
from sent_turns import calls_and_results
from stack import ApiService, Mock, wait_until

UPSTREAMS = {
    "openai": "openai/gpt-4o", "anthropic": "anthropic/claude-sonnet-4-5", "google": "google/gemini-2.5-flash",
}  # fmt: skip
NATIVE = {"openai": "openai", "responses": "openai", "anthropic": "anthropic", "google": "google"}
PAIRS = [(client, upstream) for client in DRIVERS for upstream in UPSTREAMS]
SIGNERS = ("anthropic", "google")
# A call in Anthropic's wire has no place for the signature that Google gives it.
CARRIED = [(client, signer) for client in DRIVERS for signer in SIGNERS if (client, signer) != ("anthropic", "google")]
THOUGHTS = 4
SKIPS_VALIDATION = "skip_thought_signature_validator"  # as ai.google.dev/gemini-api/docs/thought-signatures has it
LIMITED = {"openai": "length", "responses": "max_output_tokens", "anthropic": "max_tokens", "google": "MAX_TOKENS"}
FILTERED = {"openai": "content_filter", "responses": "content_filter", "anthropic": "refusal", "google": "SAFETY"}
FAULTS = {
    "400": (400, "Invalid value for 'temperature'"),
    "429-seconds": (429, "Rate limit reached"),
    "500": (502, "The server had an error"),
}
# A field, its name where it is left out, and the upstreams that have no word for it.
HARMLESS: list[tuple[str, dict[str, Any], str, set[str]]] = [
    ("openai", {"metadata": {"a": "b"}}, "metadata", {"anthropic", "google"}),
    ("openai", {"seed": 7}, "seed", {"anthropic"}),
    ("responses", {"metadata": {"a": "b"}}, "metadata", {"anthropic", "google"}),
    ("responses", {"text": {"verbosity": "low"}}, "text.verbosity", {"anthropic", "google"}),
    ("anthropic", {"extra_body": {"top_k": 5}}, "top_k", {"openai"}),
    ("anthropic", {"extra_body": {"speed": "fast"}}, "speed", {"openai", "google"}),
    ("google", {"top_k": 5}, "generationConfig.topK", {"openai"}),
    ("google", {"seed": 7}, "generationConfig.seed", {"anthropic"}),
]
REFUSED: list[tuple[str, dict[str, Any], str, set[str]]] = [
    ("openai", {"logprobs": True}, "logprobs", {"anthropic", "google"}),
    ("openai", {"n": 2}, "n", {"anthropic", "google"}),
    ("responses", {"truncation": "auto"}, "truncation", {"anthropic", "google"}),
    ("responses", {"tools": [{"type": "web_search"}]}, "tools[0].type", {"anthropic", "google"}),
    ("anthropic", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type", {"openai", "google"}),
    ("openai", {"temperature": 1.5}, "temperature", {"anthropic"}),
    ("google", {"candidate_count": 2}, "generationConfig.candidateCount", {"openai", "anthropic"}),
    ("google", {"tools": [{"google_search": {}}]}, "tools.googleSearch", {"openai", "anthropic"}),
]  # fmt: skip

pairs = pytest.mark.parametrize(("client", "upstream"), PAIRS)
plain_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@pytest.fixture(scope="module")
def api_environment(mock: Mock) -> dict[str, str]:
    """The upstream of every provider is the mock."""
    root = mock.url.removesuffix("/v1")
    keys = {"ANTHROPIC_API_KEY": "sk-test-anthropic", "GOOGLE_API_KEY": "test-google"}
    return {**keys, "ANTHROPIC_BASE_URL": root, "GOOGLE_BASE_URL": root, "GEMINI_BASE_URL": root}


@pytest.fixture(scope="module")
def drivers(api: ApiService) -> Iterator[dict[str, Driver]]:
    opened = {name: kind(api.url) for name, kind in DRIVERS.items()}
    yield opened
    for driver in opened.values():
        driver.close()


@pytest.fixture(scope="module")
def clients(api: ApiService) -> Iterator[Clients]:
    opened = Clients(api.url)
    yield opened
    opened.close()


def row(api: ApiService, marker: str) -> dict[str, Any]:
    found = wait_until(lambda: api.rows("SELECT * FROM requests WHERE query LIKE ?", f"%{marker}%"), what="the row")
    assert len(found) == 1
    return dict(found[0])


def last_body(mock: Mock, marker: str) -> dict[str, Any]:
    """What the upstream was sent by the last request, which said `keep`."""
    body: dict[str, Any] = mock.ended_call(marker)["body"]
    return body


def signature_of(text: str) -> str:
    """How the mock signs what it thinks about a prompt."""
    thoughts = "".join(word_tokens(THOUGHTS, f"thought {text}"))
    return base64.b64encode(f"sig-{zlib.crc32(thoughts.encode()):08x}".encode()).decode()


@plain_and_streamed
@pairs
def test_results_reach_the_model_under_the_ids_of_its_calls(drivers, mock, client, upstream, stream):
    text = prompt(marker := new_marker(), tools=2, keep=1)
    said = drivers[client].ask(UPSTREAMS[upstream], text, stream=stream, tools=True)
    asked = mock.ended_call(marker)
    final = drivers[client].results(UPSTREAMS[upstream], text, said, "sunny at noon")
    assert final.text == "The tool said: sunny at noon | sunny at noon"
    sent = mock.ended_call(marker)
    calls, results = calls_and_results(sent["wire"], sent["body"])
    assert [call.id for call in calls] == [result.id for result in results]
    assert [call[1:] for call in calls] == [(call.name, call.arguments) for call in said.calls]
    assert [result.text for result in results] == ["sunny at noon"] * 2
    assert [call.name for call in said.calls] == [CITY, TIME]
    if upstream != "google":  # which gives its calls no ids
        mark = {"openai": "call", "anthropic": "toolu"}[upstream]
        assert [call.id for call in calls] == [f"{mark}_{asked['n']}_{place}" for place in (1, 2)]
    if client != upstream:
        assert [call.id for call in said.calls] == [call.id for call in calls]


@plain_and_streamed
@pytest.mark.parametrize(("client", "upstream"), CARRIED)
def test_a_signature_goes_back_to_who_gave_it(drivers, mock, client, upstream, stream):
    text = prompt(marker := new_marker(), thinking=THOUGHTS, tools=1, tokens=3)
    said = drivers[client].ask(UPSTREAMS[upstream], text, stream=stream, tools=True, thinking=True)
    assert said.thoughts == "".join(word_tokens(THOUGHTS, f"thought {text}"))
    assert drivers[client].results(UPSTREAMS[upstream], text, said, "sunny", thinking=True).text
    call = mock.ended_call(marker)
    assert call["signatures"] == [signature_of(text)]
    assert call["thinking_asked"]


def test_google_is_given_its_stand_in_for_a_signature_that_the_client_could_not_carry(drivers, mock):
    text = prompt(marker := new_marker(), thinking=THOUGHTS, tools=2, tokens=3)
    said = drivers["anthropic"].ask("google/gemini-3-flash-preview", text, tools=True, thinking=True)
    assert drivers["anthropic"].results("google/gemini-3-flash-preview", text, said, "sunny", thinking=True).text
    assert mock.ended_call(marker)["signatures"] == [SKIPS_VALIDATION]


def test_reasoning_of_openai_goes_back_as_the_item_that_it_was(drivers, mock):
    text = prompt(marker := new_marker(), thinking=THOUGHTS, tools=1, keep=1)
    said = drivers["responses"].ask("openai/gpt-5-mini", text, tools=True, thinking=True)
    drivers["responses"].results("openai/gpt-5-mini", text, said, "sunny", thinking=True)
    ids = [item["id"] for item in last_body(mock, marker)["input"] if item.get("type") == "reasoning"]
    assert ids == [item["id"] for item in said.turn if item["type"] == "reasoning"]
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("client", "first", "then"),
    [(client, first, then) for client in DRIVERS for first in SIGNERS for then in UPSTREAMS if then != first],
)
def test_a_signature_goes_to_nobody_else(drivers, mock, client, first, then):
    text = prompt(marker := new_marker(), thinking=THOUGHTS, tools=1, tokens=3, keep=1)
    said = drivers[client].ask(UPSTREAMS[first], text, tools=True, thinking=True)
    assert drivers[client].results(UPSTREAMS[then], text, said, "sunny").text == "The tool said: sunny"
    sent = json.dumps(last_body(mock, marker))
    signature = signature_of(text)
    assert signature not in sent
    assert base64.b64encode(signature.encode()).decode()[:-4] not in sent
    assert "Z2F0ZXdheS1" not in sent  # how a wrapped one begins


@pairs
def test_an_answer_is_parsed_into_the_client_s_own_type(clients, client, upstream):
    text = prompt(new_marker(), json=1)
    made = clients.forecast(client, UPSTREAMS[upstream], text)
    assert isinstance(made, Forecast)
    assert made == Forecast.model_validate(fitting(Forecast.model_json_schema(), text))


@plain_and_streamed
@pairs
def test_cached_tokens_are_told_in_the_sdk_s_own_place(drivers, api, client, upstream, stream):
    text = prompt(marker := new_marker(), 30, cached=9, tokens=3)
    said = drivers[client].ask(UPSTREAMS[upstream], text, stream=stream)
    recorded = row(api, marker)
    assert (said.cached, recorded["cached_tokens"]) == (9, 9)
    assert said.usage == (recorded["prompt_tokens"], recorded["completion_tokens"])


@pairs
def test_a_limit_reaches_the_model_and_the_stream_says_so(clients, api, client, upstream):
    text = prompt(marker := new_marker(), tokens=20)
    words, why = clients.streamed(client, UPSTREAMS[upstream], text, 16)
    assert words == "".join(word_tokens(16, text))
    assert why == LIMITED[client]
    assert row(api, marker)["completion_tokens"] == 16


@pairs
def test_a_stream_that_a_filter_ended_says_so(clients, client, upstream):
    text = prompt(new_marker(), tokens=3, finish="content_filter")
    assert clients.streamed(client, UPSTREAMS[upstream], text, 4_000) == (
        "".join(word_tokens(3, text)),
        FILTERED[client],
    )


@plain_and_streamed
@pytest.mark.parametrize("fault", FAULTS)
@pairs
def test_an_error_has_its_class_its_status_and_the_provider_s_words(drivers, client, upstream, fault, stream):
    status, words = FAULTS[fault]
    with pytest.raises(STATUS_ERRORS, match=words) as raised:
        drivers[client].ask(UPSTREAMS[upstream], prompt(new_marker(), fault=fault), stream=stream)
    assert type(raised.value) is RAISED[client][status]
    assert status_of(raised.value) == status
    if client in {"openai", "responses"}:
        assert isinstance(raised.value.code, str)
        assert raised.value.type == {400: "invalid_request_error", 429: "rate_limit_error"}.get(
            status, "provider_error"
        )
    if status == 429:
        assert raised.value.response.headers["retry-after"] == "1"


@pairs
def test_an_error_in_mid_stream_comes_after_words_and_is_raised(drivers, api, client, upstream):
    events = drivers[client].some(UPSTREAMS[upstream], prompt(marker := new_marker(), tokens=30, fault="error-event"))
    seen = []
    with pytest.raises(ANY_ERRORS, match="The server had an error"):
        seen.extend(event.model_dump_json() for event in events)
    assert any(
        word.strip() in said for said in seen for word in word_tokens(3, prompt(marker, tokens=30, fault="error-event"))
    )
    assert row(api, marker)["outcome"] == "failed"


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize(("client", "fields", "name", "wordless"), HARMLESS)
def test_what_is_left_out_is_listed(clients, client, fields, name, wordless, upstream):
    head = clients.head(client, UPSTREAMS[upstream], prompt(new_marker(), tokens=3), fields)
    assert head.get("x-gateway-dropped") == (name if upstream in wordless else None)


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize(("client", "fields", "name", "wordless"), REFUSED)
def test_what_cannot_be_left_out_is_refused_by_name(clients, mock, client, fields, name, wordless, upstream):
    text = prompt(marker := new_marker(), tokens=3)
    if upstream not in wordless:
        clients.head(client, UPSTREAMS[upstream], text, fields)
        assert mock.ended_call(marker)["status"] == 200
        return
    with pytest.raises(RAISED[client][400]) as raised:
        clients.head(client, UPSTREAMS[upstream], text, fields)
    assert status_of(raised.value) == 400
    assert f"{name}: " in str(raised.value)
    if client in {"openai", "responses"}:
        assert raised.value.param == name
    assert mock.calls(marker) == []


@pytest.mark.parametrize("read", [0, 8], ids=["at once", "in the middle"])
@pairs
def test_hanging_up_closes_the_connection_upstream(drivers, api, mock, client, upstream, read):
    marker = new_marker()
    events = drivers[client].some(UPSTREAMS[upstream], prompt(marker, tokens=500, delay_ms=10))
    for _ in range(1 + read):
        next(events)
    events.close()
    call = mock.ended_call(marker)
    assert call["how"] in {"peer_fin", "peer_rst"}
    assert call["tokens_sent"] < 100
    assert row(api, marker)["outcome"] == "abandoned"
