"""The commands: serve, check, migrate, doctor, prices; those for administrators are in `commands`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gateway import __version__
from gateway.commands import administering, explaining, pricing
from gateway.domain.errors import SettingsError
from gateway.metering.models import ModelMap
from gateway.providers.catalog import Catalog
from gateway.providers.litellm_worker.process import litellm_version
from gateway.providers.webhook import split_webhook
from gateway.routing_table import names, routes
from gateway.settings import Settings, load, masked
from gateway.store.sqlite import opening
from gateway.store.sqlite.audit import audit
from gateway.store.sqlite.opening import DatabaseUnusable
from gateway.store.sqlite.repair import repair

Command = Callable[[Settings, argparse.Namespace], int]

EXIT_SETTINGS = 2
_SECRETS = ("admin_key", "pepper", "secret")


def main(arguments: Sequence[str], *, host: str | None = None, port: int | None = None) -> int:
    """Run one command; gives the exit status: 0 done, 1 failed, 2 bad settings or usage."""
    options = _parser().parse_args(pricing.spelled_out(arguments) or ["--help"])
    command: Command = options.command
    try:
        return command(load(host=host, port=port), options)
    except SettingsError as error:
        print(f"Bad setting: {error}", file=sys.stderr)
        return EXIT_SETTINGS
    except DatabaseUnusable as error:
        print(error.message, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gateway", description="LiteLLM Microservices: the API service.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "serve", _serve, "start the API service (API_HOST, API_PORT, DATABASE_URL … as in .env.example)")
    _add(
        commands, "check", _check, "print the effective settings, secrets masked; exit 2 naming the field if one is bad"
    )
    _add(commands, "migrate", _migrate, "bring the database to this version's schema (the service must not run)")
    doctor = _add(commands, "doctor", _doctor, "look for what is wrong with this installation and its database")
    doctor.add_argument(
        "--audit", action="store_true", help="only recompute the ledger's invariants; exit 1 if one is broken"
    )
    doctor.add_argument(
        "--repair", action="store_true",
        help="say what making rollups and budgets anew from the ledger would change (the service must not run)",
    )  # fmt: skip
    doctor.add_argument("--apply", action="store_true", help="with --repair: do it")
    pricing.add(commands)
    administering.add(commands)
    explaining.add(commands)
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, command: Command, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=command)
    return parser


def _serve(settings: Settings, _options: argparse.Namespace) -> int:
    from gateway.serving import serve  # the other commands need no server  # noqa: PLC0415

    return serve(settings)


def _check(settings: Settings, _options: argparse.Namespace) -> int:
    for section in (settings.server, settings.store, settings.upstream, settings.routing, settings.cache):
        for name, value in msgspec.structs.asdict(section).items():
            print(f"{name.upper()} = {msgspec.json.encode(_shown(name, value)).decode()}")
    print(f"config file: {settings.config_file or 'none'}; database: {settings.database}")
    for alias, target in settings.aliases.items():
        print(f"alias {alias} = {target}")
    known = names(settings, ModelMap.load(Catalog(setting.row for setting in settings.providers.values())))
    for name, route in routes(settings, known).items():
        print(f"route {name} = {', '.join(way.key for way in route.ways)} ({route.strategy})")
    for name, setting in settings.providers.items():
        if setting.configured:
            way = "LiteLLM worker" if setting.via_litellm else setting.base_url or "built in"
            print(f"provider {name}: {way}, key {masked(setting.api_key) or 'none needed'}")
    return 0


def _shown(name: str, value: Any) -> Any:
    """A setting as it may be printed; what follows the host of a webhook's URL is often as good as a password."""
    if name == "gateway_webhook_url" and value is not None:
        origin, _ = split_webhook(value)
        return f"{'https' if origin.tls else 'http'}://{origin.authority}/…"
    return masked(value) if name.endswith(_SECRETS) else value


def _migrate(settings: Settings, _options: argparse.Namespace) -> int:
    opening.prepare_folder(settings.database)
    lock = opening.FileLock(settings.database)
    lock.acquire()
    try:
        opening.check_not_damaged(settings.database)
        before = opening.schema_version(settings.database)
        opening.migrate_if_behind(settings.database)
    finally:
        lock.release()
    print(
        f"{settings.database}: schema {opening.HEAD}"
        + (" already" if before == opening.HEAD else f" (was {before or 'new'})")
    )
    return 0


def _doctor(settings: Settings, options: argparse.Namespace) -> int:
    if not options.audit:
        _print_installation(settings)
    if not settings.database.exists():
        print(f"database: {settings.database} does not exist yet; it is made at the first start")
        return 0
    opening.check_not_damaged(settings.database)
    if options.repair:
        _repair(settings, apply=options.apply)
    checks = audit(settings.database)
    for check in checks:
        print(f"{'ok   ' if check.wrong == 0 else 'WRONG'}  {check.name}: {check.wrong}")
    broken = sum(check.wrong != 0 for check in checks)
    print("audit clean" if not broken else f"{broken} invariants are broken; keep a copy of the file and report it")
    return 1 if broken else 0


def _repair(settings: Settings, *, apply: bool) -> None:
    lock = opening.FileLock(settings.database)
    lock.acquire()
    try:
        for line in repair(settings.database, apply=apply):
            print(line)
    finally:
        lock.release()
    print("written anew" if apply else "nothing was changed; add --apply to write them anew")


def _print_installation(settings: Settings) -> None:
    configured = [
        name for name, setting in settings.providers.items() if setting.configured and setting.row.wire != "demo"
    ]
    version = litellm_version()
    print(f"providers with a key: {', '.join(configured) or 'none; the demo/ models answer. Put a key into .env'}")
    print(
        f"LiteLLM worker: {f'LiteLLM {version}' if version else 'LiteLLM is not installed (pip install -r requirements.txt)'}"
    )
    print(f"database: {settings.database}, schema {opening.schema_version(settings.database) or 'not made yet'}")
    where = "open to this machine only, no key needed" if settings.listens_on_loopback else "a key is needed"
    print(f"listens on: {settings.server.api_host}:{settings.server.api_port} ({where})")
