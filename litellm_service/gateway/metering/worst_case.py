"""The most that one attempt can cost, before it is sent."""

from gateway.domain.entry import Operation
from gateway.domain.money import PICO_PER_NANO, nano_from_pico
from gateway.domain.price import Price, Rates
from gateway.domain.request import ModelRequest
from gateway.metering import operations
from gateway.metering.charge import CONVERSATION
from gateway.metering.models import ModelInfo
from gateway.metering.prices import PriceBook
from gateway.metering.surcharges import given, searches_bound, server_tools
from gateway.metering.tokens import UNKNOWN_CONTEXT_WINDOW, input_token_bound, points_elsewhere

_ELSEWHERE = frozenset((
    "previous_response_id", "conversation", "prompt", "container", "cached_content", "cachedContent", "mcp_servers",
    "plugins", "search_parameters", "web_search_options", "documents", "tool_resources", "file_ids", "context_management",
))  # fmt: skip


class WorstCase:
    """The most that one attempt of a request can cost at a deployment, for any length of the answer.

    Takes the dearest class of every token, every long-context tier and service tier that can come to be charged, and every
    surcharge that the request can cause. It does not cover what nobody can know before: a provider that states a cost above its
    list price, or that ignores a limit. `info` is what is known of the model, `None`: nothing but its price.
    """

    __slots__ = ("_lines",)

    def __init__(
        self, prices: PriceBook, provider: str, model: str, info: ModelInfo | None, request: ModelRequest, at_ms: int
    ) -> None:
        input_bound = _input_bound(request, info)
        searches = searches_bound(request) + operations.searches_bound(request)
        added = _predicted_tokens(request)
        made = operations.output_bound(request, info.max_output_tokens if info is not None else None)
        has_length = request.operation in operations.HAVE_LENGTH
        self._lines: list[tuple[int, int]] = []  # pico-USD whatever the answer, and for each token of its length
        for price in prices.chargeable(provider, model, request.service_tier, at_ms=at_ms):
            for rates in _reachable(price, input_bound):
                each = rates.dearest_output * request.choices if has_length else 0
                fixed = _fees(rates, request, searches) + input_bound * rates.dearest_input + added * each
                fixed += made * rates.dearest_output
                self._lines.append((fixed, each))

    def nano_usd(self, output_bound: int) -> int | None:
        """With at most so many tokens in each answer; `None`: the model has no price."""
        if not self._lines:
            return None
        return nano_from_pico(max(fixed + each * output_bound for fixed, each in self._lines))

    def output_limit_within(self, most_nano_usd: int) -> int | None:
        """The longest answer, in tokens, that costs no more than this; `None`: even one token does, or there is no price."""
        if not self._lines:
            return None
        room = most_nano_usd * PICO_PER_NANO + (PICO_PER_NANO - 1) // 2  # what still rounds to it
        if any(fixed + each > room for fixed, each in self._lines):
            return None
        return min(((room - fixed) // each for fixed, each in self._lines if each), default=UNKNOWN_CONTEXT_WINDOW)


def output_bound(
    request: ModelRequest, info: ModelInfo | None, *, key_default: int | None, setting_default: int
) -> int:
    """The most tokens that each answer can have: the request's own limit, else the key's, else the setting's.

    No more than the model can give where that is known. Only the client's own limit may pass the model's stated maximum (maps are
    wrong at times), and then not its context window.
    """
    most = info.max_output_tokens if info is not None else None
    if request.output_limit is None:
        bound = key_default or setting_default
        return bound if most is None else min(bound, most)
    window = info.context_window if info is not None else None
    return request.output_limit if window is None else min(request.output_limit, max(window, most or 0))


def _input_bound(request: ModelRequest, info: ModelInfo | None) -> int:
    if request.operation is not Operation.CHAT:
        return operations.input_bound(request, info.context_window if info else None)
    elsewhere = any(given(request, name) for name in _ELSEWHERE & request.fields.keys()) or _reads_elsewhere(request)
    return input_token_bound(request.size, info.context_window if info else None, points_elsewhere=elsewhere)


def _reads_elsewhere(request: ModelRequest) -> bool:
    return points_elsewhere(given(request, CONVERSATION[request.wire])) or bool(server_tools(request))


def _predicted_tokens(request: ModelRequest) -> int:
    """Tokens of a predicted output: rejected ones are charged as output (platform.openai.com/docs/guides/predicted-outputs)."""
    return len(given(request, "prediction"))


def _reachable(price: Price, input_bound: int) -> list[Rates]:
    return [price.rates, *(tier.rates for tier in price.tiers if tier.above_prompt_tokens < input_bound)]


def _fees(rates: Rates, request: ModelRequest, searches: int) -> int:
    """What is charged besides tokens; a text to be spoken has no more characters than its body has bytes."""
    searching = searches * rates.search + rates.searching if searches else 0
    return rates.request + searching + request.choices * rates.image + request.size * rates.character
