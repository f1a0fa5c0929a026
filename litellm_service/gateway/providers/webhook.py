"""Calling the operator's webhook, signed, and nowhere that its name should not lead.

Source: https://github.com/standard-webhooks/standard-webhooks (headers and signature).
"""

import asyncio
import base64
import hashlib
import hmac
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import msgspec

from gateway.domain.errors import ProviderUnavailable
from gateway.domain.event import Event
from gateway.domain.time import iso_z, now_ms
from gateway.providers.connection import Timeouts
from gateway.providers.transport import Transport, split_url

TIMEOUTS = Timeouts(connect_s=5, first_byte_s=10, silence_s=10, total_s=15)
MOST_ANSWER_BYTES = 64 * 1024
SECRET_PREFIX = "whsec_"  # noqa: S105  # what a secret begins with

Address = IPv4Address | IPv6Address
_NAT64 = 0x64_FF9B_0000_0000_0000_0000  # 64:ff9b::/96 without its last 32 bits, which are an IPv4 address (RFC 6052)


class Webhook:
    """One URL that events are posted to.

    Its name is resolved anew for each call, every address it has is checked, and the one that was checked is the one that is
    connected to. Redirects are not followed.
    """

    def __init__(self, transport: Transport, url: str, secret: str, *, allow_private: bool) -> None:
        self._transport = transport
        self._origin, self._path = split_url(url)
        self._secret = secret_bytes(secret)
        self._allow_private = allow_private

    async def deliver(self, event: Event) -> None:
        """Post an event; raises `ProviderUnavailable` or `ProviderTimeout` unless it was taken (2xx)."""
        body = msgspec.json.encode(
            {"type": event.kind, "timestamp": iso_z(event.at_ms), "subject": event.subject, "data": event.body}
        )
        origin = msgspec.structs.replace(self._origin, address=await self._address())
        connection = await self._transport.send(origin, self._request(event.id, body), TIMEOUTS)
        size = 0
        while (data := await connection.read()) and size <= MOST_ANSWER_BYTES:
            size += len(data)
        if size > MOST_ANSWER_BYTES:
            connection.abort(ProviderUnavailable("The webhook's answer is too long."))
        if not 200 <= connection.status < 300:
            raise ProviderUnavailable(f"the webhook answered {connection.status}")

    def _request(self, event_id: str, body: bytes) -> bytes:
        at_s = str(now_ms() // 1000)
        lines = (
            f"POST {self._path or '/'} HTTP/1.1",
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

    async def _address(self) -> str:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                self._origin.host, self._origin.port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError) as error:
            raise ProviderUnavailable(f"{self._origin.host} cannot be resolved: {error}") from None
        addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
        for address in addresses:
            if not self._allow_private and not is_public(ip_address(address)):
                raise ProviderUnavailable(
                    f"{self._origin.host} leads to {address}, which is no public address; "
                    "set GATEWAY_WEBHOOK_ALLOW_PRIVATE=true if it is meant"
                )
        return addresses[0]


def signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """`v1,` and the HMAC-SHA-256 of id, timestamp and body, in base64."""
    digest = hmac.digest(secret, b".".join((message_id.encode(), timestamp.encode(), body)), hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def is_public(address: Address) -> bool:
    """Whether an address is nobody's own network (RFC 6890), whatever it is wrapped in."""
    if isinstance(address, IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if wrapped is None and int(address) >> 32 == _NAT64:
            wrapped = IPv4Address(int(address) & 0xFFFF_FFFF)
        if wrapped is not None:
            return is_public(wrapped)
    return address.is_global and not address.is_multicast


def secret_bytes(secret: str) -> bytes:
    """A Standard Webhooks secret (`whsec_` and base64), or any text as it is; raises `ValueError` for bad base64."""
    if secret.startswith(SECRET_PREFIX):
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    return secret.encode()
