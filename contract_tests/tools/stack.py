"""The real services and the mock upstream as subprocesses, for tests that start, kill and look inside."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from faultmock.truth import Event, read_calls, read_events

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(__file__).resolve().parent
START_DEADLINE_S = 15.0
STOP_DEADLINE_S = 20.0
_POLL_S = 0.02
# What a test must not inherit: somebody's real keys, and the flags of the test runner itself.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "COVERAGE_PROCESS_START", "PLAYWRIGHT_BROWSERS_PATH")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Any, deadline_s: float = 5.0, what: str = "the condition") -> Any:
    """Poll until `condition()` is true and return its value; raises `TimeoutError` after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        if value := condition():
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come about within {deadline_s} s")
        time.sleep(_POLL_S)


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """A small environment for a subprocess: the few names it needs, nothing from somebody's `.env`, and `extra`."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**_blanked_dotenv(), **kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", **extra}


def _blanked_dotenv() -> dict[str, str]:
    """An empty variable counts as unset, and wins over the file."""
    path = ROOT / ".env"
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    names = [line.partition("=")[0].removeprefix("export ").strip() for line in lines if "=" in line]
    return {name: "" for name in names if name.isidentifier()}


class Service:
    """One subprocess with its log file; `stop` it, or `kill` it as a crash would."""

    def __init__(self, command: list[str], folder: Path, log: Path, environment: Mapping[str, str]) -> None:
        self.command = command
        self.folder = folder
        self.log_path = log
        self.environment = dict(environment)
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self, **extra: str) -> None:
        """Start the process without waiting for it; `extra` are variables for this start only."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=clean_environment({**self.environment, **extra}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id; it must have been started."""
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        """Everything that the process has printed, over all its starts."""
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """`kill -9`, the process and what it started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        if self.running:
            assert self.process is not None
            self.process.terminate()

    def wait(self, deadline_s: float = STOP_DEADLINE_S) -> int:
        """Wait for the end and return the exit status; raises `subprocess.TimeoutExpired`."""
        assert self.process is not None
        return self.process.wait(deadline_s)

    def stop(self) -> int:
        """SIGTERM, and the exit status; a process that does not stop is killed and the test fails."""
        self.terminate()
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            self.kill()


def get_json(url: str, headers: Mapping[str, str] | None = None, deadline_s: float = 10.0) -> tuple[int, Any]:
    """Status and decoded body of a GET; error statuses are returned, not raised."""
    return _exchange(urllib.request.Request(url, headers=dict(headers or {})), deadline_s)


def post_json(
    url: str, body: Any, headers: Mapping[str, str] | None = None, deadline_s: float = 30.0
) -> tuple[int, Any]:
    """Status and decoded body of a POST (`None` is JSON's `null`); error statuses are returned, not raised."""
    return send_json("POST", url, b"null" if body is None else body, headers, deadline_s)


def send_json(
    method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None, deadline_s: float = 30.0
) -> tuple[int, Any]:
    """Status and decoded body of any request (bytes are sent as they are); error statuses are returned, not raised."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    sent = {**({} if data is None else {"content-type": "application/json"}), **(headers or {})}
    return _exchange(urllib.request.Request(url, data, sent, method=method), deadline_s)


def _exchange(request: urllib.request.Request, deadline_s: float) -> tuple[int, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=deadline_s) as reply:
            return int(reply.status), _decoded(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _decoded(error.read())


def _decoded(body: bytes) -> Any:
    """JSON where it is some, else text."""
    try:
        return json.loads(body or b"null")
    except ValueError:
        return body.decode("utf-8", "replace")


class ApiService(Service):
    """The API service on a free port with its own database; the same port and file over restarts."""

    def __init__(self, folder: Path, upstream: str, database: Path | None = None, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.database = database or folder / "usage.db"
        settings = {
            "API_PORT": str(self.port),
            "DATABASE_URL": f"sqlite:///{self.database}",
            "OPENAI_BASE_URL": upstream,
            "OPENAI_API_KEY": "sk-test-openai",
            "GATEWAY_CONFIG": str(folder / "gateway.toml"),
        }
        (folder / "gateway.toml").touch()
        command = [sys.executable, "api_service.py"]
        super().__init__(command, ROOT / "litellm_service", folder / "api.log", {**settings, **environment})

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, deadline_s: float = START_DEADLINE_S, **extra: str) -> float:
        """Start and wait until it is ready; the seconds it took. Raises `RuntimeError` with the log if it ends."""
        began = time.monotonic()
        self.spawn(**extra)
        wait_until(self.ready_or_dead, deadline_s, f"readiness of the API service ({self.log_path})")
        if not self.running:
            raise RuntimeError(f"the API service ended with status {self.wait()}:\n{self.log[-4000:]}")
        return time.monotonic() - began

    def ready_or_dead(self) -> bool:
        """Whether waiting for readiness may end."""
        return not self.running or self.ready()

    def ready(self) -> bool:
        """Whether `/health/ready` says so now."""
        try:
            return get_json(f"{self.url}/health/ready", deadline_s=2)[0] == 200
        except (OSError, ValueError):
            return False

    def health(self) -> dict[str, Any]:
        """What `/health` says."""
        health: dict[str, Any] = get_json(f"{self.url}/health")[1]
        return health

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows of the database file, read beside the running service."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement, parameters)]

    def open_holds(self) -> int:
        """Holds that nobody has settled (settled ones may lie about for a moment)."""
        return int(self.rows(OPEN_HOLDS)[0]["open"])

    def gateway(self, *arguments: str, deadline_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run `gateway …` with this service's settings."""
        command = [sys.executable, "-m", "gateway", *arguments]
        environment = clean_environment(self.environment)
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=deadline_s, check=False
        )

    def descriptors(self) -> int:
        """Open file descriptors of the process."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def peak_memory_mb(self) -> float:
        """The most memory that the process ever held."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


