"""Who is signed in: sessions in memory, a cookie in the browser, the key never there."""

import secrets
import time
from collections import deque

from starlette.requests import Request
from starlette.responses import Response

from webui.settings import Settings

LIFETIME_S = 12 * 3600
MOST_SESSIONS = 10_000
FAILURES_PER_MINUTE = 10


class Sessions:
    """Sign-in with the API service's key; a changed key ends every session made with the old one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sessions: dict[str, tuple[float, str]] = {}
        self._failures: deque[float] = deque(maxlen=FAILURES_PER_MINUTE)

    @property
    def needed(self) -> bool:
        """Whether anybody must sign in: there is a key, or others than this machine could come."""
        return self._settings.key.current() is not None or not self._settings.listens_on_loopback

    def allows(self, request: Request) -> bool:
        """Whether the request may see pages and reach the API; a use makes the session last longer."""
        if not self.needed:
            return True
        token = request.cookies.get(_cookie(request), "")
        ends_at, key = self._sessions.get(token, (0.0, ""))
        now = time.monotonic()
        if ends_at <= now or key != self._settings.key.current():
            self._sessions.pop(token, None)
            return False
        self._sessions[token] = now + LIFETIME_S, key
        return True

    def refusal(self, given: str) -> str | None:
        """Why this key does not sign in, in words for the person; `None` if it does."""
        key = self._settings.key.current()
        now = time.monotonic()
        if key is None:
            return "No key is set up here yet. Set GATEWAY_ADMIN_KEY for this console, or give it the API service's key file."
        if len(self._failures) == FAILURES_PER_MINUTE and self._failures[0] > now - 60:
            return "Too many wrong keys in the last minute. Wait a minute, then try again."
        if secrets.compare_digest(given.strip().encode(), key.encode()):
            return None
        self._failures.append(now)
        return "That is not the key. It is the value of GATEWAY_ADMIN_KEY, or the API service printed it at its first start."

    def open(self, request: Request, response: Response) -> None:
        """Begin a session and set its cookie."""
        self._forget_expired()
        token = secrets.token_urlsafe(32)
        self._sessions[token] = time.monotonic() + LIFETIME_S, self._settings.key.current() or ""
        secure = request.url.scheme == "https"
        response.set_cookie(_cookie(request), token, path="/", httponly=True, samesite="strict", secure=secure)

    def close(self, request: Request, response: Response) -> None:
        """End the session and remove its cookie."""
        self._sessions.pop(request.cookies.get(_cookie(request), ""), None)
        secure = request.url.scheme == "https"
        response.delete_cookie(_cookie(request), path="/", httponly=True, samesite="strict", secure=secure)

    def _forget_expired(self) -> None:
        now = time.monotonic()
        self._sessions = {token: held for token, held in self._sessions.items() if held[0] > now}
        while len(self._sessions) >= MOST_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))


def _cookie(request: Request) -> str:
    return "__Host-session" if request.url.scheme == "https" else "session"
