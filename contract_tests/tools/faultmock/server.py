"""The mock itself: routes, counts and the truth log of every call."""

import asyncio
import contextlib
from collections import Counter

from faultmock import wires
from faultmock.call import Call
from faultmock.faults import FAULTS
from faultmock.http import Connection, Cut, PeerGone, Request
from faultmock.script import Ask, read_ask
from faultmock.truth import TruthLog

MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-3.5-turbo", "claude-sonnet-4-5")
_WIRES = {"/v1/chat/completions": "openai", "/v1/messages": "anthropic"}
_ID_HEADERS = ("x-request-id", "x-client-request-id", "idempotency-key", "traceparent")


class FaultMock:
    """An upstream on a loopback port; start it with `start`, and `close` it."""

    def __init__(self, truth: TruthLog) -> None:
        self._truth = truth
        self._calls = 0
        self._tries: Counter[str] = Counter()
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
        wire = _WIRES.get(request.path.partition("?")[0])
        if wire is None:
            await self._handle_other(connection, request, self._calls)
            return
        try:
            ask = read_ask(wire, request.body, request.headers.get("x-faultmock", ""))
            _check_fault(ask.script.fault)
        except (ValueError, AttributeError, TypeError) as error:
            self._truth.write("unread", n=self._calls, path=request.path, error=str(error))
            refusal = wires.dumps(wires.error_body(wire, 400, f"faultmock: {error}")).encode()
            await _send_plainly(connection, 400, refusal)
            return
        await self._answer(Call(connection, request, ask, wires.make_answer(ask), self._calls))

    async def _handle_other(self, connection: Connection, request: Request, n: int) -> None:
        self._truth.write("other", n=n, path=request.path)
        if request.path == "/v1/models":
            data = [{"id": name, "object": "model", "created": 0, "owned_by": "faultmock"} for name in MODELS]
            await _send_plainly(connection, 200, wires.dumps({"object": "list", "data": data}).encode())
            return
        await _send_plainly(connection, 404, b'{"error":{"message":"faultmock: no such path"}}')

    async def _answer(self, call: Call) -> None:
        self._log_request(call)
        connection, sent_before = call.connection, call.connection.bytes_sent
        how, fault = "finished", FAULTS.get(self._fault_now(call.ask), Call.send_answer)
        try:
            await connection.sleep(call.ask.script.first_ms)
            await fault(call)
        except PeerGone:
            how = connection.gone_how or "peer_fin"
        except Cut:
            how = "cut"
        self._truth.write(
            "end",
            n=call.n,
            how=how,
            status=call.status,
            tokens_sent=call.tokens_sent,
            usage=call.usage,
            bytes_sent=connection.bytes_sent - sent_before,
        )

    def _fault_now(self, ask: Ask) -> str:
        """The fault of this call; with `times` only the first so many calls of a marker have it."""
        tries = self._tries[ask.marker or ""]
        self._tries[ask.marker or ""] += 1
        return "" if ask.script.times and tries >= ask.script.times else ask.script.fault

    def _log_request(self, call: Call) -> None:
        ask, headers = call.ask, call.request.headers
        self._truth.write(
            "request",
            n=call.n,
            wire=ask.wire,
            marker=ask.marker,
            model=ask.model,
            stream=ask.stream,
            include_usage=ask.include_usage,
            fault=ask.script.fault,
            prompt_tokens=ask.prompt_tokens,
            max_tokens=ask.max_tokens,
            headers=headers,
            ids={name: headers[name] for name in _ID_HEADERS if name in headers},
        )


def _check_fault(name: str) -> None:
    if name and name not in FAULTS:
        raise ValueError(f"no fault {name!r}; `python -m faultmock --list` lists them")


async def _send_plainly(connection: Connection, status: int, body: bytes) -> None:
    head = f"HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    with contextlib.suppress(PeerGone):
        await connection.send(head.encode() + body)
