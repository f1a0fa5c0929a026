"""The command line: reads the settings, says where it listens, serves."""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from webui import __version__, hosting
from webui.server import build
from webui.settings import Settings, SettingsError, is_everywhere, load

BACKLOG = 2048
GRACE_S = 5

USAGE = """\
environment, or .env at the root:
  WEBUI_HOST, WEBUI_PORT   where to listen ({host}, {port})
  LITELLM_API_URL          where the API service is (http://localhost:5000)
  GATEWAY_ADMIN_KEY        the API service's key, if it asks for one: then people sign in here
  GATEWAY_ADMIN_KEY_FILE   or the file that holds it (litellm_service/gateway_admin.key)
  ALLOWED_HOSTS            further Host names that are answered, comma-separated
  MAX_BODY_BYTES           largest request that is passed on (10000000)
"""


def main(arguments: Sequence[str] = (), *, host: str = "127.0.0.1", port: int = 5500) -> int:
    """Serve until a signal; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="app.py",
        description="The console of LiteLLM Microservices.",
        epilog=USAGE.format(host=host, port=port),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dev", action="store_true", help="read templates and static files anew on each page; /ui/kit")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--write-static",
        type=Path,
        metavar="DIR",
        help="write a build for static hosting that calls LITELLM_API_URL, and end",
    )
    given = parser.parse_args(arguments)
    try:
        settings = load(os.environ, host=host, port=port, dev=given.dev)
        if given.write_static is not None:
            return _write_static(given.write_static, settings.api_url)
        listening = _listen(settings)
    except SettingsError as error:
        sys.stderr.write(f"Cannot start: {error}\n")
        return 2
    return _serve(settings, listening)


def _write_static(folder: Path, api_url: str) -> int:
    try:
        count = hosting.write(folder, api_url)
    except OSError as error:
        sys.stderr.write(f"Cannot write: {error}\n")
        return 1
    sys.stderr.write(
        f"{count} files in {folder}. They call the API service at {api_url}: "
        "add the address from which you serve them to CORS_ORIGINS there.\n"
    )
    return 0


def run() -> None:
    """The entry point of the installed command."""
    sys.exit(main(sys.argv[1:]))


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"WEBUI_PORT: {settings.host}:{settings.port} cannot be listened on: {error.strerror}. Stop what uses it, "
            f"or choose another port, for example WEBUI_PORT={settings.port + 1}."
        ) from error
    listening.listen(BACKLOG)
    listening.set_inheritable(True)
    return listening


def _serve(settings: Settings, listening: socket.socket) -> int:
    config = uvicorn.Config(
        build(settings),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    sys.stderr.write(_first_words(settings) + "\n")
    server = uvicorn.Server(config)
    server.run(sockets=[listening])
    return 0 if server.started else 1


def _first_words(settings: Settings) -> str:
    scheme = "https" if settings.tls_cert else "http"
    host = "localhost" if settings.listens_on_loopback or is_everywhere(settings.host) else settings.host
    shown = f"[{host}]" if ":" in host else host
    lines = [f"Console on {scheme}://{shown}:{settings.port}  (API service: {settings.api_url})"]
    if settings.key.current() is not None:
        lines.append("Sign in with a key of the gateway: your own (sk-gw-…), or the admin key.")
    elif not settings.listens_on_loopback:
        lines.append(
            "It can be reached from other machines: people sign in with a key of the gateway. None gets in while the API "
            "service itself asks for none."
        )
    if not settings.listens_on_loopback and scheme == "http":
        lines.append("Warning: plain HTTP beyond this machine shows the key to the network. Put HTTPS in front.")
    return "\n".join(lines)
