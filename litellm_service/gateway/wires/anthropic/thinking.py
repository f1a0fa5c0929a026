"""How much a model should think, in the words of its family.

Sources: https://platform.claude.com/docs/en/build-with-claude/extended-thinking, …/adaptive-thinking and …/effort
"""

from gateway.wires.anthropic.blocks import Json
from gateway.wires.anthropic.families import Family
from gateway.wires.anthropic.messages_out import own
from gateway.wires.neutral import Effort, Prompt, Reasoning, Thinking, ToolCall, ToolResult, Unsaid

_LEAST = 1_024
_BUDGETS: dict[Effort, int] = {
    "minimal": 1_024, "low": 1_024, "medium": 4_096, "high": 16_384, "xhigh": 16_384, "max": 23_552,
}  # fmt: skip
_INSTEAD: dict[Effort, Effort] = {"minimal": "low", "xhigh": "high", "max": "high"}


def think(prompt: Prompt, kin: Family, body: Json, unsaid: list[Unsaid]) -> bool:
    """Put it into the body, which has `max_tokens`; says whether the model will think because of it.

    What the family cannot do is as close as it can, and in `unsaid`.
    """
    reasoning = prompt.reasoning
    if reasoning is None:
        return False
    if reasoning.effort == "none" or (reasoning.effort is None and reasoning.budget == 0):
        _rest(kin, body, unsaid)
        return False
    if kin.thinks is None:
        if reasoning != Reasoning(shown=False):
            unsaid.append(Unsaid("reasoning", harmless=True))
        return False
    if kin.thinks == "adaptive" and (kin.takes_budget is False or not reasoning.budget):
        return _adapt(prompt, reasoning, kin, body, unsaid)
    budget = _budget(prompt, reasoning, body)
    if budget is None or _is_forced(prompt) or _lacks_thoughts(prompt):
        if reasoning != Reasoning(shown=False):
            unsaid.append(Unsaid("reasoning", harmless=True))
        return False
    body["thinking"] = {"type": "enabled", "budget_tokens": budget} | _display(reasoning)
    return True


def _rest(kin: Family, body: Json, unsaid: list[Unsaid]) -> None:
    if kin.thinks is not None and kin.rest:
        body["thinking"] = {"type": kin.rest}
    elif kin.rest == "":
        body["output_config"] = {"effort": "low"}
        unsaid.append(Unsaid("reasoning", harmless=True))


def _adapt(prompt: Prompt, reasoning: Reasoning, kin: Family, body: Json, unsaid: list[Unsaid]) -> bool:
    """A budget becomes the least effort that is enough."""
    effort = reasoning.effort
    if effort is None and reasoning.budget is not None:
        effort = next((one for one in kin.efforts if _BUDGETS[one] >= reasoning.budget), kin.efforts[-1])
        unsaid.append(Unsaid("reasoning", harmless=True))
    if effort is not None:
        body["output_config"] = {"effort": effort if effort in kin.efforts else _INSTEAD[effort]}
    if _is_forced(prompt) and kin.may_be_forced:
        unsaid.append(Unsaid("reasoning", harmless=True))
        return False
    body["thinking"] = {"type": "adaptive"} | _display(reasoning)
    return True


def _budget(prompt: Prompt, reasoning: Reasoning, body: Json) -> int | None:
    """A client's limit holds, and the budget must leave room for the answer; our own limit grows by the budget. `None`: no room."""
    wanted = reasoning.budget if reasoning.effort is None else _BUDGETS[reasoning.effort]
    if wanted is None:
        return None
    budget, limit = max(wanted, _LEAST), prompt.output_limit
    if limit is None:
        body["max_tokens"] = _whole(body["max_tokens"]) + budget
        return budget
    if budget >= limit or reasoning.budget is None:
        budget = min(budget, max(limit * 3 // 4, _LEAST))
    return budget if budget < limit else None


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _display(reasoning: Reasoning) -> Json:
    return {} if reasoning.shown is None else {"display": "summarized" if reasoning.shown else "omitted"}


def _is_forced(prompt: Prompt) -> bool:
    """A model that must call a tool may not think first."""
    return prompt.tool_choice is not None and prompt.tool_choice.mode in {"any", "tool"}


def _lacks_thoughts(prompt: Prompt) -> bool:
    """With a budget, calls that are being answered must stand with the thoughts that led to them."""
    for turn in reversed(prompt.turns):
        if turn.role != "assistant":
            if not any(isinstance(part, ToolResult) for part in turn.parts):
                return False
            continue
        thoughts = [part for part in turn.parts if isinstance(part, Thinking)]
        kept = any(own(part.signature) or own(part.redacted) for part in thoughts)
        return not kept and any(isinstance(part, ToolCall) for part in turn.parts)
    return False
