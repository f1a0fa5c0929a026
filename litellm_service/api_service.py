"""Starts the API service: `python api_service.py` (settings: environment, .env, gateway.toml)."""

import sys
from pathlib import Path

# The address and port to listen on, unless API_HOST and API_PORT say otherwise.
# Beyond loopback (0.0.0.0) every caller needs a key; one is made if none is set.
HOST = "127.0.0.1"
PORT = 5000

if __name__ == "__main__":
    try:
        from gateway.cli import main
    except ModuleNotFoundError as error:
        requirements = Path(__file__).with_name("requirements.txt")
        sys.exit(f"The package {error.name} is not installed. Run: pip install -r {requirements}")
    sys.exit(main(["serve", *sys.argv[1:]], host=HOST, port=PORT))
