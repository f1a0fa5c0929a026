"""What one attempt gave: pieces for the client, and the sum of them for the ledger."""

import msgspec

from gateway.domain.errors import ProviderError


class Piece(msgspec.Struct):
    """Some of an answer: `raw` in the upstream's wire, `text` the words in it.

    `closing`: this says that the answer is finished, or comes after that; it must wait for the settlement.
    `usage_only`: the client gets it only if it asked for usage.
    """

    raw: bytes
    text: str = ""
    closing: bool = False
    usage_only: bool = False


class Answer:
    """The growing answer of one attempt."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.counted: list[str] = []
        self.usage: bytes | None = None
        self.finish_reason: str | None = None
        self.finished = False
        self.error: ProviderError | None = None
        self.heard_content = False

    @property
    def full_text(self) -> str:
        """The words of the answer so far."""
        return "".join(self.text)
