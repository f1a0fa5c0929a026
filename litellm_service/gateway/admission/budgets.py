"""Which budgets apply to a request: the definitions, as the event loop knows them; what is spent, the ledger knows."""

from collections.abc import Iterable

from gateway.domain.budget import Budget
from gateway.domain.scope import Subject

KNOWN_SUBJECTS = 10_000


class BudgetBook:
    """Every budget, and quick answers to whether a hard one is in scope."""

    def __init__(self, budgets: Iterable[Budget] = ()) -> None:
        self._budgets: dict[str, Budget] = {}
        self._hard: dict[Subject, bool] = {}
        self.replace(budgets)

    def replace(self, budgets: Iterable[Budget]) -> None:
        """From now on these apply."""
        self._budgets = {budget.id: budget for budget in budgets}
        self._hard.clear()

    def has_hard(self, subject: Subject) -> bool:
        """Whether a hard budget counts this subject's requests."""
        if not self._budgets:
            return False
        known = self._hard.get(subject)
        if known is None:
            if len(self._hard) >= KNOWN_SUBJECTS:
                self._hard.clear()
            known = self._hard[subject] = any(b.hard and b.scope.covers(subject) for b in self._budgets.values())
        return known
