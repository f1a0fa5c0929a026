"""What each family of Anthropic's models may be told.

Sources: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking, …/effort, …/structured-outputs and the migration
guides of Opus 4.7, Opus 5 and the 5.5 models under https://platform.claude.com/docs/en/models
"""

import re
from typing import Literal

import msgspec

from gateway.wires.neutral import Effort

_VERSION = re.compile(r"claude-(?:([a-z]+)-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)(?:-([a-z]+))?")
_ALWAYS_THINKS = {"mythos", "fable"}
_NEWEST = (99, 0)
_CLASSIC: tuple[Effort, ...] = ("low", "medium", "high")


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """`thinks`: by a budget in tokens, or adaptively by one of the `efforts`; `None`: not at all.

    `takes_budget`: a budget may be given. `rest` is the `thinking.type` that turns it off; `None`: it is off unless asked for;
    empty: it cannot be turned off. `samples`: it takes temperature, top_p and top_k; `one_of_both`: not temperature with top_p.
    `formats`: it keeps to a JSON Schema. `may_be_forced`: it can be made to call a tool.
    """

    thinks: Literal["budget", "adaptive"] | None = "budget"
    takes_budget: bool = True
    efforts: tuple[Effort, ...] = ()
    rest: str | None = "disabled"
    samples: bool = True
    one_of_both: bool = False
    formats: bool = False
    may_be_forced: bool = True


def family(model: str) -> Family:
    """By the name; models of others that speak this wire are taken as Claude 4."""
    name = model.lower()
    if "claude" not in name:
        return Family()
    line, version = _parsed(name)
    if version < (3, 7):
        return Family(thinks=None)
    if version < (4, 6):
        return Family(one_of_both=version >= (4, 1), formats=version >= (4, 5))
    if version < (4, 7):
        return Family(thinks="adaptive", efforts=(*_CLASSIC, "max"), one_of_both=True, formats=True)
    return Family(
        thinks="adaptive",
        takes_budget=False,
        efforts=(*_CLASSIC, "xhigh", "max"),
        rest=_rest(line, version),
        samples=False,
        formats=True,
        may_be_forced=version < (5, 1),
    )


def _parsed(name: str) -> tuple[str, tuple[int, int]]:
    found = _VERSION.search(name)
    if found is None:
        return next((line for line in _ALWAYS_THINKS if line in name), ""), _NEWEST
    before, major, minor, after = found.groups()
    return before or after or "", (int(major), int(minor or 0))


def _rest(line: str, version: tuple[int, int]) -> str | None:
    if line in _ALWAYS_THINKS:
        return ""
    if version < (5, 0):
        return None
    if version < (5, 5) or line == "haiku":
        return "disabled"
    return "between_tools" if line == "sonnet" else ""
