"""Named points where a crash test ends the process as `kill -9` would."""

import os
import signal

ARMED = os.environ.get("GATEWAY_FAILPOINT", "")


def failpoint(name: str) -> None:
    """End the process here if the environment says so; otherwise free of charge."""
    if name == ARMED:
        os.kill(os.getpid(), signal.SIGKILL)
