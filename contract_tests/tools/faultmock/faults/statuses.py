"""Answers with an error status."""

import email.utils
import time

from faultmock.call import Call, Headers
from faultmock.faults.shape import Fault

_SECRET = "sk-upstream-secret-0123456789abcdef"  # a provider that echoes the key: it must not reach a client


def _limited(*headers: tuple[str, str]) -> Fault:
    async def fault(call: Call) -> None:
        """429 with a `Retry-After` of one kind."""
        await call.send_error(429, "Rate limit reached", "rate_limit_exceeded", headers)

    return fault


async def limited_date(call: Call) -> None:
    """429 with `Retry-After` as an HTTP date, 2 s from now."""
    at = email.utils.formatdate(time.time() + 2, usegmt=True)
    await call.send_error(429, "Rate limit reached", "rate_limit_exceeded", [("retry-after", at)])


async def limited_free(call: Call) -> None:
    """429 with `Retry-After` as the script's `retry_after` says."""
    headers: Headers = [("retry-after", call.ask.script.retry_after)]
    await call.send_error(429, "Rate limit reached", "rate_limit_exceeded", headers)


def _refused(status: int, message: str, code: str | None = None) -> Fault:
    async def fault(call: Call) -> None:
        """An error status with the provider's error object."""
        await call.send_error(status, message, code)

    return fault


async def html_502(call: Call) -> None:
    """502 with a page of HTML, as a load balancer answers."""
    await call.send_body(b"<html><body><h1>502 Bad Gateway</h1></body></html>", 502, "text/html")


async def empty_500(call: Call) -> None:
    """500 without a body."""
    await call.send_body(b"", 500)


async def big_500(call: Call) -> None:
    """500 with a body of `size` MB (20 unless told)."""
    await call.send_body(b"x" * int((call.ask.script.size or 20) * 1e6), 500, "text/plain")


async def redirect(call: Call) -> None:
    """302 to a path where following it would be seen in the truth log."""
    await call.send_body(b"", 302, headers=[("location", "/redirected")])


async def redirect_307(call: Call) -> None:
    """307, which asks to send the body again, elsewhere."""
    await call.send_body(b"", 307, headers=[("location", "/redirected")])


async def no_content(call: Call) -> None:
    """204."""
    await call.send_head(204)


async def created_201(call: Call) -> None:
    """A good answer's body, but with status 201 and nothing else."""
    await call.send_json({"accepted": True}, 201)


FAULTS: dict[str, Fault] = {
    "429-seconds": _limited(("retry-after", "1")),
    "429-date": limited_date,
    "429-none": _limited(),
    "429-garbage": _limited(("retry-after", "soon\u00e9")),
    "429-huge": _limited(("retry-after", "99999999999999999999")),
    "429-negative": _limited(("retry-after", "-5")),
    "429-float": _limited(("retry-after", "0.5")),
    "429-twice": _limited(("retry-after", "1"), ("retry-after", "7")),
    "429-ms": _limited(("retry-after-ms", "300")),
    "429": limited_free,
    "400": _refused(400, "Invalid value for 'temperature'", "invalid_value"),
    "400-context": _refused(400, "This model's maximum context length is 8192 tokens", "context_length_exceeded"),
    "401": _refused(401, f"Incorrect API key provided: {_SECRET}", "invalid_api_key"),
    "402": _refused(402, "Insufficient balance", "insufficient_quota"),
    "403": _refused(403, "Country not supported", "unsupported_country"),
    "404": _refused(404, "The model does not exist", "model_not_found"),
    "408": _refused(408, "Request timeout"),
    "409": _refused(409, "Conflict"),
    "413": _refused(413, "Request too large"),
    "422": _refused(422, "Unprocessable"),
    "500": _refused(500, "The server had an error"),
    "502-html": html_502,
    "503": _refused(503, "The engine is currently overloaded"),
    "504": _refused(504, "Gateway timeout"),
    "529": _refused(529, "Overloaded"),
    "500-empty": empty_500,
    "500-big": big_500,
    "302": redirect,
    "307": redirect_307,
    "204": no_content,
    "201": created_201,
}
