"""`python -m faultproxy --target HOST:PORT`: start the proxy and print its address."""

import argparse
import asyncio

from faultproxy.proxy import Conditions, FaultProxy


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="faultproxy", description="A TCP proxy that misbehaves as told.")
    parser.add_argument("--target", required=True, help="HOST:PORT to relay to")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency-ms", type=float, default=0, help="added to each block, both ways")
    parser.add_argument("--bytes-per-s", type=float, default=0, help="rate in each direction; 0 is unlimited")
    parser.add_argument("--cut-after", type=int, help="break the connection after so many bytes to the client")
    parser.add_argument("--reset", action="store_true", help="break with RST instead of FIN")
    parser.add_argument("--black-hole", action="store_true", help="accept, and let nothing through")
    parser.add_argument("--refuse", action="store_true", help="break new connections at once")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    host, _, port = arguments.target.rpartition(":")
    names = ("latency_ms", "bytes_per_s", "cut_after", "reset", "black_hole", "refuse")
    conditions = Conditions(**{name: getattr(arguments, name) for name in names})
    print(f"127.0.0.1:{await FaultProxy(host, int(port), conditions).start(arguments.port)}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(_arguments()))
