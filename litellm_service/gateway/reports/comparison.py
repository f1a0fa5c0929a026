"""The period before, and by how much this one differs."""

from collections.abc import Sequence
from typing import Any

from gateway.reports.usage import Totals, UsageQuery, iso, totals
from gateway.reports.zones import Range
from gateway.store.questions import ENDLESS_S, Part, UsageQuestion, added
from gateway.store.sqlite.reading import Reader


async def previous(
    reader: Reader, query: UsageQuery, before: Range, total: Totals, groups: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """T of the period `before`, of all and of the same groups, each with its `change` since then.

    `groups` are those of the report on the query, which says what they are grouped by.
    """
    part = Part(before.start, before.end, 0, ENDLESS_S)
    group_by = query.group_by if groups else ()
    (answer,) = await reader.usage([UsageQuestion(parts=(part,), filters=query.filters, group_by=group_by)])
    known = {cell.group: totals(cell.figures) for cell in answer.cells}
    nothing = totals(added([]))
    return {
        "from": iso(before.start_ms),
        "to": iso(before.end_ms),
        **_compared(totals(added(cell.figures for cell in answer.cells)), total),
        "groups": [
            {
                "key": group["key"],
                **_compared(known.get(tuple(group["key"].values()), nothing), group["totals"]),
            }
            for group in groups
        ],
    }


def change(then: Totals, now: Totals) -> dict[str, float | None]:
    """How much more of each figure, as a fraction of what it was; `None` where it was nothing or is not known."""
    return {
        name: (now[name] - was) / was if was and now[name] is not None else None
        for name, was in then.items()
        if name != "cost_nano_usd"
    }


def _compared(then: Totals, now: Totals) -> dict[str, Any]:
    return {"totals": then, "change": change(then, now)}
