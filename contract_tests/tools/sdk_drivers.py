"""The official SDKs, unmodified, behind one form: ask, and what the parsed objects say."""

import base64
import dataclasses
import json
from collections.abc import Iterator
from typing import Any, Protocol

import anthropic
import openai
from google import genai
from google.genai import errors, types

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CITY, TIME = "get_weather", "get_time"
MOST_TOKENS = 4_000


@dataclasses.dataclass
class Call:
    """A tool call as the SDK has it."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclasses.dataclass
class Said:
    """One answer: words, shown thoughts, calls, tokens in and out, why it ended in the SDK's word; `turn` goes back later.

    `cached`: so many of the tokens in were read from the provider's cache.
    """

    text: str = ""
    thoughts: str = ""
    calls: list[Call] = dataclasses.field(default_factory=list)
    usage: tuple[int, int] = (0, 0)
    cached: int = 0
    finish: str = ""
    turn: Any = None


class Driver(Protocol):
    """One SDK. `options`: `tools`, `schema`, `image`, `thinking`, `most` (tokens)."""

    def ask(self, model: str, text: str, *, stream: bool = False, **options: Any) -> Said:
        """A question and its whole answer."""

    def results(self, model: str, text: str, first: Said, words: str, **options: Any) -> Said:
        """The same question again with what each tool gave back."""

    def some(self, model: str, text: str) -> Iterator[object]:
        """A stream's events one by one; closing it hangs up."""

    def close(self) -> None:
        """Close its connections."""


class OpenAIChat:
    """`client.chat.completions`."""

    def __init__(self, url: str, key: str = "unused") -> None:
        self._client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=20)

    def ask(self, model: str, text: str, *, stream: bool = False, **options: Any) -> Said:
        """See `Driver`."""
        content: Any = text
        if options.get("image"):
            address = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
            content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": address}}]
        return self._asked(model, [{"role": "user", "content": content}], stream=stream, options=options)

    def results(self, model: str, text: str, first: Said, words: str, **options: Any) -> Said:
        """See `Driver`."""
        back = [{"role": "tool", "tool_call_id": call.id, "content": words} for call in first.calls]
        turns = [{"role": "user", "content": text}, first.turn, *back]
        return self._asked(model, turns, stream=False, options={"tools": True, **options})

    def some(self, model: str, text: str) -> Iterator[object]:
        """See `Driver`."""
        with self._client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": text}], stream=True
        ) as events:
            yield from events

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _asked(self, model: str, messages: list[Any], *, stream: bool, options: dict[str, Any]) -> Said:
        more: dict[str, Any] = {"max_completion_tokens": options.get("most", MOST_TOKENS)}
        if options.get("tools"):
            more["tools"] = [
                {"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in (CITY, TIME)
            ]
        if options.get("schema"):
            more["response_format"] = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
        if options.get("thinking"):
            more["reasoning_effort"] = "low"
        if not stream:
            return _of_completion(self._client.chat.completions.create(model=model, messages=messages, **more))
        with self._client.chat.completions.stream(
            model=model, messages=messages, stream_options={"include_usage": True}, **more
        ) as events:
            for _ in events:
                pass
            return _of_completion(events.get_final_completion())


def _of_completion(completion: Any) -> Said:
    choice = completion.choices[0]
    message = choice.message
    calls = [
        Call(call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()
    ]
    usage = completion.usage
    return Said(
        text=message.content or "", thoughts=getattr(message, "reasoning_content", None) or "", calls=calls,
        usage=(usage.prompt_tokens, usage.completion_tokens), finish=choice.finish_reason,
        cached=(usage.prompt_tokens_details and getattr(usage.prompt_tokens_details, "cached_tokens", 0)) or 0,
        turn=message.model_dump(exclude_none=True, exclude={"parsed"}),
    )  # fmt: skip


class OpenAIResponses:
    """`client.responses`."""

    def __init__(self, url: str, key: str = "unused") -> None:
        self._client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=20)

    def ask(self, model: str, text: str, *, stream: bool = False, **options: Any) -> Said:
        """See `Driver`."""
        content: list[Any] = [{"type": "input_text", "text": text}]
        if options.get("image"):
            address = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
            content.append({"type": "input_image", "image_url": address})
        return self._asked(model, [{"role": "user", "content": content}], stream=stream, options=options)

    def results(self, model: str, text: str, first: Said, words: str, **options: Any) -> Said:
        """See `Driver`."""
        back = [{"type": "function_call_output", "call_id": call.id, "output": words} for call in first.calls]
        items = [{"role": "user", "content": text}, *first.turn, *back]
        return self._asked(model, items, stream=False, options={"tools": True, **options})

    def some(self, model: str, text: str) -> Iterator[object]:
        """See `Driver`."""
        with self._client.responses.create(model=model, input=text, stream=True) as events:
            yield from events

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _asked(self, model: str, items: list[Any], *, stream: bool, options: dict[str, Any]) -> Said:
        more: dict[str, Any] = {"max_output_tokens": options.get("most", MOST_TOKENS), "store": False}
        if options.get("tools"):
            more["tools"] = [
                {"type": "function", "name": name, "parameters": SCHEMA, "strict": False} for name in (CITY, TIME)
            ]
        if options.get("schema"):
            more["text"] = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA}}
        if options.get("thinking"):
            more["reasoning"] = {"effort": "low", "summary": "auto"}
        if not stream:
            return _of_response(self._client.responses.create(model=model, input=items, **more))
        with self._client.responses.stream(model=model, input=items, **more) as events:
            for _ in events:
                pass
            return _of_response(events.get_final_response())


