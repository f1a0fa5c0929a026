"""What the traffic of a range used, by model: what another model's price is put on."""

import msgspec

from gateway.domain.usage import Usage
from gateway.reports.zones import Range
from gateway.store.questions import ENDLESS_S, SUMS, Filters, Part, UsageQuestion
from gateway.store.sqlite.reading import Reader


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """All requests for one model together; `cost_nano_usd` is of those that have a price."""

    model: str
    requests: int
    usage: Usage
    cost_nano_usd: int
    unpriced_requests: int


async def traffic(reader: Reader, span: Range, filters: Filters) -> list[Traffic]:
    """By model, the dearest first."""
    part = Part(span.start, span.end, 0, ENDLESS_S)
    (answer,) = await reader.usage([UsageQuestion(parts=(part,), filters=filters, group_by=("model",))])
    found = [_traffic(cell.group[0], dict(zip(SUMS, cell.figures.sums, strict=True))) for cell in answer.cells]
    return sorted(found, key=lambda one: (-one.cost_nano_usd, one.model))


def _traffic(model: str, sums: dict[str, int]) -> Traffic:
    usage = Usage(
        input=sums["input_tokens"],
        cache_read=sums["cache_read_tokens"],
        cache_write=sums["cache_write_tokens"],
        output=sums["output_tokens"],
        reasoning=sums["reasoning_tokens"],
    )
    return Traffic(
        model=model,
        requests=sums["requests"],
        usage=usage,
        cost_nano_usd=sums["cost_nano_usd"],
        unpriced_requests=sums["unpriced_requests"],
    )
