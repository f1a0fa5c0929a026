"""What every upstream gives back: a status, headers, and a body in pieces."""

from typing import Protocol

Headers = list[tuple[bytes, bytes]]


class Reply(Protocol):
    """An upstream's answer whose headers have arrived. Header names are lower-case."""

    status: int
    headers: Headers

    async def read(self) -> bytes:
        """The next piece of the body as it came; `b""` at its proper end.

        Raises `ProviderTimeout` or `ProviderUnavailable`, and whatever exception `abort` was given.
        """

    def abort(self, reason: Exception) -> None:
        """Hang up at once; a `read` that waits raises `reason`. May be called again, and after the end."""
