"""The URL map, on one screen."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, get_args

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from gateway.domain.errors import MethodNotAllowed, NotAllowed, NotFound
from gateway.domain.key import Role
from gateway.http import (
    anthropic,
    chat,
    conversations,
    export,
    gemini,
    live,
    metrics,
    openai,
    openapi,
    operations,
    requests,
    responses,
    stored_responses,
    uploads,
    usage,
    what_if,
)
from gateway.http.admin import alerts, audit, budgets, keys, limits, me, prices
from gateway.http.answering import CallingRoute, Parse
from gateway.http.charging import check_route
from gateway.http.health import Health
from gateway.http.models import ModelList
from gateway.http.operation_answers import PassedWire
from gateway.http.protocol import HEADERS
from gateway.http.replying import Receive, Scope, Send
from gateway.http.wires import ClientWire, NativeWire, SeedWire
from gateway.identity import Identity

Endpoint = Callable[[Request], Awaitable[Response]]
Roles = frozenset[Role]

# The routes that call a model: how each reads its body and writes its answer.
CALLING: dict[str, tuple[Parse, ClientWire]] = {
    "/api/chat": (chat.parse, SeedWire()),
    "/v1/chat/completions": (openai.parse, NativeWire("openai")),
    "/v1/responses": (responses.parse, NativeWire("responses")),
    "/v1/messages": (anthropic.parse, NativeWire("anthropic")),
    gemini.ROUTE: (gemini.parse, NativeWire("gemini")),
    "/v1/embeddings": (operations.embeddings, PassedWire()),
    "/v1/completions": (operations.completions, PassedWire(has_done=True)),
    "/v1/images/generations": (operations.images, PassedWire()),
    "/v1/audio/speech": (operations.speech, PassedWire()),
    "/v1/moderations": (operations.moderations, PassedWire()),
    "/v1/rerank": (operations.rerank, PassedWire()),
    "/v1/audio/transcriptions": (uploads.transcription, PassedWire()),
    "/v1/audio/translations": (uploads.translation, PassedWire()),
    "/v1/messages/count_tokens": (operations.token_count, PassedWire("anthropic")),
}

# Those of them whose bodies are forms with a file.
UPLOADING = frozenset(("/v1/audio/transcriptions", "/v1/audio/translations"))

# Who may use the other routes; those of one path stand together.
EVERYBODY: Roles = frozenset(get_args(Role))
CALLERS: Roles = frozenset({"admin", "member"})
READERS: Roles = frozenset({"admin", "viewer"})
ADMINS: Roles = frozenset({"admin"})


def routes(health: Health, models: ModelList, identity: Identity) -> list[Route]:
    """Everything but the calling routes."""
    table: list[tuple[str, str, Roles, Endpoint]] = [
        ("GET", "/api/models", EVERYBODY, models.seed),
        ("GET", "/v1/models", EVERYBODY, models.openai),
        ("GET", "/v1/models/{model:path}", EVERYBODY, models.openai_one),
        ("GET", "/api/usage", EVERYBODY, usage.usage),
        ("GET", "/api/usage/export", EVERYBODY, export.export),
        ("GET", "/api/what-if", EVERYBODY, what_if.what_if),
        ("GET", "/api/stats", EVERYBODY, usage.stats),
        ("GET", "/api/user/{user_id}/usage", EVERYBODY, usage.user_usage),
        ("GET", "/api/requests", EVERYBODY, requests.request_list),
        ("GET", "/api/requests/{request_id}", EVERYBODY, requests.request_detail),
        ("GET", "/api/events", EVERYBODY, live.events),
        ("GET", "/v1beta/models", EVERYBODY, models.google),
        ("GET", "/v1beta/models/{model:path}", EVERYBODY, models.google_one),
        ("GET", "/v1/responses/{response_id}", CALLERS, stored_responses.passed_on),
        ("DELETE", "/v1/responses/{response_id}", CALLERS, stored_responses.passed_on),
        ("POST", "/v1/responses/{response_id}/cancel", CALLERS, stored_responses.passed_on),
        ("GET", "/v1/responses/{response_id}/input_items", CALLERS, stored_responses.passed_on),
        ("GET", "/api/conversations", EVERYBODY, conversations.listed),
        ("GET", "/api/conversations/{conversation_id}", EVERYBODY, conversations.shown),
        ("PUT", "/api/conversations/{conversation_id}", CALLERS, conversations.saved),
        ("PATCH", "/api/conversations/{conversation_id}", CALLERS, conversations.changed),
        ("DELETE", "/api/conversations/{conversation_id}", CALLERS, conversations.deleted),
        ("PUT", "/api/conversations/{conversation_id}/files/{file_id}", CALLERS, conversations.file_saved),
        ("GET", "/api/conversations/{conversation_id}/files/{file_id}", EVERYBODY, conversations.file_shown),
        ("GET", "/api/me", EVERYBODY, me.me),
        ("GET", "/api/providers", READERS, me.providers),
        ("GET", "/api/routes", READERS, me.routes),
        ("GET", "/api/keys", READERS, keys.listed),
        ("POST", "/api/keys", ADMINS, keys.created),
        ("GET", "/api/keys/{key_id}", READERS, keys.shown),
        ("PATCH", "/api/keys/{key_id}", ADMINS, keys.changed),
        ("DELETE", "/api/keys/{key_id}", ADMINS, keys.deleted),
        ("POST", "/api/keys/{key_id}/block", ADMINS, keys.blocked),
        ("POST", "/api/keys/{key_id}/unblock", ADMINS, keys.unblocked),
        ("POST", "/api/keys/{key_id}/rotate", ADMINS, keys.rotated),
        ("GET", "/api/budgets", READERS, budgets.listed),
        ("POST", "/api/budgets", ADMINS, budgets.created),
        ("GET", "/api/budgets/{budget_id}", READERS, budgets.shown),
        ("PATCH", "/api/budgets/{budget_id}", ADMINS, budgets.changed),
        ("DELETE", "/api/budgets/{budget_id}", ADMINS, budgets.deleted),
        ("GET", "/api/limits", READERS, limits.listed),
        ("POST", "/api/limits", ADMINS, limits.created),
        ("GET", "/api/limits/{limit_id}", READERS, limits.shown),
        ("PATCH", "/api/limits/{limit_id}", ADMINS, limits.changed),
        ("DELETE", "/api/limits/{limit_id}", ADMINS, limits.deleted),
        ("GET", "/api/prices", READERS, prices.listed),
        ("POST", "/api/prices/overrides", ADMINS, prices.created),
        ("PUT", "/api/prices/overrides/{override_id}", ADMINS, prices.replaced),
        ("DELETE", "/api/prices/overrides/{override_id}", ADMINS, prices.deleted),
        ("POST", "/api/prices/import", ADMINS, prices.imported),
        ("DELETE", "/api/prices/maps/{version}", ADMINS, prices.map_deleted),
        ("POST", "/api/prices/recompute", ADMINS, prices.recomputed),
        ("GET", "/api/audit", READERS, audit.listed),
        ("GET", "/api/alerts", READERS, alerts.listed),
        ("GET", "/metrics", READERS, metrics.metrics),
    ]
    return [
        *(
            Route(path, _checked(path, roles, endpoint, identity), methods=[method])
            for method, path, roles, endpoint in table
        ),
        Route("/health", health.seed),
        Route("/health/live", health.live),
        Route("/health/ready", health.is_ready),
        Route("/openapi.json", openapi.document),
        Route("/docs", openapi.page),
    ]


def _checked(path: str, roles: Roles, endpoint: Endpoint, identity: Identity) -> Endpoint:
    """The endpoint, not reached without a key whose role and routes allow it; `path` is the route's own, not the URL's."""

    async def checked(request: Request) -> Response:
        caller = identity.caller(request.scope[HEADERS])
        if caller.role not in roles:
            raise NotAllowed(
                f"This needs a key of the role {' or '.join(sorted(roles))}; this one's role is {caller.role}."
            )
        check_route(caller, path)
        request.scope["caller"] = caller
        return await endpoint(request)

    return checked


class Dispatcher:
    """The calling routes by a dict, the others by the router; `app` is what endpoints find as `request.app`."""

    def __init__(self, calling: Mapping[str, CallingRoute], others: list[Route], app: Any) -> None:
        self._calling = calling
        self._router = Router(others, redirect_slashes=False)
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; raises `GatewayError` for the guard to answer."""
        path = scope["path"]
        calling = self._calling.get(gemini.ROUTE if gemini.is_call(path) else path)
        if calling is not None:
            if scope["method"] != "POST":
                raise MethodNotAllowed(f"{path} takes POST, not {scope['method']}.")
            await calling(scope, receive, send)
            return
        scope["app"] = self._app
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            if error.status_code == 405:
                raise MethodNotAllowed(f"{scope['path']} does not take {scope['method']}.") from None
            raise NotFound(f"There is no {scope['path'][:200]} here; /docs lists what there is.") from None
