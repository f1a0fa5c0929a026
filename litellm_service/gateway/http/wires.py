"""The client's side of an answer, in each wire: passed on, or written anew."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from gateway.domain.errors import StoreUnavailable
from gateway.domain.money import usd
from gateway.domain.request import WireName
from gateway.domain.time import iso_seed
from gateway.domain.usage import NO_USAGE, Usage
from gateway.exchange import Exchange
from gateway.http.errors import body_of, parts_of
from gateway.http.passing import Passed, PassedAnthropic, PassedGemini, PassedOpenAI
from gateway.providers.answers import Piece
from gateway.wires.anthropic import answer_out as anthropic
from gateway.wires.codec import Frame, Writer
from gateway.wires.gemini import answer_out as gemini
from gateway.wires.neutral import Delta, ThinkingDelta, ToolCallBegin, ToolCallDelta
from gateway.wires.openai_chat import answer_out as openai
from gateway.wires.responses import answer_out as responses


class Answer(Protocol):
    """One answer as its client gets it."""

    def piece(self, piece: Piece) -> bytes:
        """An event stream's bytes for some content; may be empty."""

    def end(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """The bytes that finish an event stream."""

    def failure(self, error: BaseException, request_id: str) -> bytes:
        """The event that tells of an error in mid-stream."""

    def whole(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """A plain reply."""


class ClientWire(Protocol):
    """How one route answers."""

    def answer(self, exchange: Exchange) -> Answer:
        """What writes the answer to one request, once it is known who answers."""

    def error(self, error: BaseException, request_id: str) -> bytes:
        """The body of a reply that is an error."""


class _Written:
    """Client and provider speak different wires."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def piece(self, piece: Piece) -> bytes:
        """What the piece says, in the client's wire."""
        return self._writer.some(piece.deltas) if piece.deltas else b""

    def end(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """The last words and the usage that was settled."""
        return self._writer.end(_deltas(closing), _usage(exchange))

    def failure(self, error: BaseException, request_id: str) -> bytes:
        """In the form that the wire's SDKs raise."""
        return self._writer.failure(*parts_of(error, request_id))

    def whole(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """The whole answer, in the client's wire."""
        return self._writer.whole(_deltas(closing), _usage(exchange))


class NativeWire:
    """A wire that providers speak too."""

    def __init__(self, name: WireName) -> None:
        self._name = name

    def answer(self, exchange: Exchange) -> Answer:
        """Passed on where the provider speaks this wire, else written."""
        if self._name == "openai" and not exchange.is_translated:
            return PASSED_OPENAI
        as_array, frame = exchange.request.as_array, _frame(exchange)
        writer = gemini.Writer(frame, sse=not as_array) if self._name == "gemini" else WRITERS[self._name](frame)
        if exchange.is_translated:
            return _Written(writer)
        if self._name == "gemini":
            return PassedGemini(writer, as_array=as_array)
        return PassedAnthropic(writer) if self._name == "anthropic" else Passed(writer)

    def error(self, error: BaseException, request_id: str) -> bytes:
        """In the form that the wire's SDKs raise."""
        return error_body(self._name, error, request_id)


class SeedWire:
    """`/api/chat`: chunks of text, and the metadata object at the end; one object for all answers of its kind."""

    def answer(self, exchange: Exchange) -> Answer:
        """Itself, where nothing but the words is wanted."""
        return _SEED_WITH_PARTS if exchange.request.wants_parts else self

    def error(self, error: BaseException, request_id: str) -> bytes:
        """The gateway's own form."""
        return msgspec.json.encode(body_of(error, request_id))

    def piece(self, piece: Piece) -> bytes:
        """The words only."""
        return _event({"type": "chunk", "delta": piece.text}) if piece.text else b""

    def end(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """Last words, then `done`."""
        words = b"".join(self.piece(piece) for piece in closing)
        return words + _event({"type": "done", "request_id": exchange.id, "metadata": metadata(exchange)})

    def failure(self, error: BaseException, request_id: str) -> bytes:
        """One `error` event."""
        return _event({"type": "error", **body_of(error, request_id)})

    def whole(self, exchange: Exchange, closing: list[Piece]) -> bytes:
        """The seed's reply."""
        text = exchange.reader.full_text if exchange.reader is not None else ""
        return msgspec.json.encode(
            {
                "request_id": exchange.id,
                "response": text,
                **self._parts(_deltas(closing)),
                "metadata": metadata(exchange),
            }
        )

    def _parts(self, _deltas: Sequence[Delta]) -> dict[str, object]:
        """What a plain reply says beside the words."""
        return {}


class _SeedWithParts(SeedWire):
    """With thoughts and tool calls: events `reasoning` and `tool_call`, or fields of the plain reply."""

    def piece(self, piece: Piece) -> bytes:
        """Thoughts come before words, and calls after them."""
        thoughts, calls = "".join(d.text for d in piece.deltas if isinstance(d, ThinkingDelta)), b""
        for delta in piece.deltas:
            if isinstance(delta, ToolCallBegin):
                calls += _event({"type": "tool_call", "index": delta.index, "id": delta.id, "name": delta.name})
            elif isinstance(delta, ToolCallDelta):
                calls += _event({"type": "tool_call", "index": delta.index, "delta": delta.arguments})
        thinking = _event({"type": "reasoning", "delta": thoughts}) if thoughts else b""
        return thinking + super().piece(piece) + calls

    def _parts(self, deltas: Sequence[Delta]) -> dict[str, object]:
        calls: dict[int, dict[str, str]] = {}
        for delta in deltas:
            if isinstance(delta, ToolCallBegin):
                calls[delta.index] = {"id": delta.id, "name": delta.name, "arguments": ""}
            elif isinstance(delta, ToolCallDelta):
                calls[delta.index]["arguments"] += delta.arguments
        thoughts = "".join(delta.text for delta in deltas if isinstance(delta, ThinkingDelta))
        return {"reasoning": thoughts or None, "tool_calls": list(calls.values())}


_SEED_WITH_PARTS = _SeedWithParts()
PASSED_OPENAI = PassedOpenAI()
WRITERS: dict[WireName, Callable[[Frame], Writer]] = {
    "openai": openai.Writer,
    "anthropic": anthropic.Writer,
    "responses": responses.Writer,
}
_ERROR_BODIES: dict[WireName, Callable[[int, str, str, str], bytes]] = {
    "anthropic": anthropic.error_body,
    "gemini": gemini.error_body,
}


def error_body(wire: WireName, error: BaseException, request_id: str) -> bytes:
    """An error as the SDKs of a wire know it."""
    write = _ERROR_BODIES.get(wire)
    if write is None:
        return msgspec.json.encode(body_of(error, request_id))
    return write(*parts_of(error, request_id), request_id)


def wire_of(path: str) -> WireName:
    """Whose form an error on a path has."""
    if path.startswith("/v1/messages"):
        return "anthropic"
    return "gemini" if path.startswith("/v1beta/") or path.endswith("enerateContent") else "openai"


def metadata(exchange: Exchange) -> dict[str, object]:
    """The seed's object, with the figures as they were settled and our additions."""
    settlement, request = exchange.settlement, exchange.request
    if settlement is None:
        raise StoreUnavailable("This answer was not settled.")
    usage = settlement.usage
    first = settlement.first_token_us
    return {
        "response_time": settlement.duration_us / 1e6,
        "tokens": {
            "prompt": usage.prompt_tokens,
            "completion": usage.completion_tokens,
            "total": usage.total_tokens,
            "cached": usage.cache_read,
            "cache_write": usage.cache_write + usage.cache_write_1h,
            "reasoning": usage.reasoning,
        },
        "cost_usd": usd(settlement.cost_nano_usd),
        "cost_nano_usd": settlement.cost_nano_usd,
        "cost_source": settlement.cost_source.name.lower(),
        "timestamp": iso_seed(exchange.admitted_at_ms),
        "model": request.model,
        "provider": exchange.deployment.provider.name,
        "upstream_model": exchange.deployment.upstream_model,
        "application_id": request.application_id,
        "user_id": request.user_id,
        "time_to_first_token": None if first is None else first / 1e6,
        "finish_reason": settlement.finish_reason,
        "estimated": usage.estimated,
    }


def _frame(exchange: Exchange) -> Frame:
    request = exchange.request
    return Frame(
        id=exchange.id,
        model=request.model,
        created_s=exchange.admitted_at_ms // 1000,
        wants_usage=request.wants_usage,
        fields=request.fields,
    )


def _deltas(pieces: Sequence[Piece]) -> list[Delta]:
    return [delta for piece in pieces for delta in piece.deltas]


def _usage(exchange: Exchange) -> Usage:
    return exchange.settlement.usage if exchange.settlement is not None else NO_USAGE


def _event(value: object) -> bytes:
    return b"data: %s\n\n" % msgspec.json.encode(value)
