"""The worker's life as its parent sees it: started when first needed, restarted if it dies, never left behind."""

import asyncio
import contextlib
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from gateway.domain.errors import ProviderUnavailable
from gateway.domain.time import monotonic

log = logging.getLogger(__name__)

START_S = 30.0
STOP_S = 3.0
POLL_S = 0.05
MAX_BACKOFF_S = 30.0
PACKAGE_FOLDER = Path(__file__).parents[3]
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
_KEY_LIKE = re.compile(r"(sk-|key[=:]\s*|Bearer\s+|AIza)[A-Za-z0-9_\-.]{6,}", re.IGNORECASE)


def litellm_version() -> str | None:
    """The installed version, `None` without LiteLLM; nothing is imported."""
    try:
        return metadata.version("litellm")
    except metadata.PackageNotFoundError:
        return None


class LiteLLMWorker:
    """One child process with a Unix socket in a private folder; it holds no secret but what each call brings."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._folder: Path | None = None
        self._lock = asyncio.Lock()
        self._output: asyncio.Task[None] | None = None
        self._state = "stopped"
        self._starts = 0
        self._failures = 0
        self._not_before = 0.0

    async def ensure_ready(self) -> str:
        """The path of the socket of a worker that answers; raises `ProviderUnavailable` where there can be none."""
        if self._state == "ready" and self._is_running():
            return self._socket()
        async with self._lock:
            if not (self._state == "ready" and self._is_running()):
                await self._start()
        return self._socket()

    async def stop(self) -> None:
        """End the process, gently for 3 s; may be called again."""
        process, self._process = self._process, None
        self._state = "stopped"
        if process is not None:
            await _end(process)
        if self._output is not None:
            await asyncio.gather(self._output, return_exceptions=True)
            self._output = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def status(self) -> dict[str, object]:
        """`status` is stopped, starting, ready or failed."""
        state = "failed" if self._state == "ready" and not self._is_running() else self._state
        pid = self._process.pid if self._process is not None and self._is_running() else None
        return {"status": state, "pid": pid, "version": litellm_version(), "restarts": max(0, self._starts - 1)}

    async def _start(self) -> None:
        if litellm_version() is None:
            raise ProviderUnavailable(
                "This model goes through LiteLLM, which is not installed here. Run: pip install -r requirements-litellm.txt",
                never_sent=True,
            )
        wait_s = self._not_before - monotonic()
        if wait_s > 0:
            raise ProviderUnavailable(
                "The LiteLLM worker failed to start; it is tried again shortly.", retry_after_s=int(wait_s) + 1
            )
        await self.stop()
        self._state = "starting"
        self._starts += 1
        try:
            await self._spawn()
            await self._until_it_listens()
        except BaseException:
            await self.stop()
            self._state = "failed"
            self._failures += 1
            self._not_before = monotonic() + min(MAX_BACKOFF_S, 2.0**self._failures)
            raise
        self._state, self._failures = "ready", 0

    async def _spawn(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gw-"))
        log.info("starting the LiteLLM worker (LiteLLM %s)", litellm_version())
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.providers.litellm_worker", "--socket", self._socket(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=self._folder, env=self._environment(self._folder),
        )  # fmt: skip
        self._output = asyncio.get_running_loop().create_task(_log_lines(self._process))

    async def _until_it_listens(self) -> None:
        started = monotonic()
        while monotonic() - started < START_S:
            if not self._is_running():
                raise ProviderUnavailable("The LiteLLM worker ended while it started; the service's log says why.")
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_unix_connection(self._socket())
                writer.close()
                log.info("the LiteLLM worker is ready after %.1f s", monotonic() - started)
                return
            await asyncio.sleep(POLL_S)
        raise ProviderUnavailable(
            f"The LiteLLM worker was not ready within {START_S:g} s; the service's log may say why."
        )

    def _socket(self) -> str:
        if self._folder is None:
            raise ProviderUnavailable("The LiteLLM worker has stopped; try again.", retry_after_s=1)
        return str(self._folder / "s")

    def _is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @staticmethod
    def _environment(folder: Path) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        return {
            **kept,
            "HOME": str(folder),
            "PYTHONPATH": str(PACKAGE_FOLDER),
            "PYTHONUNBUFFERED": "1",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_TELEMETRY": "False",
        }


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _log_lines(process: asyncio.subprocess.Process) -> None:
    if process.stdout is None:
        return
    try:
        async for line in process.stdout:
            text = _KEY_LIKE.sub("[key]", line.decode(errors="replace").rstrip())
            if text:
                log.info("%s", text[:2_000])
    except ValueError:
        log.warning("the LiteLLM worker wrote a line that is too long to log")
