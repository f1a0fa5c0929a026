"""What a client and the ledger must see of each upstream fault."""

import dataclasses

STATUS_CODES = {502: "provider_unavailable", 504: "provider_timeout", 503: "provider_unavailable"}


@dataclasses.dataclass(frozen=True)
class Expect:
    """One fault's result.

    `status` is of the reply and `row_status` of the row; they differ where a stream broke after its first byte, and
    then the client gets an error event. `usage`: `exact`, `estimated` (and flagged), `none` (nothing was used), `any`.
    """

    status: int = 200
    row_status: int = 200
    code: str | None = None
    usage: str = "exact"

    @property
    def outcome(self) -> str:
        """The row's."""
        return "completed" if self.row_status == 200 else "failed"


OK = Expect()
GUESSED = Expect(usage="estimated")
ANY_USAGE = Expect(usage="any")


def refused(status: int, code: str | None = None, usage: str = "none") -> Expect:
    """An error instead of an answer; nothing was used."""
    return Expect(status, status, code or STATUS_CODES.get(status), usage)


def failed(status: int = 502, code: str | None = None) -> Expect:
    """An error instead of an answer, after the provider had begun to work."""
    return Expect(status, status, code or STATUS_CODES[status], "estimated")


def broken(status: int = 502) -> Expect:
    """A stream that ends with an error event."""
    return Expect(200, status, STATUS_CODES[status], "estimated")


LIMITED = refused(429, "rate_limit_exceeded")

