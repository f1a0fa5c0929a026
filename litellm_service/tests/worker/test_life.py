"""The worker's process: started once, restarted, never left behind."""

import asyncio
import json
import logging
import os
import signal
import stat
import subprocess
import sys
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest
from vendor_wires import running_upstream

from gateway.domain.errors import ProviderUnavailable
from gateway.providers.connection import Timeouts
from gateway.providers.litellm_worker import child, process
from gateway.providers.litellm_worker.process import LiteLLMWorker
from gateway.providers.transport import Origin, Transport

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

needs_litellm = pytest.mark.skipif(
    find_spec("litellm") is None and os.environ.get("CI") != "true",
    reason="LiteLLM is not installed: pip install -r litellm_service/requirements.txt",
)
CANARIES = {
    "OPENAI_API_KEY": "sk-canary-openai",
    "DATABASE_URL": "sqlite:///canary.db",
    "GATEWAY_ADMIN_KEY": "canary-admin",
}
PARENT = """
import asyncio, sys
from gateway.providers.litellm_worker.process import LiteLLMWorker
async def main():
    worker = LiteLLMWorker()
    await worker.ensure_ready()
    print(worker.status()["pid"], flush=True)
    await asyncio.sleep(300)
asyncio.run(main())
"""
LISTENER = """
import socket, sys, time
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("listening", flush=True)
connection, _ = listener.accept()
time.sleep(0.2)
connection.recv(int(sys.argv[2]))
print("read", flush=True)
time.sleep(60)
"""


@pytest.fixture
async def worker():
    worker = LiteLLMWorker()
    yield worker
    await worker.stop()


def is_gone(pid: int) -> bool:
    """Ended; a zombie has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def children() -> set[int]:
    """Processes that this one has started."""
    return {int(pid) for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()}


async def until(condition, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # another process is waited for
        await asyncio.sleep(0.01)
    assert condition()


async def ask(socket: str, base: str) -> int:
    """The status of a plain call."""
    body = json.dumps({"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-gateway-api-base: {base}/v1\r\nconnection: close\r\n"
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ")[1])


@needs_litellm
async def test_from_the_first_call_to_the_stop(worker, monkeypatch):
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    assert worker.status()["status"] == "stopped"

    callers = [asyncio.ensure_future(worker.ensure_ready()) for _ in range(5)]
    await asyncio.sleep(0.2)
    assert worker.status()["status"] == "starting"
    callers.pop(0).cancel()
    sockets = set(await asyncio.gather(*callers))
    first = worker.status()
    assert len(sockets) == 1, "one start for all, though the first caller left"
    assert (first["status"], first["restarts"], first["version"]) == ("ready", 0, metadata.version("litellm"))

    folder = Path(sockets.pop()).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    environment = environment_of(first["pid"])
    assert b"canary" not in environment
    assert f"HOME={folder}".encode() in environment
    assert os.getsid(first["pid"]) != os.getsid(0), "Ctrl-C in a terminal is for the parent"

    async with running_upstream() as upstream:
        assert await ask(await worker.ensure_ready(), upstream.url) == 200
        os.kill(first["pid"], signal.SIGKILL)
        await until(lambda: worker.status()["status"] == "failed")
        assert await ask(await worker.ensure_ready(), upstream.url) == 200
    second = worker.status()
    assert second["restarts"] == 1
    assert not folder.exists()

    await worker.stop()
    assert is_gone(second["pid"])
    assert worker.status()["status"] == "stopped"
    with pytest.raises(ProviderUnavailable, match="stopping"):
        await worker.ensure_ready()
    await worker.stop()


@needs_litellm
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
async def test_the_child_goes_when_its_parent_is_killed():
    environment = {**os.environ, "PYTHONPATH": str(child.PACKAGE_FOLDER)}
    command = [sys.executable, "-c", PARENT]
    parent = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env=environment)
    try:
        pid = int(await parent.stdout.readline())
    finally:
        parent.kill()
        await parent.wait()
    killed_at = time.monotonic()
    await until(lambda: is_gone(pid), 10)
    assert time.monotonic() - killed_at < 2


@needs_litellm
async def test_a_stop_during_the_start_leaves_nothing(worker):
    starting = asyncio.ensure_future(worker.ensure_ready())
    before = children()
    await until(lambda: children() - before)
    (pid,) = children() - before
    await worker.stop()
    assert is_gone(pid)
    with pytest.raises(ProviderUnavailable, match="stopping"):
        await starting


async def test_a_child_that_cannot_start_is_said_so_and_tried_again_later(worker, monkeypatch):
    monkeypatch.setattr(process, "litellm_version", lambda: "1")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ProviderUnavailable, match="ended while it started") as first:
        await worker.ensure_ready()
    assert first.value.never_sent
    with pytest.raises(ProviderUnavailable, match="tried again shortly") as second:
        await worker.ensure_ready()
    assert second.value.retry_after_s == 2
    assert worker.status()["status"] == "failed"
    assert worker.status()["pid"] is None


async def test_a_program_that_is_missing_is_no_crash(worker, monkeypatch):
    monkeypatch.setattr(process, "litellm_version", lambda: "1")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ProviderUnavailable, match="cannot be started"):
        await worker.ensure_ready()


async def test_a_child_that_says_too_much_does_not_stop_the_log(worker, monkeypatch, tmp_path, caplog):
    program = tmp_path / "talks"
    program.write_text(
        "#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' x\necho\necho key: sk-12345678901\necho last words\n"
    )
    program.chmod(0o700)
    monkeypatch.setattr(process, "litellm_version", lambda: "1")
    monkeypatch.setattr(sys, "executable", str(program))
    with caplog.at_level(logging.INFO, "gateway.providers.litellm_worker"), pytest.raises(ProviderUnavailable):
        await worker.ensure_ready()
    assert "last words" in caplog.text
    assert "sk-12345678901" not in caplog.text


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the two apart")
@pytest.mark.parametrize(("reads", "never_sent"), [(0, True), (3, True), (100_000, False)])
async def test_a_call_that_a_dying_worker_never_read_may_be_sent_again(tmp_path, reads, never_sent):
    path = str(tmp_path / "s")
    listener = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LISTENER, path, str(reads), stdout=subprocess.PIPE
    )
    assert await listener.stdout.readline()
    transport = Transport()
    connection = await transport.connect(Origin("litellm", 0, tls=False, socket=path), Timeouts())
    connection.begin(b"x" * 5_000, Timeouts())
    assert await listener.stdout.readline()
    listener.kill()
    with pytest.raises(ProviderUnavailable) as failed:
        await connection.head()
    assert failed.value.never_sent is never_sent
    await listener.wait()
    await transport.close()


async def test_without_litellm_the_message_says_what_to_install(worker, monkeypatch):
    monkeypatch.setattr(process, "litellm_version", lambda: None)
    with pytest.raises(ProviderUnavailable, match=r"pip install -r litellm_service/requirements\.txt"):
        await worker.ensure_ready()
    assert worker.status()["version"] is None


def test_the_parent_never_imports_litellm():
    code = "import sys, gateway.providers.upstreams; sys.exit('litellm' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(child.PACKAGE_FOLDER)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
