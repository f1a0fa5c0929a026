"""`make verify`: the long form of the suites, and their figures in docs/verification.md."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SUITES = {
    "crash": "test_crash.py",
    "race": "test_budget_race.py",
    "limits": "test_limits.py",
    "faults": "test_faulty_upstream.py",
    "wire_faults": "test_faulty_wires.py",
    "disconnects": "test_disconnects.py",
    "wire_disconnects": "test_disconnecting_wires.py",
    "environment": "test_environment.py",
    "keys": "test_key_changes.py",
    "secrets": "test_secrets.py",
    "framing": "test_framing.py",
    "rights": "test_access.py",
    "routing": "test_routing_under_fire.py",
    "scale": "test_scale.py",
    "sdks": "test_sdk_matrix.py",
    "pairs": "test_sdk_pairs.py",
    "shutdown": "test_shutdown.py",
    "upgrade": "test_upgrade.py",
}


def main() -> int:
    """Run the suites that are named, or all, and give pytest's exit status."""
    parser = argparse.ArgumentParser(prog="make verify ARGS=…", description=__doc__)
    parser.add_argument(
        "suites", nargs="*", choices=[*SUITES, []], metavar="suite", help=f"some of: {', '.join(SUITES)} (all)"
    )
    chosen = parser.parse_args().suites or list(SUITES)
    files = [str(FOLDER / SUITES[name]) for name in chosen]
    environment = {**os.environ, "VERIFY": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-rfs", "-s", "-o", "faulthandler_timeout=0", *files]
    return subprocess.run(command, cwd=FOLDER.parent, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
