"""The truth log: what the mock was asked, served and saw closed."""

import json
import os
import time
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class TruthLog:
    """Append-only JSON lines; each is one `write`, so a reader never sees half an event."""

    def __init__(self, path: Path | None) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if path else None

    def write(self, event: str, **fields: Any) -> None:
        """Add one event with the time of day in seconds."""
        if self._file is not None:
            line = json.dumps({"event": event, "at": time.time(), **fields}, ensure_ascii=False)
            os.write(self._file, line.encode() + b"\n")

    def close(self) -> None:
        """Close the file; later events are dropped."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_events(path: Path) -> list[Event]:
    """Every event so far, oldest first."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def read_calls(path: Path) -> list[Event]:
    """One dict a request, in order of arrival: its fields, and once it is over those of its `end`.

    `how`: `finished` (all was sent), `cut` (the mock broke off on purpose), `peer_fin`, `peer_rst` (the caller left).
    """
    calls: dict[int, Event] = {}
    for event in read_events(path):
        if event["event"] == "request":
            calls[event["n"]] = {**event, "how": None}
        elif event["event"] == "end":
            calls[event["n"]].update(event, event="request", at=calls[event["n"]]["at"], ended_at=event["at"])
    return list(calls.values())
