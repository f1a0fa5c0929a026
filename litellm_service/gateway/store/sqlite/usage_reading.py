"""Sums of usage, from the coarsest tables that can tell, and from the ledger above the watermark.

Whole days of UTC, then whole hours, then quarters of an hour, as the asked range and units of time allow.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.domain.entry import Kind
from gateway.store.questions import ENDLESS_S, SUMS, Cell, Figures, Filters, Part, UsageAnswer, UsageQuestion, added
from gateway.store.sqlite.coarse import ALL_REF, HOURS_PER_DAY, QUARTERS_PER_DAY, QUARTERS_PER_HOUR
from gateway.store.sqlite.latency_reading import histograms_of
from gateway.store.sqlite.matching import (
    Match,
    group_columns,
    json_list,
    matching,
    named,
    narrowed_to,
    of_each,
    of_some,
)
from gateway.store.sqlite.units import QUARTER_S, cut_hours, whole_days

MANY_CUT_HOURS = 400

Key = tuple[int, ...]

_COST = SUMS.index("cost_nano_usd")
_COUNTED = f"(final AND kind != {Kind.CORRECTION:d})"
_TAIL = f"""(
SELECT admitted_at_ms / 900000 AS quarter, application_ref, user_ref, key_ref, model_ref, provider_ref, http_status,
    {_COUNTED} AS requests, {_COUNTED} AND http_status >= 400 AS errors,
    input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    coalesce(cost_nano_usd, 0) AS cost_nano_usd, ({_COUNTED} AND cost_nano_usd IS NULL) - newly_priced AS unpriced_requests,
    {_COUNTED} AND estimated AS estimated_requests, CASE WHEN {_COUNTED} THEN duration_us ELSE 0 END AS duration_us
FROM ledger WHERE id > (SELECT coalesce((SELECT value FROM meta WHERE name = 'rollup_watermark'), 0))
)"""
_TOTALS = ", ".join(f"sum({name})" for name in SUMS)


class _Source(NamedTuple):
    """A table of sums; `time` is its column of time, in units of so many quarters of an hour."""

    table: str
    time: str
    quarters: int


class _Sources(NamedTuple):
    """The same sums by day (if they are kept) and by hour."""

    days: _Source | None
    hours: _Source


_TAIL_QUARTERS = _Source(_TAIL, "quarter", 1)
_QUARTERS = _Source("rollups", "quarter", 1)
_QUARTERS_OF = {
    "user_id": _Source("rollups INDEXED BY rollups_by_user", "quarter", 1),
    "key_id": _Source("rollups INDEXED BY rollups_by_key", "quarter", 1),
}
_OWNER_DAYS = _Source("rollup_owner_days", "day", QUARTERS_PER_DAY)
_OWNERS = {"user_id", "key_id"}
_ALONE = {("user_id",), ("key_id",)}
_OTHERS = {"application_id", "model", "provider", "status", "http_status"}
_CODES = "(WITH RECURSIVE codes(code) AS (SELECT 0 UNION ALL SELECT code + 1 FROM codes WHERE code < 999) SELECT code FROM codes)"
_STATUSES = f"(SELECT code AS http_status, r.* FROM {_CODES} CROSS JOIN rollup_names r ON r.ref = -1 - code)"


def answer(connection: sqlite3.Connection, question: UsageQuestion) -> UsageAnswer:
    """The cells of the dearest groups, and the sum of the others."""
    match, group_by = matching(connection, question.filters), question.group_by
    if match.never:
        return UsageAnswer([], 0, None)
    if group_by in _ALONE and question.limit is not None and match.names <= _OWNERS:
        return _of_the_dearest(connection, question, match, question.limit)
    found = _figures(connection, question, match)
    totals: dict[Key, Figures] = {}
    for (_, _, key), figures in found.items():
        totals[key] = added([totals[key], figures]) if key in totals else figures
    shown, rest = _ranked(totals, question.limit)
    others = added([totals[key] for key in rest]) if rest else None
    return UsageAnswer(_cells(connection, found, shown, group_by), len(totals), others)


def cost_nano_usd(connection: sqlite3.Connection, part: Part, filters: Filters) -> int:
    """The cost of all that is settled in a part, and nothing else."""
    match = matching(connection, filters)
    if match.never:
        return 0
    return sum(sums[_COST] for sums in _sums(connection, part, match, ()).values())


def _of_the_dearest(connection: sqlite3.Connection, question: UsageQuestion, match: Match, limit: int) -> UsageAnswer:
    """Of very many names, first the totals; then the units of those that are shown."""
    whole = Part(question.parts[0].start, question.parts[-1].end, 0, ENDLESS_S)
    group_by = question.group_by
    totals = {key: Figures(sums, None) for (_, key), sums in _sums(connection, whole, match, group_by).items()}
    shown, rest = _ranked(totals, limit)
    narrowed = narrowed_to(match, group_by[0], [key[0] for key in shown])
    cells = _cells(connection, _figures(connection, question, narrowed), shown, group_by) if shown else []
    return UsageAnswer(cells, len(totals), added([totals[key] for key in rest]) if rest else None)


def _figures(
    connection: sqlite3.Connection, question: UsageQuestion, match: Match
) -> dict[tuple[int, int, Key], Figures]:
    found = {}
    for index, part in enumerate(question.parts):
        histograms = histograms_of(connection, part, match, question.group_by)
        for at, sums in _sums(connection, part, match, question.group_by).items():
            own = None if histograms is None else histograms.get(at, [0, 0, 0])
            found[index, *at] = Figures(sums, own)
    return found


def _ranked(totals: dict[Key, Figures], limit: int | None) -> tuple[list[Key], list[Key]]:
    """The dearest groups, then the busiest; and those beyond the limit."""

    def weight(key: Key) -> tuple[int, int, Key]:
        sums = totals[key].sums
        return -sums[SUMS.index("cost_nano_usd")], -sums[SUMS.index("requests")], key

    ranked = sorted(totals, key=weight)
    return (ranked, []) if limit is None else (ranked[:limit], ranked[limit:])


def _cells(
    connection: sqlite3.Connection,
    found: dict[tuple[int, int, Key], Figures],
    shown: Sequence[Key],
    group_by: Sequence[str],
) -> list[Cell]:
    names = named(connection, shown, group_by)
    return [Cell(part, unit, names[key], figures) for (part, unit, key), figures in found.items() if key in names]


def _sums(
    connection: sqlite3.Connection, part: Part, match: Match, group_by: Sequence[str]
) -> dict[tuple[int, Key], list[int]]:
    found: dict[tuple[int, Key], list[int]] = {}
    for row in _rows(connection, part, match, group_by):
        split = len(row) - len(SUMS)
        key = (row[0], tuple(row[1:split]))
        known = found.get(key)
        found[key] = list(row[split:]) if known is None else list(map(int.__add__, known, row[split:]))
    return found


def _rows(
    connection: sqlite3.Connection, part: Part, match: Match, group_by: Sequence[str]
) -> Iterator[tuple[int, ...]]:
    """`unit, *group, *sums`; several rows may have the same unit and group."""
    in_units = part.unit_s < ENDLESS_S
    units = (part.offset_s, part.unit_s) if in_units else ()
    for source, start, end, without in _readings(part, match, group_by):
        statement = _statement(source, match, group_by, in_units=in_units, leaving_out=bool(without))
        left_out = (json_list(without),) if without else ()
        rows = connection.execute(statement, (*units, start, end, *left_out, *match.values))
        yield from (row for row in rows if row[-1] is not None)


def _readings(part: Part, match: Match, group_by: Sequence[str]) -> Iterator[tuple[_Source, int, int, Sequence[int]]]:
    """What to read from where: a source, from and to in its own time, and the times in between to leave out."""
    yield _TAIL_QUARTERS, part.start, part.end, ()
    needed = {*match.names, *group_by}
    names = _names(needed, match)
    if names is not None:
        yield names, part.start, part.end, ()
        return
    fine = next((source for name, source in _QUARTERS_OF.items() if name in match.names), _QUARTERS)
    days = whole_days(part)
    if needed == _OWNERS and days:
        yield fine, part.start, days.start * QUARTERS_PER_DAY, ()
        yield _OWNER_DAYS, days.start, days.stop, ()
        yield fine, days.stop * QUARTERS_PER_DAY, part.end, ()
        return
    sources, cut = _coarse(needed, match), cut_hours(part)
    if sources is None or len(cut) > MANY_CUT_HOURS:
        yield fine, part.start, part.end, ()
        return
    yield from _whole(part, sources, cut)
    for hour in cut:
        first = hour * QUARTERS_PER_HOUR
        yield fine, max(part.start, first), min(part.end, first + QUARTERS_PER_HOUR), ()


def _whole(part: Part, sources: _Sources, cut: Sequence[int]) -> Iterator[tuple[_Source, int, int, Sequence[int]]]:
    """The whole hours of a part, by day where its units are made of days of UTC."""
    first, last = -(-part.start // QUARTERS_PER_HOUR), part.end // QUARTERS_PER_HOUR
    days = whole_days(part)
    if sources.days is None or not days:
        yield sources.hours, first, last, cut
        return
    yield sources.hours, first, days.start * HOURS_PER_DAY, ()
    yield sources.days, days.start, days.stop, ()
    yield sources.hours, days.stop * HOURS_PER_DAY, last, ()


def _names(needed: set[str], match: Match) -> _Source | None:
    """Everything together, or by what one dimension says of which there are few names."""
    if not needed:
        return _Source(f"(SELECT * FROM rollup_names WHERE ref = {ALL_REF})", "quarter", 1)
    if needed <= {"status", "http_status"}:
        return _Source(_STATUSES, "quarter", 1)
    if len(needed) > 1 or needed <= _OWNERS:
        return None
    return _Source((of_some if match.names else of_each)("rollup_names", *needed), "quarter", 1)


def _coarse(needed: set[str], match: Match) -> _Sources | None:
    """Sums that tell these dimensions apart; `None`: `rollups` alone does."""
    if needed <= _OTHERS:
        return _Sources(
            _Source("rollup_days", "day", QUARTERS_PER_DAY), _Source("rollup_hours", "hour", QUARTERS_PER_HOUR)
        )
    owners = needed & _OWNERS
    if len(owners) > 1:
        return None
    (owner,) = owners
    of = of_some if owner in match.names else of_each
    if needed == owners:
        days = _Source(of("rollup_name_days", owner), "day", QUARTERS_PER_DAY)
        return _Sources(days, _Source(of("rollup_name_hours", owner), "hour", QUARTERS_PER_HOUR))
    return _Sources(None, _Source(of("rollup_details", owner), "hour", QUARTERS_PER_HOUR))


def _statement(source: _Source, match: Match, group_by: Sequence[str], *, in_units: bool, leaving_out: bool) -> str:
    """Without units the rows may already lie in the order of the groups, and need no sorting."""
    unit = f"({source.time} * {source.quarters * QUARTER_S} + ?) / ?" if in_units else "0"
    columns = group_columns(group_by)
    grouped = ", ".join(["unit", *columns] if in_units else columns)
    left_out = f"AND {source.time} NOT IN (SELECT value FROM json_each(?))" if leaving_out else ""
    return (
        f"SELECT {', '.join([f'{unit} AS unit', *columns])}, {_TOTALS} FROM {source.table} "
        f"WHERE {source.time} >= ? AND {source.time} < ? {left_out} {match.where} {'GROUP BY' if grouped else ''} {grouped}"
    )
