"""The service's own routes for commands: of the service that runs, else of the same application in this process."""

import asyncio
import http.client
import secrets
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeVar

import msgspec

from gateway.settings import Settings, pepper
from gateway.store.sqlite import opening
from gateway.store.sqlite.opening import DatabaseInUse, DatabaseUnusable
from gateway.telemetry.log import configure

T = TypeVar("T")
PATIENCE_S = 60
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what to call, not what to listen on


class Answer(msgspec.Struct, frozen=True):
    """Status and decoded JSON."""

    status: int
    value: Any


Ask = Callable[[str, str, object], Awaitable[Answer]]
Conversation = Callable[[Ask], Awaitable[T]]


class NoAnswer(DatabaseUnusable):
    """A service has the database, but does not answer where the settings say."""


def talk(settings: Settings, conversation: Conversation[T]) -> T:
    """Have a conversation with the service as its administrator; `ask` takes method, path with query, and body or `None`.

    Raises `DatabaseUnusable` or `NoAnswer`.
    """
    opening.prepare_folder(settings.database)
    lock = opening.FileLock(settings.database)
    try:
        lock.acquire()
    except DatabaseInUse as in_use:
        return asyncio.run(_over_http(settings, conversation, in_use))
    lock.release()
    return asyncio.run(_inside(settings, conversation))


async def _inside(settings: Settings, conversation: Conversation[T]) -> T:
    from gateway.app import Gateway  # nothing of it is needed where a service runs  # noqa: PLC0415

    configure("warning", "text")
    key = secrets.token_urlsafe(32)
    gateway = Gateway(settings, key, pepper(settings), logs_as_json=False)
    gateway.store.open()
    await gateway.start()

    async def ask(method: str, path: str, body: object) -> Answer:
        return await _call(gateway.asgi, key, (method, path), _encoded(body))

    try:
        return await conversation(ask)
    finally:
        await gateway.stop()


async def _call(app: Any, key: str, line: tuple[str, str], body: bytes | None) -> Answer:
    path, _, query = line[1].partition("?")
    headers = [(name.encode(), value.encode()) for name, value in _headers(key, body).items()]
    scope = {
        "type": "http", "http_version": "1.1", "method": line[0], "scheme": "http", "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "root_path": "", "headers": [(b"host", b"localhost"), *headers],
        "client": None, "server": ("localhost", 0),
    }  # fmt: skip
    came: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        came.append(message)

    await app(scope, receive, send)
    return Answer(came[0]["status"], msgspec.json.decode(b"".join(part.get("body", b"") for part in came[1:])))


async def _over_http(settings: Settings, conversation: Conversation[T], in_use: DatabaseInUse) -> T:
    connection = _connection(settings)
    key = _admin_key(settings)

    async def ask(method: str, path: str, body: object) -> Answer:
        encoded = _encoded(body)
        try:
            connection.request(method, path, body=encoded, headers=_headers(key, encoded))
            response = connection.getresponse()
            return Answer(response.status, msgspec.json.decode(response.read()))
        except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
            raise NoAnswer(
                f"The database is in use (process {in_use.owner}), but no gateway answers at {connection.host}:"
                f"{connection.port}: {error}. Set API_HOST and API_PORT (and TLS_CERT) as the running service has them."
            ) from error

    try:
        return await conversation(ask)
    finally:
        connection.close()


def _connection(settings: Settings) -> http.client.HTTPConnection:
    server = settings.server
    host = _EVERY_ADDRESS.get(server.api_host, server.api_host)
    if server.tls_cert is None:
        return http.client.HTTPConnection(host, server.api_port, timeout=PATIENCE_S)
    context = ssl.create_default_context(cafile=server.tls_cert)
    context.check_hostname = False  # it is this very certificate that is trusted, for whatever name it was made
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return http.client.HTTPSConnection(host, server.api_port, timeout=PATIENCE_S, context=context)


def _admin_key(settings: Settings) -> str | None:
    if settings.server.gateway_admin_key is not None or not settings.key_file.exists():
        return settings.server.gateway_admin_key
    return settings.key_file.read_text().strip()


def _encoded(body: object) -> bytes | None:
    return None if body is None else msgspec.json.encode(body)


def _headers(key: str | None, body: bytes | None) -> dict[str, str]:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    if body is not None:
        headers |= {"content-type": "application/json", "content-length": str(len(body))}
    return headers
