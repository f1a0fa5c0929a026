"""What each official SDK, unmodified, does in a way of its own: typed answers, fields of its wire, heads, bare streams."""

from collections.abc import Callable, Mapping
from typing import Any

import anthropic
import openai
import pydantic
from google import genai
from google.genai import types

MOST_TOKENS = 4_000
# Status by status, as each SDK names what it raises; Google's has a class for each side.
RAISED: dict[str, dict[int, type[Exception]]] = {
    "openai": {400: openai.BadRequestError, 429: openai.RateLimitError, 502: openai.InternalServerError},
    "responses": {400: openai.BadRequestError, 429: openai.RateLimitError, 502: openai.InternalServerError},
    "anthropic": {400: anthropic.BadRequestError, 429: anthropic.RateLimitError, 502: anthropic.InternalServerError},
    "google": {400: genai.errors.ClientError, 429: genai.errors.ClientError, 502: genai.errors.ServerError},
}


class Place(pydantic.BaseModel):
    """A part of `Forecast`, so that its schema has a reference."""

    city: str
    sunny: bool


class Forecast(pydantic.BaseModel):
    """What a typed answer is parsed into."""

    place: Place
    degrees: int
    days: list[str]


class Clients:
    """The three SDKs at one gateway; each method takes the name of a client as `sdk_drivers.DRIVERS` has it."""

    def __init__(self, url: str, key: str = "unused") -> None:
        self._openai = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=20)
        self._anthropic = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=20)
        self._google = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url, timeout=20_000))

    def close(self) -> None:
        """Close their connections."""
        self._openai.close()
        self._anthropic.close()
        self._google.close()

    def forecast(self, client: str, model: str, text: str) -> Any:
        """What the SDK's own helper for typed answers makes of the answer."""
        asks: dict[str, Callable[[str, str], Any]] = {
            "openai": self._chat_forecast, "responses": self._response_forecast,
            "anthropic": self._message_forecast, "google": self._content_forecast,
        }  # fmt: skip
        return asks[client](model, text)

    def head(self, client: str, model: str, text: str, fields: Mapping[str, Any]) -> Mapping[str, str]:
        """The head of the answer to a request with more fields; raises what the SDK raises."""
        messages: Any = [{"role": "user", "content": text}]
        if client == "openai":
            return self._openai.chat.completions.with_raw_response.create(
                model=model, messages=messages, **fields
            ).headers
        if client == "responses":
            return self._openai.responses.with_raw_response.create(model=model, input=text, **fields).headers
        if client == "anthropic":
            return self._anthropic.messages.with_raw_response.create(
                model=model, max_tokens=MOST_TOKENS, messages=messages, **fields
            ).headers
        answer = self._google.models.generate_content(
            model=model, contents=text, config=types.GenerateContentConfig(**fields)
        )
        assert answer.sdk_http_response is not None
        return answer.sdk_http_response.headers or {}

    def streamed(self, client: str, model: str, text: str, most: int) -> tuple[str, str]:
        """Words of a stream of at most so many tokens, and why it ended: event by event, for some helpers raise then."""
        reads: dict[str, Callable[[str, str, int], tuple[str, str]]] = {
            "openai": self._streamed_chat, "responses": self._streamed_response,
            "anthropic": self._streamed_message, "google": self._streamed_content,
        }  # fmt: skip
        return reads[client](model, text, most)

    def _chat_forecast(self, model: str, text: str) -> Any:
        answer = self._openai.chat.completions.parse(
            model=model, messages=[{"role": "user", "content": text}], response_format=Forecast
        )
        return answer.choices[0].message.parsed

    def _response_forecast(self, model: str, text: str) -> Any:
        return self._openai.responses.parse(model=model, input=text, text_format=Forecast).output_parsed

    def _message_forecast(self, model: str, text: str) -> Any:
        answer = self._anthropic.messages.parse(
            model=model, max_tokens=MOST_TOKENS, messages=[{"role": "user", "content": text}], output_format=Forecast
        )
        return answer.parsed_output

    def _content_forecast(self, model: str, text: str) -> Any:
        config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Forecast)
        return self._google.models.generate_content(model=model, contents=text, config=config).parsed

    def _streamed_chat(self, model: str, text: str, most: int) -> tuple[str, str]:
        words, why = "", ""
        with self._openai.chat.completions.create(
            model=model, messages=[{"role": "user", "content": text}], max_completion_tokens=most, stream=True
        ) as events:
            for choice in (choice for event in events for choice in event.choices):
                words, why = words + (choice.delta.content or ""), choice.finish_reason or why
        return words, why

    def _streamed_response(self, model: str, text: str, most: int) -> tuple[str, str]:
        words, why = "", ""
        with self._openai.responses.create(model=model, input=text, max_output_tokens=most, stream=True) as events:
            for event in events:
                if event.type == "response.output_text.delta":
                    words += event.delta
                elif event.type == "response.incomplete":
                    why = str(event.response.incomplete_details and event.response.incomplete_details.reason)
        return words, why

    def _streamed_message(self, model: str, text: str, most: int) -> tuple[str, str]:
        with self._anthropic.messages.stream(
            model=model, max_tokens=most, messages=[{"role": "user", "content": text}]
        ) as events:
            words = "".join(events.text_stream)
            return words, str(events.get_final_message().stop_reason)

    def _streamed_content(self, model: str, text: str, most: int) -> tuple[str, str]:
        words, why = "", ""
        config = types.GenerateContentConfig(max_output_tokens=most)
        for chunk in self._google.models.generate_content_stream(model=model, contents=text, config=config):
            words += chunk.text or ""
            reason = chunk.candidates[0].finish_reason if chunk.candidates else None
            why = reason.value if reason else why
        return words, why
