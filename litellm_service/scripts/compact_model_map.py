"""Make `gateway/metering/model_map.json` from the installed LiteLLM package.

    python litellm_service/scripts/compact_model_map.py [--date 2026-11-23] [--output FILE]

LiteLLM is located, never imported. The same input gives the same bytes; `--date` says when, and an unchanged file keeps its
date. Not taken over: prices per pixel, page and session, and discounts of volume.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from gateway.metering.compaction import compact

OUTPUT = Path(__file__).parents[1] / "gateway" / "metering" / "model_map.json"


def main() -> None:
    """Write the compact map."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--date")
    arguments.add_argument("--output", type=Path, default=OUTPUT)
    given = arguments.parse_args()
    text = compact(source_text(), litellm_version(), given.date or "")
    if not given.date:
        text = with_date(text, given.output)
    given.output.write_text(text, "utf-8")


def with_date(text: str, output: Path) -> str:
    """The text with the date of the file it replaces if nothing else differs, else with today's."""
    today = datetime.now(UTC).date().isoformat()
    kept = json.loads(output.read_text("utf-8"))["date"] if output.exists() else today
    same = output.exists() and output.read_text("utf-8") == text.replace('"date":""', f'"date":"{kept}"', 1)
    return text.replace('"date":""', f'"date":"{kept if same else today}"', 1)


def litellm_version() -> str:
    """Version of the installed distribution."""
    return importlib.metadata.version("litellm")


def source_text() -> str:
    """The model map inside the installed package; raises `SystemExit` where there is none."""
    spec = importlib.util.find_spec("litellm")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    found = sorted(folder.glob("model_prices_and_context_window*.json")) if folder else []
    if not found:
        raise SystemExit("litellm's model map was not found: pip install litellm, in this environment, and try again")
    return found[0].read_text("utf-8")


if __name__ == "__main__":
    main()
