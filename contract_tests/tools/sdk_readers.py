"""What the official SDKs, unmodified, make of bytes that a client received."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import httpx2
import openai
from google import genai
from google.genai import errors, types

from rawhttp import Reply

_Headers = list[tuple[str, str]]
_DROPPED = ("transfer-encoding", "content-length", "connection")
_QUESTION = "hi"


@dataclasses.dataclass
class Made:
    """The words of an answer and whether it ended, or the status (0 in mid-stream) and text of the error that was raised."""

    text: str = ""
    ended: bool = False
    status: int | None = None
    error: str = ""


class SdkReaders:
    """The SDKs, made once."""

    def __init__(self) -> None:
        self._reply: tuple[int, _Headers, bytes] = (500, [], b"")
        http = httpx.Client(transport=httpx.MockTransport(self._recorded))
        http2 = httpx2.Client(transport=httpx2.MockTransport(self._recorded2))
        self._openai = openai.OpenAI(base_url="http://recorded/v1", api_key="unused", max_retries=0, http_client=http)
        self._anthropic = anthropic.Anthropic(
            base_url="http://recorded", api_key="unused", max_retries=0, http_client=http2
        )
        options = types.HttpOptions(base_url="http://recorded", httpx_client=http)
        self._genai = genai.Client(api_key="unused", http_options=options)
        self._readers: dict[tuple[str, bool], Callable[[], Made]] = {
            ("openai", False): self._completion,
            ("openai", True): self._chunks,
            ("responses", False): self._response,
            ("responses", True): self._response_events,
            ("anthropic", False): self._message,
            ("anthropic", True): self._message_stream,
            ("gemini", False): self._content,
            ("gemini", True): self._contents,
        }

    def read(self, client: str, reply: Reply, data: bytes, *, stream: bool) -> Made:
        """Give a reply to the SDK of a client's wire; raises what the SDK raises for bytes that it cannot read."""
        if client == "gemini-array" and stream and reply.status == 200:
            data = _as_events(data)
        self._keep(reply, data)
        try:
            return self._readers[client.removesuffix("-array"), stream]()
        except (openai.APIStatusError, anthropic.APIStatusError) as error:
            return Made(status=error.status_code, error=error.message)
        except openai.APIError as error:
            return Made(status=0, error=error.message)
        except errors.APIError as error:
            return Made(status=error.code, error=error.message or "")

    def _keep(self, reply: Reply, data: bytes) -> None:
        headers = [(name, value) for name, value in reply.headers.items() if name not in _DROPPED]
        self._reply = reply.status, headers, data

    def _recorded(self, _request: httpx.Request) -> httpx.Response:
        status, headers, data = self._reply
        return httpx.Response(status, headers=headers, content=data)

    def _recorded2(self, _request: httpx2.Request) -> httpx2.Response:
        status, headers, data = self._reply
        return httpx2.Response(status, headers=headers, content=data)

    def _completion(self) -> Made:
        answer = self._openai.chat.completions.create(model="m", messages=[{"role": "user", "content": _QUESTION}])
        return Made(answer.choices[0].message.content or "", ended=answer.choices[0].finish_reason is not None)

    def _chunks(self) -> Made:
        made = Made()
        for chunk in self._openai.chat.completions.create(
            model="m", messages=[{"role": "user", "content": _QUESTION}], stream=True
        ):
            for choice in chunk.choices or ():
                made.text += choice.delta.content or ""
                made.ended = made.ended or choice.finish_reason is not None
        return made

    def _response(self) -> Made:
        answer = self._openai.responses.create(model="m", input=_QUESTION)
        return Made(answer.output_text, ended=answer.status in {"completed", "incomplete"})

    def _response_events(self) -> Made:
        made = Made()
        for event in self._openai.responses.create(model="m", input=_QUESTION, stream=True):
            if event.type == "response.output_text.delta":
                made.text += event.delta or ""
            elif event.type == "response.failed":
                return Made(status=0, error=event.response.error.message if event.response.error else "")
            made.ended = made.ended or event.type in {"response.completed", "response.incomplete"}
        return made

    def _message(self) -> Made:
        message = self._anthropic.messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": _QUESTION}]
        )
        text = "".join(block.text or "" for block in message.content if block.type == "text")
        return Made(text, ended=message.stop_reason is not None)

    def _message_stream(self) -> Made:
        made = Made()
        for event in self._anthropic.messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": _QUESTION}], stream=True
        ):
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                made.text += event.delta.text or ""
            made.ended = made.ended or event.type == "message_stop"
        return made

    def accumulated(self, reply: Reply, data: bytes) -> anthropic.types.Message:
        """The message that Anthropic's SDK puts together from a stream."""
        self._keep(reply, data)
        with self._anthropic.messages.stream(
            model="m", max_tokens=9, messages=[{"role": "user", "content": _QUESTION}]
        ) as events:
            return events.get_final_message()

    def _content(self) -> Made:
        return _joined([self._genai.models.generate_content(model="m", contents=_QUESTION)])

    def _contents(self) -> Made:
        return _joined(list(self._genai.models.generate_content_stream(model="m", contents=_QUESTION)))


def _joined(chunks: list[types.GenerateContentResponse]) -> Made:
    made = Made()
    for chunk in chunks:
        made.ended = made.ended or bool(chunk.prompt_feedback and chunk.prompt_feedback.block_reason)
        for candidate in chunk.candidates or ():
            parts = (candidate.content.parts if candidate.content else None) or ()
            made.text += "".join(part.text or "" for part in parts if not part.thought)
            made.ended = made.ended or candidate.finish_reason is not None
    return made


def _as_events(data: bytes) -> bytes:
    """A stream that is one JSON array, as the events that the SDK reads; an error is its last element."""
    elements: list[Any] = json.loads(data)
    assert not any("error" in element for element in elements[:-1])
    return b"".join(b"data: %b\n\n" % json.dumps(element).encode() for element in elements)
