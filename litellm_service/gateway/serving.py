"""Running the application under uvicorn: sockets, deadlines, signals, the first words."""

import asyncio
import gc
import logging
import signal
import socket
import sys
import time
from types import FrameType
from typing import Any

import uvicorn

from gateway.app import Gateway
from gateway.domain.errors import SettingsError
from gateway.http.protocol import Protocol
from gateway.settings import Settings, admin_key, pepper
from gateway.store.sqlite.opening import DatabaseUnusable
from gateway.telemetry.log import configure

log = logging.getLogger(__name__)

DEADLINE_CHECK_S = 1.0
KEEP_ALIVE_S = 75
BACKLOG = 2048
GC_THRESHOLD = (50_000, 20, 50)
SWITCH_INTERVAL_S = 0.001


class Server(uvicorn.Server):
    """Uvicorn that checks deadlines and tells the gateway before it drains."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway, announce: str) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._announce = announce

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A stop that was asked for is no failure (exit status 0); a second Ctrl-C does not wait."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn; then say where we are."""
        await super().startup(sockets)
        if self.started:
            gc.collect()
            gc.freeze()
            self._deadlines = asyncio.get_running_loop().create_task(self._check_deadlines())
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._gateway.reload)
            print(self._announce, file=sys.stderr, flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse new calls, let open ones end, then stop."""
        self._gateway.drain()
        log.info("stopping: open requests may end, new ones are refused")
        await super().shutdown(sockets)
        self._deadlines.cancel()

    async def _check_deadlines(self) -> None:
        while True:
            await asyncio.sleep(DEADLINE_CHECK_S)
            now = time.monotonic()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Protocol):
                    connection.check_deadlines(now)


def serve(settings: Settings) -> int:
    """Serve until a signal; gives the exit status."""
    as_json = configure(settings.server.log_level, settings.server.log_format)
    key, is_new = admin_key(settings)
    try:
        listening = _listen(settings)
        gateway = Gateway(settings, key, pepper(settings), logs_as_json=as_json)
        # The file is opened here, before the loop, so that its troubles are told without a traceback.
        gateway.store.open()
    except DatabaseUnusable as error:
        print(f"Cannot start: {error}", file=sys.stderr)
        return 1
    gc.set_threshold(*GC_THRESHOLD)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    server = Server(_config(settings, gateway), gateway, _first_words(settings, key, is_new))
    server.run(sockets=[listening])
    return 0 if server.started else 1


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.server.api_host, settings.server.api_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"API_PORT: {host}:{port} cannot be listened on: {error.strerror}. Stop what uses it, or choose another port, "
            f"for example API_PORT={port + 1}."
        ) from error
    listening.listen(BACKLOG)
    listening.set_inheritable(True)
    return listening


def _config(settings: Settings, gateway: Gateway) -> uvicorn.Config:
    server = settings.server
    protocol: Any = type(
        "ConfiguredProtocol",
        (Protocol,),
        {"header_timeout_s": server.gateway_header_timeout_s, "body_timeout_s": server.gateway_body_timeout_s},
    )
    return uvicorn.Config(
        gateway.asgi,
        http=protocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(server.gateway_drain_s),
        ssl_certfile=server.tls_cert,
        ssl_keyfile=server.tls_key,
    )


def _first_words(settings: Settings, key: str | None, is_new: bool) -> str:
    server = settings.server
    scheme = "https" if server.tls_cert else "http"
    host = f"[{server.api_host}]" if ":" in server.api_host else server.api_host
    lines = [f"API service on {scheme}://{host}:{server.api_port}  (docs: /docs)  database: {settings.database}"]
    if key is None:
        lines.append(
            "Open mode: it listens on loopback only, so no key is needed. Set GATEWAY_ADMIN_KEY to ask for one."
        )
    elif is_new:
        lines.append(f"It can be reached from other machines, so a key was made: {key}")
        lines.append(
            f"It is shown this once and kept in {settings.key_file}. Sign in to the console with it: http://localhost:5500"
        )
    if not settings.store.store_content:
        lines.append("Prompts and answers are not stored (STORE_CONTENT=false).")
    return "\n".join(lines)
