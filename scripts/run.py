"""Starts both services, watches them, and stops them together: `make run`."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import sys
import time
import tomllib
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READY_WITHIN_S = 60
STOP_SLACK_S = 10
POLL_S = 0.05
KEY_NAMES = ("_API_KEY", "_API_TOKEN")
COLOURS = {"api": "36", "webui": "35"}


@dataclass(frozen=True)
class Service:
    """One of the two services; `probe` is the path that answers 200 once it is ready."""

    name: str
    folder: str
    script: str
    host: str
    port: int
    port_variable: str
    probe: str
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Where this machine reaches it."""
        host = "localhost" if self.host in {"127.0.0.1", "0.0.0.0", "::", "::1", "localhost"} else self.host
        return f"{self.scheme}://{host}:{self.port}"


def main() -> int:
    """Run both until Ctrl-C, SIGTERM or the end of one; gives the exit status."""
    settings = Settings()
    try:
        api = Service(
            "api", "litellm_service", "api_service.py", settings.get("API_HOST", "127.0.0.1"),
            settings.port("API_PORT", 5000), "API_PORT", "/health/ready",
            scheme="https" if settings.get("TLS_CERT", "") else "http",
        )  # fmt: skip
        webui = Service(
            "webui", "webui", "app.py", settings.get("WEBUI_HOST", "127.0.0.1"),
            settings.port("WEBUI_PORT", 5500), "WEBUI_PORT", "/",
        )  # fmt: skip
        for service in (api, webui):
            _check_port(service)
    except ValueError as error:
        print(f"Cannot start: {error}", file=sys.stderr)
        return 2
    return asyncio.run(Supervisor((api, webui), settings).run())


class Settings:
    """The few settings that the start needs, looked up as the services do: environment, .env, gateway.toml."""

    def __init__(self) -> None:
        self.dotenv = _read_dotenv(ROOT / ".env")
        self._server = _read_server_section(ROOT / (self._given("GATEWAY_CONFIG") or "gateway.toml"))

    def get(self, name: str, default: str) -> str:
        """The value of a setting, or its default."""
        return self._given(name) or str(self._server.get(name.lower(), default))

    def port(self, name: str, default: int) -> int:
        """A port; raises `ValueError` that names the variable."""
        text = self.get(name, str(default))
        if not text.isdecimal() or not 0 < int(text) < 65_536:
            raise ValueError(f"{name} is {text!r}; give a port from 1 to 65535.")
        return int(text)

    def has_provider_key(self) -> bool:
        """Whether any provider key is given."""
        names = {name for name, value in {**self.dotenv, **os.environ}.items() if value.strip()}
        return any(name.endswith(KEY_NAMES) for name in names)

    def _given(self, name: str) -> str:
        return os.environ.get(name, "").strip() or self.dotenv.get(name, "").strip()


