"""Signing in with a key of the gateway, and out."""

import secrets
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from webui.errors import Refusal
from webui.pages import LOGIN, Pages
from webui.session import ENDED, Attempts, Sessions
from webui.settings import ApiKey
from webui.upstream import KeyRefused, Person, Unreachable, Upstream

MOST_FORM_BYTES = 4096
WRONG = (
    "This key does not open the gateway. It may be mistyped, blocked, expired or deleted; an administrator can tell."
)
LIMITED = "This key is limited to some routes of the API, so it does not open the console. Ask for another one."
TOO_MANY = "Too many wrong keys in the last minute. Wait a minute, then try again."
ANYBODY = "The API service takes anybody in, so it cannot tell whose key this is. Set GATEWAY_ADMIN_KEY for it, and start it again."


class Login:
    """`/login` and `/logout`. Keys are the API service's to check; `own_key` is what the console knows of its settings."""

    def __init__(self, pages: Pages, sessions: Sessions, upstream: Upstream, own_key: ApiKey) -> None:
        self._pages = pages
        self._sessions = sessions
        self._upstream = upstream
        self._own_key = own_key
        self._attempts = Attempts()

    async def sign_in(self, request: Request) -> Response:
        """The form, and what it sends."""
        target = _own_path(request.query_params.get("next", "/"))
        if request.method != "POST":
            if await self._is_in(request):
                return RedirectResponse(target, 303)
            return self._form(request, 200, ENDED if self._sessions.was_refused(request) else None)
        key = (await _form_key(request)).strip()
        try:
            person = await self._checked(key)
        except _NotIn as error:
            return self._form(request, error.status, str(error))
        response = RedirectResponse(target, 303)
        self._sessions.open(request, response, key, person)
        return response

    async def sign_out(self, request: Request) -> Response:
        """`POST /logout`."""
        response = RedirectResponse("/login", 303)
        self._sessions.close(request, response)
        return response

    async def _is_in(self, request: Request) -> bool:
        if self._sessions.current(request) is not None:
            return True
        if self._sessions.needed:
            return False
        try:
            await self._upstream.person(None)
        except KeyRefused:
            return False
        except Unreachable:
            return True  # its pages say so, and what to do
        return True

    async def _checked(self, key: str) -> Person:
        """Whoever may come in with this key; raises `_NotIn`."""
        if not self._attempts.begin():
            raise _NotIn(TOO_MANY, 429)
        try:
            person = await self._upstream.person(key)
        except KeyRefused as error:
            raise _NotIn(LIMITED if error.is_known else WRONG, 403) from None
        except Unreachable as error:
            self._attempts.forgive()
            raise _NotIn(str(error), 502) from None
        if not person.key_id and not self._is_own(key):
            raise _NotIn(ANYBODY, 403)
        self._attempts.forgive()
        return person

    def _is_own(self, key: str) -> bool:
        """Whether it is the console's own: all there is to go by where the API service looks at no key."""
        own = self._own_key.current()
        return own is not None and secrets.compare_digest(key.encode(), own.encode())

    def _form(self, request: Request, status: int, refusal: str | None) -> Response:
        return self._pages.show(LOGIN, request, status=status, refusal=refusal)


class _NotIn(Exception):
    """The message is for the person, the status for the browser."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


async def _form_key(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_FORM_BYTES:
            raise Refusal(413, "too_large", "A sign-in form holds a key and nothing else.")
    return parse_qs(body.decode("utf-8", "replace")).get("key", [""])[0]


def _own_path(target: str) -> str:
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"
