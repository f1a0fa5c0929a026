"""`python -m gateway`, and the installed command."""

import sys

from gateway.cli import main


def run() -> None:
    """Run the command that was typed."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
