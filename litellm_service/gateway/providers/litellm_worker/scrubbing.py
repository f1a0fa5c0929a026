"""The child's output, without the keys that calls bring."""

import io
from typing import TextIO

MAX_KEYS = 256
SHORTEST_KEY = 6


class Keys:
    """The keys seen so far, longest first; few, because they are the operator's own."""

    def __init__(self) -> None:
        self._keys: list[str] = []

    def add(self, key: str) -> None:
        """Mask this from now on."""
        if len(key) >= SHORTEST_KEY and key not in self._keys and len(self._keys) < MAX_KEYS:
            self._keys = sorted([*self._keys, key], key=len, reverse=True)

    def masked(self, text: str) -> str:
        """The text without any of them."""
        for key in self._keys:
            text = text.replace(key, "[key]")
        return text


class ScrubbedOutput(io.TextIOBase):
    """Writes to another stream what is left once the keys are masked."""

    def __init__(self, inner: TextIO, keys: Keys) -> None:
        self._inner = inner
        self._keys = keys

    def write(self, text: str) -> int:
        """Write, masked."""
        self._inner.write(self._keys.masked(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream behind."""
        self._inner.flush()

    def writable(self) -> bool:
        """It is."""
        return True
