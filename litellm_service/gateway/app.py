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
from gateway.domain.failpoint import failpoint
from gateway.domain.time import now_ms
from gateway.domain.usage import Usage
from gateway.endpoints import endpoints, lack, provider_view
from gateway.exchange import Running
from gateway.http.answering import CallingRoute
from gateway.http.errors import status_of
from gateway.http.guard import Guard
from gateway.http.health import Health
from gateway.http.idempotency import Repetitions
from gateway.http.models import ModelList
from gateway.http.replying import App, Receive, Scope, Send
from gateway.http.routes import CALLING, Dispatcher, routes
from gateway.identity import Identity, KeyRing
from gateway.ledger.recovery import resolution
from gateway.metering.charge import interrupted_usage
from gateway.metering.models import ModelMap
from gateway.metering.prices import PriceBook, priced
from gateway.pipeline.holding import Holder
from gateway.pipeline.run import Pipeline
from gateway.providers.calls import UNKNOWN, Abilities, Calls
from gateway.providers.deployment import Deployment
from gateway.providers.litellm_worker.process import LiteLLMWorker
from gateway.providers.transport import Transport
from gateway.providers.upstreams import Upstreams
from gateway.providers.webhook import Webhook
from gateway.routing.router import Router
from gateway.settings import Settings
from gateway.store.sqlite.reading import Reader
from gateway.store.sqlite.store import SqliteStore
from gateway.telemetry.events import Deliver, Events
from gateway.telemetry.gauges import gauges
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
        rows = {name: setting.row for name, setting in settings.providers.items()}
        missing = {name: why for name, setting in settings.providers.items() if (why := lack(setting))}
        self._models = ModelMap.load()
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
        self._health = Health(self._parts)
        self._calling = self._calling_routes(self._pipeline(missing), identity)
        models = ModelList(rows, self._models, self._prices, missing, settings.aliases)
        dispatcher = Dispatcher(
            self._calling, routes(self._health, models, identity), SimpleNamespace(state=self._state)
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

    async def stop(self) -> None:
        """Called once no request runs any more: settle, flush, close."""
        await self._events.stop()
        await self._transport.close()
        await self._worker.stop()
        await asyncio.to_thread(self.store.close)
        self._state.reader.close()
        self._log.flush()

    def drain(self) -> None:
        """From now on new calls are refused and readiness is off; open ones go on."""
        self._health.ready = False
        for route in self._calling.values():
            route.draining = True

    def _pipeline(self, missing: dict[str, str]) -> Pipeline:
        settings = self._settings
        return Pipeline(
            router=Router(
                endpoints(settings), settings.aliases,
                provider_of=self._models.provider_of, nearest=self._models.nearest, missing=missing,
            ),
            holder=Holder(self._prices, self._budgets, settings.server.gateway_default_max_tokens),
            limits=self._limits,
            store=self.store,
            upstreams=Upstreams(self._transport, self._worker, settings.timeouts, Calls(abilities=self._abilities)),
            log=self._log,
            status_of=status_of,
            store_content=settings.store.store_content,
        )  # fmt: skip

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
            max_body_bytes=self._settings.server.max_body_bytes,
            providers=lambda: [
                provider_view(setting, self._transport) for setting in self._settings.providers.values()
            ],
        )

    def _webhook(self) -> Deliver | None:
        server = self._settings.server
        if server.gateway_webhook_url is None or server.gateway_webhook_secret is None:
            return None
        allow_private = server.gateway_webhook_allow_private
        url, secret = server.gateway_webhook_url, server.gateway_webhook_secret
        return Webhook(self._transport, url, secret, allow_private=allow_private).deliver

    def _gauges(self) -> dict[str, dict[Labels, float]]:
        return gauges(
            self.store.figures(), self.store.open_holds(), self.store.accounts(), self._health.uptime_s, now_ms()
        )

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
        limit = self._settings.server.max_body_bytes
        repetitions = Repetitions(lambda: self._state.reader)
        return {
            path: CallingRoute(
                parse=parse, wire=wire, pipeline=pipeline, identity=identity, running=self._running,
                repetitions=repetitions, max_body_bytes=limit,
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
