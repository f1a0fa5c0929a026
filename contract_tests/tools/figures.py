"""Figures of the long form, written into docs/verification.md."""

import json
import os
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "verification.md"
STORE = ROOT / ".cache" / "verification.json"
_BEGIN, _END = "<!-- figures: begin -->", "<!-- figures: end -->"
_INTRODUCTION = """# Verification

What `make verify` measured last. The tests that measure it are in `contract_tests/`.
"""

Figures = dict[str, dict[str, str]]


def record(suite: str, **figures: object) -> None:
    """Keep the figures of one suite, and print them; with VERIFY=1 they are written into the page too."""
    texts = {name.replace("_", " "): _text(value) for name, value in figures.items()}
    print(f"\n{suite}: " + ", ".join(f"{name} {value}" for name, value in texts.items()))
    if os.environ.get("VERIFY") == "1":
        known = _known()
        known[suite] = {**texts, "measured on": time.strftime("%Y-%m-%d", time.gmtime())}
        STORE.parent.mkdir(exist_ok=True)
        STORE.write_text(json.dumps(known, indent=1))
        _write_page(known)


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _known() -> Figures:
    found: Figures = json.loads(STORE.read_text()) if STORE.exists() else {}
    return found


def table(figures: Figures) -> str:
    """The figures as Markdown, one row a suite."""
    lines = ["| suite | figures |", "|---|---|"]
    for suite in sorted(figures):
        cells = "; ".join(f"{name}: {value}" for name, value in figures[suite].items())
        lines.append(f"| {suite} | {cells} |")
    return "\n".join(lines)


def _write_page(figures: Figures) -> None:
    page = PAGE.read_text("utf-8") if PAGE.exists() else _INTRODUCTION
    before, _, rest = page.partition(_BEGIN)
    after = rest.partition(_END)[2]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(f"{before.rstrip()}\n\n{_BEGIN}\n{table(figures)}\n{_END}\n{after.lstrip()}", "utf-8")
