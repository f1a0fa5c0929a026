"""What the families of Gemini models understand, told from a model's name.

Sources: https://ai.google.dev/gemini-api/docs/thinking, https://ai.google.dev/gemini-api/docs/gemini-3 and
https://ai.google.dev/gemini-api/docs/file-input-methods
"""

import re
from typing import Literal

import msgspec

_NEVER_THINK = re.compile(r"gemini-(1|2\.0)|gemini-2\.5-flash(-preview)?-image|gemma|learnlm|.*-tts")
_2_5 = re.compile(r"gemini-(2\.5|robotics-er-1\.5)")
_2_0 = re.compile(r"gemini-(1|2\.0)|gemma|learnlm")
_NO_MINIMAL = re.compile(r"gemini-.*pro")
_NO_MEDIUM = re.compile(r"gemini-3-pro")


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Abilities of a model.

    `thinks`: by `levels`, by a `budget` in tokens, or not at all; `budgets` are its least, its most and whether it may be none.
    `is_signed`: calls in the history must bear signatures, and results may hold images. `fetches`: it reads files from the web.
    """

    thinks: Literal["levels", "budget"] | None
    levels: frozenset[str] = frozenset()
    budgets: tuple[int, int] = (1, 24_576)
    may_rest: bool = True
    is_signed: bool = False
    fetches: bool = True


def family(model: str) -> Family:
    """Unknown names are taken for the newest."""
    name = model.rpartition("/")[2].lower()
    if _NEVER_THINK.match(name):
        return Family(thinks=None, fetches=_2_0.match(name) is None)
    if _2_5.match(name):
        return _of_2_5(name)
    lacking = {"minimal"} if _NO_MINIMAL.match(name) else set()
    lacking |= {"medium"} if _NO_MEDIUM.match(name) else set()
    levels = frozenset(("minimal", "low", "medium", "high")) - lacking
    return Family(thinks="levels", levels=levels, may_rest=False, is_signed=True)


def _of_2_5(name: str) -> Family:
    if "pro" in name or "computer-use" in name:
        return Family(thinks="budget", budgets=(128, 32_768), may_rest=False)
    return Family(thinks="budget", budgets=(512, 24_576) if "lite" in name else (1, 24_576))
