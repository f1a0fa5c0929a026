"""The URL map, on one screen."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from gateway.domain.errors import MethodNotAllowed, NotFound
from gateway.http import chat, openai, openapi, requests, usage
from gateway.http.answering import CallingRoute, Parse
from gateway.http.health import Health
from gateway.http.models import ModelList
from gateway.http.protocol import HEADERS
from gateway.http.replying import Receive, Scope, Send
from gateway.http.sinks import OpenAIWire, SeedWire, Wire
from gateway.identity import Identity

Endpoint = Callable[[Request], Awaitable[Response]]

# The routes that call a model: how each reads its body and writes its answer.
CALLING: dict[str, tuple[Parse, Wire]] = {
    "/api/chat": (chat.parse, SeedWire()),
    "/v1/chat/completions": (openai.parse, OpenAIWire()),
}


def routes(health: Health, models: ModelList, identity: Identity) -> list[Route]:
    """Everything but the calling routes; what `keyed` wraps is not reached without a key."""

    def keyed(endpoint: Endpoint) -> Endpoint:
        async def checked(request: Request) -> Response:
            request.scope["caller"] = identity.caller(request.scope[HEADERS])
            return await endpoint(request)

        return checked

    return [
        Route("/api/models", keyed(models.seed)),
        Route("/v1/models", keyed(models.openai)),
        Route("/v1/models/{model:path}", keyed(models.openai_one)),
        Route("/api/usage", keyed(usage.usage)),
        Route("/api/stats", keyed(usage.stats)),
        Route("/api/user/{user_id}/usage", keyed(usage.user_usage)),
        Route("/api/requests", keyed(requests.request_list)),
        Route("/api/requests/{request_id}", keyed(requests.request_detail)),
        Route("/health", health.seed),
        Route("/health/live", health.live),
        Route("/health/ready", health.is_ready),
        Route("/openapi.json", openapi.document),
        Route("/docs", openapi.page),
    ]


class Dispatcher:
    """The calling routes by a dict, the others by the router; `app` is what endpoints find as `request.app`."""

    def __init__(self, calling: Mapping[str, CallingRoute], others: list[Route], app: Any) -> None:
        self._calling = calling
        self._router = Router(others, redirect_slashes=False)
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; raises `GatewayError` for the guard to answer."""
        calling = self._calling.get(scope["path"])
        if calling is not None:
            if scope["method"] != "POST":
                raise MethodNotAllowed(f"{scope['path']} takes POST, not {scope['method']}.")
            await calling(scope, receive, send)
            return
        scope["app"] = self._app
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            if error.status_code == 405:
                raise MethodNotAllowed(f"{scope['path']} does not take {scope['method']}.") from None
            raise NotFound(f"There is no {scope['path'][:200]} here; /docs lists what there is.") from None
