"""A model as served at one provider endpoint with one credential."""

import msgspec

from gateway.providers.catalog import Provider, UsageRule
from gateway.providers.transport import Origin


class Endpoint(msgspec.Struct, frozen=True):
    """Where and how a provider is reached; `head` is the request's head up to what differs per call.

    `secrets` are scrubbed from whatever the provider says. `via_litellm`: `origin` is the worker, found at call time.
    """

    provider: Provider
    origin: Origin | None
    head: bytes
    secrets: tuple[str, ...]
    via_litellm: bool


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
    def usage_rule(self) -> UsageRule:
        """How its usage objects count."""
        return "litellm" if self.endpoint.via_litellm else self.provider.usage_rule
