"""Which wire can have which fault, and why not."""

from faultmock.faults import content, sse, usage
from faultmock.wires import CONVERSATIONS, WIRES

_NO_TERMINATOR = "its stream has no terminator"
_ONE_END = "its last event is finish, usage and terminator in one"
_NO_TOTAL = "its usage has no total"
_NO_CHOICES = "its events have no list of choices"
_ALWAYS = "that is how it always is"

_MISFITS: dict[str, dict[str, str]] = {
    "gemini": {
        **dict.fromkeys(("two-done", "no-done", "done-only", "content-after-done", "error-then-done"), _NO_TERMINATOR),
        "usage-cumulative": _ALWAYS,
        "usage-in-finish": _ALWAYS,
    },
    "responses": {
        **dict.fromkeys(("no-done", "no-finish", "content-after-done", "error-then-done"), _ONE_END),
        **dict.fromkeys(("usage-duplicated", "usage-cumulative", "usage-cumulative-only"), _ONE_END),
        **dict.fromkeys(("usage-decreasing", "usage-after-done"), _ONE_END),
        "empty-choices": _NO_CHOICES,
        "usage-in-finish": _ALWAYS,
    },
    "anthropic": {
        "empty-choices": _NO_CHOICES,
        "usage-total-only": _NO_TOTAL,
        "usage-no-total": _NO_TOTAL,
        "usage-in-finish": _ALWAYS,
    },
}
_OF_TEXT = ("null-content", "big-answer", "invalid-utf8")
_OF_LISTS = ("no-choices", "deep-json")
_OF_STREAMS = ("plain-for-stream", "stream-for-plain")


def misfit(name: str, wire: str) -> str:
    """Why the wire cannot have the fault; empty where it can."""
    if wire in CONVERSATIONS:
        return _MISFITS.get(wire, {}).get(name, "")
    if name in content.FAULTS or name in usage.FAULTS or name in _OF_TEXT:
        return "it holds no conversation"
    if (name in sse.FAULTS or name in _OF_STREAMS) and not WIRES[wire].streams:
        return "it does not stream"
    if name in _OF_LISTS and not WIRES[wire].outputs:
        return "its answer is no list of outputs"
    return "its answer is no JSON" if (name, wire) == ("truncated-json", "speech") else ""
