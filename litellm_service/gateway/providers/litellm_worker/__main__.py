"""`python -m gateway.providers.litellm_worker --socket PATH`: the child process."""

import argparse
import asyncio
import ctypes
import os
import signal
import sys
import threading

from gateway.providers.litellm_worker.scrubbing import Keys, ScrubbedOutput

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until told to stop, or until the parent is gone."""
    parser = argparse.ArgumentParser(
        prog="litellm-worker", description="LiteLLM behind the OpenAI wire on a Unix socket."
    )
    parser.add_argument("--socket", required=True, help="where to listen")
    options = parser.parse_args()
    _die_with_parent()
    keys = Keys()
    sys.stdout, sys.stderr = ScrubbedOutput(sys.stdout, keys), ScrubbedOutput(sys.stderr, keys)
    from gateway.providers.litellm_worker.server import serve  # after the guards: it imports LiteLLM  # noqa: PLC0415

    asyncio.run(serve(options.socket, keys))


def _die_with_parent() -> None:
    """On Linux the kernel sees to it; everywhere, the end of our standard input tells."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_wait_for_the_end_of_input, daemon=True).start()


def _wait_for_the_end_of_input() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
