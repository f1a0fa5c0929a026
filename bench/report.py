"""The figures as tables: medians over the rounds, and ratios."""

import math
import os
import platform
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median

from bench.accounting import Accounting
from bench.load import Run
from bench.measuring import DIRECT, Results, Scenario
from bench.messages import STREAM_CHUNKS
from bench.systems import System

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
CONNECTIONS = (4, 32, 256)
BUSY_OTHERS = 0.15
OTHER_WIRES = ("messages", "responses", "chat to Anthropic", "messages to OpenAI")


def report(results: Results, systems: list[System], accounting: Accounting, rounds: int, seconds: float) -> str:
    """The whole report as Markdown."""
    names = [system.name for system in systems]
    parts = [
        f"{rounds} rounds of {seconds:g} s each, medians; systems interleaved, one at a time. {_machine()}",
        "**Plain chat completions**", _plain(results, names),
        "**Streams of 100 chunks, one every 5 ms**", _streams(results, names),
        "**Other wires, plain, at 32 connections**", _wires(results, names),
        "**Ratios, plain, same run**", _ratios(results, names),
        *_latency(results, names[0]),
        "**Start and memory**", _starts(results, names),
        "**Accounting**", accounting.sentence(), _batches(results),
        "**Settings**", "\n".join(f"- {system.name}: {system.settings}." for system in systems),
        _others(results),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def write(text: str, page: Path) -> None:
    """Put the report between the marks of a page."""
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")


def _plain(results: Results, names: list[str]) -> str:
    head = [
        "system", *(f"requests/s at {c} connections" for c in CONNECTIONS),
        "p50 / p99 at 32", "CPU per request at 4 / 32 / 256",
    ]  # fmt: skip
    return _table(
        head,
        [
            [
                name,
                *(_figure(results, name, Scenario("plain", c), lambda run: run.rate, "{:,.0f}") for c in CONNECTIONS),
                _figure(results, name, Scenario("plain", 32), lambda run: run.p50_ms, "{:.1f} / ")
                + _figure(results, name, Scenario("plain", 32), lambda run: run.p99_ms, "{:.1f} ms"),
                " / ".join(
                    _figure(results, name, Scenario("plain", c), lambda run: run.cpu_us, "{:,.0f}") for c in CONNECTIONS
                )
                + " µs",
            ]
            for name in [*names, DIRECT]
            if (name, "plain 32") in results.runs
        ],
    )


def _streams(results: Results, names: list[str]) -> str:
    head = [
        "system",
        *(f"streams/s at {c}" for c in CONNECTIONS),
        "CPU per chunk at 4 / 32 / 256",
        "a stream takes, at 32",
    ]
    rows = []
    for name in names:
        chunk = [
            _figure(results, name, Scenario("stream", c), lambda run: run.cpu_us / STREAM_CHUNKS, "{:,.1f}")
            for c in CONNECTIONS
        ]
        rows.append([
            name,
            *(_figure(results, name, Scenario("stream", c), lambda run: run.rate, "{:,.1f}") for c in CONNECTIONS),
            " / ".join(chunk) + " µs",
            _figure(results, name, Scenario("stream", 32), lambda run: run.p50_ms, "{:,.0f} ms"),
        ])  # fmt: skip
    return _table(head, rows)


def _wires(results: Results, names: list[str]) -> str:
    rows = [
        [
            name,
            kind,
            _figure(results, name, Scenario(kind, 32), lambda run: run.rate, "{:,.0f}"),
            _figure(results, name, Scenario(kind, 32), lambda run: run.p50_ms, "{:.1f} / ")
            + _figure(results, name, Scenario(kind, 32), lambda run: run.p99_ms, "{:.1f} ms"),
            _figure(results, name, Scenario(kind, 32), lambda run: run.cpu_us, "{:,.0f} µs"),
        ]
        for name in names
        for kind in OTHER_WIRES
        if (name, f"{kind} 32") in results.runs
    ]
    return _table(["system", "route", "requests/s", "p50 / p99", "CPU per request"], rows)


def _ratios(results: Results, names: list[str]) -> str:
    ours = names[0]
    rows = []
    for name in names[1:]:
        row = [f"{ours} : {name}"]
        for connections in CONNECTIONS:
            mine, other = (results.runs.get((who, f"plain {connections}")) for who in (ours, name))
            row.append(_ratio(_median(mine, lambda r: r.rate), _median(other, lambda r: r.rate)))
        mine, other = (results.runs.get((who, "plain 32")) for who in (ours, name))
        row.append(_ratio(_median(other, lambda r: r.cpu_us), _median(mine, lambda r: r.cpu_us)))
        mine, other = (results.runs.get((who, "stream 32")) for who in (ours, name))
        row.append(_ratio(_median(other, lambda r: r.cpu_us), _median(mine, lambda r: r.cpu_us)))
        rows.append(row)
    head = [
        "throughput per core", *(f"at {c} connections" for c in CONNECTIONS),
        "by CPU per request at 32", "by CPU per stream at 32",
    ]  # fmt: skip
    return _table(head, rows)


def _latency(results: Results, ours: str) -> list[str]:
    mine, mock = results.runs.get((ours, "half load")), results.runs.get((DIRECT, "half load"))
    if not mine or not mock:
        return []
    p50 = _median(mine, lambda r: r.p50_ms) - _median(mock, lambda r: r.p50_ms)
    p99 = _median(mine, lambda r: r.p99_ms) - _median(mock, lambda r: r.p99_ms)
    rate = _median(mine, lambda r: r.rate)
    return [
        "**Added latency at half load**",
        f"At {rate:,.0f} requests/s (64 connections with pauses): {p50:.2f} ms at p50, {p99:.2f} ms at p99, over the mock itself.",
    ]


def _starts(results: Results, names: list[str]) -> str:
    rows = []
    for name in [*names, f"{names[0]}, first start"]:
        starts = results.starts.get(name)
        if not starts:
            continue
        loaded = [run.rss_mb for (system, _), runs in results.runs.items() if system == name for run in runs]
        rows.append([
            name, f"{median(start.seconds for start in starts):.2f} s",
            f"{median(start.rss_mb for start in starts):.0f} MB", f"{max(loaded):.0f} MB" if loaded else "",
        ])  # fmt: skip
    return _table(["system", "process start → first answer", "memory at start", "highest under load"], rows)


def _batches(results: Results) -> str:
    if not results.batches:
        return ""
    means = ", ".join(f"{scenario}: {mean(sizes):.1f}" for scenario, sizes in results.batches.items())
    return f"Mean ledger batch (operations a commit; a request is two): {means}."


def _others(results: Results) -> str:
    elsewhere = median(run.elsewhere for runs in results.runs.values() for run in runs)
    note = " The machine was shared: read the ratios, not the rates." if elsewhere > BUSY_OTHERS else ""
    return f"Other processes used {elsewhere:.2f} cores (median over the runs).{note}"


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return (
        f"The system on core 0, mock and load generator on core 1. {os.cpu_count()} cores, {model}, "
        f"Python {platform.python_version()}."
    )


def _figure(results: Results, name: str, scenario: Scenario, value: Callable[[Run], float], form: str) -> str:
    runs = results.runs.get((name, scenario.name))
    return form.format(_median(runs, value)) if runs else "–"


def _median(runs: list[Run] | None, value: Callable[[Run], float]) -> float:
    return median(map(value, runs)) if runs else math.nan


def _ratio(above: float, below: float) -> str:
    ratio = above / below if below else math.nan
    return "–" if math.isnan(ratio) else f"{ratio:,.0f} ×" if ratio >= 10 else f"{ratio:.2f} ×"


def _table(head: list[str], rows: list[list[str]]) -> str:
    align = ["---", *("--:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, align, *rows])
