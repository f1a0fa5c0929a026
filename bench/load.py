"""One run of wrk, and what the system under it used meanwhile."""

import json
import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.places import LOAD_CORE, WORK, environment
from bench.processes import Process, busy_s

REQUEST_TIMEOUT_S = 120


@dataclass(frozen=True)
class Target:
    """Where a request goes: URL, headers, body."""

    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Run:
    """What one run gave. `elsewhere` is the CPU that others on the machine used, in cores."""

    requests: int
    seconds: float
    bytes: int
    not_2xx: int
    failed: int
    p50_ms: float
    p99_ms: float
    cpu_s: float
    rss_mb: float
    elsewhere: float

    @property
    def answers(self) -> int:
        """Whole 2xx answers that the client received."""
        return self.requests - self.not_2xx

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU of the system a request."""
        return 1e6 * self.cpu_s / self.requests if self.requests else float("nan")


def run(
    target: Target, system: Process, mocks: list[Process], connections: int, seconds: float, pause_ms: int | None = None
) -> Run:
    """Load a system for a while; `pause_ms` is the mean pause of a connection between requests."""
    body = WORK / "body.json"
    body.write_bytes(target.body)
    extra = {"BENCH_BODY": str(body), "BENCH_HEADERS": "\n".join(f"{k}: {v}" for k, v in target.headers.items())}
    if pause_ms is not None:
        extra["BENCH_PAUSE_MS"] = str(pause_ms)
    command = [
        "taskset", "--cpu-list", str(LOAD_CORE), "wrk", "--threads", "1", "--connections", str(connections),
        "--duration", f"{seconds:g}s", "--timeout", f"{REQUEST_TIMEOUT_S}s",
        "--script", str(Path(__file__).with_name("request.lua")), target.url,
    ]  # fmt: skip
    wall, busy, cpu, load = time.monotonic(), busy_s(), system.cpu_s(), _load_cpu_s(mocks)
    result = subprocess.Popen(command, env=environment(extra), stdout=subprocess.PIPE, text=True)
    time.sleep(seconds * 0.9)
    rss_mb = system.rss_mb()
    output, _ = result.communicate(timeout=seconds + REQUEST_TIMEOUT_S)
    used = system.cpu_s() - cpu
    wall = time.monotonic() - wall
    load = _load_cpu_s(mocks) - load
    figures = json.loads(output.strip().splitlines()[-1])
    return Run(
        requests=figures["requests"], seconds=figures["seconds"], bytes=figures["bytes"], not_2xx=figures["not_2xx"],
        failed=figures["failed"], p50_ms=figures["p50_us"] / 1000, p99_ms=figures["p99_us"] / 1000,
        cpu_s=used, rss_mb=rss_mb, elsewhere=max(0.0, busy_s() - busy - used - load) / wall,
    )  # fmt: skip


def _load_cpu_s(mocks: list[Process]) -> float:
    wrk = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wrk.ru_utime + wrk.ru_stime + sum(mock.cpu_s() for mock in mocks)
