"""What every request must pass: Host, Origin, sign-in; and the headers of every answer."""

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from webui.errors import Refusal, send_refusal
from webui.proxy import OPEN_PATHS
from webui.session import ENDED, Sessions
from webui.settings import Settings

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types dompurify"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
WRITE_HEADER = "x-webui"
FORMS = ("/login", "/logout")
SIGNED_OUT = "You are signed out. Sign in again; what you typed is kept."


class Guard:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, settings: Settings, sessions: Sessions) -> None:
        self._app = app
        self._settings = settings
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send, https=scope["scheme"] == "https")
        request = Request(scope)
        try:
            self._check_host(request.headers)
            if scope["method"] not in SAFE_METHODS:
                _check_write(request)
            is_open = _is_open(scope["path"])
            scope["session"] = None if is_open else self._sessions.current(request)
            if is_open or scope["session"] is not None or not self._sessions.needed:
                await self._app(scope, receive, send)
            else:
                await self._ask_to_sign_in(request, receive, send)
        except Refusal as refusal:
            await send_refusal(refusal, send)

    async def _ask_to_sign_in(self, request: Request, receive: Receive, send: Send) -> None:
        path = request.url.path
        if path.startswith(("/api/", "/v1/")) or request.method != "GET":
            words = ENDED if self._sessions.was_refused(request) else SIGNED_OUT
            raise Refusal(401, "signed_out", words)
        target = path + (f"?{request.url.query}" if request.url.query else "")
        await RedirectResponse(f"/login?next={quote(target)}", 303)(request.scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        host = headers.get("host", "").lower()
        name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
        if name not in self._settings.allowed_hosts and "*" not in self._settings.allowed_hosts:
            raise Refusal(
                400,
                "invalid_request",
                f"The Host header {name[:100]!r} is not served here. Should it be? Add it to ALLOWED_HOSTS.",
            )


def _check_write(request: Request) -> None:
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    own = origin is None or urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
    if not own or site not in {"same-origin", "none"}:
        raise Refusal(403, "not_allowed", "This console takes writes from its own pages only.")
    if request.url.path not in FORMS and WRITE_HEADER not in request.headers:
        raise Refusal(
            403, "not_allowed", f"A write needs the header {WRITE_HEADER}: 1, which the console's pages send."
        )


def _is_open(path: str) -> bool:
    return path == "/login" or path.startswith("/static/") or path in OPEN_PATHS


def _with_headers(send: Send, *, https: bool) -> Send:
    extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    if https:
        extra.append((b"strict-transport-security", b"max-age=31536000"))

    async def send_with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *extra]
        await send(message)

    return send_with_headers
