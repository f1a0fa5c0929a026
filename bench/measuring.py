"""Starts each system in turn and runs every scenario against it."""

import http.client
import json
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.load import Run, Target, run
from bench.processes import Process
from bench.systems import System, direct
from bench.upstream import Upstream

START_WITHIN_S = 120.0
SETTLE_S = 0.5
WARM_UP_S = 1.0
STREAM_S = 4.0
HALF_LOAD_CONNECTIONS = 64
DIRECT = "the mock itself"


@dataclass(frozen=True)
class Scenario:
    """`kind` is `plain`, `stream`, or one of the other wires that only our gateway is asked for."""

    kind: str
    connections: int

    @property
    def name(self) -> str:
        """As it is printed."""
        return f"{self.kind} {self.connections}"


@dataclass(frozen=True)
class Start:
    """Seconds from the start of the process to its first 200, and its memory then."""

    seconds: float
    rss_mb: float


@dataclass
class Results:
    """Everything measured, by name of the system; runs also by name of the scenario."""

    runs: dict[tuple[str, str], list[Run]] = field(default_factory=lambda: defaultdict(list))
    starts: dict[str, list[Start]] = field(default_factory=lambda: defaultdict(list))
    batches: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    answers: int = 0
    in_flight: int = 0


class Bench:
    """One benchmark: rounds over systems over scenarios."""

    def __init__(self, upstream: Upstream, seconds: float) -> None:
        self._upstream = upstream
        self._seconds = seconds
        self.results = Results()

    def first_start(self, system: System) -> None:
        """Let a system make its files, so that later starts are as every day's."""
        process, seconds = started(system)
        self.results.starts[f"{system.name}, first start"].append(Start(seconds, process.rss_mb()))
        self.results.answers += 1
        process.stop()

    def round(self, system: System, scenarios: Iterable[Scenario], *, half_load: bool = False) -> None:
        """Start a system, run every scenario, stop it."""
        process, seconds = started(system)
        try:
            time.sleep(SETTLE_S)
            self.results.starts[system.name].append(Start(seconds, process.rss_mb()))
            self.results.answers += system.database is not None
            for scenario in scenarios:
                self._scenario(system, process, scenario)
            if half_load:
                self._half_load(system, process)
        finally:
            process.stop()

    def direct(self, scenarios: Iterable[Scenario]) -> None:
        """The same load on the mock without anything in between."""
        mock = self._upstream.processes[0]
        for scenario in scenarios:
            target = direct(self._upstream)[scenario.kind]
            self._keep(
                DIRECT, scenario.name, run(target, mock, self._upstream.processes, scenario.connections, self._seconds)
            )

    def _scenario(self, system: System, process: Process, scenario: Scenario) -> None:
        target = system.targets[scenario.kind]
        self._run(system, process, target, scenario.connections, WARM_UP_S)
        before = _commits(system)
        seconds = max(STREAM_S, self._seconds) if scenario.kind == "stream" else self._seconds
        measured = self._run(system, process, target, scenario.connections, seconds)
        self._keep(system.name, scenario.name, measured)
        after = _commits(system)
        if before and after and after[0] > before[0]:
            self.results.batches[scenario.name].append((after[1] - before[1]) / (after[0] - before[0]))

    def _half_load(self, system: System, process: Process) -> None:
        """Half of what it did at 32 connections, with pauses; then the mock at the same pace."""
        rate = self.results.runs[system.name, "plain 32"][-1].rate / 2
        pause_ms = max(1, round(1000 * HALF_LOAD_CONNECTIONS / rate))
        target, seconds = system.targets["plain"], self._seconds
        measured = self._run(system, process, target, HALF_LOAD_CONNECTIONS, seconds, pause_ms)
        self._keep(system.name, "half load", measured)
        mock, mocks = self._upstream.processes[0], self._upstream.processes
        target = direct(self._upstream)["plain"]
        self._keep(DIRECT, "half load", run(target, mock, mocks, HALF_LOAD_CONNECTIONS, seconds, pause_ms))

    def _run(
        self,
        system: System,
        process: Process,
        target: Target,
        connections: int,
        seconds: float,
        pause: int | None = None,
    ) -> Run:
        measured = run(target, process, self._upstream.processes, connections, seconds, pause)
        process.wait_until_idle()
        if system.database is not None:
            self.results.answers += measured.answers
            self.results.in_flight += connections
        return measured

    def _keep(self, system: str, scenario: str, measured: Run) -> None:
        if measured.not_2xx and not measured.answers:
            raise SystemExit(f"{system} refused every request of {scenario!r}: that measures nothing.")
        self.results.runs[system, scenario].append(measured)
        trouble = (
            f"  {measured.not_2xx} not 2xx, {measured.failed} failed" if measured.not_2xx or measured.failed else ""
        )
        print(
            f"  {system:16} {scenario:11} {measured.rate:9.0f}/s  p50 {measured.p50_ms:8.2f}  p99 {measured.p99_ms:8.2f} ms  "
            f"CPU {measured.cpu_us:8.1f} µs  {measured.rss_mb:6.1f} MB  others {measured.elsewhere:4.2f} cores{trouble}",
            flush=True,
        )


def started(system: System) -> tuple[Process, float]:
    """Start a system and wait for its first answer; the process, and the seconds that took."""
    began = time.monotonic()
    process = system.start()
    while not _answers(system.targets["plain"]):
        if not process.running or time.monotonic() - began > START_WITHIN_S:
            process.stop()
            raise RuntimeError(f"{system.name} does not answer; see {process.log}")
        time.sleep(0.005)
    return process, time.monotonic() - began


def _answers(target: Target) -> bool:
    url = urlsplit(target.url)
    connection = http.client.HTTPConnection(url.netloc, timeout=10)
    try:
        connection.request("POST", url.path, target.body, {**target.headers, "content-type": "application/json"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _commits(system: System) -> tuple[int, int] | None:
    """Commits and operations of our ledger so far."""
    if system.database is None:
        return None
    url = system.targets["plain"].url.removesuffix("/v1/chat/completions") + "/health"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as reply:
        database = json.load(reply)["parts"]["database"]
    return database["commits"], database["operations"]
