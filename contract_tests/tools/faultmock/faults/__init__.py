"""Every fault by name: an async function that answers one call wrongly."""

from faultmock.faults import body, breaks, content, framing, sse, statuses, usage
from faultmock.faults.shape import Fault

FAULTS: dict[str, Fault] = {
    **breaks.FAULTS,
    **statuses.FAULTS,
    **framing.FAULTS,
    **body.FAULTS,
    **sse.FAULTS,
    **content.FAULTS,
    **usage.FAULTS,
}
