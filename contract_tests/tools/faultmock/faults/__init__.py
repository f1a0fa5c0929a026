"""Every fault by name: an async function that answers one call wrongly."""

from faultmock.faults import body, breaks, content, framing, sse, statuses, usage
from faultmock.faults.fitness import misfit
from faultmock.faults.own import OWN
from faultmock.faults.shape import Fault

# What Chat Completions can suffer, and most of it every wire.
FAULTS: dict[str, Fault] = {
    **breaks.FAULTS,
    **statuses.FAULTS,
    **framing.FAULTS,
    **body.FAULTS,
    **sse.FAULTS,
    **content.FAULTS,
    **usage.FAULTS,
}


def fault_of(name: str, wire: str) -> Fault | None:
    """The fault of that name, `None` where there is none."""
    return OWN.get(wire, {}).get(name) or FAULTS.get(name)


def why_not(name: str, wire: str, *, array: bool = False) -> str:
    """Why a wire cannot have a fault; empty where it can. `array`: its stream is no stream of events."""
    if not name or name in OWN.get(wire, {}):
        return ""
    if name not in FAULTS:
        return f"no fault {name!r} on {wire}; `python -m faultmock --list` lists them"
    reason = "its stream has no events" if array and name in sse.FAULTS else misfit(name, wire)
    return f"the fault {name!r} makes no sense on {wire}: {reason}" if reason else ""


def faults_of(wire: str) -> tuple[str, ...]:
    """The names of all faults that a wire can have, its own last."""
    return (*(name for name in FAULTS if not misfit(name, wire)), *OWN.get(wire, {}))
