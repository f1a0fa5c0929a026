"""What LiteLLM's map says about each model, in a compact form."""

import difflib
import gzip
from collections.abc import Collection, Iterable, Iterator
from importlib import resources

import msgspec

from gateway.domain.price import PriceMap, Rates, Terms, Tier
from gateway.providers.catalog import Catalog, Provider

_NEAREST_MAX_CHARS = 100
_COMPARED_ANYWAY = 200
_GRAM = 3
_MINUTES_OF_WEEK = 7 * 24 * 60
_EPOCH_MINUTE_OF_WEEK = 3 * 24 * 60  # 1970-01-01 was a Thursday


class OffPeak(msgspec.Struct, frozen=True, kw_only=True):
    """Rates that replace the usual ones within spans of minutes since Monday 00:00 UTC, ends excluded."""

    rates: Rates
    minutes_of_week: tuple[tuple[int, int], ...]

    def open_at(self, at_ms: int) -> bool:
        """Whether they hold at this moment."""
        minute = (at_ms // 60_000 + _EPOCH_MINUTE_OF_WEEK) % _MINUTES_OF_WEEK
        return any(start <= minute < end for start, end in self.minutes_of_week)


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One model at one provider: `name` is what goes upstream, `key` is LiteLLM's name.

    `context_window` and `max_output_tokens` are `None` where the map does not know. `terms` is `None` without a price
    per token; `service_tiers` holds what `priority`, `flex` and others cost instead, `off_peak` what holds at some hours.
    """

    key: str
    name: str
    provider: str
    mode: str
    context_window: int | None
    max_output_tokens: int | None
    abilities: tuple[str, ...]
    terms: Terms | None
    service_tiers: dict[str, Terms]
    off_peak: OffPeak | None = None

    @property
    def canonical(self) -> str:
        """`provider/model`, as our ledger and lists name it."""
        return f"{self.provider}/{self.name}"


def _demo_model(name: str, pico_usd_per_token: int) -> ModelInfo:
    return ModelInfo(
        key=f"demo/{name}",
        name=name,
        provider="demo",
        mode="chat",
        context_window=128_000,
        max_output_tokens=8_192,
        abilities=(),
        terms=Terms(rates=Rates(input=pico_usd_per_token, output=pico_usd_per_token)),
        service_tiers={},
    )


DEMO_MODELS = {
    info.name: info
    for info in (
        _demo_model("echo", 0),
        _demo_model("error", 0),
        _demo_model("priced", 1_000_000),  # play money: 1 USD per million tokens
        _demo_model("slow", 0),
        _demo_model("story", 0),
    )
}


class _Row(msgspec.Struct):
    mode: str
    context: int | None = None
    max_output: int | None = None
    abilities: tuple[str, ...] = ()
    rates: Rates | None = None
    tiers: tuple[Tier, ...] = ()
    service_tiers: dict[str, Terms] = {}
    off_peak: OffPeak | None = None


class _File(msgspec.Struct):
    litellm_version: str
    date: str
    groups: dict[str, dict[str, msgspec.Raw]]


_ZERO = Rates(input=0, output=0)
_ROW = msgspec.json.Decoder(_Row)
_FILE = msgspec.json.Decoder(_File)


class ModelMap:
    """Models by provider; rows are decoded when they are asked for."""

    def __init__(self, file: _File, catalog: Catalog) -> None:
        self.version = f"litellm {file.litellm_version}"
        self.date = file.date
        self._groups = file.groups
        self._catalog = catalog
        self._makers = [provider for provider in catalog.providers.values() if provider.maker]
        self._canonical: dict[str, list[str]] = {}

    @classmethod
    def load(cls, catalog: Catalog | None = None) -> "ModelMap":
        """Read the map that comes with the package; `catalog` says which provider covers which part of it."""
        data = resources.files("gateway.metering").joinpath("model_map.json").read_bytes()
        return cls(_FILE.decode(data), catalog or Catalog.load())

    @classmethod
    def imported(cls, price_map: PriceMap, catalog: Catalog) -> "ModelMap":
        """A map that an operator imported."""
        found = cls(_FILE.decode(gzip.decompress(price_map.compact_gz)), catalog)
        found.version = price_map.version
        return found

    @property
    def catalog(self) -> Catalog:
        """Which provider covers which part of it."""
        return self._catalog

    def follow(self, maps: Iterable["ModelMap"]) -> None:
        """From now on know all that these maps know; where several know a model, the last one is right."""
        groups: dict[str, dict[str, msgspec.Raw]] = {}
        for known in maps:
            self.version, self.date = known.version, known.date
            for part, models in known._groups.items():  # noqa: SLF001  # another of this class
                groups.setdefault(part, {}).update(models)
        self._groups = groups
        self._canonical.clear()

    def provider_of(self, bare_name: str) -> str | None:
        """The provider of a name without prefix (`gpt-4o`, `gemini-2.5-pro`), `None` where the map knows none.

        As in LiteLLM, a key without a prefix belongs to its `litellm_provider`; where that one is not in our catalog
        (LiteLLM gives bare Gemini names to Vertex AI), the maker whose `prefix/name` the map lists.
        """
        for provider in self._makers:
            if any(bare_name in self._group(part) for part in provider.map_providers):
                return provider.name
        for provider in self._makers:
            if self._located(provider, bare_name):
                return provider.name
        return None

    def find(self, provider: str, upstream_model: str) -> ModelInfo | None:
        """The model as this provider of the catalog serves it, by any spelling that LiteLLM's map has for it."""
        if provider == "demo":
            return DEMO_MODELS.get(upstream_model)
        row = self._catalog.providers.get(provider)
        if row is None:
            return None
        for name in _spellings(upstream_model):
            if located := self._located(row, name):
                return _info(row, upstream_model, *located)
        return None

    def all_models(self, provider: str) -> dict[str, ModelInfo]:
        """Every model of a provider, whatever it is for, by canonical name."""
        row = self._catalog.providers.get(provider)
        if row is None or row.wire == "demo":
            return {}
        infos = (self.find(provider, name) for name in sorted(set(self._names_at(row))))
        return {info.canonical: info for info in infos if info is not None}

    def chat_models(self, provider: str) -> list[ModelInfo]:
        """Every chat model of a provider, by name; empty for a provider the map says nothing of."""
        if provider == "demo":
            return list(DEMO_MODELS.values())
        row = self._catalog.providers.get(provider)
        if row is None:
            return []
        infos = (self.find(provider, name) for name in sorted(set(self._names_at(row))))
        return [info for info in infos if info is not None and _is_chat(info)]

    def nearest(self, name: str, n: int = 3) -> list[str]:
        """Canonical names that look like this one, the likeliest first; only its own provider's if it names one."""
        prefix, _, model = name[:_NEAREST_MAX_CHARS].lower().rpartition("/")
        provider = self._catalog.by_prefix(prefix.partition("/")[0])
        among = [provider.name] if provider else list(self._catalog.providers)
        known: dict[str, str] = {}
        for canonical in (canonical for row in among for canonical in self._listed(row)):
            known.setdefault(canonical.rpartition("/")[2].lower(), canonical)
        return [
            known[match] for match in difflib.get_close_matches(model, _worth_comparing(model, known), n, cutoff=0.5)
        ]

    def _listed(self, provider: str) -> list[str]:
        if provider not in self._canonical:
            self._canonical[provider] = [info.canonical for info in self.chat_models(provider)]
        return self._canonical[provider]

    def _group(self, litellm_provider: str) -> dict[str, msgspec.Raw]:
        return self._groups.get(litellm_provider, {})

    def _located(self, provider: Provider, name: str) -> tuple[str, msgspec.Raw] | None:
        for part in provider.map_providers:
            group = self._group(part)
            for key in (f"{provider.litellm_prefix}/{name}", f"{part}/{name}", *((name,) if provider.maker else ())):
                if key in group:
                    return key, group[key]
        return None

    def _names_at(self, provider: Provider) -> Iterator[str]:
        """Names to call: without LiteLLM's prefix, and without the base names of fine-tunes."""
        for part in provider.map_providers:
            for key in self._group(part):
                name = key.removeprefix(f"{provider.litellm_prefix}/").removeprefix(f"{part}/")
                if not name.startswith("ft:"):
                    yield name


def _spellings(upstream_model: str) -> Iterator[str]:
    """The name itself, then without what vendors put around it.

    Google's `models/` (ai.google.dev/api/models); OpenAI's fine-tunes `ft:base:org:name:id`, which the map prices as
    `ft:base`.
    """
    yield upstream_model
    if upstream_model.startswith("models/"):
        yield upstream_model.removeprefix("models/")
    if upstream_model.startswith("ft:"):
        yield ":".join(upstream_model.split(":")[:2])


def _info(provider: Provider, name: str, key: str, raw: msgspec.Raw) -> ModelInfo:
    row = _ROW.decode(raw)
    return ModelInfo(
        key=key,
        name=name,
        provider=provider.name,
        mode=row.mode,
        context_window=row.context,
        max_output_tokens=row.max_output,
        abilities=row.abilities,
        terms=_terms(provider, row),
        service_tiers=row.service_tiers,
        off_peak=row.off_peak,
    )


def _worth_comparing(model: str, names: Collection[str]) -> Collection[str]:
    """Of many names only those that share three letters in a row: comparing them all is slow."""
    if len(names) <= _COMPARED_ANYWAY or len(model) < _GRAM:
        return names
    grams = {model[start : start + _GRAM] for start in range(len(model) - _GRAM + 1)}
    return [name for name in names if any(gram in name for gram in grams)]


def _is_chat(info: ModelInfo) -> bool:
    """A row that states neither a price nor a context window is no model (`container`, for instance)."""
    return info.mode == "chat" and (info.terms is not None or info.context_window is not None)


def _terms(provider: Provider, row: _Row) -> Terms | None:
    """The map writes 0 for free and for not known alike: only where the provider has free models is it a price."""
    if row.rates is None or (row.rates == _ZERO and not row.tiers and not provider.zero_is_free):
        return None
    return Terms(rates=row.rates, tiers=row.tiers)
