"""Starts the WebUI: `python app.py` (settings: environment, .env at the root)."""

import sys
from pathlib import Path

# The address and port to listen on, unless WEBUI_HOST and WEBUI_PORT say otherwise.
# Beyond loopback (0.0.0.0) people sign in with the API service's key.
HOST = "127.0.0.1"
PORT = 5500

if __name__ == "__main__":
    try:
        from webui.cli import main
    except ModuleNotFoundError as error:
        requirements = Path(__file__).with_name("requirements.txt")
        sys.exit(f"The package {error.name} is not installed. Run: pip install -r {requirements}")
    sys.exit(main(sys.argv[1:], host=HOST, port=PORT))
