"""The webhook: signed, tried again, and never called where its name should not lead."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
from ipaddress import ip_address

import pytest

from gateway.domain.errors import ProviderTimeout, ProviderUnavailable
from gateway.domain.event import Event
from gateway.domain.time import now_ms
from gateway.providers import webhook
from gateway.providers.connection import Timeouts
from gateway.providers.transport import Transport
from gateway.providers.webhook import Webhook, is_public
from gateway.telemetry import events
from gateway.telemetry.events import Events

pytestmark = pytest.mark.anyio
SECRET = "whsec_" + base64.b64encode(b"a secret of the tests, long enough").decode()


def event(number: int = 1, at_ms: int | None = None) -> Event:
    return Event(
        id=f"event-{number}",
        at_ms=at_ms or now_ms(),
        kind="budget_threshold",
        subject="user alice",
        body={"percent": 80},
    )


class Receiver:
    """A server that answers what it is told to, and keeps what it got."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.connections = 0
        self.port = 0
        self.over = asyncio.Event()

    async def __call__(self, reader, writer):
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
            headers = dict(line.split(": ", 1) for line in head)
            self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
            answer = self.answers.pop(0) if self.answers else b"200 OK"
            if answer:
                writer.write(b"HTTP/1.1 " + answer + b"\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
            else:
                await self.over.wait()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def receiving(*answers: bytes):
    receiver = Receiver(*answers)
    server = await asyncio.start_server(receiver, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    transport = Transport()
    try:
        yield receiver, transport
    finally:
        receiver.over.set()
        await transport.close()
        server.close()
        await asyncio.sleep(0.02)


def hook(receiver: Receiver, transport: Transport, *, host: str = "127.0.0.1", allow_private: bool = True) -> Webhook:
    return Webhook(transport, f"http://{host}:{receiver.port}/hook", SECRET, allow_private=allow_private)


async def test_a_call_is_signed_as_standard_webhooks_says():
    async with receiving() as (receiver, transport):
        await hook(receiver, transport).deliver(event())
    ((headers, body),) = receiver.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == "event-1"
    assert json.loads(body)["data"] == {"percent": 80}
    assert json.loads(body)["type"] == "budget_threshold"


@pytest.mark.parametrize("answer", [b"500 Oops", b"302 Found\r\nlocation: http://127.0.0.1:1/", b"404 Not Found"])
async def test_anything_but_success_is_a_failure_and_redirects_are_not_followed(answer):
    async with receiving(answer) as (receiver, transport):
        with pytest.raises(ProviderUnavailable, match=answer[:3].decode()):
            await hook(receiver, transport).deliver(event())
        assert receiver.connections == 1


async def test_a_receiver_that_says_nothing_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(webhook, "TIMEOUTS", Timeouts(connect_s=1, first_byte_s=0.3, silence_s=0.3, total_s=1))
    async with receiving(b"") as (receiver, transport):
        with pytest.raises(ProviderTimeout):
            await hook(receiver, transport).deliver(event())


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "0177.0.0.1", "127.1", "0.0.0.0"]
)
async def test_private_addresses_are_not_called_however_they_are_written(host):
    async with receiving() as (receiver, transport):
        with pytest.raises(ProviderUnavailable):
            await hook(receiver, transport, host=host, allow_private=False).deliver(event())
        assert receiver.connections == 0


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("192.168.0.1", False), ("172.16.9.9", False), ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False),
        ("224.0.0.1", False), ("255.255.255.255", False), ("::1", False), ("::", False), ("fe80::1", False), ("fd00::1", False),
        ("::ffff:127.0.0.1", False), ("::ffff:93.184.216.34", True), ("2002:7f00:1::", False), ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False), ("ff02::1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_anybodys(address, public):
    assert is_public(ip_address(address)) is public


async def delivered_after(deliver, count: int, *waiting: Event) -> list[str]:
    done, enough = [], asyncio.Event()

    async def note(event_id: str) -> None:
        done.append(event_id)
        if len(done) == count:
            enough.set()

    running = Events(deliver, note, lambda kind: None)
    running.start(waiting[:1])
    for one in waiting[1:]:
        running.raised(one)
    await asyncio.wait_for(enough.wait(), 5)
    await running.stop()
    return done


async def test_what_fails_is_tried_again_until_it_is_taken(monkeypatch):
    monkeypatch.setattr(events, "FIRST_RETRY_S", 0.01)
    async with receiving(b"500 Oops", b"503 Busy") as (receiver, transport):
        done = await delivered_after(hook(receiver, transport).deliver, 2, event(1), event(2))
    assert sorted(done) == ["event-1", "event-2"]
    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert ids.count("event-1") + ids.count("event-2") == 4


async def test_after_a_day_it_is_given_up(monkeypatch):
    async def refuse(_event: Event) -> None:
        raise ProviderUnavailable("no")

    assert await delivered_after(refuse, 1, event(1, at_ms=now_ms() - events.GIVE_UP_MS)) == ["event-1"]
