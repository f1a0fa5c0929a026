"""Processes pinned to one core, and what they cost, from /proc."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
STOP_WITHIN_S = 40.0


class Process:
    """A command on one core, with its children; its output goes to a file."""

    def __init__(self, command: list[str], core: int, log: Path, environment: dict[str, str], folder: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                ["taskset", "--cpu-list", str(core), *command],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.log = log

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def cpu_s(self) -> float:
        """Seconds of CPU that it and its children have used, children that ended included."""
        return sum(_cpu_s(pid) for pid in _tree(self._popen.pid))

    def rss_mb(self) -> float:
        """Resident memory of it and its children now."""
        return sum(_rss_kb(pid) for pid in _tree(self._popen.pid)) / 1024

    def wait_until_idle(self, deadline_s: float = 60.0) -> None:
        """Wait until what an earlier run left behind is worked off."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            before = self.cpu_s()
            time.sleep(0.3)
            if self.cpu_s() - before <= 0.03:
                return

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for what is left after a while."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(STOP_WITHIN_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()


def busy_s() -> float:
    """Seconds of CPU that the whole machine has been busy since its start."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) * TICK_S


def _tree(root: int) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for task in _entries(Path(f"/proc/{pid}/task")):
            with contextlib.suppress(OSError):
                waiting.extend(int(child) for child in (task / "children").read_text().split())
    return found


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) * TICK_S


def _rss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), 0)
