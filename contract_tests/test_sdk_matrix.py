"""Suite q: every official SDK against every native upstream, whatever wire the two speak."""

from collections.abc import Iterator
from typing import Any

import pytest

from faultmock.text import word_tokens
from prompts import new_marker, prompt
from sdk_drivers import ANY_ERRORS, CITY, DRIVERS, PNG, STATUS_ERRORS, TIME, Driver, status_of
from stack import ApiService, Mock, running_api, running_mock, wait_until

UPSTREAMS = {
    "openai": "openai/gpt-5-mini", "anthropic": "anthropic/claude-sonnet-4-5", "google": "google/gemini-2.5-flash",
}  # fmt: skip
PAIRS = [
    pytest.param(client, model, id=f"{client}-{upstream}")
    for client in DRIVERS
    for upstream, model in UPSTREAMS.items()
]
FINISHED = {
    "openai": ("stop", "length", "content_filter"), "responses": ("completed", "max_output_tokens", "content_filter"),
    "anthropic": ("end_turn", "max_tokens", "refusal"), "google": ("STOP", "MAX_TOKENS", "SAFETY"),
}  # fmt: skip

matrix = pytest.mark.parametrize(("client", "model"), PAIRS)
plain_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mock]:
    with running_mock(tmp_path_factory.mktemp("upstream")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstream: Mock) -> Iterator[ApiService]:
    root = upstream.url.removesuffix("/v1")
    keys = {"ANTHROPIC_API_KEY": "sk-test-anthropic", "GOOGLE_API_KEY": "test-google"}
    where = {"ANTHROPIC_BASE_URL": root, "GOOGLE_BASE_URL": root, "GEMINI_BASE_URL": root}
    with running_api(tmp_path_factory.mktemp("gateway"), upstream.url, None, **keys, **where) as running:
        yield running


@pytest.fixture(scope="module")
def drivers(gateway: ApiService) -> Iterator[dict[str, Driver]]:
    opened = {name: kind(gateway.url) for name, kind in DRIVERS.items()}
    yield opened
    for driver in opened.values():
        driver.close()


def row(gateway: ApiService, marker: str) -> dict[str, Any]:
    found = wait_until(lambda: gateway.rows("SELECT * FROM requests WHERE query LIKE ?", f"%{marker}%"), what="the row")
    return dict(found[-1])


@plain_and_streamed
@matrix
def test_words_usage_and_ledger_agree(drivers, gateway, upstream, client, model, stream):
    text = prompt(marker := new_marker(), tokens=12)
    said = drivers[client].ask(model, text, stream=stream)
    assert said.text == "".join(word_tokens(12, text))
    assert said.finish == FINISHED[client][0]
    true = upstream.ended_call(marker)["usage"]
    recorded = row(gateway, marker)
    assert said.usage == (recorded["prompt_tokens"], recorded["completion_tokens"])
    assert said.usage == (_stated(true, "prompt"), _stated(true, "completion"))
    assert (recorded["outcome"], recorded["model"]) == ("completed", model)


def _stated(usage: dict[str, int], what: str) -> int:
    """The same figure by each wire's name."""
    names = {
        "prompt": ("prompt_tokens", "input_tokens", "promptTokenCount"),
        "completion": ("completion_tokens", "output_tokens", "candidatesTokenCount"),
    }
    return next(usage[name] for name in names[what] if name in usage)


@plain_and_streamed
@matrix
def test_two_tools_are_called_at_once_and_their_results_go_back(drivers, upstream, client, model, stream):
    text = prompt(marker := new_marker(), tools=2, tokens=6)
    said = drivers[client].ask(model, text, stream=stream, tools=True)
    assert [call.name for call in said.calls] == [CITY, TIME]
    assert all(set(call.arguments) == {"city"} for call in said.calls)
    named = (client, model) != ("google", UPSTREAMS["google"])  # Google itself gives its calls no ids
    assert len({call.id for call in said.calls}) == 1 + named
    final = drivers[client].results(model, text, said, "sunny at noon")
    assert final.text
    assert final.calls == []
    assert len(upstream.calls(marker)) == 2


@matrix
def test_an_answer_that_fits_a_schema_is_asked_for(drivers, client, model):
    said = drivers[client].ask(model, prompt(new_marker(), json=1), schema=True)
    assert said.text.startswith('{"city":')


@matrix
def test_a_picture_reaches_the_model(drivers, client, model):
    said = drivers[client].ask(model, prompt(new_marker(), say="media"), image=True)
    assert "image/png" in said.text
    assert str(len(PNG)) in said.text


@plain_and_streamed
@matrix
def test_thoughts_are_shown_where_the_sdk_has_them(drivers, gateway, client, model, stream):
    text = prompt(marker := new_marker(), thinking=4, tokens=3)
    said = drivers[client].ask(model, text, stream=stream, thinking=True)
    assert said.text == "".join(word_tokens(3, text))
    assert len(said.thoughts.split()) >= 3
    assert row(gateway, marker)["reasoning_tokens"] == 4
    assert said.usage[1] == 7


@matrix
def test_what_was_thought_can_go_back_in_the_next_turn(drivers, client, model):
    text = prompt(new_marker(), thinking=4, tools=1, tokens=3)
    said = drivers[client].ask(model, text, tools=True)
    assert drivers[client].results(model, text, said, "sunny").text


@pytest.mark.parametrize(("script", "place"), [({"finish": "length"}, 1), ({"finish": "content_filter"}, 2)])
@matrix
def test_why_it_ended_is_said_in_the_sdk_s_own_word(drivers, client, model, script, place):
    said = drivers[client].ask(model, prompt(new_marker(), tokens=3, **script))
    assert said.finish == FINISHED[client][place]


@plain_and_streamed
@pytest.mark.parametrize(("fault", "status"), [("400", 400), ("429", 429), ("500", 502)])
@matrix
def test_an_error_is_the_sdk_s_own_exception(drivers, client, model, fault, status, stream):
    with pytest.raises(STATUS_ERRORS) as raised:
        drivers[client].ask(model, prompt(new_marker(), fault=fault), stream=stream)
    assert status_of(raised.value) == status
    assert str(raised.value)


@matrix
def test_a_stream_that_breaks_off_raises(drivers, gateway, client, model):
    marker = new_marker()
    with pytest.raises(ANY_ERRORS):
        drivers[client].ask(model, prompt(marker, tokens=30, fault="cut", after=5), stream=True)
    assert row(gateway, marker)["outcome"] == "failed"


@matrix
def test_hanging_up_ends_the_call_upstream(drivers, gateway, upstream, client, model):
    marker = new_marker()
    events = drivers[client].some(model, prompt(marker, tokens=500, delay_ms=10))
    for _ in range(8):
        next(events)
    events.close()
    assert upstream.ended_call(marker)["how"] in {"peer_fin", "peer_rst"}
    assert row(gateway, marker)["outcome"] == "abandoned"