OPEN_HOLDS = """
SELECT count(*) AS open FROM holds h
WHERE NOT EXISTS (SELECT 1 FROM ledger l WHERE l.request_id = h.request_id AND l.attempt = h.attempt)
"""


class WebUI(Service):
    """The WebUI on a free port, in front of an API service."""

    def __init__(self, folder: Path, api_url: str, **environment: str) -> None:
        self.port = free_port()
        settings = {"WEBUI_PORT": str(self.port), "LITELLM_API_URL": api_url}
        super().__init__([sys.executable, "app.py"], ROOT / "webui", folder / "webui.log", {**settings, **environment})

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, deadline_s: float = START_DEADLINE_S) -> None:
        """Start and wait until it serves its first page."""
        self.spawn()
        wait_until(self._answers, deadline_s, f"the WebUI ({self.log_path})")
        if not self.running:
            raise RuntimeError(f"the WebUI ended with status {self.wait()}:\n{self.log[-4000:]}")

    def _answers(self) -> bool:
        if not self.running:
            return True
        with contextlib.suppress(OSError), urllib.request.urlopen(self.url, timeout=2) as reply:
            return bool(reply.status == 200)
        return False


class Mock(Service):
    """`faultmock` as a subprocess, and its truth log."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.truth_path = folder / "truth.jsonl"
        self.port = free_port()
        command = [sys.executable, "-m", "faultmock", "--port", str(self.port), "--truth-log", str(self.truth_path)]
        super().__init__(command, TOOLS, folder / "faultmock.log", {})

    @property
    def url(self) -> str:
        """The base URL, which ends in `/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Start and wait until it has printed its URL."""
        self.spawn()
        wait_until(lambda: self.url in self.log or not self.running, what="faultmock's URL")
        if not self.running:
            raise RuntimeError(f"faultmock ended:\n{self.log}")

    def events(self) -> list[Event]:
        """Every event of the truth log."""
        return read_events(self.truth_path)

    def calls(self, marker: str | None = None) -> list[Event]:
        """Calls it was asked, oldest first; those with one marker only where it is given."""
        return [call for call in read_calls(self.truth_path) if marker in (None, call["marker"])]

    def ended_call(self, marker: str, deadline_s: float = 5.0) -> Event:
        """The last call with this marker once it has ended."""

        def ended() -> Event | None:
            calls = self.calls(marker)
            return calls[-1] if calls and all(call["how"] for call in calls) else None

        call: Event = wait_until(ended, deadline_s, f"the end of the upstream call {marker}")
        return call


@contextlib.contextmanager
def running_mock(folder: Path) -> Iterator[Mock]:
    """A mock that is stopped at the end."""
    mock = Mock(folder)
    mock.start()
    try:
        yield mock
    finally:
        mock.kill()


@contextlib.contextmanager
def running_api(folder: Path, upstream: str, database: Path | None = None, **environment: str) -> Iterator[ApiService]:
    """An API service that is stopped at the end."""
    api = ApiService(folder, upstream, database, **environment)
    try:
        api.start()
        yield api
    finally:
        api.kill()


@contextlib.contextmanager
def running_webui(folder: Path, api_url: str, **environment: str) -> Iterator[WebUI]:
    """A WebUI that is stopped at the end."""
    webui = WebUI(folder, api_url, **environment)
    try:
        webui.start()
        yield webui
    finally:
        webui.kill()
