"""An answer as Anthropic's content blocks, one after the other.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming; arguments that are no JSON object as in
https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming
"""

from collections import deque
from collections.abc import Sequence

import msgspec

from gateway.wires.neutral import (
    Delta,
    Finish,
    Media,
    MediaDelta,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallBegin,
    ToolCallDelta,
)

Json = dict[str, object]
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeEncodeError)
_BROKEN = "INVALID_JSON"


class _Call(msgspec.Struct):
    """`fresh` arguments were not written yet, `written` were."""

    begin: ToolCallBegin
    fresh: list[str] = []
    written: list[str] = []
    is_begun: bool = False


class Blocks:
    """Turns deltas into events. Blocks never overlap: what comes while a call is incomplete waits until it is done."""

    def __init__(self) -> None:
        self._waiting: deque[Delta | _Call] = deque()
        self._calls: dict[int, _Call] = {}
        self._index = -1
        self._open = ""
        self.finish: Finish | None = None
        self.refused = False

    @property
    def has_calls(self) -> bool:
        """Some tool was called."""
        return bool(self._calls)

    def take(self, deltas: Sequence[Delta], *, last: bool = False) -> list[Json]:
        """The events for more of an answer; with `last` everything is ended."""
        events: list[Json] = []
        for delta in deltas:
            self._queue(delta)
            self._release(events, last=False)
        if last:
            self._release(events, last=True)
            self._stop(events)
        return events

    def _queue(self, delta: Delta) -> None:
        match delta:
            case ToolCallBegin():
                call = self._calls[delta.index] = _Call(delta)
                self._waiting.append(call)
            case ToolCallDelta():
                if delta.index in self._calls:
                    self._calls[delta.index].fresh.append(delta.arguments)
            case Finish():
                self.finish = delta
            case _:
                self._waiting.append(delta)

    def _release(self, events: list[Json], *, last: bool) -> None:
        while self._waiting:
            first = self._waiting[0]
            if isinstance(first, _Call):
                self._call(first, events)
                is_done = last or (len(self._waiting) > 1 and is_object("".join(first.written)))
                if not is_done:
                    return
                self._stop(events)
            else:
                self._say(first, events)
            self._waiting.popleft()

    def _call(self, call: _Call, events: list[Json]) -> None:
        if not call.is_begun:
            call.is_begun = True
            begin = call.begin
            self._start({"type": "tool_use", "id": begin.id, "name": begin.name, "input": {}}, events)
        if more := "".join(call.fresh):
            call.written.append(more)
            call.fresh.clear()
            self._change({"type": "input_json_delta", "partial_json": more}, events)

    def _say(self, delta: Delta | _Call, events: list[Json]) -> None:
        match delta:
            case TextDelta():
                self._words(delta.text, events)
            case RefusalDelta():
                self.refused = True
                self._words(delta.text, events)
            case ThinkingDelta():
                self._think(events)
                self._change({"type": "thinking_delta", "thinking": delta.text}, events)
            case ThinkingEnd():
                self._sign(delta, events)
            case MediaDelta():
                self._words(_linked(delta.media), events)

    def _words(self, text: str, events: list[Json]) -> None:
        if not text:
            return
        if self._open != "text":
            self._start({"type": "text", "text": ""}, events)
        self._change({"type": "text_delta", "text": text}, events)

    def _think(self, events: list[Json]) -> None:
        if self._open != "thinking":
            self._start({"type": "thinking", "thinking": "", "signature": ""}, events)

    def _sign(self, end: ThinkingEnd, events: list[Json]) -> None:
        """A signature by itself gets a block without words."""
        if end.signature:
            self._think(events)
            self._change({"type": "signature_delta", "signature": end.signature}, events)
        if self._open == "thinking":
            self._stop(events)
        if end.redacted:
            self._start({"type": "redacted_thinking", "data": end.redacted}, events)
            self._stop(events)

    def _start(self, block: Json, events: list[Json]) -> None:
        self._stop(events)
        self._index += 1
        self._open = str(block["type"])
        events.append({"type": "content_block_start", "index": self._index, "content_block": block})

    def _change(self, change: Json, events: list[Json]) -> None:
        events.append({"type": "content_block_delta", "index": self._index, "delta": change})

    def _stop(self, events: list[Json]) -> None:
        if self._open:
            self._open = ""
            events.append({"type": "content_block_stop", "index": self._index})


def folded(events: Sequence[Json]) -> list[Json]:
    """The blocks that the events of a whole answer make."""
    blocks: list[Json] = []
    arguments: dict[int, str] = {}
    for event in events:
        block, change = event.get("content_block"), event.get("delta")
        if isinstance(block, dict):
            blocks.append(block)
        elif isinstance(change, dict):
            _fold(blocks[-1], change, len(blocks) - 1, arguments)
    for place, text in arguments.items():
        blocks[place]["input"] = msgspec.Raw(text.encode()) if is_object(text) else {_BROKEN: text}
    return blocks


def _fold(block: Json, change: Json, place: int, arguments: dict[int, str]) -> None:
    for name in ("text", "thinking", "signature"):
        if name in change:
            block[name] = f"{block[name]}{change[name]}"
    if "partial_json" in change:
        arguments[place] = f"{arguments.get(place, '')}{change['partial_json']}"


def is_object(text: str) -> bool:
    """Whether it is the whole JSON of an object."""
    try:
        _OBJECT.decode(text)
    except _UNREADABLE:
        return False
    return True


def _linked(media: Media) -> str:
    """This wire has no pictures in answers: an image in Markdown."""
    address = media.url or media.file_id or f"data:{media.mime_type or 'application/octet-stream'};base64,{media.data}"
    return f"![{media.kind}]({address})"
