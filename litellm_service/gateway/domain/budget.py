"""Budgets: money per period, and which period a moment belongs to."""

from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from gateway.domain.scope import Scope
from gateway.domain.time import midnight

BudgetPeriod = Literal["day", "week", "month", "total"]


class Period(msgspec.Struct, frozen=True):
    """From `start_ms` up to `end_ms` (`None`: without end), milliseconds since 1970 UTC."""

    start_ms: int
    end_ms: int | None


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """So much money for a scope and period; a hard one refuses, a soft one only tells.

    `thresholds` are percentages of the limit at which an event is raised. `raised_nano_usd` is the limit until
    `raised_until_ms`. Periods are derived from the moment of admission: days, weeks (from Monday) and months of `tz`.
    """

    id: str
    scope: Scope
    amount_nano_usd: int
    period: BudgetPeriod
    tz: str = "UTC"
    hard: bool = True
    thresholds: tuple[int, ...] = (80, 100)
    raised_nano_usd: int | None = None
    raised_until_ms: int | None = None
    created_at_ms: int = 0
    updated_at_ms: int = 0

    def limit_nano_usd(self, at_ms: int) -> int:
        """What may be spent in the period, as it stands at this moment."""
        if self.raised_nano_usd is None or self.raised_until_ms is None or at_ms >= self.raised_until_ms:
            return self.amount_nano_usd
        return self.raised_nano_usd

    def period_at(self, at_ms: int) -> Period:
        """The period that a moment lies in."""
        if self.period == "total":
            return Period(0, None)
        zone = ZoneInfo(self.tz)
        first = _first_day(datetime.fromtimestamp(at_ms / 1000, zone).date(), self.period)
        return Period(_midnight_ms(first, zone), _midnight_ms(_first_day_after(first, self.period), zone))


def _first_day(day: date, period: BudgetPeriod) -> date:
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


def _first_day_after(first: date, period: BudgetPeriod) -> date:
    if period == "month":
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=7 if period == "week" else 1)


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    return int(midnight(day, zone).timestamp()) * 1000
