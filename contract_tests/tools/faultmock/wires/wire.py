"""What the mock knows of a wire: how a request is read and an answer is said."""

import dataclasses
from collections.abc import Callable
from typing import Any

from faultmock.answering import Answer, Usage
from faultmock.asking import Asked, Target
from faultmock.pieces import Json, Piece, dumps

Whole = tuple[bytes, str]


def no_pieces(answer: Answer) -> list[Piece]:
    """For a wire without streams."""
    return []


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wire:
    """The functions of one API.

    `read` raises `ValueError`, `TypeError` or `AttributeError` for what it cannot read. `whole` is a plain answer where
    it is no JSON. `usage` states a usage in the wire's words (under `usage_key`) and `totals` reads it back. `error`
    takes status, message and code; `error_piece` puts such a body into a stream. The others are for faults: `token_piece`
    is one more text, `usage_piece` a usage by itself, `filler` an event that means nothing, `outputs` the key of the
    list that an answer stands in. `array`: a stream that is no events.
    """

    name: str
    read: Callable[[Json, Target], Asked]
    body: Callable[[Answer], Json]
    error: Callable[[int, str, str | None], Json]
    whole: Callable[[Answer], Whole] | None = None
    pieces: Callable[[Answer], list[Piece]] = no_pieces
    usage: Callable[[Usage], Json] | None = None
    totals: Callable[[Json], Usage] | None = None
    usage_key: str = "usage"
    error_piece: Callable[[Json], Piece] | None = None
    token_piece: Callable[[Answer, str], Piece] | None = None
    usage_piece: Callable[[Answer, Json], Piece] | None = None
    filler: Callable[[str], Piece] | None = None
    outputs: str = ""

    @property
    def streams(self) -> bool:
        """Whether it can stream at all."""
        return self.pieces is not no_pieces

    def plain(self, answer: Answer) -> Whole:
        """Bytes and content type of a plain answer."""
        return self.whole(answer) if self.whole else (dumps(self.body(answer)).encode(), "application/json")

    def served(self, stated: Any) -> Json | None:
        """A usage object in totals that every wire shares; `None` where it is none."""
        if self.totals is None:
            return None
        try:
            usage = dataclasses.asdict(self.totals(stated))
        except (TypeError, KeyError, AttributeError, ValueError):
            return None
        return _shared(usage) if all(type(count) is int for count in usage.values()) else None


def _shared(usage: Json) -> Json:
    return {
        "prompt_tokens": usage["prompt"],
        "completion_tokens": usage["completion"],
        "total_tokens": usage["prompt"] + usage["completion"],
        "cached_tokens": usage["cached"],
        "cache_write_tokens": usage["cache_write"] + usage["cache_write_1h"],
        "cache_write_1h_tokens": usage["cache_write_1h"],
        "reasoning_tokens": usage["reasoning"],
    }