# What a plain call and a stream must show of each fault.
EXPECTED: dict[str, tuple[Expect, Expect]] = {
    "black-hole": (failed(504), failed(504)),
    "reset-on-request": (failed(), failed()),
    "close-on-request": (failed(), failed()),
    "reset-in-head": (failed(), failed()),
    "close-in-head": (failed(), failed()),
    "reset-after-head": (failed(), failed()),
    "close-after-head": (failed(), failed()),
    "reset-mid": (failed(), broken()),
    "close-mid": (failed(), broken()),
    "reset-before-end": (failed(), OK),
    "reset-after-end": (OK, OK),
    "close-after-end": (OK, OK),
    "stall": (failed(504), broken(504)),
    "stall-after-head": (failed(504), failed(504)),
    "stall-after-finish": (failed(504), GUESSED),
    "drip": (failed(504), failed(504)),
    "endless": (failed(504), broken(504)),
    "429-seconds": (LIMITED, LIMITED),
    "429-date": (LIMITED, LIMITED),
    "429-none": (LIMITED, LIMITED),
    "429-garbage": (LIMITED, LIMITED),
    "429-huge": (LIMITED, LIMITED),
    "429-negative": (LIMITED, LIMITED),
    "429-float": (LIMITED, LIMITED),
    "429-twice": (LIMITED, LIMITED),
    "429-ms": (LIMITED, LIMITED),
    "400": (refused(400, "invalid_value"), refused(400, "invalid_value")),
    "400-context": (refused(400, "context_length_exceeded"), refused(400, "context_length_exceeded")),
    "401": (refused(502, "provider_rejected"), refused(502, "provider_rejected")),
    "402": (refused(402, "insufficient_quota"), refused(402, "insufficient_quota")),
    "403": (refused(502, "provider_rejected"), refused(502, "provider_rejected")),
    "404": (refused(404, "model_not_found"), refused(404, "model_not_found")),
    "408": (refused(408, "provider_timeout"), refused(408, "provider_timeout")),
    "409": (refused(409, "provider_rejected"), refused(409, "provider_rejected")),
    "413": (refused(413, "provider_rejected"), refused(413, "provider_rejected")),
    "422": (refused(422, "provider_rejected"), refused(422, "provider_rejected")),
    "500": (refused(502), refused(502)),
    "502-html": (refused(502), refused(502)),
    "503": (refused(503), refused(503)),
    "504": (refused(504), refused(504)),
    "529": (refused(503), refused(503)),
    "500-empty": (refused(502), refused(502)),
    "500-big": (refused(502), refused(502)),
    "302": (refused(502), refused(502)),
    "307": (refused(502), refused(502)),
    "204": (refused(502), refused(502)),
    "201": (refused(502), refused(502)),
    "short-body": (failed(), OK),
    "long-body": (failed(), GUESSED),
    "bad-length": (failed(), failed()),
    "two-lengths": (failed(), failed()),
    "until-close": (OK, OK),
    "http-10": (OK, OK),
    "bad-chunk-size": (failed(), failed()),
    "chunk-trailer": (OK, OK),
    "bad-status-line": (failed(), failed()),
    "no-http": (failed(), failed()),
    "switch-protocols": (failed(), failed()),
    "header-bomb": (failed(), failed()),
    "informational": (OK, OK),
    "gzip-bomb": (failed(), failed()),
    "gzip": (failed(), failed()),
    "second-answer": (OK, OK),
    "error-in-200": (failed(), failed()),
    "html-200": (failed(), failed()),
    "html-as-json": (failed(), failed()),
    "truncated-json": (failed(), failed()),
    "invalid-json": (failed(), failed()),
    "invalid-utf8": (failed(), failed()),
    "empty-body": (failed(), failed()),
    "empty-stream": (failed(), failed()),
    "empty-object": (failed(), failed()),
    "json-array": (failed(), failed()),
    "json-null": (failed(), failed()),
    "deep-json": (failed(), failed()),
    "plain-for-stream": (OK, failed()),
    "stream-for-plain": (failed(), OK),
    "null-content": (OK, OK),
    "no-choices": (failed(), ANY_USAGE),
    "big-answer": (OK, broken()),
    "split-utf8": (OK, OK),
    "one-write": (OK, OK),
    "bom": (OK, OK),
    "crlf": (OK, OK),
    "cr-only": (OK, OK),
    "crlf-mixed": (OK, OK),
    "comments": (OK, OK),
    "sse-fields": (OK, OK),
    "many-data-lines": (OK, OK),
    "long-line": (OK, broken()),
    "long-comment": (OK, broken()),
    "unended-done": (OK, OK),
    "invalid-event": (OK, broken()),
    "html-mid": (OK, broken()),
    "error-event": (OK, broken()),
    "error-then-done": (OK, broken()),
    "error-first": (OK, failed()),
    "tool-calls": (OK, OK),
    "reasoning": (OK, OK),
    "refusal": (OK, OK),
    "no-finish": (OK, OK),
    "two-done": (OK, OK),
    "no-done": (OK, OK),
    "no-finish-no-done": (OK, broken()),
    "done-only": (OK, GUESSED),
    "content-after-finish": (OK, OK),
    "content-after-done": (OK, OK),
    "empty-choices": (OK, OK),
    "unknown-fields": (OK, OK),
    "unknown-finish": (OK, OK),
    "usage-absent": (GUESSED, GUESSED),
    "usage-null": (GUESSED, GUESSED),
    "usage-zero": (OK, OK),
    "usage-negative": (GUESSED, GUESSED),
    "usage-huge": (GUESSED, GUESSED),
    "usage-bigint": (GUESSED, GUESSED),
    "usage-strings": (ANY_USAGE, ANY_USAGE),
    "usage-floats": (ANY_USAGE, ANY_USAGE),
    "usage-list": (GUESSED, GUESSED),
    "usage-total-only": (GUESSED, GUESSED),
    "usage-no-total": (OK, OK),
    "usage-cached": (OK, OK),
    "usage-duplicated": (OK, OK),
    "usage-cumulative": (OK, OK),
    "usage-cumulative-only": (OK, OK),
    "usage-decreasing": (OK, OK),
    "usage-after-done": (OK, OK),
    "usage-first": (OK, OK),
    "usage-in-finish": (OK, OK),
}
