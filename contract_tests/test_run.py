"""`make run`'s supervisor: both services start, stop together, and say what is wrong."""

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stack import ROOT, clean_environment, free_port, get_json, post_json, wait_until

COMMAND = [sys.executable, str(ROOT / "scripts" / "run.py")]
READY_WITHIN_S = 30


class Run:
    """The supervisor on free ports, its output in a file."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.api_port, self.webui_port = free_port(), free_port()
        self.log = folder / "run.log"
        settings = {
            "API_PORT": str(self.api_port),
            "WEBUI_PORT": str(self.webui_port),
            "DATABASE_URL": f"sqlite:///{folder}/usage.db",
            **variables,
        }
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                COMMAND, env=clean_environment(settings), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def text(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def is_ready(self) -> bool:
        return "Stop with Ctrl-C" in self.text or self.process.poll() is not None

    def children(self) -> dict[str, psutil.Process]:
        """The services by the name of their script."""
        return {Path(child.cmdline()[1]).name: child for child in psutil.Process(self.process.pid).children()}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    started = Run(tmp_path)
    try:
        wait_until(started.is_ready, READY_WITHIN_S, "the box with the addresses")
        yield started
    finally:
        if started.process.poll() is None:
            children = psutil.Process(started.process.pid).children(recursive=True)
            for process in (psutil.Process(started.process.pid), *children):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        started.process.wait()


def test_both_services_answer_and_the_addresses_are_shown(run: Run):
    assert f"http://localhost:{run.webui_port}" in run.text
    assert f"http://localhost:{run.api_port}" in run.text
    assert "No provider key yet" in run.text
    chat = f"http://127.0.0.1:{run.webui_port}/api/chat"
    status, reply = post_json(chat, {"query": "hello", "model": "demo/echo"}, {"x-webui": "1"})
    assert (status, "hello" in str(reply)) == (200, True), reply
    assert get_json(f"http://127.0.0.1:{run.api_port}/api/stats")[1]["summary"]["total_requests"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_both_and_the_status_is_0(run: Run, number: signal.Signals):
    children = run.children()
    assert set(children) == {"api_service.py", "app.py"}
    run.process.send_signal(number)
    assert run.process.wait(20) == 0, run.text
    assert not [name for name, child in children.items() if child.is_running()]


def test_the_end_of_one_ends_the_other_and_is_told(run: Run):
    children = run.children()
    children["app.py"].kill()
    assert run.process.wait(20) != 0
    assert "webui ended by itself" in run.text
    assert not children["api_service.py"].is_running()


def test_a_port_in_use_is_told_with_the_variable_to_change(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        run = Run(tmp_path, WEBUI_PORT=str(taken.getsockname()[1]))
        assert run.process.wait(20) == 2
    assert "WEBUI_PORT" in run.text
    assert os.strerror(errno.EADDRINUSE) in run.text


def test_a_bad_port_is_told_with_its_name(tmp_path: Path):
    run = Run(tmp_path, API_PORT="soon")
    assert run.process.wait(20) == 2
    assert "API_PORT" in run.text
