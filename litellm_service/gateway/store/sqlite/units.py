"""How the units of time that are asked for lie over the hours and days (UTC) that are stored."""

from gateway.store.questions import ENDLESS_S, Part
from gateway.store.sqlite.coarse import QUARTERS_PER_DAY, QUARTERS_PER_HOUR

QUARTER_S = 900
HOUR_S = QUARTER_S * QUARTERS_PER_HOUR
DAY_S = QUARTER_S * QUARTERS_PER_DAY


def cut_hours(part: Part) -> list[int]:
    """The hours that lie only partly in the part, or in two of its units; ascending."""
    hours = {edge // QUARTERS_PER_HOUR for edge in (part.start, part.end) if edge % QUARTERS_PER_HOUR}
    if part.offset_s % HOUR_S:
        first = (part.start * QUARTER_S + part.offset_s) // part.unit_s
        last = (part.end * QUARTER_S - 1 + part.offset_s) // part.unit_s
        hours.update((unit * part.unit_s - part.offset_s) // HOUR_S for unit in range(first + 1, last + 1))
    return sorted(hours)


def whole_days(part: Part) -> range:
    """The days that lie wholly in the part, each in one unit; none where its units are not made of such days."""
    if part.unit_s < ENDLESS_S and (part.offset_s % DAY_S or part.unit_s % DAY_S):
        return range(0)
    return range(-(-part.start // QUARTERS_PER_DAY), part.end // QUARTERS_PER_DAY)
