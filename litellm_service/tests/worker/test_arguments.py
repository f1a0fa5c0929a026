"""What a call may ask of LiteLLM, and how its failures are told, as tables."""

import io
import os
from importlib import import_module
from importlib.util import find_spec

import pytest

from gateway.providers.litellm_worker.arguments import FIELDS, BadCall, arguments, completed_base
from gateway.providers.litellm_worker.failure import body_of, headers_of, status_of
from gateway.providers.litellm_worker.scrubbing import Keys, ScrubbedOutput

BODY = {"model": "openai/gpt-4o", "messages": []}


@pytest.mark.skipif(
    find_spec("litellm") is None and os.environ.get("CI") != "true",
    reason="LiteLLM is not installed: pip install -r litellm_service/requirements.txt",
)
def test_no_field_that_passes_is_an_instruction_to_litellm():
    utils = import_module("litellm.types.utils")
    assert FIELDS & set(utils.all_litellm_params) == set()


@pytest.mark.parametrize(
    ("model", "base", "expected"),
    [
        ("openai/gpt-4o", "https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("anthropic/claude", "https://api.anthropic.com", "https://api.anthropic.com"),
        ("anthropic/claude", "https://proxy/v1", "https://proxy"),
        ("anthropic/claude", "https://proxy/v1/messages", "https://proxy"),
        ("gemini/flash", "https://google", "https://google/v1beta"),
        ("gemini/flash", "https://google/v1", "https://google/v1"),
        ("gemini/flash", "https://google/v1alpha/", "https://google/v1alpha"),
        ("cohere/command-a", "https://api.cohere.com", "https://api.cohere.com/v2/chat"),
        ("cohere/command-a", "https://proxy/v1/chat", "https://proxy/v1/chat"),
        ("gradient_ai/x", "https://inference.do-ai.run", "https://inference.do-ai.run"),
    ],
)
def test_a_base_url_takes_the_form_that_litellm_wants(model, base, expected):
    assert completed_base(model, base) == expected


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"include_obfuscation": False}])
def test_usage_is_asked_for_in_every_stream(options):
    call = arguments({**BODY, "stream": True, "stream_options": options}, "k", None)
    assert call["stream_options"]["include_usage"] is True


@pytest.mark.parametrize("stream", [False, None])
def test_what_is_not_streamed_has_no_stream_options(stream):
    call = arguments({**BODY, "stream": stream, "stream_options": {"include_usage": True}}, "k", None)
    assert "stream_options" not in call
    assert call["stream"] is False


def test_options_that_are_no_object_are_refused():
    with pytest.raises(BadCall) as refused:
        arguments({**BODY, "stream": True, "stream_options": "yes"}, "k", None)
    assert refused.value.param == "stream_options"


def test_a_call_without_a_key_never_lets_litellm_look_for_one():
    assert arguments(BODY, "", None)["api_key"] == "none"


class Failed(Exception):
    status_code = 429
    code = None


@pytest.mark.parametrize(
    ("status", "expected"), [(400, 400), (429, 429), (529, 529), (200, 502), (None, 502), ("429", 502), (700, 502)]
)
def test_statuses(status, expected):
    error = Failed()
    error.status_code = status
    assert status_of(error) == expected


def test_a_timeout_is_a_504():
    assert status_of(TimeoutError()) == 504
    assert status_of(type("Timeout", (Failed,), {"status_code": 408})()) == 504


def test_a_failure_in_mid_stream_is_told_as_what_caused_it():
    wrapper = type("MidStreamFallbackError", (Exception,), {"original_exception": Failed("the cause")})("wrapped")
    assert status_of(wrapper) == 429
    assert body_of(wrapper, "")["error"]["message"] == "the cause"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("litellm.BadRequestError: OpenAIException - no", "OpenAIException - no"),
        (
            "litellm.AuthenticationError: AnthropicException - key sk-secret-1 is bad",
            "AnthropicException - key [key] is bad",
        ),
        ("litellm.APIConnectionError: it broke\nTraceback (most recent call last):\n  File /x", "it broke"),
        ("no. Got={'text': 'the answer'}", "no."),
        ("Error: x" * 2_000, ("Error: x" * 2_000)[:2_000]),
    ],
)
def test_a_message_keeps_what_the_vendor_said_and_nothing_else(message, shown):
    assert body_of(Failed(message), "sk-secret-1")["error"]["message"] == shown


def test_retry_after_is_found_or_left_out():
    error = Failed()
    assert headers_of(error) == []
    error.litellm_response_headers = {"retry-after": "7"}
    assert headers_of(error) == [(b"retry-after", b"7")]
    error.litellm_response_headers = {"retry-after": "7\r\nx: y"}
    assert headers_of(error) == []


def test_output_is_scrubbed_of_the_keys_seen_so_far():
    keys, sink = Keys(), io.StringIO()
    output = ScrubbedOutput(sink, keys)
    keys.add("key-one")
    keys.add("key-one-and-more")
    keys.add("x")
    print("a key-one-and-more b key-one x", file=output)
    assert sink.getvalue() == "a [key] b [key] x\n"
