"""Models that are used and have no price."""

from gateway.domain.time import now_ms
from gateway.reports.zones import QUARTER_S
from gateway.store.questions import ENDLESS_S, SUMS, Part, UsageQuestion
from gateway.store.sqlite.reading import Reader

DAYS = 30
_UNPRICED, _REQUESTS = SUMS.index("unpriced_requests"), SUMS.index("requests")


async def unpriced_in_use(reader: Reader) -> list[dict[str, object]]:
    """`{"model", "requests", "unpriced_requests"}` of the last thirty days, the most used first."""
    end = now_ms() // (QUARTER_S * 1000) + 1
    part = Part(end - DAYS * 96, end, 0, ENDLESS_S)
    (answer,) = await reader.usage([UsageQuestion(parts=(part,), group_by=("model",))])
    found = [(cell.group[0], cell.figures.sums) for cell in answer.cells if cell.figures.sums[_UNPRICED]]
    return [
        {"model": model, "requests": sums[_REQUESTS], "unpriced_requests": sums[_UNPRICED]}
        for model, sums in sorted(found, key=lambda known: -known[1][_UNPRICED])
    ]
