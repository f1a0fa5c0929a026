"""Prices as people read them on a terminal."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gateway.commands.tables import dollars, table
from gateway.metering.report_prices import PriceRow

Object = dict[str, Any]
Show = Callable[[Object], str]
_MOST = 40


def prices(rows: Sequence[PriceRow], version: str) -> str:
    """The price list."""
    lines = [f"{'model':60} {'input':>10} {'output':>10} {'cached':>10} {'context':>10}"]
    for row in rows:
        figures = [_usd(row.input), _usd(row.output), _usd(row.cached), str(row.context or "")]
        lines.append(f"{row.model:60} " + " ".join(f"{figure:>10}" for figure in figures))
    return "\n".join([*lines, f"{len(rows)} models; USD per million tokens; source: {version}"])


def override(found: Object) -> str:
    """One that was set."""
    rates = " ".join(f"{name}={value:g}" for name, value in found["rates"].items())
    return f"{found['id']}  {found['model']} from {found['effective_from']}: {rates}"


def overrides(found: Object) -> str:
    """All that was set, the maps, and the models in use that have no price."""
    parts = [override(one) for one in found["overrides"]] or ["no prices were set"]
    parts += [f"map {one['version']} from {one['effective_from']}: {one['models']} models" for one in found["maps"]]
    parts.append(f"built in: {found['version']}" if not found["maps"] else "")
    parts += [
        f"not priced, but used: {one['model']}, {one['unpriced_requests']} requests" for one in found["unpriced_in_use"]
    ]
    return "\n".join(part for part in parts if part)


def imported(found: Object) -> str:
    """What an import changes."""
    lines = [f"new: {name}" for name in _some(found["new"])] + [f"gone: {name}" for name in _some(found["gone"])]
    lines += [
        f"{change['model']}  {change['item']}: {_usd(change['before'])} → {_usd(change['after'])}"
        + ("  SUSPECT" if change["is_suspect"] else "")
        for change in sorted(found["changed"], key=lambda change: not change["is_suspect"])[:_MOST]
    ]
    lines += [] if len(found["changed"]) <= _MOST else [f"… and {len(found['changed']) - _MOST} more; --json has all"]
    counts = f"{len(found['new'])} new, {len(found['gone'])} gone, {len(found['changed'])} prices changed"
    if found["applied"]:
        end = f"imported as {found['map']['version']!r}, in force from {found['map']['effective_from']}"
    else:
        more = f" --confirm, as {len(found['suspects'])} changes are suspect" if found["suspects"] else ""
        end = f"nothing was changed; add --apply{more}"
    return "\n".join([*lines, counts, end])


def recomputed(found: Object) -> str:
    """What a recomputation changes."""
    titles = ("model", "requests", "before", "after", "newly priced")
    rows = [
        (
            change["model"], str(change["corrections"]), dollars(change["before_nano_usd"]), dollars(change["after_nano_usd"]),
            str(change["newly_priced"]),
        )
        for change in found["models"]
    ]  # fmt: skip
    counts = (
        f"{found['corrections']} of {found['attempts']} attempts differ, by {dollars(found['difference_nano_usd'])}"
    )
    end = "corrections were written" if found["applied"] else "nothing was changed; add --apply to correct them"
    return "\n".join([*([table(titles, rows, "model")] if rows else []), counts, end])


def _some(names: Sequence[str]) -> Iterable[str]:
    return names if len(names) <= _MOST else [*names[:_MOST], f"… and {len(names) - _MOST} more; --json has all"]


def _usd(value: float | None) -> str:
    return "not priced" if value is None else f"{value:g}"
