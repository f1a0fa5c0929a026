"""One child process with its private folder, socket and output."""

import asyncio
import contextlib
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger("gateway.providers.litellm_worker")

STOP_S = 3.0
ANSWER_S = 2.0
MAX_SOCKET_PATH = 100
MAX_LINE_LENGTH = 2_000
PACKAGE_FOLDER = Path(__file__).parents[3]
INHERITED = (
    "PATH", "LANG", "LC_ALL", "TZ", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
_KEY_LIKE = re.compile(r"(sk-|key[=:]\s*|Bearer\s+|AIza)[A-Za-z0-9_\-.]{6,}", re.IGNORECASE)


class Child:
    """A process that was started; `is_alive` turns false as soon as its output ends."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._is_ending = False
        self.is_alive = True
        self.pid = process.pid
        self.socket = str(_socket(folder))
        self._attending = asyncio.get_running_loop().create_task(self._attend())

    @classmethod
    async def spawn(cls) -> "Child":
        """Start one, with a clean environment; raises `OSError`."""
        folder = Path(tempfile.mkdtemp(prefix="gw-", dir=_temporary_folder()))
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-W", "ignore", "-m", "gateway.providers.litellm_worker", "--socket", str(_socket(folder)),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                cwd=folder, env=_environment(folder),
                start_new_session=True,  # Ctrl-C in a terminal is for the parent, which lets open calls end
            )  # fmt: skip
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return cls(process, folder)

    async def answers(self) -> bool:
        """It serves on its socket."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_unix_connection(self.socket)
                try:
                    writer.write(b"GET /health HTTP/1.1\r\nhost: litellm\r\nconnection: close\r\n\r\n")
                    return b" 200 " in await reader.readline()
                finally:
                    writer.close()
        return False

    async def end(self) -> None:
        """SIGTERM, 3 s, SIGKILL; its folder goes too. May be called again."""
        self._is_ending = True
        self._signal(self._process.terminate)
        await asyncio.wait({self._attending}, timeout=STOP_S)
        if not self._attending.done():
            self._signal(self._process.kill)
            await self._attending
        shutil.rmtree(self._folder, ignore_errors=True)

    @staticmethod
    def _signal(send: Callable[[], None]) -> None:
        with contextlib.suppress(ProcessLookupError):
            send()

    async def _attend(self) -> None:
        """Log what it says until it ends."""
        output = self._process.stdout
        while output is not None:
            try:
                line = await output.readline()
            except ValueError:
                line = b"(a line too long to log)"
            if not line:
                break
            if text := _KEY_LIKE.sub("[key]", line.decode(errors="replace").rstrip()):
                log.warning("%s", text[:MAX_LINE_LENGTH])
        self.is_alive = False
        status = await self._process.wait()
        if not self._is_ending:
            log.warning("the LiteLLM worker ended with status %d; the next call that needs it starts another", status)


def _socket(folder: Path) -> Path:
    return folder / "s"


def _temporary_folder() -> str | None:
    """Where a path is short enough for a socket, which has about 100 bytes for it."""
    usual = tempfile.gettempdir()
    return usual if len(usual) + len("/gw-12345678/s") <= MAX_SOCKET_PATH else "/tmp"  # noqa: S108  # mkdtemp makes it private


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of ours but the way to the network: no key, no database."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {
        **kept,
        "HOME": str(folder),
        "PYTHONPATH": str(PACKAGE_FOLDER),
        "PYTHONUNBUFFERED": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "LITELLM_DISABLE_REDACT_SECRETS": "true",  # its patterns take half a minute on a large error; ours are the exact keys
    }
