"""`gateway explain`: where requests for a model go, in which order and why."""

import argparse
import sys
from typing import Any
from urllib.parse import urlencode

import msgspec

from gateway.commands.administering import Refused, checked
from gateway.commands.service import talk
from gateway.commands.tables import table
from gateway.settings import Settings

Object = dict[str, Any]
_EPILOG = """examples:
  gateway explain gpt-4o
  gateway explain fast --json"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Put the command among the others."""
    about = "say where requests for a model, an alias or a route go, in which order and why"
    parser = commands.add_parser(
        "explain", help=about, description=about[0].upper() + about[1:] + ".", epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(command=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """One command; gives the exit status."""
    path = f"/api/routes?{urlencode({'model': options.model})}"
    try:
        found = talk(settings, lambda ask: checked(ask, "GET", path, None))["routes"][0]
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    print(msgspec.json.encode(found).decode() if options.json else _readable(found))
    return 0


def _readable(found: Object) -> str:
    name, model = found["name"], found["model"]
    lines = [f"{model} is an alias of {name}"] if name != model else []
    if found["is_route"]:
        lines.append(
            f"{name} is a route: strategy {found['strategy']}{', with affinity' if found['affinity'] else ''}, "
            f"at most {found['attempts']} attempts"
        )
    titles = ("order", "deployment", "provider", "speaks", "weight", "output $/M", "health", "running", "first token")
    ways = [(str(place + 1), way) for place, way in enumerate(found["deployments"])]
    ways += [("fallback", way) for way in found["fallbacks"]]
    lines.append(table(titles, [_row(place, way) for place, way in ways], "deployment"))
    for field, words in (("on_context_length", "a conversation that is too long"), ("on_budget", "too little money")):
        if found[field]:
            lines.append(f"for {words}: {', '.join(found[field])}")
    return "\n".join(lines)


def _row(place: str, way: Object) -> tuple[str, ...]:
    health, price = way["health"], way["output_price_usd_per_million"]
    status = health["status"] if health["status"] == "healthy" else f"{health['status']} {health['until_s']:.0f} s"
    latency = health["latency_s"]
    return (
        place, way["deployment"], way["provider"], ", ".join(way["wires"]), f"{way['weight']:g}",
        "not priced" if price is None else f"{price:g}", status, str(health["running"]),
        "" if latency is None else f"{latency:.3f} s",
    )  # fmt: skip
