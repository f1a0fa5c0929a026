"""The same conversation to the same deployment, so that the provider's prompt cache still has it."""

import hashlib
import math
from collections.abc import Sequence

from gateway.routing.strategies import Rated

_SPACE = 2**64


def prefer(candidates: Sequence[Rated], conversation: bytes) -> list[Rated]:
    """Ordered by weighted rendezvous hashing (https://www.ietf.org/archive/id/draft-ietf-bess-weighted-hrw-00.html).

    `conversation` is how it begins, the same for all its turns. A deployment that comes or goes moves only the talks that it has.
    """
    return sorted(candidates, key=lambda one: _score(one, conversation), reverse=True)


def _score(one: Rated, conversation: bytes) -> float:
    digest = hashlib.blake2b(conversation, digest_size=8, key=one.key.encode()[:64]).digest()
    share = (int.from_bytes(digest) + 1) / (_SPACE + 1)
    return -one.weight / math.log(share)
