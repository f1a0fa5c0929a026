"""A model as served at one provider endpoint with one credential."""

from functools import lru_cache
from urllib.parse import quote

import msgspec

from gateway.domain.request import WireName
from gateway.providers.catalog import Provider, UsageRule
from gateway.providers.transport import Origin

_TARGETS: dict[WireName, str] = {"openai": "/chat/completions", "responses": "/responses", "anthropic": "/v1/messages"}


class Endpoint(msgspec.Struct, frozen=True):
    """Where and how a provider is reached: `path` is what its base URL adds, `headers` are those of every call.

    `secrets` are scrubbed from whatever the provider says. `via_litellm`: `origin` is the worker, found at call time.
    """

    provider: Provider
    origin: Origin | None
    path: str
    headers: bytes
    secrets: tuple[str, ...]
    via_litellm: bool

    @property
    def wires(self) -> tuple[WireName, ...]:
        """What it speaks, its own first."""
        row = self.provider
        if self.via_litellm or row.wire in {"litellm", "demo"}:
            return ("openai",)
        if row.wire == "openai":
            return ("openai", "responses") if row.responses else ("openai",)
        return ("anthropic",) if row.wire == "anthropic" else ("gemini",)


@lru_cache(maxsize=1_000)
def _target(path: str, wire: WireName) -> bytes:
    return (path + _TARGETS[wire]).encode()


def headers_of(provider: str, model: str) -> tuple[tuple[bytes, bytes], ...]:
    """What tells a client where its request went."""
    return (
        (b"x-gateway-provider", provider.encode()),
        (b"x-gateway-model", model.encode("utf-8", "replace")),
    )


class Deployment(msgspec.Struct, frozen=True):
    """`model` is our canonical `provider/model`; `upstream_model` is the name at the provider.

    `headers` tell a client where its request went.
    """

    endpoint: Endpoint
    model: str
    upstream_model: str
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def provider(self) -> Provider:
        """The row of the catalogue."""
        return self.endpoint.provider

    @property
    def wire_model(self) -> str:
        """The model's name in the body: LiteLLM wants its own prefix."""
        return (
            f"{self.provider.litellm_prefix}/{self.upstream_model}"
            if self.endpoint.via_litellm
            else self.upstream_model
        )

    @property
    def asks_for_usage(self) -> bool:
        """Whether usage of a stream of the OpenAI wire must be asked for."""
        return self.provider.stream_usage or self.endpoint.via_litellm

    @property
    def takes_cache_marks(self) -> bool:
        """Whether `cache_control` in messages of the OpenAI wire means something there."""
        return self.provider.cache_marks or self.endpoint.via_litellm

    @property
    def takes_signatures(self) -> bool:
        """Whether messages of the OpenAI wire may carry thoughts and what was signed of them."""
        return self.endpoint.via_litellm or not self.provider.strict_messages

    def wire_for(self, wanted: WireName) -> WireName:
        """The client's own wire if the endpoint speaks it, else the endpoint's."""
        wires = self.endpoint.wires
        return wanted if wanted in wires else wires[0]

    def target(self, wire: WireName, *, stream: bool) -> bytes:
        """The path and query of a call."""
        if wire != "gemini":
            return _target(self.endpoint.path, wire)
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"{self.endpoint.path}/v1beta/models/{quote(self.upstream_model, safe='')}:{method}".encode()

    def usage_rule(self, wire: WireName) -> UsageRule:
        """How usage objects count that come over this wire."""
        if wire != "openai":
            return wire
        return "litellm" if self.endpoint.via_litellm else self.provider.usage_rule
