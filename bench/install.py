"""Installs the peers into .cache/bench, apart from the services' environment."""

import shutil
import subprocess
import sys

from bench.places import CACHE, ROOT
from bench.systems import LITELLM, PORTKEY


def system_parts() -> None:
    """The load generator and nginx; exits with what to do where they cannot be had."""
    subprocess.run([ROOT / "scripts" / "system_parts.sh", "bench"], check=True)
    missing = [name for name in ("nginx", "wrk", "taskset") if shutil.which(name) is None]
    if missing:
        sys.exit(
            f"Needed for the benchmark and not found: {', '.join(missing)}. Install with the system's package manager."
        )


def peers() -> None:
    """LiteLLM's proxy from PyPI and Portkey from npm, once; one that cannot be installed is left out."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if not (LITELLM / "bin" / "litellm").exists():
        print("Installing LiteLLM's proxy into .cache/bench ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", LITELLM], check=True)
        # 1.82.7 and 1.82.8 on PyPI were malicious.
        _attempt([str(LITELLM / "bin" / "pip"), "install", "--quiet", "litellm[proxy]>1.82.8"], "LiteLLM's proxy")
    if not PORTKEY.exists():
        print("Installing Portkey's gateway into .cache/bench ...", flush=True)
        folder = CACHE / "portkey"
        folder.mkdir(exist_ok=True)
        # Later versions of its server part answer every stream with 500.
        (folder / "package.json").write_text('{"private": true, "overrides": {"@hono/node-server": "1.13.8"}}\n')
        _attempt(
            ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent", "@portkey-ai/gateway"],
            "Portkey's gateway",
        )


def _attempt(command: list[str], what: str) -> None:
    try:
        subprocess.run(command, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{what} could not be installed and is left out: {error}", file=sys.stderr)
