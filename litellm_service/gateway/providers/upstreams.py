"""One attempt at a deployment, whichever way it is reached."""

from collections.abc import Callable

from gateway.domain.errors import ProviderUnavailable
from gateway.domain.failpoint import failpoint
from gateway.domain.request import ModelRequest
from gateway.providers import demo
from gateway.providers.answers import MAX_ANSWER_BYTES
from gateway.providers.calls import Call, Calls
from gateway.providers.connection import Timeouts
from gateway.providers.deployment import Deployment, Endpoint
from gateway.providers.litellm_worker.process import LiteLLMWorker
from gateway.providers.refusal import refusal
from gateway.providers.reply import Reply
from gateway.providers.transport import Origin, Transport

Attach = Callable[[Reply], None]


class Upstreams:
    """The native transport, the LiteLLM worker and the demo models behind one call."""

    def __init__(self, transport: Transport, worker: LiteLLMWorker, timeouts: Timeouts, calls: Calls) -> None:
        self._transport = transport
        self._worker = worker
        self._timeouts = timeouts
        self._calls = calls

    def set_up(self, calls: Calls) -> None:
        """From now on requests are written like this."""
        self._calls = calls

    def prepare(self, request: ModelRequest, deployment: Deployment, output_limit: int | None) -> Call:
        """See `Calls.call`."""
        return self._calls.call(request, deployment, output_limit)

    async def send(self, deployment: Deployment, call: Call, request_id: str, attach: Attach) -> Reply:
        """Send a call and give back a reply whose status is 200.

        `attach` gets the reply before anything is sent, so that it can be hung up on; it raises if nobody waits any more.
        Raises `ProviderError` or `Overloaded`; where `never_sent` is true, the provider has not heard of this request.
        """
        endpoint = deployment.endpoint
        reply: Reply
        if call.answer is not None:
            reply = demo.known(call.answer)
            attach(reply)
        elif endpoint.provider.wire == "demo":
            reply = await demo.reply(deployment.upstream_model, call.body, call.target.decode())
            attach(reply)
        else:
            origin = endpoint.origin or Origin("litellm", 0, tls=False, socket=await self._worker.ensure_ready())
            connection = await self._transport.connect(origin, self._timeouts)
            try:
                attach(connection)
            except BaseException:
                connection.close()
                raise
            failpoint("before_dispatch")
            connection.begin(_request(endpoint, call, request_id), self._timeouts)
            await connection.head()
            reply = connection
        if reply.status != 200:
            raise await refusal(reply, endpoint)
        return reply

    async def ask(self, endpoint: Endpoint, method: str, path: str, request_id: str) -> tuple[int, bytes]:
        """Status and body of what an endpoint says of something that it keeps; raises `ProviderError`."""
        if endpoint.origin is None:
            raise ProviderUnavailable(f"{endpoint.provider.title} cannot be asked this.", never_sent=True)
        connection = await self._transport.connect(endpoint.origin, self._timeouts)
        connection.begin(
            b"%s %s%s HTTP/1.1\r\n%sx-request-id: %s\r\ncontent-length: 0\r\n\r\n"
            % (method.encode(), endpoint.path.encode(), path.encode(), endpoint.headers, request_id.encode()),
            self._timeouts,
        )
        await connection.head()
        parts, size = [], 0
        while data := await connection.read():
            parts.append(data)
            size += len(data)
            if size > MAX_ANSWER_BYTES:
                connection.abort(ProviderUnavailable("The provider's answer is too large."))
        return connection.status, b"".join(parts)


def _request(endpoint: Endpoint, call: Call, request_id: str) -> bytes:
    headers = b"".join([b"%s: %s\r\n" % header for header in call.headers]) if call.headers else b""
    return b"POST %s HTTP/1.1\r\n%s%sx-request-id: %s\r\ncontent-length: %d\r\n\r\n%s" % (
        call.target, call.head or endpoint.headers, headers, request_id.encode(), len(call.body), call.body,
    )  # fmt: skip
