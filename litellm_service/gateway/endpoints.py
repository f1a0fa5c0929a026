"""Where each configured provider is reached, and what those lack that are not."""

import msgspec

from gateway import __version__
from gateway.domain.time import monotonic
from gateway.providers.catalog import KeyHeader
from gateway.providers.deployment import Endpoint
from gateway.providers.transport import Transport, split_url
from gateway.routing.router import Router
from gateway.settings import ProviderSetting, Settings


def endpoints(settings: Settings) -> dict[str, Endpoint]:
    """Every provider that is known, by each prefix of its models' names."""
    found = {}
    for setting in settings.providers.values():
        endpoint = _endpoint(setting)
        found.update(dict.fromkeys(setting.row.prefixes, endpoint))
    return found


def _endpoint(setting: ProviderSetting) -> Endpoint:
    row = setting.row
    key = setting.api_key
    lines = [
        b"content-type: application/json",
        b"accept-encoding: identity",
        f"user-agent: litellm-microservices/{__version__}".encode(),
    ]
    if setting.via_litellm:
        origin, host, path = None, "litellm", "/v1"
        if setting.base_url:
            lines.append(b"x-gateway-api-base: " + setting.base_url.encode())
    elif setting.base_url:
        origin, path = split_url(setting.base_url)
        host, path = origin.authority, path or row.default_path
    else:
        origin, host, path = None, "", ""
    if key:
        lines.append(_key_line("authorization" if setting.via_litellm else row.key_header, key))
    headers = b"\r\n".join([b"host: " + host.encode(), *lines]) + b"\r\n"
    return Endpoint(row, origin, path, headers, (key,) if key else (), setting.via_litellm)


def _key_line(header: KeyHeader, key: str) -> bytes:
    return f"{header}: {'Bearer ' if header == 'authorization' else ''}{key}".encode()


def lack(setting: ProviderSetting) -> str | None:
    """What to do to be able to call a provider; `None` if it can be called."""
    row = setting.row
    if setting.configured:
        return None
    if row.key_variable and not row.local and not setting.api_key:
        return f"{row.title} has no key here. Put {row.key_variable}=… into .env and start the gateway again."
    return f"{row.title} is not set up here. Put {row.base_url_variable}=… (its address) into .env and start the gateway again."


def provider_view(setting: ProviderSetting, transport: Transport, router: Router) -> dict[str, object]:
    """A provider as `/api/providers` shows it; its connections are counted where the gateway itself makes them.

    `deployments` are those of its models that were called since the start, with their health.
    """
    row, reason = setting.row, lack(setting)
    native = row.wire != "demo" and not setting.via_litellm
    return {
        "name": row.name,
        "title": row.title,
        "configured": setting.configured,
        "callable": reason is None,
        "reason": reason,
        "via": "litellm" if setting.via_litellm else "native" if native else "demo",
        "base_url": setting.base_url or None,
        "key_variable": row.key_variable,
        "key_set": setting.api_key is not None,
        "open_connections": transport.open_connections(split_url(setting.base_url)[0])
        if native and setting.base_url
        else None,
        "deployments": [
            {"deployment": key, **msgspec.structs.asdict(router.health.state(key, monotonic()))}
            for key in router.health.called()
            if key.startswith(f"{row.name}/")
        ],
    }
