"""Budget accounts in the writer's memory: what is spent and what is held, per budget and period."""

import sqlite3

import msgspec

from gateway.domain.budget import Budget, Period
from gateway.domain.entry import Hold
from gateway.domain.event import Event
from gateway.domain.scope import Subject
from gateway.store.sqlite.budget_account import Account, crossed, reached, refusal
from gateway.store.sqlite.spending import spent_nano_usd

KNOWN_SUBJECTS = 10_000

_LOAD = "SELECT value FROM objects WHERE kind = 'budget' ORDER BY id"
_LOAD_PERIOD = "SELECT spent_nano_usd, told_percent FROM budget_periods WHERE budget_id = ? AND start_ms = ?"
_PUT_PERIOD = """
INSERT OR REPLACE INTO budget_periods (budget_id, start_ms, end_ms, spent_nano_usd, told_percent) VALUES (?, ?, ?, ?, ?)
"""


Accounts = tuple[Account, ...]
NO_ACCOUNTS: Accounts = ()


class BudgetAccounts:
    """Every account that is needed now; decides admission, because only the writer knows what is spent.

    Its memory mirrors the file as of the writer's open transaction; `reload` makes it so again after a rollback.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._budgets: list[Budget] = []
        self._known: dict[Subject, tuple[Budget, ...]] = {}
        self._accounts: dict[tuple[str, int], Account] = {}
        self._shown = self._accounts
        self._current: dict[str, Account] = {}
        self._touched: dict[int, Account] = {}

    def reload(self) -> None:
        """Take budgets and what is spent from the file; whoever has open holds attaches them again."""
        rows = self._connection.execute(_LOAD)
        self._budgets = [msgspec.json.decode(row[0], type=Budget) for row in rows]
        self._known.clear()
        self._accounts = {}
        self._current.clear()
        self._touched.clear()

    def __bool__(self) -> bool:
        return bool(self._budgets)

    def snapshot(self) -> list[Account]:
        """The accounts as they are at this moment; may be read from any thread."""
        return list(self._shown.values())

    def of(self, hold: Hold) -> Accounts:
        """The accounts that a hold counts in: one for each budget in scope, in the period of its admission."""
        if not self._budgets:
            return NO_ACCOUNTS
        subject = Subject(hold.application_id, hold.user_id, hold.key_id, hold.model)
        budgets = self._known.get(subject)
        if budgets is None:
            if len(self._known) >= KNOWN_SUBJECTS:
                self._known.clear()
            budgets = self._known[subject] = tuple(b for b in self._budgets if b.scope.covers(subject))
        return tuple(self._account(budget, hold.admitted_at_ms) for budget in budgets)

    def admit(self, hold: Hold) -> Accounts:
        """Set the hold's amount aside in every account in scope, or in none; raises `BudgetExceeded` or `ModelPriceUnknown`."""
        accounts = self.of(hold)
        for account in accounts:
            refused = refusal(account, hold)
            if refused is not None:
                raise refused
        self.attach(accounts, hold.amount_nano_usd)
        return accounts

    @staticmethod
    def attach(accounts: Accounts, amount_nano_usd: int) -> None:
        """Count an open hold."""
        for account in accounts:
            account.held_nano_usd += amount_nano_usd
            account.open_holds += 1

    def settle(self, accounts: Accounts, held_nano_usd: int, cost_nano_usd: int | None) -> None:
        """Replace what was held by what it cost (`None`: not priced, so nothing that can be counted)."""
        for account in accounts:
            account.held_nano_usd -= held_nano_usd
            account.open_holds -= 1
            self._spend(account, cost_nano_usd)

    def correct(self, accounts: Accounts, difference_nano_usd: int) -> None:
        """What was settled long ago costs something else."""
        for account in accounts:
            self._spend(account, difference_nano_usd)

    def write(self, at_ms: int) -> list[Event]:
        """Write what changed since the last commit; gives the thresholds that were crossed by it."""
        if not self._touched:
            return []
        touched, self._touched = list(self._touched.values()), {}
        events = [event for account in touched for event in crossed(account, at_ms)]
        self._connection.executemany(_PUT_PERIOD, [_row(account) for account in touched])
        self._forget_past(at_ms)
        return events

    def start(self, budget: Budget, at_ms: int) -> None:
        """Sum up, from the ledger, what a new or changed budget has spent already in its current period."""
        account = self._summed_up(budget, budget.period_at(at_ms), at_ms)
        self._connection.execute("DELETE FROM budget_periods WHERE budget_id = ?", (budget.id,))
        self._connection.execute(_PUT_PERIOD, _row(account))

    def change_limit(self, budget: Budget, at_ms: int) -> None:
        """What is spent stays; what is not reached any more under the new limit is told of again."""
        account = self._loaded(budget, budget.period_at(at_ms), at_ms)
        account.told = _reached_percent(account, at_ms)
        self._connection.execute(_PUT_PERIOD, _row(account))

    def forget(self, budget_id: str) -> None:
        """Delete what a budget had spent."""
        self._connection.execute("DELETE FROM budget_periods WHERE budget_id = ?", (budget_id,))

    def open_current(self, at_ms: int) -> None:
        """Make sure that every budget has its account of this moment; whoever looks sees those of before `reload` until then."""
        for budget in self._budgets:
            self._account(budget, at_ms)
        self._shown = self._accounts

    def _spend(self, account: Account, nano_usd: int | None) -> None:
        if nano_usd:
            account.spent_nano_usd += nano_usd
            self._touched[id(account)] = account

    def _account(self, budget: Budget, at_ms: int) -> Account:
        current = self._current.get(budget.id)
        if current is not None and _within(current.period, at_ms):
            return current
        period = budget.period_at(at_ms)
        found = self._accounts.get((budget.id, period.start_ms))
        if found is None:
            found = self._accounts[budget.id, period.start_ms] = self._loaded(budget, period, at_ms)
        if current is None or current.period.start_ms < period.start_ms:
            self._current[budget.id] = found
        return found

    def _loaded(self, budget: Budget, period: Period, at_ms: int) -> Account:
        row = self._connection.execute(_LOAD_PERIOD, (budget.id, period.start_ms)).fetchone()
        return self._summed_up(budget, period, at_ms) if row is None else Account(budget, period, *row)

    def _summed_up(self, budget: Budget, period: Period, at_ms: int) -> Account:
        account = Account(budget, period, spent_nano_usd(self._connection, budget.scope, period), 0)
        account.told = _reached_percent(account, at_ms)
        return account

    def _forget_past(self, at_ms: int) -> None:
        past = [
            key for key, account in self._accounts.items()
            if not account.open_holds and account.period.end_ms is not None and account.period.end_ms < at_ms
        ]  # fmt: skip
        for key in past:
            if self._current.get(key[0]) is not self._accounts[key]:
                del self._accounts[key]


def _reached_percent(account: Account, at_ms: int) -> int:
    return max((percent for percent in account.budget.thresholds if reached(account, percent, at_ms)), default=0)


def _within(period: Period, at_ms: int) -> bool:
    return period.start_ms <= at_ms and (period.end_ms is None or at_ms < period.end_ms)


def _row(account: Account) -> tuple[object, ...]:
    period = account.period
    return account.budget.id, period.start_ms, period.end_ms, account.spent_nano_usd, account.told
