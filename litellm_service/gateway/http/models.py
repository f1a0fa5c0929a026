"""`GET /api/models` and `GET /v1/models`: what can be called, at what price."""

from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.errors import NotFound
from gateway.domain.money import PICO_PER_MILLION_USD
from gateway.domain.price import Price
from gateway.domain.time import now_ms
from gateway.metering.models import ModelInfo, ModelMap
from gateway.metering.prices import PriceBook
from gateway.providers.catalog import Provider

CREATED = 1_700_000_000


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
            entries = {name: self._entries(row) for name, row in self._shown()}
            groups = {name: self._group(self._providers[name], models) for name, models in entries.items()}
            total = sum(map(len, entries.values()))
            self._seed = msgspec.json.encode({"providers": groups, "aliases": self._aliases, "total": total})
        return Response(self._seed, media_type="application/json")

    async def openai(self, request: Request) -> Response:
        """The models that can be called now, in OpenAI's form."""
        return _json({"object": "list", "data": list(self._callable().values())})

    async def openai_one(self, request: Request) -> Response:
        """One of them; raises `NotFound`."""
        found = self._callable().get(request.path_params["model"])
        if found is None:
            raise NotFound(
                f"There is no callable model {request.path_params['model'][:100]!r}; GET /v1/models lists them."
            )
        return _json(found)

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


def _per_million(price: Price | None, rate: Callable[[Price], int | None]) -> float | None:
    pico = None if price is None else rate(price)
    return None if pico is None else pico / PICO_PER_MILLION_USD


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
