"""`GET /api/models` and `GET /v1/models`: what can be called, at what price."""

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.errors import NotFound
from gateway.domain.key import Key
from gateway.domain.money import PICO_PER_MILLION_USD
from gateway.domain.price import Price
from gateway.domain.time import iso_z, now_ms
from gateway.http.protocol import HEADERS
from gateway.metering.models import ModelInfo, ModelMap
from gateway.metering.prices import PriceBook
from gateway.providers.catalog import Provider

CREATED = 1_700_000_000
ANTHROPIC_VERSION = b"anthropic-version"


class ModelList:
    """Every model of every provider, encoded once until prices change; `missing`: what each unconfigured provider lacks."""

    def __init__(
        self,
        providers: dict[str, Provider],
        models: ModelMap,
        prices: PriceBook,
        missing: dict[str, str],
        aliases: dict[str, str],
    ) -> None:
        self._models, self._prices = models, prices
        self.set_up(providers, missing, aliases)

    def set_up(self, providers: dict[str, Provider], missing: dict[str, str], aliases: dict[str, str]) -> None:
        """From now on list these; `aliases` say which model each other name stands for."""
        self._missing = missing
        self._providers = providers
        self._aliases = aliases
        self._seed: bytes | None = None
        self._openai: dict[str, dict[str, object]] | None = None
        self._revision: tuple[int, int] | None = None

    async def seed(self, request: Request) -> Response:
        """`{"providers": {name: {"callable", "reason", "models": […]}}, "total"}`."""
        self._forget_old_prices()
        if self._seed is None:
            self._seed = msgspec.json.encode(self._listed())
        key = _limiting_key(request)
        listed = self._seed if key is None else msgspec.json.encode(_allowed(msgspec.json.decode(self._seed), key))
        return Response(listed, media_type="application/json")

    async def openai(self, request: Request) -> Response:
        """The models that can be called now, in OpenAI's form, or in Anthropic's for its clients."""
        found = self._allowed(request)
        if ANTHROPIC_VERSION in request.scope[HEADERS]:
            return _json(_anthropic_list(found))
        return _json({"object": "list", "data": found})

    async def openai_one(self, request: Request) -> Response:
        """One of them; raises `NotFound`."""
        found = self._one(request)
        return _json(_anthropic(found) if ANTHROPIC_VERSION in request.scope[HEADERS] else found)

    async def google(self, request: Request) -> Response:
        """The models that can be called now, in Google's form."""
        return _json({"models": [_google(entry) for entry in self._allowed(request)]})

    async def google_one(self, request: Request) -> Response:
        """One of them; raises `NotFound`."""
        return _json(_google(self._one(request)))

    def _allowed(self, request: Request) -> list[dict[str, object]]:
        key, known = _limiting_key(request), self._callable()
        return [entry for name, entry in known.items() if key is None or key.allows_model(name, _target(entry))]

    def _one(self, request: Request) -> dict[str, object]:
        name, key = request.path_params["model"], _limiting_key(request)
        found = self._callable().get(name)
        if found is None or not (key is None or key.allows_model(name, _target(found))):
            raise NotFound(f"There is no callable model {name[:100]!r}; GET /v1/models lists them.")
        return found

    def _listed(self) -> dict[str, Any]:
        entries = {name: self._entries(row) for name, row in self._shown()}
        groups = {name: self._group(self._providers[name], models) for name, models in entries.items()}
        return {"providers": groups, "aliases": self._aliases, "total": sum(map(len, entries.values()))}

    def _shown(self) -> list[tuple[str, Provider]]:
        rows = [(name, row) for name, row in self._providers.items() if not (row.local and name in self._missing)]
        return sorted(rows, key=lambda item: (item[0] in self._missing, item[1].wire == "demo"))

    def _group(self, row: Provider, models: list[dict[str, object]]) -> dict[str, object]:
        reason = self._missing.get(row.name)
        return {"title": row.title, "callable": reason is None, "reason": reason, "models": models}

    def _entries(self, row: Provider) -> list[dict[str, object]]:
        return [self._entry(info) for info in self._models.chat_models(row.name)]

    def _entry(self, info: ModelInfo) -> dict[str, object]:
        price = self._prices.usual_price(info.provider, info.name, now_ms())
        return {
            "id": info.canonical,
            "name": info.name,
            "mode": info.mode,
            "input_price_usd_per_million": _per_million(price, lambda p: p.rates.input),
            "output_price_usd_per_million": _per_million(price, lambda p: p.rates.output),
            "cached_input_price_usd_per_million": _per_million(price, lambda p: p.rates.cache_read),
            "context_window": info.context_window,
            "max_output_tokens": info.max_output_tokens,
            "abilities": info.abilities,
        }

    def _forget_old_prices(self) -> None:
        revision = self._prices.revision(now_ms())
        if revision != self._revision:
            self._revision, self._seed, self._openai = revision, None, None

    def _callable(self) -> dict[str, dict[str, object]]:
        self._forget_old_prices()
        if self._openai is None:
            rows = [row for _, row in self._shown() if row.name not in self._missing]
            entries = [(row, entry) for row in rows for entry in self._entries(row)]
            self._openai = {
                str(entry["id"]): {**entry, "object": "model", "created": CREATED, "owned_by": row.name}
                for row, entry in entries
            }
            for alias, target in self._aliases.items():
                known = self._openai.get(target, {"owned_by": "alias"})
                self._openai[alias] = {**known, "id": alias, "object": "model", "created": CREATED, "alias_of": target}
        return self._openai


def _anthropic_list(found: list[dict[str, object]]) -> dict[str, object]:
    """Source: https://docs.claude.com/en/api/models-list; all on one page."""
    ids = [entry["id"] for entry in found]
    return {
        "data": [_anthropic(entry) for entry in found],
        "has_more": False,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }


def _anthropic(entry: dict[str, object]) -> dict[str, object]:
    made = iso_z(CREATED * 1000)
    return {
        "id": entry["id"],
        "type": "model",
        "display_name": entry.get("name", entry["id"]),
        "created_at": made,
        "lifecycle": "active",
        "max_input_tokens": entry.get("context_window"),
        "max_tokens": entry.get("max_output_tokens"),
    }


def _google(entry: dict[str, object]) -> dict[str, object]:
    """Source: https://ai.google.dev/api/models#Model."""
    return {
        "name": f"models/{entry['id']}",
        "displayName": entry.get("name", entry["id"]),
        "inputTokenLimit": entry.get("context_window"),
        "outputTokenLimit": entry.get("max_output_tokens"),
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent"],
    }


def _per_million(price: Price | None, rate: Callable[[Price], int | None]) -> float | None:
    pico = None if price is None else rate(price)
    return None if pico is None else pico / PICO_PER_MILLION_USD


def _limiting_key(request: Request) -> Key | None:
    """The caller's key, if it may call some models only."""
    key: Key | None = request.scope["caller"].key
    return key if key is not None and key.models else None


def _target(entry: dict[str, object]) -> str:
    return str(entry.get("alias_of", entry["id"]))


def _allowed(listed: dict[str, Any], key: Key) -> dict[str, Any]:
    """Without the models that a key may not call; a provider of which nothing is left says why."""
    for group in listed["providers"].values():
        group["models"] = [model for model in group["models"] if key.allows_model(model["id"])]
        if group["callable"] and not group["models"]:
            group["callable"], group["reason"] = False, f"This key may call: {', '.join(key.models)}."
    listed["total"] = sum(len(group["models"]) for group in listed["providers"].values())
    return listed


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
