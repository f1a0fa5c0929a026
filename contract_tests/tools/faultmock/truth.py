"""The truth log: what the mock was asked, served and saw closed."""

import dataclasses
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from faultmock.asking import Ask, Media
from faultmock.http import Request

Event = dict[str, Any]
_ID_HEADERS = ("x-request-id", "x-client-request-id", "idempotency-key", "traceparent")
_SHOWN = ("anthropic-version", "anthropic-beta", "content-type")
_SECRET = ("authorization", "x-api-key", "x-goog-api-key", "api-key")


class TruthLog:
    """Append-only JSON lines; each is one `write`, and ends with a line feed."""

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
    """Every event so far, oldest first; one that is being written is not there yet."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


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


def asked_fields(ask: Ask) -> Event:
    """What the log notes of a request as its wire says it; `body` only where the script says `keep`."""
    media = [dataclasses.asdict(one) for one in ask.media]
    return {
        "wire": ask.wire,
        "marker": ask.marker,
        "model": ask.model,
        "stream": ask.stream,
        "include_usage": ask.include_usage,
        "fault": ask.script.fault,
        "prompt_tokens": ask.prompt_tokens,
        "max_tokens": ask.max_tokens,
        "tools": len(ask.tools),
        "thinking_asked": ask.thinking,
        "json_asked": ask.format is not None,
        "turns": [turn.role for turn in ask.turns],
        "results": ask.results,
        "media": media,
        "signatures": [name for turn in ask.turns for name in turn.signatures],
        **(
            {"body": _plainly({name: one for name, one in ask.body.items() if name != "earlier_items"})}
            if ask.script.keep
            else {}
        ),
    }


def request_fields(request: Request) -> Event:
    """What the log notes of a request as it came; of credentials in `seen` only that they are there."""
    headers = request.headers
    seen: Event = {name: headers[name] for name in _SHOWN if name in headers}
    return {
        "method": request.method,
        "path": request.path,
        "headers": headers,
        "ids": {name: headers[name] for name in _ID_HEADERS if name in headers},
        "seen": seen | {name: True for name in _SECRET if name in headers},
        "body_bytes": len(request.body),
        "body_sha256": hashlib.sha256(request.body).hexdigest(),
        "body_reads": len(request.reads),
        "body_spread_ms": request.spread_ms,
        "chunked": headers.get("transfer-encoding") == "chunked",
    }


def _plainly(value: Any) -> Any:
    """A body that may hold files, as JSON."""
    if isinstance(value, Media):
        return dataclasses.asdict(value)
    if isinstance(value, dict):
        return {name: _plainly(one) for name, one in value.items()}
    return [_plainly(one) for one in value] if isinstance(value, list) else value
