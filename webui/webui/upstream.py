"""The connections to the API service, and whom a key belongs to."""

import dataclasses
import re
from typing import Any

import aiohttp
import yarl

from webui import __version__

CONNECT_TIMEOUT_S = 5
SILENCE_TIMEOUT_S = 600
IDENTIFY_TIMEOUT_S = 10
AGENT = f"litellm-microservices-webui/{__version__}"
_KEY = re.compile(r"[\x21-\x7e]{1,512}")


@dataclasses.dataclass(frozen=True)
class Person:
    """Whoever a key belongs to, as `GET /api/me` says; `key_id` is empty where the API service asks for no key."""

    key_id: str
    role: str
    name: str
    user_id: str | None
    application_id: str | None
    store_content: bool


class KeyRefused(Exception):
    """The API service does not take this key; `is_known`: it knows it, but not for this."""

    def __init__(self, *, is_known: bool = False) -> None:
        super().__init__()
        self.is_known = is_known


class Unreachable(Exception):
    """The API service gave no usable answer; the message says what to do."""


class Upstream:
    """One pool of connections for the proxy and for sign-in."""

    client: aiohttp.ClientSession

    def __init__(self, url: str) -> None:
        self.url = url

    async def start(self) -> None:
        """Open the pool."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=30)
        self.client = aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def stop(self) -> None:
        """Close it."""
        await self.client.close()

    async def person(self, key: str | None) -> Person:
        """Whoever this key belongs to, or a call without one; raises `KeyRefused` or `Unreachable`."""
        if key is not None and not _KEY.fullmatch(key):
            raise KeyRefused
        headers = headers_for(key) | {"accept": "application/json"}
        timeout = aiohttp.ClientTimeout(total=IDENTIFY_TIMEOUT_S)
        try:
            async with self.client.get(
                yarl.URL(self.url + "/api/me"), headers=headers, timeout=timeout, allow_redirects=False
            ) as reply:
                if reply.status in {401, 403}:
                    raise KeyRefused(is_known=reply.status == 403)
                return _person(reply.status, await reply.json())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unreachable(self.unreachable(error)) from error

    def unreachable(self, error: Exception) -> str:
        """What a failed call means, and what to do."""
        if isinstance(error, (aiohttp.ContentTypeError, ValueError)):
            return (
                f"What answers at {self.url} is no API service of this version, or it is not well. Look at its log, and at "
                "LITELLM_API_URL for the WebUI."
            )
        why = "it did not answer in time" if isinstance(error, TimeoutError) else "nothing listens there"
        return (
            f"The API service at {self.url} cannot be reached: {why}. Start it with: "
            "cd litellm_service && python api_service.py. If it runs elsewhere, set LITELLM_API_URL for the WebUI."
        )


def headers_for(key: str | None) -> dict[str, str]:
    """What goes with every call; no compression, so that answers can be passed on as they are."""
    headers = {"accept-encoding": "identity", "user-agent": AGENT}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    return headers


def _person(status: int, answer: Any) -> Person:
    if status != 200 or not isinstance(answer, dict) or answer.get("role") not in {"admin", "viewer", "member"}:
        raise ValueError(status)
    return Person(
        key_id=str(answer.get("key_id") or ""),
        role=answer["role"],
        name=str(answer.get("name") or ("admin key" if answer.get("key_id") == "admin" else "unnamed key")),
        user_id=answer.get("user_id"),
        application_id=answer.get("application_id"),
        store_content=answer.get("store_content") is not False,
    )
