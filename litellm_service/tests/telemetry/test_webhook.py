"""The webhook: signed, tried again, and never called where its name should not lead."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import socket
from ipaddress import ip_address

import pytest

from gateway.domain.errors import ProviderTimeout, ProviderUnavailable
from gateway.domain.event import Event
from gateway.domain.time import now_ms
from gateway.providers import webhook
from gateway.providers.connection import Timeouts
from gateway.providers.transport import Transport
from gateway.providers.webhook import Webhook, is_public, split_webhook
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
        self.targets: list[str] = []
        self.connections = 0
        self.port = 0
        self.over = asyncio.Event()

    async def __call__(self, reader, writer):
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
            head_line, *head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
            headers = dict(line.split(": ", 1) for line in head)
            self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
            self.targets.append(head_line.split(" ")[1])
            answer = self.answers.pop(0) if self.answers else b"200 OK"
            if answer:
                ending = b"" if b"content-length" in answer else b"\r\ncontent-length: 0"
                writer.write(b"HTTP/1.1 " + answer + ending + b"\r\n\r\n")
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


async def test_a_2xx_is_taken_whatever_becomes_of_its_body():
    async with receiving(b"200 OK\r\ncontent-length: 999999") as (receiver, transport):
        await hook(receiver, transport).deliver(event())
        assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("written", "target"),
    [("", "/"), ("/", "/"), ("/hook", "/hook"), ("/hook/", "/hook/"), ("/a%20b/?sig=x%2Fy", "/a%20b/?sig=x%2Fy"),
     ("?t=1", "/?t=1")],
)  # fmt: skip
async def test_path_and_query_are_asked_for_as_they_were_written(written, target):
    async with receiving() as (receiver, transport):
        url = f"http://127.0.0.1:{receiver.port}{written}"
        await Webhook(transport, url, SECRET, allow_private=True).deliver(event())
        assert receiver.targets == [target]


@pytest.mark.parametrize(
    "url",
    ["ftp://x/", "https://", "https://user:password@x/", "https://x/#part", "https://x/a b", "https://x/\x85",
     "https://bücher.example/", "x/hook"],
)  # fmt: skip
def test_what_is_no_plain_url_is_refused_at_the_start(url):
    with pytest.raises(ValueError, match="URL"):
        split_webhook(url)


HIDDEN = [
    "127.0.0.1", "localhost", "0x7f000001", "2130706433", "0177.0.0.1", "127.1", "0.0.0.0", "[::1]", "[::]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]", "LOCALHOST", "127.0.0.1.", "127%2e0.0.1", "127.0.0.1%00x",
]  # fmt: skip


@pytest.mark.parametrize("host", HIDDEN)
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
        ("192.0.0.8", False), ("192.0.2.1", False), ("192.88.99.1", False), ("198.18.0.1", False), ("198.51.100.1", False),
        ("203.0.113.1", False), ("224.0.0.1", False), ("240.0.0.1", False), ("255.255.255.255", False), ("11.0.0.1", True),
        ("172.32.0.1", True), ("192.169.0.1", True), ("100.128.0.1", True), ("223.255.255.254", True),
        ("::1", False), ("::", False), ("fe80::1", False), ("fec0::1", False), ("fd00::1", False), ("ff02::1", False),
        ("::ffff:127.0.0.1", False), ("::ffff:93.184.216.34", True), ("::7f00:1", False), ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False), ("64:ff9b::a9fe:a9fe", False), ("64:ff9b::5db8:d822", True), ("64:ff9b:1::7f00:1", False),
        ("100::1", False), ("2001:0:7f00:1::1", False), ("2001:db8::1", False), ("3fff::1", False), ("5f00::1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_anybodys(address, public):
    assert is_public(ip_address(address)) is public


def resolving(monkeypatch, *addresses: str) -> list[str]:
    """The system's resolver says this, whatever it is asked; gives back what it was asked."""
    asked = []

    async def getaddrinfo(host, port, **_given):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


async def test_one_bad_address_among_good_ones_is_enough_to_refuse(monkeypatch):
    async with receiving() as (receiver, transport):
        resolving(monkeypatch, "93.184.216.34", "127.0.0.1")
        with pytest.raises(ProviderUnavailable, match=r"hook\.example leads to 127\.0\.0\.1"):
            await hook(receiver, transport, host="hook.example", allow_private=False).deliver(event())
        assert receiver.connections == 0


async def test_it_is_resolved_once_and_the_next_address_serves_where_the_first_does_not(monkeypatch):
    async with receiving() as (receiver, transport):
        asked = resolving(monkeypatch, "127.0.0.9", "127.0.0.1")
        await hook(receiver, transport, host="hook.example").deliver(event())
        assert asked == ["hook.example"]
        assert receiver.got[0][0]["host"] == f"hook.example:{receiver.port}"


async def test_a_name_server_that_says_nothing_is_not_waited_for(monkeypatch):
    async def never(*_given, **_named):
        await asyncio.sleep(60)

    monkeypatch.setattr(webhook, "TIMEOUTS", Timeouts(connect_s=0.05))
    async with receiving() as (receiver, transport):
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
        with pytest.raises(ProviderTimeout, match="not resolved"):
            await hook(receiver, transport).deliver(event())


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


async def test_they_are_told_in_the_order_in_which_they_were_raised():
    told: list[str] = []

    async def deliver(one: Event) -> None:
        told.append(one.id)

    await delivered_after(deliver, 9, *[event(number) for number in range(9, 0, -1)])
    assert told == [f"event-{number}" for number in range(9, 0, -1)]


async def test_after_a_day_it_is_given_up(monkeypatch):
    async def refuse(_event: Event) -> None:
        raise ProviderUnavailable("no")

    assert await delivered_after(refuse, 1, event(1, at_ms=now_ms() - events.GIVE_UP_MS)) == ["event-1"]


async def test_a_fault_of_ours_does_not_end_the_delivery_of_other_events(monkeypatch, caplog):
    monkeypatch.setattr(events, "FIRST_RETRY_S", 0.01)
    tried: list[str] = []

    async def faulty(one: Event) -> None:
        tried.append(one.id)
        if tried.count("event-1") == 1 and one.id == "event-1":
            raise RuntimeError("a bug")

    assert sorted(await delivered_after(faulty, 2, event(1), event(2))) == ["event-1", "event-2"]
    assert "a bug" in caplog.text


async def test_a_slow_webhook_holds_nobody_up_and_stopping_leaves_what_is_not_delivered():
    begun = asyncio.Event()

    async def slow(_event: Event) -> None:
        begun.set()
        await asyncio.sleep(60)

    noted: list[str] = []

    async def note(event_id: str) -> None:
        noted.append(event_id)

    running = Events(slow, note, lambda kind: None)
    running.start([])
    for number in range(events.MOST_WAITING + 5):
        running.raised(event(number))
        if number == 0:
            await asyncio.wait_for(begun.wait(), 5)
    assert len(running._waiting) == events.MOST_WAITING
    await asyncio.wait_for(running.stop(), 5)
    assert noted == []


async def test_the_time_to_the_next_try_grows_to_an_hour(monkeypatch, caplog):
    running = Events(None, None, lambda kind: None)
    for failures, least, most in ((1, 2.5, 7.5), (2, 5, 15), (5, 40, 120), (30, 1800, 5400)):
        began = asyncio.get_running_loop().time()
        running._waiting.clear()
        running._again(event(), failures, "no")
        assert least <= running._waiting[0][0] - began <= most + 0.1
