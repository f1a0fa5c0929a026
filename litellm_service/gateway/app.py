"""The wiring: builds every part from the settings and passes it to those who need it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

from gateway import __version__
from gateway.administration.changes import InForce
from gateway.administration.office import Administration
from gateway.administration.pricing import Pricing
from gateway.admission.budgets import BudgetBook
from gateway.admission.limits import RateLimits
from gateway.caching.answers import AnswerCache
from gateway.caching.memory import MemoryBackend
from gateway.domain.errors import NotFound, SettingsError
from gateway.domain.failpoint import failpoint
from gateway.domain.money import PICO_PER_NANO
from gateway.domain.time import now_ms
from gateway.domain.usage import Usage
from gateway.endpoints import endpoints, provider_view
from gateway.exchange import Running
from gateway.explaining import explained, routes_view
from gateway.http.answering import CallingRoute
from gateway.http.body import FORM, JSON, Accepted
from gateway.http.errors import status_of
from gateway.http.guard import Guard
from gateway.http.health import Health
from gateway.http.idempotency import Repetitions
from gateway.http.live import Live
from gateway.http.models import ModelList
from gateway.http.replying import App, Receive, Scope, Send, fresh_id
from gateway.http.routes import CALLING, UPLOADING, Dispatcher
from gateway.http.routes import routes as other_routes
from gateway.identity import Identity, KeyRing
from gateway.ledger.recovery import resolution
from gateway.metering.charge import input_tokens, interrupted_usage
from gateway.metering.models import ModelMap
from gateway.metering.prices import PriceBook, priced
from gateway.pipeline.holding import Holder
from gateway.pipeline.keeping import Keeping
from gateway.pipeline.run import Pipeline
from gateway.probing import Probing
from gateway.providers.calls import UNKNOWN, Abilities, Calls
from gateway.providers.catalog import Catalog, Provider
from gateway.providers.deployment import Deployment, Endpoint
from gateway.providers.litellm_worker.process import LiteLLMWorker
from gateway.providers.transport import Transport
from gateway.providers.upstreams import Upstreams
from gateway.providers.webhook import Webhook
from gateway.routing.router import Router
from gateway.routing_table import missing, names, routes
from gateway.settings import Cache, Settings, load
from gateway.store.sqlite.reading import Reader
from gateway.store.sqlite.store import SqliteStore
from gateway.telemetry.events import Deliver, Events
from gateway.telemetry.gauges import cache_figures, gauges
from gateway.telemetry.log import RequestLog
from gateway.telemetry.metrics import Labels, Metrics

log = logging.getLogger(__name__)

EVENTS_KEPT_MS = 24 * 3_600_000


class Gateway:
    """The API service as an ASGI application, and its start and stop.

    The store is opened by whoever serves. `start` settles what an earlier process left behind before anything is served;
    `stop` settles and closes.
    """

    def __init__(self, settings: Settings, admin_key: str | None, pepper: bytes, *, logs_as_json: bool) -> None:
        self._settings = settings
        self.store = SqliteStore(settings.database, __version__)
        self._transport = Transport()
        self._worker = LiteLLMWorker()
        self._metrics = Metrics()
        enabled = settings.server.log_level in {"debug", "info"}
        self._log = RequestLog(as_json=logs_as_json, metrics=self._metrics, enabled=enabled)
        self._events = Events(self._webhook(), self.store.delivered, self._metrics.event)
        rows = self._rows()
        self._catalog = Catalog(rows.values())
        self._models = ModelMap.load(self._catalog)
        self._prices = PriceBook(self._models)
        self._budgets = BudgetBook()
        self._limits = RateLimits()
        self._running = Running()
        self._keys = KeyRing(pepper)
        self._in_force = InForce(
            self.store, self._keys, self._budgets, self._limits, prices=self._prices, on_key_changed=self._key_changed
        )
        self._state = self._shared_state(open_mode=admin_key is None)
        identity = Identity(admin_key, self._keys)
        self.router = self._router()
        self._cache = _cache(settings.cache)
        self._upstreams = Upstreams(self._transport, self._worker, settings.timeouts, self._calls())
        self._probing = Probing(self.router, self._probe, settings.routing.gateway_check_interval_s)
        self._health = Health(self._parts)
        self._calling = self._calling_routes(self._pipeline(), identity)
        self._listed = ModelList(rows, self._models, self._prices, missing(settings), self._other_names())
        dispatcher = Dispatcher(
            self._calling, other_routes(self._health, self._listed, identity), SimpleNamespace(state=self._state)
        )
        self.asgi: App = _with_lifespan(
            Guard(dispatcher, allowed_hosts=settings.allowed_hosts, cors_origins=settings.server.cors_origins),
            self.start,
            self.stop,
        )

    async def start(self) -> None:
        """Take up what administrators have set, begin to write, resolve orphans."""
        self._in_force.take_up()
        undelivered = self.store.undelivered(now_ms() - EVENTS_KEPT_MS)
        self.store.on_event = self._events.raised
        self.store.start()
        self._events.start(undelivered)
        await self._resolve_orphans()
        self._state.reader = Reader(self.store.database)
        self._probing.start()

    async def stop(self) -> None:
        """Called once no request runs any more: settle, flush, close."""
        await self._probing.stop()
        await self._events.stop()
        await self._transport.close()
        if self._cache is not None:
            await self._cache.close()
        await self._worker.stop()
        await asyncio.to_thread(self.store.close)
        self._state.reader.close()
        self._log.flush()

    def reload(self) -> None:
        """Read the settings again: providers, aliases, deployments, routes and routing change at once, other settings at a restart.

        What is wrong is logged, and the last good settings stay.
        """
        try:
            settings = load(port=self._settings.server.api_port)
            self._catalog.renew(setting.row for setting in settings.providers.values())
            known = names(settings, self._models)
            found = routes(settings, known)
        except SettingsError as error:
            self._catalog.renew(setting.row for setting in self._settings.providers.values())
            log.error("the changed settings are refused, the last good ones stay: %s", error)
            return
        routing = settings.routing
        self.router.set_up(known, found, retries=routing.gateway_retries, retry_share=routing.gateway_retry_share)
        self._settings = settings
        self._upstreams.set_up(self._calls())
        self._listed.set_up(self._rows(), missing(settings), self._other_names())
        log.info("the changed settings hold: %d routes, %d aliases", len(settings.routes), len(settings.aliases))

    async def _probe(self, endpoint: Endpoint, method: str, path: str) -> int:
        return (await self._upstreams.ask(endpoint, method, path, fresh_id()))[0]

    def drain(self) -> None:
        """From now on new calls are refused and readiness is off; open ones go on."""
        self._health.ready = False
        for route in self._calling.values():
            route.draining = True

    def _rows(self) -> dict[str, Provider]:
        return {name: setting.row for name, setting in self._settings.providers.items()}

    def _other_names(self) -> dict[str, str]:
        """Aliases and routes, by the model that they stand for first of all."""
        first = {name: route.ways[0].deployment.model for name, route in self.router.routes.items()}
        return first | {alias: first.get(target, target) for alias, target in self._settings.aliases.items()}

    def _router(self) -> Router:
        known = names(self._settings, self._models)
        routing = self._settings.routing
        return Router(
            known, routes(self._settings, known), retries=routing.gateway_retries, retry_share=routing.gateway_retry_share,
            price_of=self._output_price,
        )  # fmt: skip

    def _output_price(self, deployment: Deployment) -> int | None:
        """Nano-USD for a million tokens of output; `None`: no price."""
        price = self._prices.price(deployment.provider.name, deployment.upstream_model)
        return None if price is None else price.rates.output * 1_000_000 // PICO_PER_NANO

    def _pipeline(self) -> Pipeline:
        settings = self._settings
        return Pipeline(
            router=self.router,
            holder=Holder(self._prices, self._budgets, settings.server.gateway_default_max_tokens),
            limits=self._limits,
            store=self.store,
            upstreams=self._upstreams,
            log=self._log,
            status_of=status_of,
            keeping=Keeping(store_content=settings.store.store_content, cache=self._cache),
        )  # fmt: skip

    def _calls(self) -> Calls:
        drops_harmless = self._settings.routing.gateway_drop_unsupported
        return Calls(abilities=self._abilities, drops_harmless=drops_harmless, count_tokens=input_tokens)

    def _abilities(self, deployment: Deployment) -> Abilities:
        info = self._prices.model(deployment.provider.name, deployment.upstream_model)
        return UNKNOWN if info is None else Abilities("reasoning" in info.abilities, info.max_output_tokens)

    def _shared_state(self, *, open_mode: bool) -> SimpleNamespace:
        """What the routes find as `request.app.state`; `reader` is there from the start on."""
        return SimpleNamespace(
            administration=Administration(self._in_force),
            pricing=Pricing(self._in_force, self._prices, self._models, self.store),
            metrics=lambda: self._metrics.text(self._gauges),
            open_mode=open_mode,
            store_content=self._settings.store.store_content,
            live=Live(self.store.open_holds, lambda: self.store.figures()["operations"], lambda: self._health.ready),
            webhook_url=self._settings.server.gateway_webhook_url,
            max_body_bytes=self._settings.server.max_body_bytes,
            providers=lambda: [
                provider_view(setting, self._transport, self.router) for setting in self._settings.providers.values()
            ],
            routes=lambda: routes_view(self.router),
            explain=lambda model: explained(self.router, model),
            ask_provider=self._ask_provider,
            converse=self.store.converse,
        )

    async def _ask_provider(self, provider: str, method: str, path: str, request_id: str) -> tuple[int, bytes]:
        endpoint = endpoints(self._settings).get(provider)
        if endpoint is None:
            raise NotFound(f"The provider {provider!r} is not configured any more.")
        return await self._upstreams.ask(endpoint, method, path, request_id)

    def _webhook(self) -> Deliver | None:
        server = self._settings.server
        if server.gateway_webhook_url is None or server.gateway_webhook_secret is None:
            return None
        allow_private = server.gateway_webhook_allow_private
        url, secret = server.gateway_webhook_url, server.gateway_webhook_secret
        return Webhook(self._transport, url, secret, allow_private=allow_private).deliver

    def _gauges(self) -> dict[str, dict[Labels, float]]:
        found = gauges(
            self.store.figures(), self.store.open_holds(), self.store.accounts(), self._health.uptime_s, now_ms()
        )
        return found if self._cache is None else found | cache_figures(self._cache)

    def _key_changed(self, key_id: str) -> None:
        self._running.recheck(key_id, self._keys.get(key_id), now_ms())

    async def _resolve_orphans(self) -> None:
        orphans = await asyncio.to_thread(self.store.orphans)
        if not orphans:
            return
        failpoint("in_recovery")
        settled = [self.store.settle(resolution(orphan, self._charge, priced)) for orphan in orphans]
        await asyncio.gather(*settled)
        log.warning("%d requests that an earlier process left unfinished were settled as estimates", len(orphans))

    def _charge(self, provider: str, input_tokens: int, output_tokens: int) -> Usage:
        setting = self._settings.providers.get(provider)
        return interrupted_usage(setting.row.interrupted if setting else "estimate", input_tokens, output_tokens)

    def _calling_routes(self, pipeline: Pipeline, identity: Identity) -> dict[str, CallingRoute]:
        json = Accepted(JSON, self._settings.server.max_body_bytes)
        form = Accepted(FORM, self._settings.server.max_upload_bytes)
        repetitions = Repetitions(lambda: self._state.reader)
        return {
            path: CallingRoute(
                path, parse=parse, wire=wire, pipeline=pipeline, identity=identity, running=self._running,
                repetitions=repetitions, accepts=form if path in UPLOADING else json,
            )
            for path, (parse, wire) in CALLING.items()
        }  # fmt: skip

    def _parts(self) -> dict[str, dict[str, object]]:
        fault = self.store.fault
        configured = [name for name, setting in self._settings.providers.items() if setting.configured]
        worker = self._worker.status()
        return {
            "database": {"status": "ok", **self.store.figures()}
            if fault is None
            else {"status": "down", "reason": fault},
            "providers": {"status": "ok", "configured": configured, "open_calls": self._transport.open_connections()},
            "litellm_worker": {**worker, "status": _worker_status(str(worker["status"]))},
        }


def _cache(settings: Cache) -> AnswerCache | None:
    if not settings.gateway_cache_ttl_s:
        return None
    if settings.redis_url is None:
        return AnswerCache(MemoryBackend(settings.gateway_cache_max_bytes), settings.gateway_cache_ttl_s)
    from gateway.caching.redis import RedisBackend  # only where it is asked for  # noqa: PLC0415

    return AnswerCache(RedisBackend(settings.redis_url), settings.gateway_cache_ttl_s)


def _worker_status(state: str) -> str:
    return {"ready": "ok", "failed": "degraded"}.get(state, "idle")


def _with_lifespan(app: App, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> App:
    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        await receive()
        try:
            await start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await stop()
        await send({"type": "lifespan.shutdown.complete"})

    return asgi
