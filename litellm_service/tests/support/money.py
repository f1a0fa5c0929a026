"""A gateway in this process with keys, budgets and limits, on a real file."""

import asyncio
import contextlib
import json

import msgspec

from gateway.app import Gateway
from gateway.domain.administration import Change, Put
from gateway.domain.budget import Budget
from gateway.domain.key import Key
from gateway.domain.scope import Scope
from gateway.identity import KeyRing
from gateway.settings import load

PEPPER = b"pepper-of-the-tests"
ADMIN = "sk-admin-of-the-tests-0001"
USD = 1_000_000_000


class Reply:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


def make_key(**changes: object) -> tuple[Key, str]:
    issued = KeyRing(PEPPER).issue()
    return Key(**{"id": issued.id, "name": "n", "digests": ((issued.digest, None),), **changes}), issued.secret


def make_budget(amount: int, scope: Scope | None = None, **changes: object) -> Budget:
    return Budget(**{
        "id": "b1", "scope": scope or Scope("everything"), "amount_nano_usd": amount, "period": "total", **changes,
    })  # fmt: skip


@contextlib.asynccontextmanager
async def running(folder, *objects: msgspec.Struct, admin_key: str | None = ADMIN, **environment: str):
    """A started gateway; objects are put into its file before."""
    settings = load({"DATABASE_URL": f"sqlite:///{folder}/u.db", "LOG_LEVEL": "error", **environment})
    kinds = {Key: "key", Budget: "budget"}
    gateway = Gateway(settings, admin_key, PEPPER, logs_as_json=True)
    gateway.store.open()
    gateway.store.start()
    steps = tuple(Put(kinds.get(type(one), "limit"), one.id, one) for one in objects)
    await gateway.store.change(Change(steps=steps, audit=()))
    await asyncio.to_thread(gateway.store.close)
    gateway = Gateway(settings, admin_key, PEPPER, logs_as_json=True)
    gateway.store.open()
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()


async def ask(gateway: Gateway, secret: str = ADMIN, path: str = "/v1/chat/completions", **fields: object) -> Reply:
    """Call a model with a key; `headers` may be among the fields."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {secret}", **fields.pop("headers", {})}
    body = {"model": "demo/priced", "messages": [{"role": "user", "content": "x"}], **fields}
    return await send(gateway, "POST", path, headers, json.dumps(body).encode())


async def send(gateway: Gateway, method: str, path: str, headers: dict[str, str], body=b"") -> Reply:
    """`body` is bytes, or a coroutine function that takes its time to give them."""
    length = [] if callable(body) else [(b"content-length", b"%d" % len(body))]
    raw = [(b"host", b"localhost"), *((name.encode(), value.encode()) for name, value in headers.items())]
    path, _, query = path.partition("?")
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(), "scheme": "http",
        "query_string": query.encode(), "headers": [*raw, *length],
        "server": ("127.0.0.1", 5000), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    sent, came = [], [{"type": "http.request", "body": body}]

    async def receive():
        if came:
            message = came.pop()
            return {**message, "body": await body()} if callable(body) else message
        await asyncio.Event().wait()

    async def collect(message):
        sent.append(message)

    await gateway.asgi(scope, receive, collect)
    head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Reply(sent[0]["status"], head, b"".join(message.get("body", b"") for message in sent[1:]))
