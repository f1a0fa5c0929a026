"""How an attempt ended, as the ledger is told."""

import msgspec

from gateway.domain.entry import CostSource, Hold, Operation, Outcome, Settlement
from gateway.domain.errors import GatewayError, ProviderError
from gateway.domain.time import monotonic
from gateway.domain.usage import NO_USAGE, Usage
from gateway.exchange import Exchange
from gateway.metering import operations
from gateway.metering.charge import input_tokens, interrupted_usage
from gateway.metering.native_usage import usage_of
from gateway.metering.prices import priced
from gateway.metering.usage import last


class Ending:
    """The facts of one end; `final`: no other attempt follows."""

    __slots__ = ("error_code", "final", "free", "http_status", "message", "outcome")

    def __init__(self, outcome: Outcome, http_status: int, *, final: bool = True) -> None:
        self.outcome = outcome
        self.http_status = http_status
        self.final = final
        self.free = False
        self.error_code: str | None = None
        self.message: str | None = None

    @classmethod
    def left(cls) -> "Ending":
        """The client hung up."""
        ending = cls(Outcome.ABANDONED, 499)
        ending.error_code, ending.message = "client_left", "The client hung up."
        return ending

    @classmethod
    def failed(cls, exchange: Exchange, error: BaseException, http_status: int, *, final: bool = True) -> "Ending":
        """Something raised; what never reached a provider, or what it refused with a status, is free."""
        ending = cls(Outcome.FAILED, http_status, final=final)
        ending.error_code, ending.message = "internal_error", f"Internal error: {type(error).__name__}"
        if isinstance(error, GatewayError):
            ending.error_code, ending.message = error.code, error.message
        ending.free = (
            isinstance(error, ProviderError)
            and exchange.reader is None
            and (error.never_sent or error.status is not None)
        )
        return ending


def settlement(exchange: Exchange, ending: Ending, *, keep_content: bool) -> Settlement:
    """What the ledger is told, with everything that was used and what it costs."""
    request, reader, hold = exchange.request, exchange.reader, exchange.hold
    known = NO_USAGE if ending.free else _usage(exchange, ending.outcome)
    usage = known or NO_USAGE
    cost, source = _cost(hold, known)
    if source is CostSource.ESTIMATED and cost is not None and hold.amount_nano_usd:
        cost = min(cost, hold.amount_nano_usd)  # a guess of ours never takes more than what was set aside
    now = monotonic()
    return Settlement(
        hold=hold,
        outcome=ending.outcome,
        http_status=ending.http_status,
        usage=usage,
        cost_nano_usd=cost,
        cost_source=source,
        duration_us=_micros(now, exchange.received_at) or 0,
        first_token_us=_micros(exchange.first_token_at, exchange.received_at) if request.stream else None,
        overhead_us=_overhead_us(exchange, now),
        error_code=ending.error_code,
        error_message=ending.message,
        final=ending.final,
        query=request.query if keep_content else "",
        response="".join(reader.text) if keep_content and reader is not None else None,
        messages=request.messages if keep_content else None,
        finish_reason=reader.finish_reason if reader is not None else None,
        reason=exchange.reason,
        stored_response=reader.kept_as if reader is not None else None,
    )


def _cost(hold: Hold, usage: Usage | None) -> tuple[int | None, CostSource]:
    """Of a known usage; what nobody knows has no cost, and is not priced."""
    if usage is None:
        return None, CostSource.NONE
    return (0, CostSource.NONE) if usage is NO_USAGE else priced(hold.price, usage)


def rough_settlement(exchange: Exchange, ending: Ending) -> Settlement:
    """Where the true one cannot be made: the input by its length, and all that was held."""
    hold = exchange.hold
    usage = Usage(input=hold.input_tokens_estimate, estimated=True)
    cost, source = priced(hold.price, usage)
    return Settlement(
        hold=hold,
        outcome=ending.outcome,
        http_status=ending.http_status,
        usage=usage,
        cost_nano_usd=hold.amount_nano_usd or cost,
        cost_source=source,
        duration_us=_micros(monotonic(), exchange.received_at) or 0,
        error_code=ending.error_code,
        error_message=ending.message,
        final=ending.final,
    )


def first_token_us(exchange: Exchange) -> int | None:
    """From the request's arrival to the first word, in microseconds."""
    return _micros(exchange.first_token_at, exchange.received_at)


def _usage(exchange: Exchange, outcome: Outcome) -> Usage | None:
    """`None`: nobody knows."""
    if exchange.request.operation not in operations.HAVE_LENGTH:
        return _usage_of_operation(exchange, outcome)
    reader, provider = exchange.reader, exchange.deployment.provider
    rule = exchange.deployment.usage_rule(exchange.call.wire)
    usage: Usage | None = None
    if reader is not None and reader.usage_reports and (reader.finished or outcome is Outcome.COMPLETED):
        for report in reader.usage_reports:
            usage = last(usage, usage_of(report, rule))
    if usage is not None:
        return usage
    if exchange.dispatched_at == exchange.received_at:
        return NO_USAGE
    has_answer = outcome is Outcome.COMPLETED and reader is not None and reader.counted
    policy = "estimate" if has_answer else provider.interrupted  # an empty answer is as good as none
    return interrupted_usage(policy, input_tokens(exchange.request), exchange.output_estimate())


def _usage_of_operation(exchange: Exchange, outcome: Outcome) -> Usage | None:
    request, price, reader = exchange.request, exchange.hold.price, exchange.reader
    if reader is not None and (reader.finished or outcome is Outcome.COMPLETED):
        rule = exchange.deployment.usage_rule(exchange.call.wire)
        return operations.used(request, reader.usage_reports, rule, price)
    was_sent = exchange.dispatched_at != exchange.received_at
    if request.operation is Operation.TOKEN_COUNT or not was_sent or exchange.deployment.provider.interrupted == "free":
        return NO_USAGE
    taken = operations.unstated(request, price)
    return None if taken is None else msgspec.structs.replace(taken, estimated=True)


def _micros(later: float | None, earlier: float) -> int | None:
    return None if later is None else max(0, int((later - earlier) * 1e6))


def _overhead_us(exchange: Exchange, now: float) -> int | None:
    """Our own part: from the request's arrival to the dispatch, and from the end of the answer to the settlement."""
    if exchange.answered_at is None:
        return None
    ours_s = exchange.dispatched_at - exchange.received_at - exchange.elsewhere_s + now - exchange.answered_at
    return max(0, int(ours_s * 1e6))
