"""What a request may cost at most, and whether its key allows it."""

from gateway.admission.budgets import BudgetBook
from gateway.domain.entry import Hold, Operation
from gateway.domain.errors import BudgetExceeded, ModelPriceUnknown, NotAllowed
from gateway.domain.key import Key
from gateway.domain.money import usd
from gateway.domain.price import Price
from gateway.domain.request import ModelRequest
from gateway.domain.scope import Subject
from gateway.exchange import Exchange
from gateway.metering import operations
from gateway.metering.charge import rough_input_tokens
from gateway.metering.prices import PriceBook
from gateway.metering.surcharges import given
from gateway.metering.worst_case import WorstCase, output_bound
from gateway.providers.deployment import Deployment
from gateway.providers.operations import UNSTATED_COMPLETION_TOKENS

# OpenRouter's routing (openrouter.ai/docs/features/model-routing, /provider-routing) and what others call the same.
STEERING = ("models", "route", "preset", "provider", "fallbacks")


class Holder:
    """Makes the holds: one attempt at one deployment, at the price of the moment of admission.

    Only under a hard budget is money held, and only then (or where the key limits it) does the gateway limit the answer itself.
    """

    def __init__(self, prices: PriceBook, budgets: BudgetBook, default_max_tokens: int) -> None:
        self._prices = prices
        self._budgets = budgets
        self._default_max_tokens = default_max_tokens

    def hold(self, exchange: Exchange, deployment: Deployment, attempt: int) -> Hold:
        """Raises `NotAllowed`, or `BudgetExceeded` and `ModelPriceUnknown` where the key limits the cost of one request."""
        request, key = exchange.request, exchange.caller.key
        subject = exchange.subject = Subject(
            request.application_id, request.user_id, exchange.caller.key_id, deployment.model
        )
        if key is not None:
            _check(key, exchange, deployment)
        hard = self._budgets.has_hard(subject)
        if hard or (key is not None and (key.models or key.max_cost_per_request_nano_usd is not None)):
            _check_steering(request)
        price = self._price(exchange, deployment)
        amount = 0
        if (hard or (key is not None and _limits_answers(key))) and not _is_free(request, price):
            _check_is_bounded(request)
            amount = self._worst_case(exchange, deployment, key)
        return Hold(
            request_id=exchange.request_id,
            attempt=attempt,
            admitted_at_ms=exchange.admitted_at_ms,
            application_id=request.application_id,
            user_id=request.user_id,
            key_id=exchange.caller.key_id,
            model=deployment.model,
            provider=deployment.provider.name,
            upstream_model=deployment.upstream_model,
            operation=request.operation,
            stream=request.stream,
            input_tokens_estimate=rough_input_tokens(request),
            amount_nano_usd=amount if hard else 0,
            under_hard_budget=hard,
            price=price,
        )

    def price_as_answered(self, exchange: Exchange) -> None:
        """Settle at the service tier that the provider says it charges by."""
        reader, hold = exchange.reader, exchange.hold
        if reader is not None and reader.service_tier is not None:
            hold.price = self._prices.price_as_answered(hold, exchange.request.service_tier, reader.service_tier)

    def _price(self, exchange: Exchange, deployment: Deployment) -> Price | None:
        """Counting tokens costs nothing, and moderation where no price says otherwise."""
        request = exchange.request
        if request.operation is Operation.TOKEN_COUNT:
            return operations.FREE
        price = self._prices.price(
            deployment.provider.name, deployment.upstream_model, request.service_tier, at_ms=exchange.admitted_at_ms
        )
        return operations.FREE if price is None and request.operation is Operation.MODERATIONS else price

    def _worst_case(self, exchange: Exchange, deployment: Deployment, key: Key | None) -> int:
        """The most it can cost, 0 where the model has no price; notes how long the answer may be."""
        request = exchange.request
        info = self._prices.model(deployment.provider.name, deployment.upstream_model)
        bound = output_bound(request, info, key_default=_own_limit(key), setting_default=self._default_max_tokens)
        if request.operation is Operation.COMPLETIONS and request.output_limit is None:
            bound = min(bound, UNSTATED_COMPLETION_TOKENS)
        case = WorstCase(
            self._prices, deployment.provider.name, deployment.upstream_model, info, request, exchange.admitted_at_ms
        )
        most = None if key is None else key.max_cost_per_request_nano_usd
        if most is not None:
            bound = _affordable(case, bound, most, deployment, exchange)
        has_length = request.operation in operations.HAVE_LENGTH
        exchange.output_limit = bound if has_length and not request.output_limit else None
        return case.nano_usd(bound) or 0


def _is_free(request: ModelRequest, price: Price | None) -> bool:
    """Whatever is used, it costs nothing; an answer that has a length may have to be limited all the same."""
    is_free = price is not None and not price.tiers and price.rates == operations.FREE.rates
    return is_free and request.operation not in operations.HAVE_LENGTH


def _check_is_bounded(request: ModelRequest) -> None:
    """Nobody knows how long a recording is before it was heard."""
    if request.operation in operations.RECORDINGS:
        raise BudgetExceeded(
            "What this recording costs depends on its length, which is not known before; a hard budget, or this key's limit for "
            "one request, can allow only what is known to fit. Use a key under a soft budget for recordings.",
            param="file",
        )


def _own_limit(key: Key | None) -> int | None:
    """What a key sets for requests that do not say how long the answer may be."""
    if key is None:
        return None
    stated = [limit for limit in (key.default_max_tokens, key.max_tokens) if limit is not None]
    return min(stated, default=None)


def _check_steering(request: ModelRequest) -> None:
    """Some providers let a body name other models to answer or to charge: nobody could hold it to a key or a budget."""
    named = [name for name in STEERING if given(request, name)]
    if named:
        raise NotAllowed(
            f"{named[0]}: this would let the provider choose another model than the one that is asked for, and a budget or "
            "this key's rights depend on which it is. Leave it out.",
            param=named[0],
        )


def _limits_answers(key: Key) -> bool:
    return not (key.default_max_tokens is key.max_tokens is key.max_cost_per_request_nano_usd is None)


def _check(key: Key, exchange: Exchange, deployment: Deployment) -> None:
    request = exchange.request
    asked = exchange.plan.way.asked or request.model
    if not key.allows_model(asked, deployment.model):
        allowed = ", ".join(key.models)
        raise NotAllowed(f"This key may not call {asked!r}; it may call: {allowed}.", param="model")
    if key.max_tokens is not None and request.output_limit is not None and request.output_limit > key.max_tokens:
        raise NotAllowed(
            f"max_tokens: this key may ask for at most {key.max_tokens}, and this request asks for {request.output_limit}.",
            param="max_tokens",
        )


def _affordable(case: WorstCase, bound: int, most: int, deployment: Deployment, exchange: Exchange) -> int:
    """How long the answer may be for this much money; where the client has said how long, it is that or nothing."""
    needed = case.nano_usd(bound)
    if needed is None:
        raise ModelPriceUnknown(
            f"{deployment.model} has no price, and this key limits what one request may cost. Set a price for the model, "
            "or choose one that has a price.",
            param="model",
        )
    if needed <= most:
        return bound
    within = None if exchange.request.output_limit else case.output_limit_within(most)
    if within is None:
        raise BudgetExceeded(
            f"This request may cost up to ${needed / 1e9:.6f}, and this key allows ${most / 1e9:.6f} for one request. "
            "Send less, or a smaller max_tokens.",
            param="max_tokens",
            details={"max_cost_per_request_usd": usd(most), "needed_usd": usd(needed)},
        )
    return within
