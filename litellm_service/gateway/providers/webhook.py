"""Calling the operator's webhook, signed, and nowhere that its name should not lead.

Source: https://github.com/standard-webhooks/standard-webhooks (headers and signature).
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

import msgspec

from gateway.domain.errors import ProviderError, ProviderTimeout, ProviderUnavailable
from gateway.domain.event import Event
from gateway.domain.time import iso_z, now_ms
from gateway.providers.connection import Connection, Timeouts
from gateway.providers.transport import Origin, Transport, split_url

TIMEOUTS = Timeouts(connect_s=5, first_byte_s=10, silence_s=10, total_s=15)
MOST_ANSWER_BYTES = 64 * 1024
SECRET_PREFIX = "whsec_"  # noqa: S105  # what a secret begins with

Address = IPv4Address | IPv6Address
# What is not reachable from everywhere, of the IANA special-purpose registries (RFC 6890), and multicast and reserved space.
# Written out: what `ipaddress` knows of it differs between versions of Python.
_SPECIAL = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
_GLOBAL_UNICAST = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")  # its last 32 bits are an IPv4 address (RFC 6052)


class Webhook:
    """One URL that events are posted to.

    Its name is resolved anew for each call, every address it has is checked, and only those that were checked are connected
    to, one after the other until one can be reached. Redirects are not followed.
    """

    def __init__(self, transport: Transport, url: str, secret: str, *, allow_private: bool) -> None:
        self._transport = transport
        self._origin, self._target = split_webhook(url)
        self._secret = secret_bytes(secret)
        self._allow_private = allow_private

    async def deliver(self, event: Event) -> None:
        """Post an event; raises `ProviderUnavailable` or `ProviderTimeout` unless it was taken (2xx)."""
        body = msgspec.json.encode(
            {"type": event.kind, "timestamp": iso_z(event.at_ms), "subject": event.subject, "data": event.body}
        )
        connection = await self._connect()
        connection.begin(self._request(event.id, body), TIMEOUTS)
        await connection.head()
        status = connection.status
        with contextlib.suppress(ProviderError):  # the status has said it all
            await _drain(connection)
        if not 200 <= status < 300:
            raise ProviderUnavailable(f"the webhook answered {status}")

    async def _connect(self) -> Connection:
        failed: ProviderError | None = None
        for address in await self._addresses():
            try:
                origin = msgspec.structs.replace(self._origin, address=address)
                return await self._transport.connect(origin, TIMEOUTS)
            except ProviderError as error:
                failed = error
        raise failed or ProviderUnavailable(f"{self._origin.host} has no address")

    def _request(self, event_id: str, body: bytes) -> bytes:
        at_s = str(now_ms() // 1000)
        lines = (
            f"POST {self._target} HTTP/1.1",
            f"host: {self._origin.authority}",
            "content-type: application/json",
            "user-agent: litellm-microservices",
            "connection: close",
            f"webhook-id: {event_id}",
            f"webhook-timestamp: {at_s}",
            f"webhook-signature: {signature(self._secret, event_id, at_s, body)}",
            f"content-length: {len(body)}",
        )
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    async def _addresses(self) -> list[str]:
        host = self._origin.host
        try:
            async with asyncio.timeout(TIMEOUTS.connect_s):
                found = await asyncio.get_running_loop().getaddrinfo(host, self._origin.port, type=socket.SOCK_STREAM)
        except TimeoutError:
            raise ProviderTimeout(f"{host} was not resolved within {TIMEOUTS.connect_s:g} s") from None
        except (OSError, UnicodeError) as error:
            raise ProviderUnavailable(f"{host} cannot be resolved: {error}") from None
        addresses = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
        for address in addresses:
            if not self._allow_private and not is_public(ip_address(address)):
                raise ProviderUnavailable(
                    f"{host} leads to {address}, which is no public address; set GATEWAY_WEBHOOK_ALLOW_PRIVATE=true if it is meant"
                )
        return addresses


async def _drain(connection: Connection) -> None:
    size = 0
    while data := await connection.read():
        size += len(data)
        if size > MOST_ANSWER_BYTES:
            connection.abort(ProviderUnavailable("the webhook's answer is too long"))


def split_webhook(url: str) -> tuple[Origin, str]:
    """Where to connect, and the path and query to ask for, as they were written; raises `ValueError` for what is no such URL."""
    parts = urlsplit(url)
    origin, _ = split_url(parts._replace(path="", query="").geturl())
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not all("!" <= letter <= "~" for letter in target) or not parts.netloc.isascii():
        raise ValueError(
            "a URL is written in ASCII and without spaces: %-encode the path, and write the name in punycode"
        )
    return origin, target


def signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """`v1,` and the HMAC-SHA-256 of id, timestamp and body, in base64."""
    digest = hmac.digest(secret, b".".join((message_id.encode(), timestamp.encode(), body)), hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def is_public(address: Address) -> bool:
    """Whether an address can be reached from anywhere, whatever it is wrapped in."""
    if isinstance(address, IPv6Address):
        if address in _NAT64 or address.ipv4_mapped is not None:
            return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address not in _GLOBAL_UNICAST:
            return False
    return not any(address in network for network in _SPECIAL)


def secret_bytes(secret: str) -> bytes:
    """A Standard Webhooks secret (`whsec_` and base64), or any text as it is; raises `ValueError` for bad base64."""
    if secret.startswith(SECRET_PREFIX):
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    return secret.encode()
