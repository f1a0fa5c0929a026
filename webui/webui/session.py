"""Who is signed in: sessions with their keys in memory here, a cookie in the browser, the key never there."""

import dataclasses
import secrets
import time
from collections import deque

from starlette.requests import Request
from starlette.responses import Response

from webui.settings import Settings
from webui.upstream import Person

LIFETIME_S = 12 * 3600
MOST_SESSIONS = 10_000
FAILURES_PER_MINUTE = 10
ENDED = (
    "Your key no longer opens the gateway: it was blocked, replaced or deleted, or it has expired. Sign in with another "
    "one, or ask an administrator. What you typed is kept."
)


@dataclasses.dataclass
class Session:
    """Somebody with a key that the API service took; `refused`: it takes it no longer. Times are monotonic seconds."""

    key: str = dataclasses.field(repr=False)
    person: Person
    ends_at: float
    refused: bool = False


class Sessions:
    """Opened with a key; ended by signing out, by twelve hours without use, or by a key that no longer opens the API."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sessions: dict[str, Session] = {}

    @property
    def needed(self) -> bool:
        """Whether anybody must sign in: there is a key, or others than this machine could come."""
        return self._settings.key.current() is not None or not self._settings.listens_on_loopback

    def current(self, request: Request) -> Session | None:
        """The session of this browser; a use makes it last longer."""
        session = self._of(request)
        if session is None or session.refused:
            return None
        session.ends_at = time.monotonic() + LIFETIME_S
        return session

    def was_refused(self, request: Request) -> bool:
        """Whether this browser's session ended because its key no longer opens the API."""
        session = self._of(request)
        return session is not None and session.refused

    def open(self, request: Request, response: Response, key: str, person: Person) -> None:
        """Begin a session in place of any earlier one, and set its cookie."""
        self._forget_expired()
        self._sessions.pop(_token(request), None)
        token = secrets.token_urlsafe(32)
        self._sessions[token] = Session(key, person, time.monotonic() + LIFETIME_S)
        secure = request.url.scheme == "https"
        response.set_cookie(_cookie(request), token, path="/", httponly=True, samesite="strict", secure=secure)

    def close(self, request: Request, response: Response) -> None:
        """End the session and remove its cookie."""
        self._sessions.pop(_token(request), None)
        secure = request.url.scheme == "https"
        response.delete_cookie(_cookie(request), path="/", httponly=True, samesite="strict", secure=secure)

    def refuse(self, key: str) -> None:
        """The API does not take this key: end every session that was opened with it, and forget the key."""
        for session in self._sessions.values():
            if session.key == key:
                session.key, session.refused = "", True

    def _of(self, request: Request) -> Session | None:
        token = _token(request)
        session = self._sessions.get(token)
        if session is not None and session.ends_at <= time.monotonic():
            del self._sessions[token]
            return None
        return session

    def _forget_expired(self) -> None:
        now = time.monotonic()
        self._sessions = {token: held for token, held in self._sessions.items() if held.ends_at > now}
        while len(self._sessions) >= MOST_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))


class Attempts:
    """Slows guessing: so many keys in a minute that were not taken, whoever sent them."""

    def __init__(self) -> None:
        self._failures: deque[float] = deque(maxlen=FAILURES_PER_MINUTE)

    def begin(self) -> bool:
        """Whether one more may be tried; it counts as failed until `forgive`, so that many at once are no way around."""
        now = time.monotonic()
        if len(self._failures) == FAILURES_PER_MINUTE and self._failures[0] > now - 60:
            return False
        self._failures.append(now)
        return True

    def forgive(self) -> None:
        """The last one was no wrong key."""
        self._failures.pop()


def _token(request: Request) -> str:
    return request.cookies.get(_cookie(request), "")


def _cookie(request: Request) -> str:
    return "__Host-session" if request.url.scheme == "https" else "session"
