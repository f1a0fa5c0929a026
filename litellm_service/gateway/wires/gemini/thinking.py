"""How much a model should think, in the words of its family.

Sources: https://ai.google.dev/gemini-api/docs/thinking and, for efforts, https://ai.google.dev/gemini-api/docs/openai
"""

from gateway.wires.gemini.families import Family
from gateway.wires.gemini.media import Json
from gateway.wires.neutral import Effort, Reasoning, Unsaid

_LEVELS: dict[Effort, str] = {
    "none": "minimal", "minimal": "minimal", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high",
}  # fmt: skip
_BUDGETS: dict[Effort, int] = {
    "none": 0, "minimal": 1_024, "low": 1_024, "medium": 8_192, "high": 24_576, "xhigh": 24_576, "max": 32_768,
}  # fmt: skip
_INSTEAD = {"minimal": "low", "medium": "high"}


def thinking_config(reasoning: Reasoning | None, kin: Family, unsaid: list[Unsaid]) -> Json | None:
    """`None`: as much as the model likes. What it cannot do is as close as it can, and in `unsaid`."""
    if reasoning is None:
        return None
    wants_none = reasoning.effort == "none" or (reasoning.effort is None and reasoning.budget == 0)
    if kin.thinks is None:
        if not wants_none and reasoning != Reasoning(shown=False):
            unsaid.append(Unsaid("reasoning", harmless=True))
        return None
    if wants_none and not kin.may_rest:
        unsaid.append(Unsaid("reasoning", harmless=True))
    config: Json = {} if reasoning.shown is None else {"includeThoughts": reasoning.shown}
    if kin.thinks == "levels":
        effort = reasoning.effort or _effort(reasoning.budget)
        return config if effort is None else config | {"thinkingLevel": _level(effort, kin)}
    budget = (
        reasoning.budget if reasoning.budget is not None or reasoning.effort is None else _BUDGETS[reasoning.effort]
    )
    return config if budget is None else config | {"thinkingBudget": _within(budget, kin)}


def _effort(budget: int | None) -> Effort | None:
    """The least effort whose budget is enough."""
    if budget is None:
        return None
    if budget <= 0:
        return "none"
    if budget <= _BUDGETS["low"]:
        return "low"
    return "medium" if budget <= _BUDGETS["medium"] else "high"


def _level(effort: Effort, kin: Family) -> str:
    level = _LEVELS[effort]
    return level if level in kin.levels else _INSTEAD[level]


def _within(budget: int, kin: Family) -> int:
    least, most = kin.budgets
    if budget <= 0:
        return 0 if kin.may_rest else least
    return max(least, min(budget, most))
