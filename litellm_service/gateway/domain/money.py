"""Money as integers: nano-USD for costs, pico-USD for unit prices."""

NANO_PER_USD = 1_000_000_000
PICO_PER_NANO = 1_000
PICO_PER_USD = NANO_PER_USD * PICO_PER_NANO
PICO_PER_MILLION_USD = 1_000_000  # pico-USD per token ÷ this = USD per million tokens
MAX_NANO_USD = 2**62  # int64 with room to add


def usd(nano_usd: int | None) -> float | None:
    """Decimal USD for display; `None` (not priced) stays `None`."""
    return None if nano_usd is None else nano_usd / NANO_PER_USD


def nano_from_pico(pico_usd: int) -> int:
    """Round pico-USD half up to nano-USD: the one rounding of a cost."""
    return (pico_usd + PICO_PER_NANO // 2) // PICO_PER_NANO
