"""A newer model map from an operator: what it would change."""

import gzip
import hashlib
from collections.abc import Iterator
from fractions import Fraction

import msgspec

from gateway.domain.price import FALLBACK, PriceMap, Rates, Terms
from gateway.domain.time import iso_z
from gateway.metering.compaction import compacted
from gateway.metering.map_validation import read_map
from gateway.metering.models import ModelInfo, ModelMap

MOST_RATIO = 3
MOST_GONE = Fraction(1, 5)


class ChangedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """One price before and after, in pico-USD; `ratio` is `None` where one of them is zero or not stated.

    `item` is a class, with its service tier and long-context threshold: `flex.above_200000.cache_read`.
    """

    model: str
    item: str
    before_pico_usd: int | None
    after_pico_usd: int | None
    ratio: float | None
    is_suspect: bool


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """What an import would change for the models of our providers; `suspects` says why it must be confirmed."""

    new: list[str]
    gone: list[str]
    changed: list[ChangedPrice]
    suspects: list[str]


def imported_map(source: bytes | str, *, version: str, effective_from_ms: int, at_ms: int) -> PriceMap:
    """The map that is to be stored; raises `InvalidRequest` that names what is wrong with it. Takes about half a second."""
    rows = read_map(source)
    date = iso_z(at_ms)[:10]
    text = compacted(rows, version, date).encode()
    return PriceMap(
        version=version or f"map of {date} {hashlib.sha256(text).hexdigest()[:8]}",
        date=date,
        effective_from_ms=effective_from_ms,
        imported_at_ms=at_ms,
        models=len(rows),
        compact_gz=gzip.compress(text, mtime=0),
    )


def differences(old: ModelMap, new: ModelMap) -> Differences:
    """From what is known now to what the new map says; models that it leaves out keep their last price."""
    before, after = _models(old), _models(new)
    changed = [
        change for name in sorted(before.keys() & after.keys()) for change in _changes(name, before[name], after[name])
    ]
    gone = sorted(before.keys() - after.keys())
    suspects = [
        f"{change.model}: {change.item} goes from {_usd(change.before_pico_usd)} to {_usd(change.after_pico_usd)}"
        for change in changed
        if change.is_suspect
    ]
    if len(gone) > MOST_GONE * len(before):
        suspects.insert(0, f"{len(gone)} of {len(before)} models are not in it; they keep their last price")
    return Differences(new=sorted(after.keys() - before.keys()), gone=gone, changed=changed, suspects=suspects)


def _models(known: ModelMap) -> dict[str, ModelInfo]:
    return {name: info for provider in known.catalog.providers for name, info in known.all_models(provider).items()}


def _changes(name: str, old: ModelInfo, new: ModelInfo) -> Iterator[ChangedPrice]:
    before, after = dict(_items(old)), dict(_items(new))
    for item in sorted(before.keys() | after.keys()):
        was, is_now = _resolved(before, item), _resolved(after, item)
        if was != is_now:
            ratio = is_now / was if was and is_now else None
            suspect = ratio is None or not 1 / MOST_RATIO <= ratio <= MOST_RATIO
            yield ChangedPrice(
                model=name, item=item, before_pico_usd=was, after_pico_usd=is_now, ratio=ratio, is_suspect=suspect
            )


def _items(info: ModelInfo) -> Iterator[tuple[str, int]]:
    if info.terms is not None:
        yield from _items_of(info.terms, "")
    for tier, terms in info.service_tiers.items():
        yield from _items_of(terms, f"{tier}.")
    if info.off_peak is not None:
        yield from _items_at(info.off_peak.rates, "off_peak.")


def _items_of(terms: Terms, at: str) -> Iterator[tuple[str, int]]:
    yield from _items_at(terms.rates, at)
    for tier in terms.tiers:
        yield from _items_at(tier.rates, f"{at}above_{tier.above_prompt_tokens}.")


def _items_at(rates: Rates, at: str) -> Iterator[tuple[str, int]]:
    for name, value in msgspec.structs.asdict(rates).items():
        if value is not None and (value or name in {"input", "output"}):
            yield f"{at}{name}", value


def _resolved(items: dict[str, int], item: str) -> int | None:
    """What is charged for an item: its own price, or that of the class it falls back to; `None`: nothing is said of it."""
    at, dot, name = item.rpartition(".")
    while item not in items and name in FALLBACK:
        name = FALLBACK[name]
        item = f"{at}{dot}{name}"
    return items.get(item)


def _usd(pico_usd: int | None) -> str:
    return "not stated" if pico_usd is None else f"${pico_usd / 1e6:g} a million"
