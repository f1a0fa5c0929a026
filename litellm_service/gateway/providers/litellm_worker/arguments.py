"""What one call may ask of LiteLLM: an allow-list of fields.

LiteLLM takes where to send a call, with which key, and what to answer instead, from the same keyword arguments as the
request itself (`api_base`, `mock_response`, `extra_headers`, `fallbacks`…): what is not named here is refused.
"""

import re
from typing import Any

CALL_TIMEOUT_S = 1800
FIELDS = frozenset(
    {
        # OpenAI's, https://platform.openai.com/docs/api-reference/chat/create
        "model", "messages", "stream", "stream_options", "temperature", "top_p", "n", "stop", "seed", "max_tokens",
        "max_completion_tokens", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "user",
        "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "response_format", "modalities",
        "audio", "prediction", "reasoning_effort", "verbosity", "web_search_options", "service_tier", "store",
        "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
        # of other vendors, which LiteLLM hands on
        "thinking", "top_k", "min_p", "repetition_penalty", "safety_settings", "cached_content", "documents",
        "citation_options", "context_management", "output_config",
    }
)  # fmt: skip
LEFT_OUT = frozenset({"metadata"})  # has no part in the answer, and LiteLLM would read its own instructions in it
OURS = {
    "num_retries": 0,
    "max_retries": 0,
    "timeout": CALL_TIMEOUT_S,
    "_skip_mcp_handler": True,  # without it any call with tools imports a package that only LiteLLM's proxy has
}
_MODEL = re.compile(r"[\w.\-]+(/[\w.\-:@+]+)+")
_PATHS = {"gemini": ("/v1beta", re.compile(r"/v1(alpha|beta)?$")), "cohere": ("/v2/chat", re.compile(r"/v\d/chat$"))}


class BadCall(Exception):
    """The body cannot be handed to LiteLLM; `param` is the field."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


def arguments(body: object, key: str, api_base: str | None) -> dict[str, Any]:
    """Keyword arguments for `litellm.acompletion`; raises `BadCall`. Usage is asked for in every stream."""
    given = checked(body, FIELDS)
    model = given["model"]
    if not isinstance(given.get("messages"), list):
        raise BadCall("messages: a list of messages is needed.", "messages")
    call = {**given, **OURS, "api_key": key or "none"}
    if api_base is not None:
        call["api_base"] = completed_base(model, api_base)
    call["stream"] = given.get("stream") is True
    call.pop("stream_options", None)
    if call["stream"]:
        call["stream_options"] = {**_options(given.get("stream_options")), "include_usage": True}
    return call


def checked(body: object, fields: frozenset[str]) -> dict[str, Any]:
    """The fields of a body, if they are among those that may be sent and `model` is a name; raises `BadCall`."""
    if not isinstance(body, dict):
        raise BadCall("The body must be a JSON object.")
    given = {name: value for name, value in body.items() if value is not None and name not in LEFT_OUT}
    for name in given.keys() - fields:
        raise BadCall(
            f"{name}: this field cannot be sent to a model that is reached through LiteLLM; leave it out.", name
        )
    model = given.get("model")
    if not isinstance(model, str) or not _MODEL.fullmatch(model) or ".." in model.split("/"):
        raise BadCall("model: a provider's prefix and a model's name, as in anthropic/claude-sonnet-4-5.", "model")
    return given


def completed_base(model: str, base: str) -> str:
    """A base URL in the form that LiteLLM takes for this provider.

    It appends `/v1/messages` for Anthropic, `/models/…` after the API version for Gemini, nothing at all for Cohere, and
    `/chat/completions` for the others.
    """
    provider, base = model.partition("/")[0], base.rstrip("/")
    if provider == "anthropic":
        return base.removesuffix("/v1/messages").removesuffix("/v1")
    path, complete = _PATHS.get(provider, ("", re.compile("")))
    return base if complete.search(base) else base + path


def _options(given: object) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise BadCall('stream_options: an object, as in {"include_usage": true}.', "stream_options")
    return given
