"""One budget in one period: what is spent and held, whom it refuses, when it is told of."""

from dataclasses import dataclass

from gateway.domain.budget import Budget, Period
from gateway.domain.entry import Hold
from gateway.domain.errors import BudgetExceeded, GatewayError, ModelPriceUnknown, Overloaded
from gateway.domain.event import Event
from gateway.domain.money import NANO_PER_USD, usd
from gateway.domain.time import id_text, iso_z, new_request_id


@dataclass(slots=True, eq=False)
class Account:
    """One budget in one period. `told`: the highest threshold (percent) that an event was raised for."""

    budget: Budget
    period: Period
    spent_nano_usd: int
    told: int
    held_nano_usd: int = 0
    open_holds: int = 0

    def remaining_nano_usd(self, at_ms: int) -> int:
        """What may still be set aside; below zero after an overdraft."""
        return self.budget.limit_nano_usd(at_ms) - self.spent_nano_usd - self.held_nano_usd


def refusal(account: Account, hold: Hold) -> GatewayError | None:
    """Why a hold does not fit into an account; `None` if it does."""
    budget = account.budget
    if not budget.hard:
        return None
    if hold.price is None:
        return ModelPriceUnknown(
            f"{hold.model} has no price, and the hard budget on {budget.scope} must know what a request may cost. "
            "Set a price for the model, or choose one that has a price.",
            param="model",
            details={"model": hold.model, "budget": {"id": budget.id, "scope": str(budget.scope)}},
        )
    needed, at_ms = hold.amount_nano_usd, hold.admitted_at_ms
    if not hold.under_hard_budget:
        return _unforeseen(budget)
    if needed <= 0 or needed <= account.remaining_nano_usd(at_ms):
        return None
    return _exceeded(account, needed, at_ms)


def _unforeseen(budget: Budget) -> Overloaded:
    """The hold was made before the budget was known, so it sets nothing aside."""
    return Overloaded(f"A budget on {budget.scope} was set at this moment; try again.", retry_after_s=1)


def _exceeded(account: Account, needed: int, at_ms: int) -> BudgetExceeded:
    budget, limit = account.budget, account.budget.limit_nano_usd(at_ms)
    ends = account.period.end_ms
    resets_at = None if ends is None else iso_z(ends)
    again = f"It resets at {resets_at}." if resets_at else "It does not reset by itself; an administrator can raise it."
    return BudgetExceeded(
        f"The {_named(budget)} budget on {budget.scope} has {_dollars(account.remaining_nano_usd(at_ms))} left of "
        f"{_dollars(limit)} ({_dollars(account.spent_nano_usd)} spent, {_dollars(account.held_nano_usd)} held by "
        f"{account.open_holds} running requests), and this request may cost up to {_dollars(needed)}. {again} "
        "A smaller max_tokens needs less.",
        details={
            "budget": {
                "id": budget.id,
                "scope": str(budget.scope),
                "period": budget.period,
                "limit_usd": usd(limit),
                "spent_usd": usd(account.spent_nano_usd),
                "held_usd": usd(account.held_nano_usd),
                "held_by_requests": account.open_holds,
                "needed_usd": usd(needed),
                "resets_at": resets_at,
            }
        },
    )


def _named(budget: Budget) -> str:
    return {"day": "daily", "week": "weekly", "month": "monthly", "total": "total"}[budget.period]


def _dollars(nano_usd: int) -> str:
    sign, nano_usd = ("-" if nano_usd < 0 else ""), abs(nano_usd)
    whole, part = divmod(nano_usd, NANO_PER_USD)
    digits = f"{part:09d}".rstrip("0")
    return f"{sign}${whole:,}.{digits:0<2}"


def reached(account: Account, percent: int, at_ms: int) -> bool:
    """Whether so much of the limit is spent."""
    return account.spent_nano_usd * 100 >= percent * account.budget.limit_nano_usd(at_ms)


def crossed(account: Account, at_ms: int) -> list[Event]:
    """An event for each threshold that was passed and not told of; from now on they are."""
    budget = account.budget
    passed = [t for t in sorted(budget.thresholds) if t > account.told and reached(account, t, at_ms)]
    if passed:
        account.told = passed[-1]
    return [_event(account, percent, at_ms) for percent in passed]


def _event(account: Account, percent: int, at_ms: int) -> Event:
    budget, ends = account.budget, account.period.end_ms
    body = {
        "budget_id": budget.id,
        "scope": {"kind": budget.scope.kind, "name": budget.scope.name},
        "period": budget.period,
        "period_start": iso_z(account.period.start_ms),
        "resets_at": None if ends is None else iso_z(ends),
        "hard": budget.hard,
        "threshold_percent": percent,
        "limit_usd": usd(budget.limit_nano_usd(at_ms)),
        "spent_usd": usd(account.spent_nano_usd),
        "spent_nano_usd": account.spent_nano_usd,
    }
    return Event(
        id=id_text(new_request_id(at_ms)), at_ms=at_ms, kind="budget_threshold", subject=str(budget.scope), body=body
    )
