"""What becomes of holds that a dead process left behind."""

from collections.abc import Callable

import msgspec

from gateway.domain.entry import CostSource, Kind, Operation, Outcome, Settlement
from gateway.domain.price import Price
from gateway.domain.usage import NO_USAGE, Usage
from gateway.store.sqlite.store import Orphan

MESSAGE = "The gateway stopped while this request was running; its usage is an estimate."

NOT_BY_TOKENS = frozenset((Operation.IMAGES, Operation.SPEECH, Operation.TRANSCRIPTION, Operation.TRANSLATION))

Priced = Callable[[Price | None, Usage], tuple[int | None, CostSource]]
Charge = Callable[[str, int, int], Usage]


def resolution(orphan: Orphan, charge: Charge, priced: Priced) -> Settlement:
    """The estimate that replaces an orphaned hold.

    Under a hard budget it costs all that was held. Else, what is not charged by tokens has no cost: nobody knows. `charge` turns
    provider name, input and output estimate into what such an interruption is taken to cost there.
    """
    hold = orphan.hold
    usage = charge(hold.provider, hold.input_tokens_estimate, orphan.output_tokens or 0)
    cost, source = priced(hold.price, usage)
    if hold.operation in NOT_BY_TOKENS:
        usage, cost, source = NO_USAGE, None, CostSource.NONE
    if hold.amount_nano_usd and hold.price is not None:  # nobody knows how far the provider went: as far as it may
        usage = msgspec.structs.replace(usage, estimated=True)
        cost, source = hold.amount_nano_usd, CostSource.ESTIMATED
    return Settlement(
        hold=hold,
        outcome=Outcome.FAILED,
        http_status=500,
        usage=usage,
        cost_nano_usd=cost,
        cost_source=source,
        first_token_us=orphan.first_token_us,
        error_code="gateway_stopped",
        error_message=MESSAGE,
        kind=Kind.ESTIMATE,
    )
