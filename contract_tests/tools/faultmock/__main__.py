"""`python -m faultmock --port 0 --truth-log FILE`: start the mock and print its URL."""

import argparse
import asyncio
import contextlib
import signal
from pathlib import Path

from faultmock.faults import FAULTS, fault_of, faults_of
from faultmock.server import FaultMock
from faultmock.truth import TruthLog
from faultmock.wires import WIRES


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="faultmock", description="An upstream that fails on request.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--truth-log", type=Path, help="append what was served to this file")
    parser.add_argument("--list", action="store_true", help="list the faults and stop")
    parser.add_argument("--wire", choices=WIRES, help="list those of one wire only, its own included")
    return parser.parse_args()


async def _serve(port: int, truth: TruthLog) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    mock = FaultMock(truth)
    print(await mock.start(port), flush=True)
    await stop.wait()
    mock.close()


def main() -> None:
    """Run until a signal comes."""
    arguments = _arguments()
    if arguments.list:
        wire = arguments.wire or ""
        for name in faults_of(wire) if wire else FAULTS:
            print(f"{name:22} {(fault_of(name, wire).__doc__ or '').strip()}")
        return
    with contextlib.closing(TruthLog(arguments.truth_log)) as truth:
        asyncio.run(_serve(arguments.port, truth))


if __name__ == "__main__":
    main()