def _of_response(response: Any) -> Said:
    calls = [Call(i.call_id, i.name, json.loads(i.arguments)) for i in response.output if i.type == "function_call"]
    thoughts = "".join(part.text for item in response.output if item.type == "reasoning" for part in item.summary)
    why = response.incomplete_details.reason if response.incomplete_details else response.status
    return Said(
        text=response.output_text, thoughts=thoughts, calls=calls, finish=why,
        usage=(response.usage.input_tokens, response.usage.output_tokens),
        cached=getattr(response.usage.input_tokens_details, "cached_tokens", 0),
        turn=[item.model_dump(exclude_none=True, exclude={"parsed", "parsed_arguments"}) for item in response.output],
    )  # fmt: skip


class Anthropic:
    """`client.messages`."""

    def __init__(self, url: str, key: str = "unused") -> None:
        self._client = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=20)

    def ask(self, model: str, text: str, *, stream: bool = False, **options: Any) -> Said:
        """See `Driver`."""
        content: list[Any] = [{"type": "text", "text": text}]
        if options.get("image"):
            source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}
            content.append({"type": "image", "source": source})
        return self._asked(model, [{"role": "user", "content": content}], stream=stream, options=options)

    def results(self, model: str, text: str, first: Said, words: str, **options: Any) -> Said:
        """See `Driver`."""
        back = [{"type": "tool_result", "tool_use_id": call.id, "content": words} for call in first.calls]
        turns = [
            {"role": "user", "content": text},
            {"role": "assistant", "content": first.turn},
            {"role": "user", "content": back},
        ]
        return self._asked(model, turns, stream=False, options={"tools": True, **options})

    def some(self, model: str, text: str) -> Iterator[object]:
        """See `Driver`."""
        messages: Any = [{"role": "user", "content": text}]
        with self._client.messages.create(
            model=model, max_tokens=MOST_TOKENS, messages=messages, stream=True
        ) as events:
            yield from events

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _asked(self, model: str, messages: list[Any], *, stream: bool, options: dict[str, Any]) -> Said:
        more: dict[str, Any] = {"max_tokens": options.get("most", MOST_TOKENS)}
        if options.get("tools"):
            more["tools"] = [{"name": name, "input_schema": SCHEMA} for name in (CITY, TIME)]
        if options.get("schema"):
            more["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
        if options.get("thinking"):
            more["thinking"] = {"type": "enabled", "budget_tokens": 1_024}
        if not stream:
            return _of_message(self._client.messages.create(model=model, messages=messages, **more))
        with self._client.messages.stream(model=model, messages=messages, **more) as events:
            return _of_message(events.get_final_message())


def _of_message(message: Any) -> Said:
    blocks = message.content
    used = message.usage
    return Said(
        text="".join(block.text for block in blocks if block.type == "text"),
        thoughts="".join(block.thinking for block in blocks if block.type == "thinking"),
        calls=[Call(block.id, block.name, block.input) for block in blocks if block.type == "tool_use"],
        usage=(used.input_tokens + (used.cache_read_input_tokens or 0), used.output_tokens),
        cached=used.cache_read_input_tokens or 0,
        finish=message.stop_reason,
        turn=[block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in blocks],
    )


class Google:
    """`client.models`."""

    def __init__(self, url: str, key: str = "unused") -> None:
        self._client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url, timeout=20_000))

    def ask(self, model: str, text: str, *, stream: bool = False, **options: Any) -> Said:
        """See `Driver`."""
        parts = [types.Part.from_text(text=text)]
        if options.get("image"):
            parts.append(types.Part.from_bytes(data=PNG, mime_type="image/png"))
        return self._asked(model, [types.Content(role="user", parts=parts)], stream=stream, options=options)

    def results(self, model: str, text: str, first: Said, words: str, **options: Any) -> Said:
        """See `Driver`."""
        results = [
            types.FunctionResponse(id=call.id or None, name=call.name, response={"output": words})
            for call in first.calls
        ]
        back = [types.Part(function_response=result) for result in results]
        asked = types.Content(role="user", parts=[types.Part.from_text(text=text)])
        turns = [asked, first.turn, types.Content(role="user", parts=back)]
        return self._asked(model, turns, stream=False, options={"tools": True, **options})

    def some(self, model: str, text: str) -> Iterator[object]:
        """See `Driver`."""
        yield from self._client.models.generate_content_stream(model=model, contents=text)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _asked(self, model: str, contents: list[Any], *, stream: bool, options: dict[str, Any]) -> Said:
        config = types.GenerateContentConfig(max_output_tokens=options.get("most", MOST_TOKENS))
        if options.get("tools"):
            config.tools = [
                types.Tool(
                    function_declarations=[
                        types.FunctionDeclaration(name=name, parameters_json_schema=SCHEMA) for name in (CITY, TIME)
                    ]
                )
            ]
        if options.get("schema"):
            config.response_mime_type, config.response_json_schema = "application/json", SCHEMA
        if options.get("thinking"):
            config.thinking_config = types.ThinkingConfig(thinking_budget=1_024, include_thoughts=True)
        if not stream:
            return _of_contents([self._client.models.generate_content(model=model, contents=contents, config=config)])
        return _of_contents(
            list(self._client.models.generate_content_stream(model=model, contents=contents, config=config))
        )


