"""In which order deployments are tried: pure functions of what is known of them."""

import math
from collections.abc import Callable, Sequence

import msgspec

Chance = Callable[[], float]
EXPLORED = 0.05
AS_GOOD = 1.1


class Rated(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment as strategies see it; `latency_s` to the first token, `price` in nano-USD for a million output tokens.

    `latency_s` is `None` before its first answer, `price` where it has none.
    """

    key: str
    weight: float = 1.0
    order: int = 0
    running: int = 0
    latency_s: float | None = None
    price: int | None = None


Strategy = Callable[[Sequence[Rated], Chance], list[Rated]]


def priority(candidates: Sequence[Rated], _chance: Chance) -> list[Rated]:
    """As they are listed."""
    return sorted(candidates, key=lambda one: one.order)


def weighted(candidates: Sequence[Rated], chance: Chance) -> list[Rated]:
    """At random, in proportion to their weights (Efraimidis and Spirakis, https://doi.org/10.1016/j.ipl.2005.11.003)."""
    return sorted(candidates, key=lambda one: math.log(1 - chance()) / one.weight, reverse=True)


def least_busy(candidates: Sequence[Rated], chance: Chance) -> list[Rated]:
    """The one with the fewest running calls for its weight first; of equals any."""
    return sorted(candidates, key=lambda one: (one.running / one.weight, chance()))


def latency(candidates: Sequence[Rated], chance: Chance) -> list[Rated]:
    """The quickest first, where a tenth makes no difference; one that nobody knows yet is tried now and then."""
    known = [one for one in candidates if one.latency_s is not None]
    unknown = weighted([one for one in candidates if one.latency_s is None], chance)
    best = min((one.latency_s or 0.0 for one in known), default=0.0)
    quick = weighted([one for one in known if (one.latency_s or 0.0) <= best * AS_GOOD], chance)
    slow = sorted((one for one in known if one not in quick), key=lambda one: one.latency_s or 0.0)
    if slow and not unknown and chance() < EXPLORED:  # it may have become quicker
        again = slow.pop(int(chance() * len(slow)))
        return [again, *quick, *slow]
    return [*unknown, *quick, *slow]


def cost(candidates: Sequence[Rated], chance: Chance) -> list[Rated]:
    """The cheapest first, those without a price last."""
    return sorted(candidates, key=lambda one: (one.price is None, one.price or 0, chance()))


STRATEGIES: dict[str, Strategy] = {
    "priority": priority, "weighted": weighted, "least_busy": least_busy, "latency": latency, "cost": cost,
}  # fmt: skip
