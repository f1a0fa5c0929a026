"""Where the benchmark keeps its files, and free ports."""

import os
import socket
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "bench"
WORK = CACHE / "run"
SERVICE = ROOT / "litellm_service"
PYTHON = Path(sys.executable)

SYSTEM_CORE = 0
LOAD_CORE = 1

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(extra: dict[str, str]) -> dict[str, str]:
    """A small environment: nothing of the user's settings, and `extra`."""
    return {**{name: os.environ[name] for name in _KEPT if name in os.environ}, **extra}
