"""The application: routes on one screen, start and stop."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from webui.errors import Refusal
from webui.guard import Guard
from webui.login import Login
from webui.pages import KIT, NOT_ALLOWED, NOT_FOUND, PAGES, Page, Pages
from webui.proxy import Proxy, allowed
from webui.session import Session, Sessions
from webui.settings import Settings
from webui.upstream import Upstream

PROXIED = ("/api/", "/v1/", "/health")


def build(settings: Settings) -> ASGIApp:
    """The whole console as an ASGI application."""
    sessions = Sessions(settings)
    upstream = Upstream(settings.api_url)
    pages = Pages(dev=settings.dev, api_url=settings.api_url)
    login = Login(pages, sessions, upstream, settings.key)
    proxy = Proxy(upstream, sessions, settings.max_body_bytes, lambda: pages.assets.hash)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await upstream.start()
        yield
        await upstream.stop()

    shown = PAGES | ({"/ui/kit": KIT} if settings.dev else {})
    routes = [
        *(Route(path, _shell(pages, page)) for path, page in shown.items()),
        Route("/login", login.sign_in, methods=["GET", "POST"]),
        Route("/logout", login.sign_out, methods=["POST"]),
        Route("/static/{hash}/{path:path}", pages.static),
        Route("/favicon.ico", _no_content),
    ]

    async def not_found(request: Request, _: Exception) -> Response:
        return pages.show(NOT_FOUND, request, status=404)

    site = Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: not_found})
    return Guard(Split(GZipMiddleware(site), proxy), settings, sessions)


class Split:
    """The API's paths to the proxy, the others to the site."""

    def __init__(self, site: ASGIApp, proxy: Proxy) -> None:
        self._site = site
        self._proxy = proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not scope["path"].startswith(PROXIED):
            await self._site(scope, receive, send)
        elif allowed(scope["method"], scope["raw_path"]):
            await self._proxy(scope, receive, send)
        else:
            raise Refusal(
                404, "not_found", "The console does not pass this on. Ask the API service itself, at its own address."
            )


def _shell(pages: Pages, page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def show(request: Request) -> Response:
        session: Session | None = request.scope.get("session")
        if session is not None and session.person.role not in page.roles:
            return pages.show(NOT_ALLOWED, request, status=403)
        return pages.show(page, request)

    return show


async def _no_content(_: Request) -> Response:
    return Response(status_code=204)
