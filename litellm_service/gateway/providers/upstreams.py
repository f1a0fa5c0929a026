"""One attempt at a deployment, whichever way it is reached."""

from collections.abc import Callable

from gateway.domain.failpoint import failpoint
from gateway.providers import demo
from gateway.providers.connection import Timeouts
from gateway.providers.deployment import Deployment
from gateway.providers.litellm_worker.process import LiteLLMWorker
from gateway.providers.refusal import refusal
from gateway.providers.reply import Reply
from gateway.providers.transport import Origin, Transport

Attach = Callable[[Reply], None]


class Upstreams:
    """The native transport, the LiteLLM worker and the demo models behind one call."""

    def __init__(self, transport: Transport, worker: LiteLLMWorker, timeouts: Timeouts) -> None:
        self._transport = transport
        self._worker = worker
        self._timeouts = timeouts

    async def call(self, deployment: Deployment, body: bytes, request_id: str, attach: Attach) -> Reply:
        """Send a body and give back a reply whose status is 200.

        `attach` gets the reply before anything is sent, so that it can be hung up on; it raises if nobody waits any more.
        Raises `ProviderError` or `Overloaded`; where `never_sent` is true, the provider has not heard of this request.
        """
        endpoint = deployment.endpoint
        reply: Reply
        if endpoint.provider.wire == "demo":
            reply = await demo.reply(deployment.upstream_model, body)
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
            connection.begin(_request(endpoint.head, body, request_id), self._timeouts)
            await connection.head()
            reply = connection
        if reply.status != 200:
            raise await refusal(reply, endpoint)
        return reply


def _request(head: bytes, body: bytes, request_id: str) -> bytes:
    return b"%sx-request-id: %s\r\ncontent-length: %d\r\n\r\n%s" % (head, request_id.encode(), len(body), body)
