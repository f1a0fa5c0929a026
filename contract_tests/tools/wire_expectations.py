"""What differs from `expectations.py` where the provider speaks another wire than Chat Completions."""

import dataclasses

from expectations import ANY_USAGE, EXPECTED, GUESSED, OK, Expect, broken, failed, refused
from wire_forms import Way

Pair = tuple[Expect, Expect]
# On a kept-alive connection nobody can tell these from a provider that had hung up before it was asked.
_UNCERTAIN = ("reset-on-request", "close-on-request", "reset-in-head", "close-in-head")

_DIFFERENT: dict[str, dict[str, Pair]] = {
    "openai": {},
    "anthropic": {
        "no-choices": (OK, OK),
        "long-body": (failed(), OK),
        "stall-after-finish": (failed(504), OK),
        "overloaded-event": (OK, broken()),
    },
    "gemini": {
        "no-choices": (failed(), failed()),
        "no-finish": (OK, broken()),
        "long-body": (failed(), broken()),
        "stall-after-finish": (failed(504), OK),
        "429-in-body": (refused(429), refused(429)),
        "400-key": (refused(502), refused(502)),
        "503-array": (refused(503), refused(503)),
    },
    "responses": {
        "no-choices": (OK, ANY_USAGE),
        "long-body": (failed(), broken()),
        "stall-after-finish": (failed(504), OK),
        "done-only": (OK, OK),
        "usage-first": (OK, GUESSED),
        "failed-event": (failed(), broken()),
        "error-as-in-chat": (OK, broken()),
    },
}
# Nonsense in fields that we pass on, which the wire's own SDK does not bear.
UNBEARABLE = {("gemini", "usage-list"), ("responses", "null-content")}
# What a translated answer must bear, beside the provider's own oddities.
TELLING = (
    "black-hole", "reset-on-request", "close-after-head", "reset-mid", "close-mid", "stall", "stall-after-finish",
    "429-seconds", "400", "401", "404", "413", "500", "502-html", "503", "529", "error-in-200", "html-200",
    "truncated-json", "invalid-utf8", "empty-stream", "json-null", "deep-json", "plain-for-stream", "stream-for-plain",
    "null-content", "no-choices", "split-utf8", "crlf-mixed", "long-line", "invalid-event", "error-event", "error-first",
    "tool-calls", "reasoning", "refusal", "no-finish", "no-finish-no-done", "content-after-finish", "usage-absent",
    "usage-cached", "usage-huge", "usage-cumulative", "usage-in-finish",
)  # fmt: skip


def expected(way: Way, fault: str) -> Expect:
    """What a client and the ledger must see of a fault on this way."""
    usual = EXPECTED.get(fault, (OK, OK))
    expect = _DIFFERENT[way.upstream].get(fault, usual)[way.stream]
    return dataclasses.replace(expect, usage="any") if fault in _UNCERTAIN else expect
