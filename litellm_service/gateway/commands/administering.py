"""`gateway keys`, `budgets`, `limits` and `audit`: what is asked of the service, and how its answer is shown."""

import argparse
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from gateway.commands import tables
from gateway.commands.options import add_commands
from gateway.commands.service import Ask, talk
from gateway.settings import Settings

Object = dict[str, Any]
_PAGE = 200
_SHOWN = {"keys": tables.keys, "budgets": tables.budgets, "limits": tables.limits, "entries": tables.changes}
_FAILED, _USAGE = 1, 2


class Refused(Exception):
    """The service said no; its error object."""

    def __init__(self, error: Object) -> None:
        super().__init__(error["message"])
        self.code: str = error["code"]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Put the commands among the others."""
    add_commands(commands, run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """One command; gives the exit status."""
    try:
        found = talk(settings, lambda ask: _ask(ask, options))
    except Refused as refused:
        print(refused, file=sys.stderr)
        return _USAGE if refused.code == "invalid_request" else _FAILED
    print(msgspec.json.encode(found).decode() if options.json else _readable(found))
    return 0


async def _ask(ask: Ask, options: argparse.Namespace) -> Object:
    noun: str = options.noun
    if options.action in {"list", "audit"}:
        return await _all(ask, noun, vars(options))
    path = f"/api/{noun}"
    if options.action != "create":
        path += f"/{quote(options.id, safe='')}"
    if options.action in {"block", "unblock", "rotate"}:
        path += f"/{options.action}"
    body: Callable[[argparse.Namespace], Object] | None = options.body
    return await checked(ask, options.method, path, None if body is None else body(options))


async def _all(ask: Ask, noun: str, given: Object) -> Object:
    """Every page of a list as one, up to `limit` of what there is."""
    listed = "entries" if noun == "audit" else noun
    wanted = {name: given[name] for name in ("object_kind", "object_id", "actor") if given.get(name)}
    most: int | None = given.get("limit")
    found: list[Object] = []
    cursor = None
    while True:
        query = {
            **wanted,
            "limit": min(_PAGE, most - len(found)) if most else _PAGE,
            **({"cursor": cursor} if cursor else {}),
        }
        page = await checked(ask, "GET", f"/api/{noun}?{urlencode(query)}", None)
        found += page[listed]
        cursor = page["next_cursor"]
        if cursor is None or len(found) == most:
            return {listed: found, "next_cursor": cursor}


async def checked(ask: Ask, method: str, path: str, body: Object | None) -> Object:
    """What the service answers; raises `Refused`."""
    answer = await ask(method, path, body)
    value: Object = answer.value
    if answer.status >= 400:
        raise Refused(value["error"])
    return value


def _readable(found: Object) -> str:
    for name, show in _SHOWN.items():
        if "next_cursor" in found and name in found:
            return show(found[name])
    if found.get("deleted"):
        return f"{found['id']} is deleted"
    secret = found.pop("key", None)
    text = tables.one(found)
    return text if secret is None else f"{text}\n\nThe secret, shown this once:\n{secret}"
