"""One request in the words of each client's wire, and the models that each provider has."""

import dataclasses
from typing import Any

from faultmock.faults import FAULTS
from faultmock.faults.own import OWN

MODELS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5", "gemini": "gemini-2.5-flash"}
CLIENTS = ("openai", "responses", "anthropic", "gemini", "gemini-array")
_GENERATE = "/v1beta/models/{model}:"
_PATHS = {"openai": "/v1/chat/completions", "responses": "/v1/responses", "anthropic": "/v1/messages"}
MAX_TOKENS = 5000


@dataclasses.dataclass(frozen=True)
class Way:
    """A client's wire (`gemini-array`: a stream that is one JSON array), a provider, streamed or not."""

    client: str
    provider: str
    stream: bool

    def __str__(self) -> str:
        return f"{self.client}-{self.provider}-{'stream' if self.stream else 'plain'}"

    @property
    def wire(self) -> str:
        """The client's, whatever its streams look like."""
        return self.client.removesuffix("-array")

    @property
    def upstream(self) -> str:
        """The wire that the provider is asked in."""
        return "responses" if self.wire == "responses" and self.provider == "openai" else self.provider

    @property
    def is_translated(self) -> bool:
        """Client and provider speak different wires."""
        return self.wire != self.upstream

    @property
    def path(self) -> str:
        """The route."""
        if self.wire != "gemini":
            return _PATHS[self.wire]
        method = "streamGenerateContent" if self.stream else "generateContent"
        return f"{_GENERATE.format(model=MODELS[self.provider])}{method}{'?alt=sse' if self.client == 'gemini' else ''}"

    def body(self, text: str) -> dict[str, Any]:
        """A request of one user message."""
        if self.wire == "gemini":
            return {
                "contents": [{"role": "user", "parts": [{"text": text}]}],
                "generationConfig": {"maxOutputTokens": MAX_TOKENS},
            }
        said: dict[str, Any] = {"model": MODELS[self.provider], "stream": self.stream}
        if self.wire == "responses":
            return {**said, "input": text, "max_output_tokens": MAX_TOKENS}
        said["messages"] = [{"role": "user", "content": text}]
        if self.wire == "anthropic":
            return {**said, "max_tokens": MAX_TOKENS}
        return said | ({"stream_options": {"include_usage": True}} if self.stream else {})


def own_faults(wire: str) -> tuple[str, ...]:
    """Faults that only this wire can have, or has in a form of its own."""
    return tuple(name for name in OWN.get(wire, {}) if name not in FAULTS)
