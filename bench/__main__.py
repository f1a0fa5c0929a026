"""`python -m bench`: measures this gateway beside nginx and its peers."""

import argparse
import shutil
import sys
from pathlib import Path

from bench import install
from bench.accounting import check
from bench.measuring import Bench, Scenario
from bench.places import ROOT, WORK
from bench.report import OTHER_WIRES, report, write
from bench.systems import System, all_systems
from bench.upstream import Upstream

EVERY = [Scenario(kind, connections) for kind in ("plain", "stream") for connections in (4, 32, 256)]
WIRES = [Scenario(kind, 32) for kind in OTHER_WIRES]
FAST_ONLY = Scenario("stream", 256)  # a slow system would not finish a single stream in the time
QUICK = [*(Scenario("plain", connections) for connections in (4, 32, 256)), Scenario("stream", 32)]
QUICK_PEER = [Scenario("plain", 32), Scenario("stream", 32)]
PAGE = ROOT / "docs" / "performance.md"


def main() -> int:
    """Run; gives 1 if the ledger does not hold what the clients received."""
    options = _options()
    install.system_parts()
    if not options.quick:
        install.peers()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    rounds = 1 if options.quick else options.rounds
    seconds = 2.0 if options.quick else options.seconds
    upstream = Upstream()
    try:
        systems = _chosen(all_systems(upstream, options.peer), options.only)
        bench = _measured(upstream, systems, rounds, seconds, quick=options.quick)
    finally:
        upstream.stop()
    accounting = check([system.database for system in systems if system.database is not None], bench.results)
    text = report(bench.results, systems, accounting, rounds, seconds)
    print(f"\n{text}")
    if not options.quick and not options.only:
        write(text, Path(PAGE))
    return 0 if accounting.right else 1


def _measured(upstream: Upstream, systems: list[System], rounds: int, seconds: float, *, quick: bool) -> Bench:
    bench = Bench(upstream, seconds)
    bench.first_start(systems[0])
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", flush=True)
        for system in systems:
            bench.round(system, _scenarios(system, quick=quick), half_load=not quick and system.database is not None)
        if not quick:
            bench.direct(EVERY[:3])
    return bench


def _scenarios(system: System, *, quick: bool) -> list[Scenario]:
    wires = [scenario for scenario in WIRES if scenario.kind in system.targets]
    if not quick:
        return [*(scenario for scenario in EVERY if not (system.slow and scenario == FAST_ONLY)), *wires]
    return QUICK_PEER if system.is_peer else [*QUICK, *wires]


def _chosen(systems: list[System], only: list[str]) -> list[System]:
    unknown = set(only) - {system.name for system in systems}
    if unknown:
        sys.exit(f"Not installed or unknown: {', '.join(unknown)}. There are: {', '.join(s.name for s in systems)}.")
    return [system for number, system in enumerate(systems) if number == 0 or not only or system.name in only]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a minute: one short round, with the peers already installed"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each run")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="beside ours; may be repeated")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=COMMAND",
        help="another system; {port}, {plain} and {stream} (the upstreams) are filled in",
    )  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
