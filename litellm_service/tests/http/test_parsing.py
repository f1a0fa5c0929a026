"""Bodies of the calling routes: what is read, what is refused and how."""

import json

import msgspec
import pytest

from gateway.domain.errors import InvalidRequest
from gateway.http import chat, openai
from gateway.wires.passing import openai as chat_body

HELLO = [{"role": "user", "content": "Hello"}]


def parse(module, body, headers=None):
    return module.parse(json.dumps(body).encode(), headers or {})


def test_the_seeds_body_becomes_a_request():
    request = parse(chat, {"application_id": "my-app", "user_id": "user123", "query": "What is AI?", "model": "gpt-4o"})
    assert (request.query, request.application_id, request.user_id, request.stream) == (
        "What is AI?",
        "my-app",
        "user123",
        False,
    )
    assert json.loads(chat_body(request, "gpt-4o", ask_for_usage=True)) == {
        "messages": [{"role": "user", "content": "What is AI?"}],
        "model": "gpt-4o",
    }


def test_system_and_parameters_go_upstream_and_defaults_do_not():
    body = {"model": "m", "messages": HELLO, "system": "Be brief.", "temperature": 0.5, "stop": ["x"], "stream": True}
    sent = json.loads(chat_body(parse(chat, body), "m", ask_for_usage=True))
    assert sent == {
        "messages": [{"role": "system", "content": "Be brief."}, *HELLO],
        "temperature": 0.5,
        "stop": ["x"],
        "stream": True,
        "model": "m",
        "stream_options": {"include_usage": True},
    }


def test_fields_that_are_not_read_go_upstream_untouched():
    body = {"model": "openai/gpt-4o", "messages": HELLO, "logit_bias": {"5": -1}, "new_thing": [1.50, None], "n": 2}
    request = parse(openai, body)
    assert json.loads(chat_body(request, "gpt-4o", ask_for_usage=True)) == {**body, "model": "gpt-4o"}
    assert request.choices == 2


def test_a_field_given_twice_reaches_the_provider_once():
    raw = b'{"model":"a","model":"b","messages":[{"role":"user","content":"x"}],"max_tokens":1,"max_tokens":9}'
    sent = chat_body(openai.parse(raw, {}), "b", ask_for_usage=False)
    assert sent.count(b"max_tokens") == 1
    assert json.loads(sent)["max_tokens"] == 9


def test_usage_is_asked_of_the_provider_and_other_stream_options_kept():
    body = {"model": "m", "messages": HELLO, "stream": True, "stream_options": {"include_usage": False, "x": 1}}
    request = parse(openai, body)
    assert not request.wants_usage
    assert json.loads(chat_body(request, "m", ask_for_usage=True))["stream_options"] == {"include_usage": True, "x": 1}
    assert json.loads(chat_body(request, "m", ask_for_usage=False)) == body


def test_the_query_is_the_last_user_message_with_its_text_parts():
    parts = [
        {"type": "text", "text": "one"},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": "two"},
    ]
    messages = [
        *HELLO,
        {"role": "assistant", "content": None},
        {"role": "user", "content": parts},
        {"role": "tool", "content": "t"},
    ]
    assert parse(openai, {"model": "m", "messages": messages}).query == "one\ntwo"


def test_names_come_from_headers_or_the_body():
    body = {"model": "m", "messages": HELLO, "user": "from-body"}
    assert parse(openai, body).user_id == "from-body"
    named = parse(openai, body, {b"x-user-id": b"from-header", b"x-application-id": b"app"})
    assert (named.user_id, named.application_id) == ("from-header", "app")


@pytest.mark.parametrize(
    ("module", "body", "param"),
    [
        (chat, {"query": "x"}, "model"),
        (chat, {"model": "m"}, "query"),
        (chat, {"model": "m", "query": ""}, "query"),
        (chat, {"model": "m", "query": "x", "messages": HELLO}, "query"),
        (chat, {"model": "m", "messages": []}, "messages"),
        (chat, {"model": 5, "query": "x"}, "model"),
        (chat, {"model": "m", "query": ["x"]}, "query"),
        (chat, {"model": "m", "query": "x", "temprature": 1}, "temprature"),
        (chat, {"model": "a\r\nb", "query": "x"}, "model"),
        (chat, {"model": "m", "query": "x", "user_id": "u" * 300}, "user_id"),
        (openai, {"messages": HELLO}, "model"),
        (openai, {"model": "m"}, "messages"),
        (openai, {"model": "m", "messages": "hi"}, "messages"),
        (openai, {"model": "m", "messages": HELLO, "n": 0}, "n"),
        (openai, {"model": "m", "messages": HELLO, "stream": "yes"}, "stream"),
    ],
)
def test_what_is_wrong_is_named(module, body, param):
    with pytest.raises(InvalidRequest) as refused:
        parse(module, body)
    assert refused.value.param == param
    assert refused.value.message.startswith(param)


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b"\xff", b'"x"', b'{"model":"m","messages":' + b"[" * 100_000])
def test_what_is_no_json_object_is_refused(raw):
    for module in (chat, openai):
        with pytest.raises(InvalidRequest):
            module.parse(raw, {})


def test_a_body_is_never_decoded_further_than_it_is_read():
    deep = b'{"model":"m","messages":[{"role":"user","content":"x"}],"extra":' + b"[" * 500 + b"]" * 500 + b"}"
    assert isinstance(openai.parse(deep, {}).fields["extra"], msgspec.Raw)
