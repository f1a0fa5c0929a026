"""Structured logs: JSON lines, or readable ones on a terminal; one line a request, in batches."""

import asyncio
import logging
import sys
from typing import TextIO

import msgspec

from gateway.domain.entry import Settlement
from gateway.domain.money import usd
from gateway.domain.scope import Subject
from gateway.domain.time import id_text, iso_z, now_ms
from gateway.telemetry.metrics import Metrics

log = logging.getLogger("gateway.refusals")

FLUSH_INTERVAL_S = 0.2
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_COLOURS = {"WARNING": "\033[33m", "ERROR": "\033[31m", "CRITICAL": "\033[31m"}

_PLAIN = "\033[0m"


class JsonFormatter(logging.Formatter):
    """One JSON object a line, fields allow-listed: time, level, logger, message, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        line = {
            "time": iso_z(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class ReadableFormatter(logging.Formatter):
    """For a person at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        level = f"{record.levelname.lower():8}"
        if record.levelname in _COLOURS:
            level = f"{_COLOURS[record.levelname]}{level}{_PLAIN}"
        text = f"{self.formatTime(record, '%H:%M:%S')} {level} {record.getMessage()}"
        return text + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


def configure(level: str, layout: str) -> bool:
    """Set up the process's logging on standard error; says whether lines are JSON (`auto`: when it is no terminal)."""
    as_json = layout == "json" or (layout == "auto" and not sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else ReadableFormatter())
    logging.basicConfig(level=LEVELS.get(level, logging.INFO), handlers=[handler], force=True)
    for noisy in ("asyncio", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return as_json


class RequestLog:
    """One line per attempt, formatted and written after the answer has gone out; never content, never a key.

    Not `enabled` above the level `info`; `metrics` counts all the same.
    """

    def __init__(
        self, *, as_json: bool, metrics: Metrics | None = None, enabled: bool = True, stream: TextIO | None = None
    ) -> None:
        self._metrics = metrics
        self._enabled = enabled
        self._as_json = as_json
        self._stream = stream or sys.stderr
        self._pending: list[Settlement] = []

    def add(self, settlement: Settlement) -> None:
        """Note an outcome; it is written within 0.2 s."""
        if not self._pending:
            asyncio.get_running_loop().call_later(FLUSH_INTERVAL_S, self.flush)
        self._pending.append(settlement)

    def refused(self, subject: Subject, code: str) -> None:
        """Note a request that was not admitted."""
        if self._metrics is not None:
            self._metrics.refused(code)
        log.info("refused: %s for %s of %s, key %s", code, subject.model, subject.user_id, subject.key_id or "none")

    def flush(self) -> None:
        """Write what waits."""
        pending, self._pending = self._pending, []
        if self._metrics is not None:
            for settlement in pending:
                self._metrics.add(settlement)
        line = _json_line if self._as_json else _readable_line
        if pending and self._enabled:
            self._stream.write("".join([line(settlement) for settlement in pending]))
            self._stream.flush()


def _json_line(settlement: Settlement) -> str:
    hold, usage = settlement.hold, settlement.usage
    return (
        msgspec.json.encode(
            {
                "time": iso_z(now_ms()),
                "level": "info" if settlement.http_status < 500 else "warning",
                "logger": "gateway.requests",
                "request_id": id_text(hold.request_id),
                "attempt": hold.attempt,
                "operation": hold.operation.name.lower(),
                "model": hold.model,
                "application_id": hold.application_id,
                "user_id": hold.user_id,
                "key_id": hold.key_id,
                "stream": hold.stream,
                "outcome": settlement.outcome.name.lower(),
                "http_status": settlement.http_status,
                "error_code": settlement.error_code,
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "cost_usd": usd(settlement.cost_nano_usd),
                "cost_source": settlement.cost_source.name.lower(),
                "response_time": settlement.duration_us / 1e6,
            }
        ).decode()
        + "\n"
    )


def _readable_line(settlement: Settlement) -> str:
    hold, usage = settlement.hold, settlement.usage
    cost = "not priced" if settlement.cost_nano_usd is None else f"${settlement.cost_nano_usd / 1e9:.6f}"
    reason = f"  {settlement.error_code}" if settlement.error_code else ""
    return (
        f"{iso_z(now_ms())[11:19]} {settlement.http_status} {hold.model}  {settlement.duration_us / 1e6:.2f} s  "
        f"{usage.prompt_tokens} → {usage.completion_tokens} tokens  {cost}  {hold.user_id}  {id_text(hold.request_id)}{reason}\n"
    )
