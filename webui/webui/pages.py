"""The pages: small HTML shells that paint before any script runs."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from webui import __version__
from webui.assets import Assets
from webui.session import Session
from webui.settings import PACKAGE

THEMES = ("light", "dark")
EVERYBODY = frozenset({"admin", "viewer", "member"})
READERS = frozenset({"admin", "viewer"})


@dataclasses.dataclass(frozen=True)
class Page:
    """A template, the module that starts it, and what the navigation calls it; without an icon it is not listed there."""

    template: str
    entry: str | None
    title: str
    section: str
    icon: str = ""
    group: str = "Pages"
    roles: frozenset[str] = EVERYBODY


def _listed(name: str, title: str, icon: str, roles: frozenset[str] = EVERYBODY) -> Page:
    """A page of the administration: one shell for all, a module for each."""
    return Page("admin.html", f"{name}.js", title, name, icon, "Administration", roles)


PAGES = {
    "/": Page("chat.html", "chat.js", "Chat", "chat", "chat"),
    "/c/{id}": Page("chat.html", "chat.js", "Chat", "chat"),
    "/usage": Page("usage.html", "usage.js", "Usage", "usage", "usage"),
    "/requests": Page("requests.html", "requests.js", "Requests", "requests", "requests"),
    "/requests/{id}": Page("request.html", "request.js", "Request", "requests"),
    "/models": _listed("models", "Models", "models"),
    "/keys": _listed("keys", "Keys", "key"),
    "/budgets": _listed("budgets", "Budgets", "budget", READERS),
    "/prices": _listed("prices", "Prices", "price", READERS),
    "/providers": _listed("providers", "Providers", "provider", READERS),
    "/alerts": _listed("alerts", "Alerts", "warn", READERS),
    "/audit": _listed("audit", "Audit log", "audit", READERS),
}
KIT = Page("kit.html", "kit.js", "Component kit", "kit")
NOT_FOUND = Page("not-found.html", "plain.js", "Not found", "none")
NOT_ALLOWED = Page("not-allowed.html", "plain.js", "Not allowed", "none")
LOGIN = Page("login.html", None, "Sign in", "login")


def folder(name: str) -> Path:
    """Where `static` or `templates` is: beside the package in the repository, inside it once installed."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


class Pages:
    """Renders shells; in `dev` the files are read anew for each page. `api_url` is for examples that people run."""

    def __init__(self, *, dev: bool, api_url: str) -> None:
        self._dev = dev
        self._api_url = api_url
        self._environment = Environment(
            loader=FileSystemLoader(folder("templates")),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=dev,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.assets = Assets(folder("static"))

    def show(self, page: Page, request: Request, *, status: int = 200, **values: Any) -> Response:
        """A page as HTML with an ETag, or 304."""
        if self._dev:
            self.assets = Assets(folder("static"))
        session: Session | None = request.scope.get("session")
        html = self.html(page, request.cookies.get("theme"), session, **values)
        etag = f'"{hashlib.sha256(html.encode()).hexdigest()[:20]}"'
        headers = {
            "etag": etag,
            "cache-control": "no-cache" if session is None else "private, no-cache",
            "vary": "cookie, accept-encoding",
        }
        if status == 200 and etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(html, status, headers, "text/html; charset=utf-8")

    def html(
        self, page: Page, theme: str | None, session: Session | None, *, hosted: str = "", **values: object
    ) -> str:
        """A page's text; `hosted` is the content security policy of a build for static hosting, which writes it into the page."""
        return self._environment.get_template(page.template).render(
            page=page,
            theme=theme if theme in THEMES else None,
            asset=self.assets.url,
            assets_hash=self.assets.hash,
            api_url=self._api_url,
            modules=[self.assets.url(name) for name in self.assets.modules(page.entry)] if page.entry else [],
            person=None if session is None else dataclasses.asdict(session.person),
            navigation=_navigation("admin" if session is None else session.person.role),
            version=__version__,
            dev=self._dev,
            hosted=hosted,
            **values,
        )

    def static(self, request: Request) -> Response:
        """`/static/{hash}/{path}`."""
        return self.assets.answer(request)


def _navigation(role: str) -> dict[str, list[tuple[str, Page]]]:
    """What this role finds in the navigation: path and page of each, by group."""
    groups: dict[str, list[tuple[str, Page]]] = {}
    for path, page in PAGES.items():
        if page.icon and role in page.roles:
            groups.setdefault(page.group, []).append((path, page))
    return groups
