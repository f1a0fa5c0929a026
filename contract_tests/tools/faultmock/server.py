"""The mock itself: routes, counts and the truth log of every call."""

import asyncio
import contextlib
from collections import Counter

from faultmock.answering import make_answer
from faultmock.asking import Ask, Target, make_ask
from faultmock.bodies import decoded
from faultmock.call import Call
from faultmock.faults import fault_of, why_not
from faultmock.http import Connection, Cut, PeerGone, Request
from faultmock.memory import Memory
from faultmock.pieces import dumps
from faultmock.routes import is_about_kept, target_of
from faultmock.truth import TruthLog, asked_fields, request_fields
from faultmock.wires import WIRES

MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-3.5-turbo", "claude-sonnet-4-5")
_UNREADABLE = (ValueError, AttributeError, TypeError, LookupError, RecursionError)


class FaultMock:
    """An upstream on a loopback port; start it with `start`, and `close` it."""

    def __init__(self, truth: TruthLog) -> None:
        self._truth = truth
        self._calls = 0
        self._tries: Counter[str] = Counter()
        self._memory = Memory()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> str:
        """Listen, and return the base URL that ends in `/v1`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self._handle), "127.0.0.1", port, backlog=1024)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    def close(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.close()

    async def _handle(self, connection: Connection, request: Request) -> None:
        self._calls += 1
        target = target_of(request.method, request.path)
        if target is None:
            await self._handle_other(connection, request, self._calls)
            return
        try:
            answer = make_answer(self._read(target, request))
        except _UNREADABLE as error:
            self._truth.write("unread", n=self._calls, path=request.path, error=str(error))
            refusal = WIRES[target.wire].error(400, f"faultmock: {error}", None)
            await _send_plainly(connection, 400, dumps(refusal).encode())
            return
        await self._answer(Call(connection, request, answer.ask, answer, self._calls))

    def _read(self, target: Target, request: Request) -> Ask:
        body = decoded(request)
        if target.wire == "responses":
            body = self._memory.unfolded(body)
        asked = WIRES[target.wire].read(body, target)
        ask = make_ask(target, asked, request.headers.get("x-faultmock", ""), self._calls)
        if reason := why_not(ask.script.fault, target.wire, array=ask.array):
            raise ValueError(reason)
        return ask

    async def _handle_other(self, connection: Connection, request: Request, n: int) -> None:
        self._truth.write("other", n=n, path=request.path, method=request.method)
        if request.path == "/v1/models":
            data = [{"id": name, "object": "model", "created": 0, "owned_by": "faultmock"} for name in MODELS]
            await _send_plainly(connection, 200, dumps({"object": "list", "data": data}).encode())
            return
        if is_about_kept(request.path):
            status, body = self._memory.answer(request.method, request.path.partition("?")[0])
            await _send_plainly(connection, status, dumps(body).encode())
            return
        await _send_plainly(connection, 404, b'{"error":{"message":"faultmock: no such path"}}')

    async def _answer(self, call: Call) -> None:
        self._truth.write("request", n=call.n, **asked_fields(call.ask), **request_fields(call.request))
        connection, sent_before = call.connection, call.connection.bytes_sent
        how, fault = "finished", fault_of(self._fault_now(call.ask), call.ask.wire) or Call.send_answer
        try:
            await connection.sleep(call.ask.script.first_ms)
            await fault(call)
        except PeerGone:
            how = connection.gone_how or "peer_fin"
        except Cut:
            how = "cut"
        if call.ask.wire == "responses" and call.status == 200:
            self._memory.keep(call.answer)
        self._truth.write(
            "end",
            n=call.n,
            how=how,
            status=call.status,
            tokens_sent=call.tokens_sent,
            usage=call.usage,
            served=call.wire.served(call.usage),
            bytes_sent=connection.bytes_sent - sent_before,
        )

    def _fault_now(self, ask: Ask) -> str:
        """The fault of this call; with `times` only the first so many calls of a marker have it."""
        tries = self._tries[ask.marker or ""]
        self._tries[ask.marker or ""] += 1
        return "" if ask.script.times and tries >= ask.script.times else ask.script.fault


async def _send_plainly(connection: Connection, status: int, body: bytes) -> None:
    head = f"HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    with contextlib.suppress(PeerGone):
        await connection.send(head.encode() + body)
