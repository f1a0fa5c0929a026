"""`gateway prices`: the list, and what is asked of the service to change the book."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from gateway.commands import price_tables as tables
from gateway.commands.administering import Refused, checked
from gateway.commands.service import Ask, talk
from gateway.domain.price import FALLBACK, FEES, PriceMap, PriceOverride
from gateway.domain.time import now_ms
from gateway.metering.models import ModelMap
from gateway.metering.prices import PriceBook
from gateway.metering.report_prices import price_rows
from gateway.settings import Settings
from gateway.store.sqlite.administration import stored

Object = dict[str, Any]
Parser = argparse.ArgumentParser
ACTIONS = ("list", "override", "overrides", "delete", "import", "recompute")
_FAILED, _USAGE = 1, 2
_EPILOG = """examples:
  gateway prices 'openai/gpt-*'
  gateway prices override 'vllm/*' --input 0.1 --output 0.1
  gateway prices import model_prices_and_context_window.json
  gateway prices recompute --from 2026-11-01 --to 2026-12-01"""


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """`prices 'openai/*'` as `prices list 'openai/*'`."""
    given = list(arguments)
    if given[:1] == ["prices"] and given[1:2] not in [[word] for word in (*ACTIONS, "-h", "--help")]:
        given.insert(1, "list")
    return given


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Put the command among the others."""
    about = "list the price book, in USD per million tokens; set, import and recompute prices"
    parser = commands.add_parser(
        "prices", help=about, description=about[0].upper() + about[1:] + ".", epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = _action(actions, "list", "list the price book (the default)", _listed)
    listing.add_argument("pattern", nargs="?", default="*", help="which models, for example 'openai/gpt-*'")
    _override_options(
        _action(actions, "override", "set the price of a model, or of all that a glob matches", _overridden)
    )
    _action(actions, "overrides", "list the prices that were set, and imported maps", _overrides)
    _action(actions, "delete", "take a price back", _deleted).add_argument("id", metavar="ID")
    _import_options(_action(actions, "import", "say what a newer map would change; with --apply import it", _imported))
    _recompute_options(
        _action(
            actions, "recompute", "say what earlier requests should have cost; with --apply correct them", _recomputed
        )
    )


def _action(actions: Any, name: str, text: str, command: object) -> Parser:
    parser: Parser = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=command)
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser


def _override_options(parser: Parser) -> None:
    parser.add_argument("model", help="a name or a glob: openai/gpt-4o, 'vllm/*', or gpt-4o at any provider")
    for name in ("input", "output", *FALLBACK):
        parser.add_argument(f"--{name.replace('_', '-')}", dest=f"{name}_usd_per_million", required=name in {"input", "output"},
                            metavar="USD", help="per million tokens")  # fmt: skip
    for name in FEES:
        parser.add_argument(f"--{name}", dest=f"{name}_usd", metavar="USD", help="each")
    parser.add_argument("--provider", default="", help="only there")
    parser.add_argument("--effective-from", metavar="TIME", help="ISO 8601 (default: now)")
    parser.add_argument("--note", default="")


def _import_options(parser: Parser) -> None:
    parser.add_argument("file", type=Path, help="LiteLLM's model_prices_and_context_window.json")
    parser.add_argument("--version", default="", help="what to call it")
    parser.add_argument("--effective-from", metavar="TIME", help="ISO 8601 (default: now)")
    parser.add_argument("--apply", action="store_true", help="import it")
    parser.add_argument("--confirm", action="store_true", help="also where changes are suspect")


def _recompute_options(parser: Parser) -> None:
    parser.add_argument("--from", dest="from_", required=True, metavar="TIME", help="ISO 8601")
    parser.add_argument("--to", required=True, metavar="TIME", help="ISO 8601")
    parser.add_argument("--apply", action="store_true", help="write the corrections")


def _listed(settings: Settings, options: argparse.Namespace) -> int:
    models = ModelMap.load()
    book = PriceBook(models)
    book.replace(stored(settings.database, "book", PriceMap), stored(settings.database, "price", PriceOverride))
    rows = price_rows(book, models, settings.providers, options.pattern, at_ms=now_ms())
    if not rows:
        print(f"no model matches {options.pattern!r}; try 'openai/*'", file=sys.stderr)
        return _FAILED
    print(
        "\n".join(msgspec.json.encode(row).decode() for row in rows)
        if options.json
        else tables.prices(rows, book.version)
    )
    return 0


def _overridden(settings: Settings, options: argparse.Namespace) -> int:
    given = vars(options)
    rates = {
        name: given[name] for name in given if name.endswith(("_usd", "_usd_per_million")) and given[name] is not None
    }
    body = {
        "model": options.model,
        "provider": options.provider,
        "note": options.note,
        "rates": rates,
        **_since(options),
    }
    return _asked(settings, options, ("POST", "/api/prices/overrides", body), tables.override)


def _overrides(settings: Settings, options: argparse.Namespace) -> int:
    return _asked(settings, options, ("GET", "/api/prices?limit=1", None), tables.overrides)


def _deleted(settings: Settings, options: argparse.Namespace) -> int:
    line = ("DELETE", f"/api/prices/overrides/{options.id}", None)
    return _asked(settings, options, line, lambda found: f"{found['id']} is deleted")


def _imported(settings: Settings, options: argparse.Namespace) -> int:
    try:
        given = msgspec.Raw(options.file.read_bytes())
    except OSError as error:
        print(f"{options.file}: {error.strerror}", file=sys.stderr)
        return _USAGE
    body = {
        "map": given, "version": options.version, "apply": options.apply, "confirm": options.confirm, **_since(options),
    }  # fmt: skip
    return _asked(settings, options, ("POST", "/api/prices/import", body), tables.imported)


def _recomputed(settings: Settings, options: argparse.Namespace) -> int:
    body = {"from": options.from_, "to": options.to, "apply": options.apply}
    return _asked(settings, options, ("POST", "/api/prices/recompute", body), tables.recomputed)


def _since(options: argparse.Namespace) -> Object:
    return {"effective_from": options.effective_from} if options.effective_from else {}


def _asked(
    settings: Settings, options: argparse.Namespace, line: tuple[str, str, Object | None], show: tables.Show
) -> int:
    async def conversation(ask: Ask) -> Object:
        return await checked(ask, *line)

    try:
        found = talk(settings, conversation)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return _USAGE if refused.code == "invalid_request" else _FAILED
    print(msgspec.json.encode(found).decode() if options.json else show(found))
    return 0
