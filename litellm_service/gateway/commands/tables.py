"""Keys, budgets, limits and changes as people read them on a terminal."""

from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]
_INNER = {"scope", "created_at", "updated_at"}  # of a limit: the key that shows it says as much


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], noun: str) -> str:
    """Columns as wide as what is in them, and how many rows there are."""
    count = f"{len(rows)} {noun}{'' if len(rows) == 1 else 's'}"
    if not rows:
        return count
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (titles, *rows)]
    return "\n".join([*(line.rstrip() for line in lines), count])


def keys(found: Sequence[Object]) -> str:
    """The list of keys."""
    titles = ("id", "name", "role", "state", "user", "application", "models", "budgets", "expires")
    rows = [
        (
            key["id"], key["name"], key["role"], key["state"], key["user_id"] or "", key["application_id"] or "",
            " ".join(key["models"]) or "all", ", ".join(map(standing, key["budgets"])), key["expires_at"] or "never",
        )
        for key in found
    ]  # fmt: skip
    return table(titles, rows, "key")


def budgets(found: Sequence[Object]) -> str:
    """The list of budgets."""
    titles = ("id", "on", "period", "limit", "spent", "held", "left", "resets", "")
    rows = [
        (
            budget["id"], _scope(budget), f"{budget['period']} {budget['tz']}", *(
                dollars(budget[f"{name}_nano_usd"]) for name in ("limit", "spent", "held", "remaining")
            ),
            budget["resets_at"] or "never", "hard" if budget["hard"] else "soft",
        )
        for budget in found
    ]  # fmt: skip
    return table(titles, rows, "budget")


def limits(found: Sequence[Object]) -> str:
    """The list of rate limits."""
    titles = ("id", "on", "requests/min", "tokens/min", "at once")
    names = ("requests_per_minute", "tokens_per_minute", "concurrency")
    rows = [(limit["id"], _scope(limit), *(_count(limit[name]) for name in names)) for limit in found]
    return table(titles, rows, "limit")


def changes(found: Sequence[Object]) -> str:
    """The audit log."""
    titles = ("at", "actor", "action", "object", "id", "changed")
    rows = [
        (entry["at"], entry["actor"], entry["action"], entry["object_kind"], entry["object_id"], _difference(entry))
        for entry in found
    ]
    return table(titles, rows, "change")


def one(found: Object) -> str:
    """Every field of one object, and the lists in it."""
    width = max(map(len, found))
    return "\n".join(
        f"{name.ljust(width)}  {_value(value)}" for name, value in found.items() if not name.endswith("nano_usd")
    )


def standing(budget: Object) -> str:
    """`$1.20 of $5.00/month`."""
    return f"{dollars(budget['spent_nano_usd'])} of {dollars(budget['limit_nano_usd'])}/{budget['period']}"


def dollars(nano_usd: int) -> str:
    """Every digit there is, and at least cents."""
    whole, part = divmod(abs(nano_usd), 10**9)
    return f"{'-' if nano_usd < 0 else ''}${whole:,}.{f'{part:09d}'.rstrip('0'):0<2}"


def _scope(found: Object) -> str:
    return _value(found["scope"])


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _difference(entry: Object) -> str:
    before, after = entry["before"] or {}, entry["after"] or {}
    if not before or not after:
        return ""
    names = [name for name in after if name != "updated_at_ms" and before.get(name) != after[name]]
    return ", ".join(f"{name}: {_value(before.get(name))} → {_value(after[name])}" for name in names)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value)) or "-"
    if isinstance(value, dict):
        if "spent_nano_usd" in value:
            return f"{value['id']} {standing(value)}"
        if "kind" in value:
            return f"{value['kind']} {value['name']}".strip()
        return " ".join(
            f"{name}={_value(inner)}" for name, inner in value.items() if inner is not None and name not in _INNER
        )
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