class Supervisor:
    """Both processes: their output, their readiness, their end."""

    def __init__(self, services: tuple[Service, Service], settings: Settings) -> None:
        self._services = services
        self._settings = settings
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._stop = asyncio.Event()
        self._asked = 0
        self._status = 0

    async def run(self) -> int:
        """Start, announce, wait, stop; gives the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        readers, enders = [], []
        for service in self._services:
            process = await self._spawn(service)
            readers.append(asyncio.create_task(self._relay(service, process)))
            enders.append(asyncio.create_task(self._watch(service, process)))
        ready = asyncio.create_task(self._announce())
        await self._stop.wait()
        ready.cancel()
        await self._shut_down(enders)
        await asyncio.gather(*readers)
        return self._status

    def _on_signal(self) -> None:
        self._asked += 1
        if self._asked == 1:
            print("\nStopping: open answers may end first. Press Ctrl-C again to stop at once.", flush=True)
        else:
            self._kill()
        self._stop.set()

    async def _spawn(self, service: Service) -> asyncio.subprocess.Process:
        environment = {"PYTHONUNBUFFERED": "1", **os.environ}
        if service.name == "webui" and not self._settings.get("LITELLM_API_URL", ""):
            environment["LITELLM_API_URL"] = self._services[0].url
        if sys.stdout.isatty():
            environment.setdefault("LOG_FORMAT", "text")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            service.script,
            cwd=ROOT / service.folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=4 * 1024 * 1024,
            start_new_session=True,
        )
        self._processes[service.name] = process
        return process

    async def _relay(self, service: Service, process: asyncio.subprocess.Process) -> None:
        prefix = f"{service.name:5} | "
        if sys.stdout.isatty():
            prefix = f"\033[{COLOURS[service.name]}m{service.name:5}\033[0m │ "
        assert process.stdout is not None
        async for line in process.stdout:
            print(prefix + line.decode("utf-8", "replace").rstrip("\n"), flush=True)

    async def _watch(self, service: Service, process: asyncio.subprocess.Process) -> None:
        status = await process.wait()
        if not self._stop.is_set():
            print(
                f"{service.name} ended by itself with status {status}; its last lines above say why. "
                "Stopping the other.",
                flush=True,
            )
            self._status = status if status > 0 else 1
            self._stop.set()

    async def _announce(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        for service in self._services:
            while not await asyncio.to_thread(_answers, service):
                if time.monotonic() > deadline:
                    print(
                        f"{service.name} is not ready after {READY_WITHIN_S} s; its lines above may say why.",
                        flush=True,
                    )
                    return
                await asyncio.sleep(POLL_S)
        await asyncio.sleep(POLL_S)  # let their own first lines out before the box
        api, webui = self._services
        lines = [f"Console  {webui.url}", f"API      {api.url}      docs: {api.url}/docs", "Stop with Ctrl-C."]
        if not self._settings.has_provider_key():
            lines.insert(2, "No provider key yet: the demo models answer. Put a key into .env (see .env.example).")
        print(_box(lines), flush=True)

    async def _shut_down(self, enders: list[asyncio.Task[None]]) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        drain_s = float(self._settings.get("GATEWAY_DRAIN_S", "30"))
        _, left = await asyncio.wait(enders, timeout=drain_s + STOP_SLACK_S)
        if left:
            print("Killing what did not stop in time.", flush=True)
            self._kill()
            await asyncio.wait(left)

    def _kill(self) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


def _check_port(service: Service) -> None:
    family = socket.AF_INET6 if ":" in service.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((service.host, service.port))
        except OSError as error:
            raise ValueError(
                f"{service.host}:{service.port}, where the {service.name} service listens: {error.strerror}. "
                f"Choose another port with {service.port_variable}, for example: "
                f"make run {service.port_variable}={service.port + 1}   (or a line in .env)."
            ) from error


def _answers(service: Service) -> bool:
    unverified = ssl.create_default_context()  # this machine asks itself, whatever name the certificate has
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=unverified)
    )
    try:
        with opener.open(service.url + service.probe, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code in {401, 403}
    except (OSError, ValueError):
        return False


def _read_dotenv(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in path.read_text("utf-8").splitlines() if path.is_file() else []:
        name, equals, value = line.removeprefix("export ").partition("=")
        if equals and name.strip().isidentifier():
            found[name.strip()] = value.split(" #")[0].strip().strip("'\"")
    return found


def _read_server_section(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        section = tomllib.loads(path.read_text("utf-8")).get("server", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return {}  # the service says what is wrong with it
    return section if isinstance(section, dict) else {}


def _box(lines: list[str]) -> str:
    width = max(map(len, lines))
    rows = [f"│ {line}{' ' * (width - len(line))} │" for line in lines]
    return "\n".join(["", f"╭{'─' * (width + 2)}╮", *rows, f"╰{'─' * (width + 2)}╯", ""])


if __name__ == "__main__":
    sys.exit(main())
