"""The typed settings: defaults, then gateway.toml, then the environment."""

import os
import secrets
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec
from dotenv import dotenv_values

from gateway.domain.errors import SettingsError
from gateway.providers.catalog import Catalog, Provider
from gateway.providers.connection import Timeouts
from gateway.providers.transport import split_url
from gateway.providers.webhook import secret_bytes, split_webhook
from gateway.routing.configured import Deployment, Route, Routing, check

BESIDE_PACKAGE = Path(__file__).parents[1]
IS_CHECKOUT = (BESIDE_PACKAGE / "api_service.py").is_file()
# Where the distribution is installed, files belong to the working directory, not to site-packages.
SERVICE_FOLDER = BESIDE_PACKAGE if IS_CHECKOUT else Path.cwd()
ROOT_FOLDER = SERVICE_FOLDER.parent if IS_CHECKOUT else Path.cwd()
KEY_FILE_NAME = "gateway_admin.key"
PEPPER_FILE_NAME = "gateway_pepper.key"
MIN_SECRET_LENGTH = 16
T = TypeVar("T")
WELL_KNOWN_SECRETS = {"sk-1234567890abcdef", "changemechangeme", "passwordpassword", "your-admin-key-here"}
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


class Server(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[server]`: where it listens, whom it answers, what it accepts. Times in seconds."""

    api_host: str = "127.0.0.1"
    api_port: int = 5000
    gateway_admin_key: str | None = None
    gateway_pepper: str | None = None
    gateway_default_max_tokens: int = 8_192
    gateway_webhook_url: str | None = None
    gateway_webhook_secret: str | None = None
    gateway_webhook_allow_private: bool = False
    cors_origins: tuple[str, ...] = ("http://localhost:5500", "http://127.0.0.1:5500")
    allowed_hosts: tuple[str, ...] = ()
    max_body_bytes: int = 10_000_000
    max_upload_bytes: int = 32_000_000
    tls_cert: str | None = None
    tls_key: str | None = None
    gateway_header_timeout_s: float = 10
    gateway_body_timeout_s: float = 30
    gateway_drain_s: float = 30
    log_level: str = "info"
    log_format: str = "auto"


class Store(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[store]`: the database and what is kept in it."""

    database_url: str = "sqlite:///litellm_usage.db"
    store_content: bool = True


class Upstream(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[upstream]`: how long a provider may take, in seconds, and what goes through LiteLLM."""

    upstream_connect_timeout_s: float = 10
    upstream_first_byte_timeout_s: float = 300
    upstream_silence_timeout_s: float = 120
    upstream_total_timeout_s: float = 1800
    providers_via_litellm: tuple[str, ...] = ()


class Cache(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[cache]`: answers that are given again; seconds and bytes. Off as long as `gateway_cache_ttl_s` is 0."""

    gateway_cache_ttl_s: float = 0
    gateway_cache_max_bytes: int = 64_000_000
    redis_url: str | None = None


class ProviderOverride(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[providers.NAME]`: another address, key or way for a known provider, or a new one: `like` a known one, or by `base_url`."""

    like: str | None = None
    base_url: str | None = None
    api_key: str | None = None
    via: str | None = None
    title: str | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    server: dict[str, Any] = {}
    store: dict[str, Any] = {}
    upstream: dict[str, Any] = {}
    providers: dict[str, ProviderOverride] = {}
    aliases: dict[str, str] = {}
    deployments: dict[str, Deployment] = {}
    routes: dict[str, Route] = {}
    routing: dict[str, Any] = {}
    cache: dict[str, Any] = {}


class ProviderSetting(msgspec.Struct, frozen=True):
    """A provider as configured here; `key_variable_set` is the variable that gave the key."""

    row: Provider
    base_url: str
    api_key: str | None
    via_litellm: bool
    configured: bool


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, checked."""

    server: Server
    store: Store
    upstream: Upstream
    providers: dict[str, ProviderSetting]
    aliases: dict[str, str]
    deployments: dict[str, Deployment]
    routes: dict[str, Route]
    routing: Routing
    cache: Cache
    config_file: str | None

    @property
    def database(self) -> Path:
        """The SQLite file; a relative path is relative to `litellm_service/`."""
        return SERVICE_FOLDER / self.store.database_url.removeprefix("sqlite:///")

    @property
    def key_file(self) -> Path:
        """Where a generated admin key is kept."""
        return self.database.parent / KEY_FILE_NAME

    @property
    def listens_on_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.server.api_host)

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Host header names that are answered."""
        return frozenset({*LOOPBACK_NAMES, self.server.api_host.lower(), *map(str.lower, self.server.allowed_hosts)})

    @property
    def timeouts(self) -> Timeouts:
        """The limits of every upstream call."""
        u = self.upstream
        return Timeouts(
            u.upstream_connect_timeout_s, u.upstream_first_byte_timeout_s,
            u.upstream_silence_timeout_s, u.upstream_total_timeout_s,
        )  # fmt: skip


def load(environ: Mapping[str, str] | None = None, *, host: str | None = None, port: int | None = None) -> Settings:
    """Read everything; raises `SettingsError` that names the bad field. `host` and `port` are defaults other than ours."""
    dotenv = {name: value for name, value in dotenv_values(ROOT_FOLDER / ".env").items() if value is not None}
    env = {
        name: value
        for name, value in {**dotenv, **(os.environ if environ is None else environ)}.items()
        if value.strip()
    }
    path = _config_path(env)
    file = _read_file(path)
    defaults = {name: value for name, value in (("api_host", host), ("api_port", port)) if value is not None}
    server = _section(Server, "server", {**defaults, **file.server}, env)
    store = _section(Store, "store", file.store, env)
    upstream = _section(Upstream, "upstream", file.upstream, env)
    routing = _section(Routing, "routing", file.routing, env)
    cache = _section(Cache, "cache", file.cache, env)
    _check_cache(cache)
    _check_server(server)
    check(routing, file.deployments, file.routes, file.aliases)
    if not store.database_url.startswith("sqlite:///"):
        raise SettingsError("DATABASE_URL: only sqlite:///FILE is served by this version.")
    return Settings(
        server=server, store=store, upstream=upstream, aliases=file.aliases, deployments=file.deployments,
        routes=file.routes, routing=routing, cache=cache, config_file=str(path) if path else None,
        providers=_providers(Catalog.load(), file.providers, upstream.providers_via_litellm, env),
    )  # fmt: skip


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def admin_key(settings: Settings) -> tuple[str | None, bool]:
    """The key that everybody needs (`None`: open on loopback), and whether it was made just now.

    Beyond loopback without a configured key, one is generated and kept with mode 0600 beside the database.
    """
    if settings.server.gateway_admin_key is not None or settings.listens_on_loopback:
        return settings.server.gateway_admin_key, False
    return _kept_secret(settings.key_file, "sk-")


def pepper(settings: Settings) -> bytes:
    """What the digests of virtual keys are made with: GATEWAY_PEPPER, or made at the first start and kept beside the database."""
    if settings.server.gateway_pepper is not None:
        return settings.server.gateway_pepper.encode()
    return _kept_secret(settings.database.parent / PEPPER_FILE_NAME, "")[0].encode()


def _kept_secret(path: Path, prefix: str) -> tuple[str, bool]:
    if path.exists():
        secret = path.read_text().strip()
        _check_secret(str(path), secret)
        return secret, False
    secret = prefix + secrets.token_urlsafe(32)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")
    return secret, True


def masked(secret: str | None) -> str | None:
    """A secret as it may be printed."""
    return None if secret is None else f"{secret[:3]}…{secret[-2:]}" if len(secret) >= MIN_SECRET_LENGTH else "…"


def _config_path(env: Mapping[str, str]) -> Path | None:
    named = env.get("GATEWAY_CONFIG")
    if named:
        path = ROOT_FOLDER / named
        if not path.is_file():
            raise SettingsError(f"GATEWAY_CONFIG: there is no file {path}.")
        return path
    path = ROOT_FOLDER / "gateway.toml"
    return path if path.is_file() else None


def _read_file(path: Path | None) -> _File:
    if path is None:
        return _File()
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), _File)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}") from error
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}") from error


def _section(kind: type[T], name: str, given: dict[str, Any], env: Mapping[str, str]) -> T:
    hints = get_type_hints(kind)
    values: dict[str, Any] = {key: _secret(f"{name}.{key}", value) for key, value in given.items()}
    for field in hints:
        variable = field.upper()
        if variable in env:
            text = _secret(variable, env[variable])
            values[field] = _split(text) if hints[field] == tuple[str, ...] else text
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{name}: {error} (in gateway.toml, or the variable of that name in capitals).") from error


def _split(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _secret(name: str, value: Any) -> Any:
    """`file:/run/secrets/x` stands for what is in that file."""
    if not isinstance(value, str) or not value.startswith("file:"):
        return value
    try:
        return Path(value.removeprefix("file:")).read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{name}: {value.removeprefix('file:')} cannot be read: {error.strerror}.") from error


def _check_server(server: Server) -> None:
    if not 0 < server.api_port < 65_536:
        raise SettingsError(f"API_PORT: {server.api_port} is no port; use 1 to 65535.")
    if server.gateway_admin_key is not None:
        _check_secret("GATEWAY_ADMIN_KEY", server.gateway_admin_key)
    if server.gateway_pepper is not None:
        _check_secret("GATEWAY_PEPPER", server.gateway_pepper)
    if (server.tls_cert is None) != (server.tls_key is None):
        raise SettingsError("TLS_CERT and TLS_KEY: set both or neither.")
    for origin in server.cors_origins:
        if origin == "*" or not origin.startswith(("http://", "https://")) or origin.endswith("/"):
            raise SettingsError(f"CORS_ORIGINS: {origin!r} is no exact origin such as http://localhost:5500.")
    _check_webhook(server)
    if server.gateway_default_max_tokens < 1:
        raise SettingsError("GATEWAY_DEFAULT_MAX_TOKENS: at least 1.")
    if server.max_body_bytes < 1024:
        raise SettingsError("MAX_BODY_BYTES: at least 1024.")
    if server.max_upload_bytes < 1024:
        raise SettingsError("MAX_UPLOAD_BYTES: at least 1024.")


def _check_cache(cache: Cache) -> None:
    if cache.gateway_cache_ttl_s < 0:
        raise SettingsError("GATEWAY_CACHE_TTL_S: 0 (no cache) or more.")
    if cache.gateway_cache_max_bytes < 1024:
        raise SettingsError("GATEWAY_CACHE_MAX_BYTES: at least 1024.")
    if cache.redis_url is not None and not cache.redis_url.startswith(("redis://", "rediss://", "unix://")):
        raise SettingsError("REDIS_URL: redis://…, rediss://… or unix://….")


def _check_webhook(server: Server) -> None:
    url, secret = server.gateway_webhook_url, server.gateway_webhook_secret
    if (url is None) != (secret is None):
        raise SettingsError("GATEWAY_WEBHOOK_URL and GATEWAY_WEBHOOK_SECRET: set both or neither.")
    if url is None or secret is None:
        return
    _check_secret("GATEWAY_WEBHOOK_SECRET", secret)
    try:
        split_webhook(url)
        secret_bytes(secret)
    except ValueError as error:
        raise SettingsError(f"GATEWAY_WEBHOOK_URL, GATEWAY_WEBHOOK_SECRET: {error}.") from error


def _check_secret(name: str, secret: str) -> None:
    if len(secret) < MIN_SECRET_LENGTH or secret.lower() in WELL_KNOWN_SECRETS or len(set(secret)) < 6:
        raise SettingsError(
            f"{name}: too short or well known; use at least {MIN_SECRET_LENGTH} random characters, "
            'for example from: python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )


def _providers(
    catalog: Catalog, overrides: Mapping[str, ProviderOverride], via: tuple[str, ...], env: Mapping[str, str]
) -> dict[str, ProviderSetting]:
    rows = dict(catalog.providers)
    for name, override in overrides.items():
        if name not in rows:
            rows[name] = _new_row(name, override, catalog)
    unknown = [name for name in via if name != "all" and catalog.by_prefix(name) is None]
    if unknown:
        raise SettingsError(
            f"PROVIDERS_VIA_LITELLM: unknown provider {unknown[0]!r}; use `all` or names such as {', '.join(list(rows)[:4])}."
        )
    return {name: _provider(row, overrides.get(name, ProviderOverride()), via, env) for name, row in rows.items()}


def _new_row(name: str, override: ProviderOverride, catalog: Catalog) -> Provider:
    """A provider of the operator's own: another account or address of a known one, or a server that speaks the OpenAI wire."""
    variable = name.upper().replace("-", "_")
    if override.like is not None:
        known = catalog.by_prefix(override.like)
        if known is None:
            raise SettingsError(
                f"providers.{name}.like: unknown provider {override.like!r}; GET /api/providers lists them."
            )
        return msgspec.structs.replace(
            known, name=name, title=override.title or f"{known.title} ({name})", aliases=(),
            key_variables=(f"{variable}_API_KEY",) if known.key_variables else (), base_url_variable=f"{variable}_BASE_URL",
        )  # fmt: skip
    if override.base_url is None:
        raise SettingsError(
            f"providers.{name}: unknown provider; give it a base_url if it is a new one, or say which one it is like."
        )
    return Provider(
        name=name, title=override.title or name, source="gateway.toml", key_variables=(f"{variable}_API_KEY",),
        base_url_variable=f"{variable}_BASE_URL", key_optional=True, litellm_prefix="openai", map_providers=(),
    )  # fmt: skip


def _provider(
    row: Provider, override: ProviderOverride, via: tuple[str, ...], env: Mapping[str, str]
) -> ProviderSetting:
    key = _secret(f"providers.{row.name}.api_key", override.api_key)
    for variable in reversed(row.key_variables):
        key = _secret(variable, env.get(variable, key))
    given_url = env.get(row.base_url_variable) or override.base_url
    base_url = given_url or row.base_url
    if base_url:
        try:
            split_url(base_url)
        except ValueError as error:
            raise SettingsError(f"{row.base_url_variable}: {error}") from error
    if override.via not in {None, "litellm", "native"}:
        raise SettingsError(f"providers.{row.name}.via: {override.via!r}; use litellm or native.")
    asked = override.via == "litellm" or "all" in via or any(prefix in via for prefix in row.prefixes)
    via_litellm = row.wire == "litellm" or (asked and row.wire != "demo")
    reached = via_litellm or bool(base_url)
    configured = row.wire == "demo" or (reached and bool(key)) or (row.key_optional and bool(given_url))
    return ProviderSetting(row, base_url if row.wire != "litellm" or given_url else "", key, via_litellm, configured)
