"""Where the time of a plain request goes, by py-spy: `python -m bench.hot_path`."""

import argparse
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

from bench.load import run
from bench.measuring import started
from bench.places import CACHE, WORK
from bench.systems import all_systems
from bench.upstream import Upstream

RATE_HZ = 500
SHOWN = 30
WARM_UP_S = 1.0


def main() -> int:
    """Profile our gateway under load and print the functions that cost most."""
    options = _options()
    sampler = shutil.which("py-spy") or str(Path(sys.executable).with_name("py-spy"))
    if not Path(sampler).exists():
        print("py-spy is needed: .venv/bin/python -m pip install py-spy", file=sys.stderr)
        return 2
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    stacks = CACHE / "hot_path.stacks"
    upstream = Upstream()
    try:
        ours = all_systems(upstream, [])[0]
        process, _ = started(ours)
        target = ours.targets[options.kind]
        run(target, process, upstream.processes, options.connections, WARM_UP_S)
        command = [
            sampler,
            "record",
            "--pid",
            str(process.pid),
            "--duration",
            str(options.seconds),
            "--rate",
            str(RATE_HZ),
        ]
        extra = [
            "--format",
            "raw",
            "--threads",
            "--gil",
            "--output",
            str(stacks),
            *(["--native"] if options.native else []),
        ]
        sampling = subprocess.Popen([*command, *extra], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        measured = run(target, process, upstream.processes, options.connections, options.seconds)
        sampling.wait()
        process.stop()
    finally:
        upstream.stop()
    print("Samples are of threads that hold the interpreter's lock; SQLite's own work releases it.")
    print(f"{measured.rate:,.0f} answers/s, {measured.cpu_us:,.0f} µs of CPU a request, while sampled")
    _print(stacks.read_text())
    print(f"stacks for a flame graph: {stacks}")
    return 0


def _print(stacks: str) -> None:
    threads: dict[str, list[tuple[list[str], int]]] = defaultdict(list)
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        thread, *names = [frame.rpartition(":")[0] or frame for frame in frames.split(";")]
        threads[thread].append((names or [thread], int(count)))
    for thread, samples in threads.items():
        _print_thread(thread, samples)


def _print_thread(thread: str, samples: list[tuple[list[str], int]]) -> None:
    own: Counter[str] = Counter()
    inclusive: Counter[str] = Counter()
    for names, count in samples:
        own[names[-1]] += count
        for name in set(names):
            inclusive[name] += count
    total = sum(own.values())
    for title, counter in (("by itself", own), ("with what it calls", inclusive)):
        print(f"\n{thread}, {title}")
        for name, samples_there in counter.most_common(SHOWN):
            print(f"  {100 * samples_there / total:5.1f} %  {name}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.hot_path", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--kind", choices=("plain", "stream"), default="plain")
    parser.add_argument("--native", action="store_true", help="compiled functions too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
