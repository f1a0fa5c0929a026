"""The pages: small HTML shells that paint before any script runs."""

import dataclasses
import hashlib
from pathlib import Path
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from webui import __version__
from webui.assets import Assets
from webui.errors import Refusal
from webui.session import Sessions
from webui.settings import PACKAGE

MOST_FORM_BYTES = 4096
THEMES = ("light", "dark")


@dataclasses.dataclass(frozen=True)
class Page:
    """A template, the module that starts it, and what the navigation calls it."""

    template: str
    entry: str | None
    title: str
    section: str


PAGES = {
    "/": Page("chat.html", "chat.js", "Chat", "chat"),
    "/c/{id}": Page("chat.html", "chat.js", "Chat", "chat"),
    "/usage": Page("usage.html", "usage.js", "Usage", "usage"),
    "/requests": Page("requests.html", "requests.js", "Requests", "requests"),
    "/requests/{id}": Page("request.html", "request.js", "Request", "requests"),
}
KIT = Page("kit.html", "kit.js", "Component kit", "kit")
NOT_FOUND = Page("not-found.html", "plain.js", "Not found", "none")
LOGIN = Page("login.html", None, "Sign in", "login")


def folder(name: str) -> Path:
    """Where `static` or `templates` is: beside the package in the repository, inside it once installed."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


class Pages:
    """Renders shells; in `dev` the files are read anew for each page."""

    def __init__(self, sessions: Sessions, *, dev: bool) -> None:
        self._sessions = sessions
        self._dev = dev
        self._environment = Environment(
            loader=FileSystemLoader(folder("templates")),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=dev,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.assets = Assets(folder("static"))

    def show(self, page: Page, request: Request, *, status: int = 200, **values: object) -> Response:
        """A page as HTML with an ETag, or 304."""
        if self._dev:
            self.assets = Assets(folder("static"))
        theme = request.cookies.get("theme")
        html = self._environment.get_template(page.template).render(
            page=page,
            theme=theme if theme in THEMES else None,
            asset=self.assets.url,
            assets_hash=self.assets.hash,
            modules=[self.assets.url(name) for name in self.assets.modules(page.entry)] if page.entry else [],
            signed_in=self._sessions.needed,
            version=__version__,
            dev=self._dev,
            **values,
        )
        etag = f'"{hashlib.sha256(html.encode()).hexdigest()[:20]}"'
        headers = {"etag": etag, "cache-control": "no-cache", "vary": "cookie, accept-encoding"}
        if status == 200 and etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(html, status, headers, "text/html; charset=utf-8")

    def static(self, request: Request) -> Response:
        """`/static/{hash}/{path}`."""
        return self.assets.answer(request)

    async def sign_in(self, request: Request) -> Response:
        """`/login`: the form, and what it sends."""
        target = _own_path(request.query_params.get("next", "/"))
        if request.method != "POST":
            if self._sessions.allows(request):
                return RedirectResponse(target, 303)
            return self.show(LOGIN, request, refusal=None)
        refusal = self._sessions.refusal(await _form_key(request))
        if refusal is not None:
            return self.show(LOGIN, request, status=403, refusal=refusal)
        response = RedirectResponse(target, 303)
        self._sessions.open(request, response)
        return response

    async def sign_out(self, request: Request) -> Response:
        """`POST /logout`."""
        response = Response(status_code=204)
        self._sessions.close(request, response)
        return response


async def _form_key(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_FORM_BYTES:
            raise Refusal(413, "too_large", "A sign-in form holds a key and nothing else.")
    return parse_qs(body.decode("utf-8", "replace")).get("key", [""])[0]


def _own_path(target: str) -> str:
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"
