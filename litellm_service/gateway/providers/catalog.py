"""The providers that the gateway knows: one row of data each."""

import tomllib
from collections.abc import Iterable
from importlib import resources
from typing import Literal

import msgspec

Wire = Literal["openai", "anthropic", "gemini", "litellm", "demo"]
UsageRule = Literal["openai", "xai", "openrouter", "perplexity", "litellm", "responses", "anthropic", "gemini"]
KeyHeader = Literal["authorization", "x-api-key", "x-goog-api-key", "api-key"]
OutputLimitField = Literal["max_tokens", "max_completion_tokens"]
Interrupted = Literal["estimate", "charge_input", "free"]


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One company or server that runs models; the columns are explained at the head of `catalog.toml`."""

    name: str
    title: str
    source: str
    wire: Wire = "openai"
    responses: bool = False
    key_header: KeyHeader = "authorization"
    base_url: str = ""
    default_path: str = ""
    key_variables: tuple[str, ...] = ()
    base_url_variable: str = ""
    key_optional: bool = False
    local: bool = False
    aliases: tuple[str, ...] = ()
    litellm_prefix: str = ""
    map_providers: tuple[str, ...] = ()
    maker: bool = False
    zero_is_free: bool = False
    usage_rule: UsageRule = "openai"
    stream_usage: bool = True
    cache_marks: bool = False
    strict_messages: bool = False
    output_limit_field: OutputLimitField = "max_tokens"
    interrupted: Interrupted = "estimate"

    @property
    def key_variable(self) -> str | None:
        """The variable to name to the person who must set a key; `None` where no key exists."""
        return self.key_variables[0] if self.key_variables else None

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What may stand before the slash of a model name."""
        return (self.name, *self.aliases)


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    provider: list[Provider]


class Catalog:
    """All rows, by name and by prefix."""

    def __init__(self, rows: Iterable[Provider]) -> None:
        self.renew(rows)

    def renew(self, rows: Iterable[Provider]) -> None:
        """From now on these are all."""
        self.providers = {row.name: row for row in rows}
        self._by_prefix = {prefix: row for row in self.providers.values() for prefix in row.prefixes}

    @classmethod
    def load(cls) -> "Catalog":
        """Read the table that comes with the package."""
        text = resources.files("gateway.providers").joinpath("catalog.toml").read_text("utf-8")
        return cls([_completed(row) for row in msgspec.convert(tomllib.loads(text), _Table).provider])

    def by_prefix(self, prefix: str) -> Provider | None:
        """The provider that `prefix/model` names, aliases included."""
        return self._by_prefix.get(prefix)


def _completed(row: Provider) -> Provider:
    prefix = row.litellm_prefix or row.name
    return msgspec.structs.replace(
        row,
        base_url_variable=row.base_url_variable or f"{row.name.upper()}_BASE_URL",
        litellm_prefix=prefix,
        map_providers=row.map_providers or (prefix,),
        usage_rule="litellm" if row.wire == "litellm" else row.usage_rule,
    )