def _of_contents(chunks: list[Any]) -> Said:
    said = Said()
    parts = [
        part
        for chunk in chunks
        for one in chunk.candidates or ()
        for part in (one.content.parts if one.content else None) or ()
    ]
    said.text = "".join(part.text or "" for part in parts if not part.thought)
    said.thoughts = "".join(part.text or "" for part in parts if part.thought)
    asked = [part.function_call for part in parts if part.function_call]
    said.calls = [Call(call.id or "", call.name, dict(call.args or {})) for call in asked]
    last = chunks[-1]
    used = last.usage_metadata
    said.usage = (used.prompt_token_count, (used.candidates_token_count or 0) + (used.thoughts_token_count or 0))
    said.cached = used.cached_content_token_count or 0
    said.finish = str(last.candidates[0].finish_reason.value)
    said.turn = types.Content(role="model", parts=parts)
    return said


DRIVERS: dict[str, type[Any]] = {
    "openai": OpenAIChat, "responses": OpenAIResponses, "anthropic": Anthropic, "google": Google,
}  # fmt: skip
STATUS_ERRORS = (openai.APIStatusError, anthropic.APIStatusError, errors.APIError)
ANY_ERRORS = (openai.APIError, anthropic.APIError, errors.APIError)


def status_of(error: BaseException) -> int:
    """The HTTP status that an SDK's exception carries."""
    found = getattr(error, "status_code", None) or getattr(error, "code", None)
    return found if isinstance(found, int) else 0
