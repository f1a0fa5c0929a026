"""The options of `gateway keys`, `budgets`, `limits` and `audit`, and the bodies that they make."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

Parser = argparse.ArgumentParser
Parsers = "argparse._SubParsersAction[argparse.ArgumentParser]"
Body = Callable[[argparse.Namespace], dict[str, Any]]

_TERMS = ("requests_per_minute", "tokens_per_minute", "concurrency")
_KEY_FIELDS = (
    "name", "role", "user_id", "application_id", "models", "routes", "may_label_users", "may_label_applications",
    "default_max_tokens", "max_tokens", "max_cost_per_request_usd", "store_content", "expires_at",
)  # fmt: skip
_EMPTY_LISTS: dict[str, list[str]] = {"models": [], "routes": []}
_CLEARABLE = (
    "user_id", "application_id", "models", "routes", "default_max_tokens", "max_tokens", "max_cost_per_request_usd", "expires_at"
)  # fmt: skip
_BUDGET_FIELDS = ("amount_usd", "period", "tz", "hard", "thresholds", "raised_to_usd", "raised_until")
_SCOPES = {"user": "U", "application": "A", "key": "ID", "model": "GLOB"}

_KEYS = """examples:
  gateway keys create ci --user alice --model 'openai/*' --budget 5/month --requests-per-minute 60
  gateway keys patch 4f6c… --expires-at 2027-01-31 --clear models
  gateway keys rotate 4f6c… --grace 3600
  gateway keys list --json"""
_BUDGETS = """examples:
  gateway budgets create --everything --amount 100 --period month --tz Europe/Paris --threshold 80 --threshold 100
  gateway budgets create --model 'anthropic/*' --amount 20 --period week --soft
  gateway budgets patch 9a1b… --raise-to 200 --raise-until 2027-01-31T00:00:00Z"""
_LIMITS = """examples:
  gateway limits create --application my-app --requests-per-minute 60 --concurrency 8
  gateway limits patch 9a1b… --clear concurrency"""
_AUDIT = """examples:
  gateway audit --kind key --limit 20
  gateway audit --actor admin --json"""


def add_commands(commands: Any, command: object) -> None:
    """All four, each with its actions."""
    for noun, about, epilog, fill in (
        ("keys", "make, list, change, block, rotate and delete virtual keys", _KEYS, _keys),
        ("budgets", "make, list, change and delete budgets", _BUDGETS, _budgets),
        ("limits", "make, list, change and delete rate limits", _LIMITS, _limits),
    ):
        parser = _parser(commands, noun, about, epilog)
        parser.set_defaults(command=command, noun=noun)
        fill(parser.add_subparsers(required=True, metavar="ACTION"), noun[:-1])
    audit = _parser(commands, "audit", "list who changed what, the newest first", _AUDIT)
    audit.set_defaults(command=command, noun="audit", action="audit")
    audit.add_argument("--kind", dest="object_kind", choices=("key", "budget", "limit", "price", "book"))
    audit.add_argument("--id", dest="object_id", metavar="ID", help="of one object")
    audit.add_argument("--actor", metavar="ID", help="of the key that did it, `admin` or `open_mode`")
    audit.add_argument("--limit", type=int, default=50, help="how many (default 50)")
    _json(audit)


def _keys(actions: Any, noun: str) -> None:
    create = _action(actions, "create", "POST", "make a key; its secret is shown this once", _new_key)
    create.add_argument("name")
    _key_options(create)
    create.add_argument(
        "--budget", action="append", default=[], metavar="AMOUNT/PERIOD", help="USD per day, week, month or total"
    )
    _limit_options(create)
    _usual(actions, noun)
    patch = _action(actions, "patch", "PATCH", "change a key", _cleared(_given(_KEY_FIELDS)), with_id=True)
    patch.add_argument("--name", default=argparse.SUPPRESS)
    _key_options(patch)
    patch.add_argument(
        "--clear", action="append", default=[], choices=_CLEARABLE, help="take a value away; may be repeated"
    )
    _action(actions, "block", "POST", "let the key open nothing, and end what runs with it", with_id=True)
    _action(actions, "unblock", "POST", "take that back", with_id=True)
    rotate = _action(
        actions, "rotate", "POST", "give the key a new secret, shown this once", _given(("grace_s",)), with_id=True
    )
    rotate.add_argument(
        "--grace",
        dest="grace_s",
        type=int,
        default=0,
        metavar="SECONDS",
        help="for how long the old one is good (default 0)",
    )


def _budgets(actions: Any, noun: str) -> None:
    create = _action(actions, "create", "POST", "make a budget", _scoped(_given(_BUDGET_FIELDS)))
    _scope_options(create, required=True)
    create.add_argument("--amount", dest="amount_usd", required=True, metavar="USD")
    create.add_argument("--period", required=True, choices=("day", "week", "month", "total"))
    _budget_options(create)
    _usual(actions, noun)
    patch = _action(actions, "patch", "PATCH", "change a budget", _scoped(_given(_BUDGET_FIELDS)), with_id=True)
    _scope_options(patch, required=False)
    patch.add_argument("--amount", dest="amount_usd", default=argparse.SUPPRESS, metavar="USD")
    patch.add_argument("--period", default=argparse.SUPPRESS, choices=("day", "week", "month", "total"))
    _budget_options(patch)


def _limits(actions: Any, noun: str) -> None:
    create = _action(actions, "create", "POST", "make a rate limit", _scoped(_given(_TERMS)))
    _scope_options(create, required=True)
    _limit_options(create)
    _usual(actions, noun)
    patch = _action(actions, "patch", "PATCH", "change a rate limit", _cleared(_scoped(_given(_TERMS))), with_id=True)
    _scope_options(patch, required=False)
    _limit_options(patch)
    patch.add_argument(
        "--clear", action="append", default=[], choices=_TERMS, help="limit that no more; may be repeated"
    )


def _usual(actions: Any, noun: str) -> None:
    _action(actions, "list", "GET", f"list every {noun}")
    _action(actions, "show", "GET", f"show one {noun}", with_id=True)
    _action(actions, "delete", "DELETE", f"delete a {noun}", with_id=True)


def _key_options(parser: Parser) -> None:
    add, left_out = parser.add_argument, argparse.SUPPRESS
    add("--role", choices=("admin", "viewer", "member"), default=left_out)
    add("--user", dest="user_id", default=left_out, help="whom its requests are charged to")
    add("--application", dest="application_id", default=left_out, help="what its requests are charged to")
    add(
        "--model",
        dest="models",
        action="append",
        default=left_out,
        metavar="GLOB",
        help="allow this model; may be repeated",
    )
    add(
        "--route",
        dest="routes",
        action="append",
        default=left_out,
        metavar="GLOB",
        help="allow this path; may be repeated",
    )
    add("--expires-at", default=left_out, metavar="TIME", help="ISO 8601, for example 2027-01-31T00:00:00Z")
    add(
        "--max-cost",
        dest="max_cost_per_request_usd",
        default=left_out,
        metavar="USD",
        help="the most one request may cost",
    )
    add("--max-tokens", type=int, default=left_out, help="the longest answer it may ask for")
    add("--default-max-tokens", type=int, default=left_out, help="the longest answer where a request does not say")
    for option, field, text in (
        ("--store-content", "store_content", "keep its prompts and answers (the default)"),
        ("--label-users", "may_label_users", "let its requests name other users"),
        ("--label-applications", "may_label_applications", "let its requests name other applications"),
    ):
        add(option, dest=field, action=argparse.BooleanOptionalAction, default=left_out, help=text)


def _budget_options(parser: Parser) -> None:
    add, left_out = parser.add_argument, argparse.SUPPRESS
    add("--tz", default=left_out, metavar="ZONE", help="in which days, weeks and months begin (default UTC)")
    add("--soft", dest="hard", action="store_false", default=left_out, help="tell only, refuse nothing")
    add("--hard", dest="hard", action="store_true", default=left_out, help="refuse what is too much (the default)")
    add("--threshold", dest="thresholds", type=int, action="append", default=left_out, metavar="PERCENT",
        help="tell when so much is spent; may be repeated")  # fmt: skip
    add("--raise-to", dest="raised_to_usd", default=left_out, metavar="USD", help="a higher limit, until --raise-until")
    add("--raise-until", dest="raised_until", default=left_out, metavar="TIME", help="ISO 8601")
    add("--no-raise", action="store_true", help="end the raise")


def _limit_options(parser: Parser) -> None:
    for name in _TERMS:
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, type=int, default=argparse.SUPPRESS, metavar="N")


def _scope_options(parser: Parser, *, required: bool) -> None:
    group = parser.add_mutually_exclusive_group(required=required)
    group.add_argument("--everything", action="store_true", help="all requests")
    for kind, metavar in _SCOPES.items():
        group.add_argument(f"--{kind}", dest=f"on_{kind}", metavar=metavar, help=f"requests of one {kind}")


def _new_key(options: argparse.Namespace) -> dict[str, Any]:
    body = _given(_KEY_FIELDS)(options)
    body["budgets"] = [_budget_of(text) for text in options.budget]
    limits = _given(_TERMS)(options)
    return {**body, "limits": limits} if limits else body


def _budget_of(text: str) -> dict[str, Any]:
    amount, _, period = text.partition("/")
    return {"amount_usd": amount, "period": period or "total"}


def _given(fields: tuple[str, ...]) -> Body:
    """The fields that were given."""

    def body(options: argparse.Namespace) -> dict[str, Any]:
        given = {name: getattr(options, name) for name in fields if hasattr(options, name)}
        return given | ({"raised_to_usd": None, "raised_until": None} if getattr(options, "no_raise", False) else {})

    return body


def _scoped(of: Body) -> Body:
    """The same with what it stands on, if that was given."""

    def body(options: argparse.Namespace) -> dict[str, Any]:
        if options.everything:
            return {**of(options), "scope": {"kind": "everything"}}
        named: Mapping[str, str | None] = {kind: getattr(options, f"on_{kind}") for kind in _SCOPES}
        scopes = [{"kind": kind, "name": name} for kind, name in named.items() if name is not None]
        return {**of(options), **({"scope": scopes[0]} if scopes else {})}

    return body


def _cleared(of: Body) -> Body:
    """The same with the fields of `--clear` taken away."""
    return lambda options: of(options) | {name: _EMPTY_LISTS.get(name) for name in options.clear}


def _action(
    actions: Any, name: str, method: str, text: str, body: Body | None = None, *, with_id: bool = False
) -> Parser:
    parser: Parser = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(action=name, method=method, body=body)
    if with_id:
        parser.add_argument("id", metavar="ID")
    _json(parser)
    return parser


def _json(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="the service's own answer, for programs")


def _parser(commands: Any, name: str, about: str, epilog: str) -> Parser:
    parser: Parser = commands.add_parser(
        name, help=about, description=about[0].upper() + about[1:] + ".", epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    return parser
