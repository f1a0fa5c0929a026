"""The settings: defaults, then .env at the root, then the environment."""

import dataclasses
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

PACKAGE = Path(__file__).parent
ROOT = PACKAGE.parents[1]
DEFAULT_KEY_FILE = ROOT / "litellm_service" / "gateway_admin.key"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
MIN_BODY_BYTES = 1024


class SettingsError(Exception):
    """A setting is wrong; the message names it and says what is allowed."""


class ApiKey:
    """The API service's key: given, or read from its file, which may appear or change while we run."""

    def __init__(self, given: str | None, file: Path) -> None:
        self._given = given
        self._file = file
        self._seen: tuple[int, str | None] = (0, None)

    def current(self) -> str | None:
        """The key as it is now; `None` if there is none."""
        if self._given is not None:
            return self._given
        try:
            changed_at = self._file.stat().st_mtime_ns
            if changed_at != self._seen[0]:
                self._seen = changed_at, self._file.read_text("utf-8").strip() or None
        except OSError:
            self._seen = 0, None
        return self._seen[1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, checked."""

    host: str
    port: int
    api_url: str
    key: ApiKey
    allowed_hosts: frozenset[str]
    max_body_bytes: int
    tls_cert: str | None
    tls_key: str | None
    dev: bool

    @property
    def listens_on_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


def load(environ: Mapping[str, str], *, host: str, port: int, dev: bool = False) -> Settings:
    """Read everything; raises `SettingsError` that names the bad one. An empty variable counts as unset."""
    dotenv = {name: value for name, value in dotenv_values(ROOT / ".env").items() if value is not None}
    env = {name: value.strip() for name, value in {**dotenv, **environ}.items() if value.strip()}
    listen = env.get("WEBUI_HOST", host)
    cert, key = env.get("WEBUI_TLS_CERT"), env.get("WEBUI_TLS_KEY")
    if (cert is None) != (key is None):
        raise SettingsError("WEBUI_TLS_CERT and WEBUI_TLS_KEY: set both or neither.")
    return Settings(
        host=listen,
        port=_number(env, "WEBUI_PORT", port, 1, 65_535),
        api_url=_url(env.get("LITELLM_API_URL", "http://localhost:5000")),
        key=ApiKey(_secret(env.get("GATEWAY_ADMIN_KEY")), ROOT / env.get("GATEWAY_ADMIN_KEY_FILE", DEFAULT_KEY_FILE)),
        allowed_hosts=frozenset({*LOOPBACK_NAMES, listen.lower(), *_list(env.get("ALLOWED_HOSTS", ""))}),
        max_body_bytes=_number(env, "MAX_BODY_BYTES", 10_000_000, MIN_BODY_BYTES, 1_000_000_000),
        tls_cert=cert,
        tls_key=key,
        dev=dev or env.get("WEBUI_DEV") == "1",
    )


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_everywhere(host: str) -> bool:
    """Whether it stands for every address of this machine."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _number(env: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = env.get(name, str(default))
    if not text.isdecimal() or not least <= int(text) <= most:
        raise SettingsError(f"{name}: {text!r} is not allowed; give a number from {least} to {most}.")
    return int(text)


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise SettingsError(f"LITELLM_API_URL: {text!r} is no address such as http://localhost:5000.")
    return text.rstrip("/")


def _secret(text: str | None) -> str | None:
    if text is None or not text.startswith("file:"):
        return text
    path = text.removeprefix("file:")
    try:
        return Path(path).read_text("utf-8").strip() or None
    except OSError as error:
        raise SettingsError(f"GATEWAY_ADMIN_KEY: {path} cannot be read: {error.strerror}.") from error


def _list(text: str) -> list[str]:
    return [item.strip().lower() for item in text.split(",") if item.strip()]
