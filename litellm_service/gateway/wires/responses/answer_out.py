"""Answers for Responses clients: the whole sequence of events, or one response.

Sources: https://platform.openai.com/docs/api-reference/responses/object and /responses-streaming
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.domain.usage import Usage
from gateway.wires.codec import Frame
from gateway.wires.neutral import (
    Delta,
    Finish,
    FinishReason,
    Media,
    MediaDelta,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallBegin,
    ToolCallDelta,
)
from gateway.wires.responses.reasoning import wrapped
from gateway.wires.responses.repeated import repeated

Json = dict[str, Any]
_INCOMPLETE: dict[FinishReason, str] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}


class Writer:
    """Writes one answer. One item is open at a time, but for calls, which may come interleaved; all are closed at the end."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._number = 0
        self._items: list[Json] = []
        self._open: Json | None = None
        self._pieces: list[str] = []  # of the open item's last part: joined once, for adding to a long text copies it
        self._calls: dict[int, tuple[Json, list[str]]] = {}
        self._events: list[bytes] = []
        self._reason: FinishReason = "stop"
        self._begun = False
        self._is_streamed = True
        self._repeated: Json = {}

    def some(self, deltas: Sequence[Delta]) -> bytes:
        """The events of more content."""
        self._take(deltas)
        return self._flushed()

    def end(self, deltas: Sequence[Delta], usage: Usage) -> bytes:
        """All items closed, and the response as it is in the end."""
        self._take(deltas)
        response = self._finished(usage)
        self._emit(f"response.{response['status']}", response=response)
        return self._flushed()

    def failure(self, status: int, code: str, message: str) -> bytes:
        """An `error` event; with the object that makes the SDKs raise."""
        stated = {"code": code, "message": message, "param": None}
        self._emit(
            "error", **stated, error={"type": "server_error" if status >= 500 else "invalid_request_error", **stated}
        )
        return self._flushed()

    def whole(self, deltas: Sequence[Delta], usage: Usage) -> bytes:
        """One response."""
        self._is_streamed = False
        self._take(deltas)
        return msgspec.json.encode(self._finished(usage))

    def _take(self, deltas: Sequence[Delta]) -> None:
        if not self._begun:
            self._begun = True
            self._repeated = repeated(self._frame.fields)
            for kind in ("response.created", "response.in_progress"):
                self._emit(kind, response=self._response("in_progress"))
        for delta in deltas:
            self._say(delta)

    def _say(self, delta: Delta) -> None:
        match delta:
            case TextDelta():
                self._words("output_text", "text", delta.text)
            case RefusalDelta():
                self._words("refusal", "refusal", delta.text)
            case ThinkingDelta():
                self._think(delta.text)
            case ThinkingEnd():
                self._end_thought(delta)
            case ToolCallBegin() | ToolCallDelta():
                self._call(delta)
            case MediaDelta():
                self._show(delta.media)
            case Finish():
                self._reason = delta.reason

    def _words(self, kind: str, field: str, words: str) -> None:
        if not words:
            return
        item = self._opened("message", {"role": "assistant", "content": []}, "msg")
        content = item["content"]
        if not content or content[-1]["type"] != kind:
            self._close_part(item)
            part: Json = {"type": kind, field: ""} | (
                {"annotations": [], "logprobs": []} if kind == "output_text" else {}
            )
            content.append(part)
            self._of(item, "content_part.added", content_index=len(content) - 1, part=part)
        self._pieces.append(words)
        more: Json = {"logprobs": []} if kind == "output_text" else {}
        self._of(item, f"{kind}.delta", content_index=len(content) - 1, delta=words, **more)

    def _think(self, words: str) -> None:
        if not words:
            return
        item = self._opened("reasoning", {"summary": []}, "rs")
        if not item["summary"]:
            part = {"type": "summary_text", "text": ""}
            item["summary"].append(part)
            self._of(item, "reasoning_summary_part.added", summary_index=0, part=part)
        self._pieces.append(words)
        self._of(item, "reasoning_summary_text.delta", summary_index=0, delta=words)

    def _show(self, media: Media) -> None:
        """Images are items of their own; other media, and images elsewhere, have no word here but a link."""
        if media.kind != "image" or media.data is None:
            address = media.url or f"data:{media.mime_type or 'application/octet-stream'};base64,{media.data}"
            self._words("output_text", "text", f"[{media.kind}]({address})")
            return
        self._close()
        item = self._add({"type": "image_generation_call", "result": None}, "ig")
        item["result"] = media.data
        self._of(item, "image_generation_call.completed")
        self._close()

    def _end_thought(self, end: ThinkingEnd) -> None:
        """What must come back with it is in the item when it is done; by itself it is an item of its own."""
        content = wrapped(end.signature, end.redacted)
        if content is not None:
            self._opened("reasoning", {"summary": []}, "rs")["encrypted_content"] = content
        if self._open is not None and self._open["type"] == "reasoning":
            self._close()

    def _call(self, delta: ToolCallBegin | ToolCallDelta) -> None:
        if isinstance(delta, ToolCallBegin):
            self._close()
            call: Json = {"type": "function_call", "call_id": delta.id, "name": delta.name, "arguments": ""}
            if delta.signature:
                call["extra_content"] = {"google": {"thought_signature": delta.signature}}
            self._calls[delta.index] = self._add(call, "fc"), []
            self._open = None
        elif delta.arguments and delta.index in self._calls:
            item, pieces = self._calls[delta.index]
            pieces.append(delta.arguments)
            self._of(item, "function_call_arguments.delta", delta=delta.arguments)

    def _opened(self, kind: str, fields: Json, prefix: str) -> Json:
        """The open item if it is of this kind, else a new one."""
        if self._open is not None and self._open["type"] == kind:
            return self._open
        self._close()
        return self._add({"type": kind, **fields}, prefix)

    def _add(self, fields: Json, prefix: str) -> Json:
        place = len(self._items)
        item = {"id": f"{prefix}_{self._frame.id}_{place}", **fields, "status": "in_progress"}
        self._items.append(item)
        self._open = item
        self._emit("response.output_item.added", output_index=place, item=item)
        return item

    def _close(self) -> None:
        if self._open is not None:
            self._done(self._open)
            self._open = None

    def _done(self, item: Json) -> None:
        is_cut = self._reason in _INCOMPLETE and item is self._items[-1]
        item["status"] = "incomplete" if is_cut else "completed"
        self._close_part(item)
        self._emit("response.output_item.done", output_index=self._items.index(item), item=item)

    def _done_call(self, item: Json, pieces: list[str]) -> None:
        item["arguments"] = "".join(pieces) or "{}"
        self._of(item, "function_call_arguments.done", arguments=item["arguments"], name=item["name"])
        self._done(item)

    def _close_part(self, item: Json) -> None:
        """The last part of a message, or the summary, is complete."""
        parts = item.get("content") or item.get("summary")
        if not parts:
            return
        words, part, place = "".join(self._pieces), parts[-1], len(parts) - 1
        self._pieces.clear()
        if part["type"] == "summary_text":
            part["text"] = words
            self._of(item, "reasoning_summary_text.done", summary_index=place, text=words)
            self._of(item, "reasoning_summary_part.done", summary_index=place, part=part)
            return
        if part["type"] == "output_text":
            part["text"] = words
            self._of(item, "output_text.done", content_index=place, text=words, logprobs=[])
        else:
            part["refusal"] = words
            self._of(item, "refusal.done", content_index=place, refusal=words)
        self._of(item, "content_part.done", content_index=place, part=part)

    def _finished(self, usage: Usage) -> Json:
        self._close()
        for item, pieces in self._calls.values():
            self._done_call(item, pieces)
        self._calls.clear()
        why = _INCOMPLETE.get(self._reason)
        response = self._response("completed" if why is None else "incomplete")
        response["incomplete_details"] = None if why is None else {"reason": why}
        response["output"], response["usage"] = self._items, usage_object(usage)
        return response

    def _response(self, status: str) -> Json:
        frame = self._frame
        return {
            "id": f"resp_{frame.id}", "object": "response", "created_at": frame.created_s, "status": status, "background": False,
            "error": None, "incomplete_details": None, "model": frame.model, "output": [], "store": False, "usage": None,
            **self._repeated,
        }  # fmt: skip

    def _of(self, item: Json, kind: str, **fields: object) -> None:
        self._emit(f"response.{kind}", item_id=item["id"], output_index=self._items.index(item), **fields)

    def _emit(self, kind: str, **fields: object) -> None:
        if not self._is_streamed:
            return
        event = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        self._events.append(b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode(event)))

    def _flushed(self) -> bytes:
        events, self._events = b"".join(self._events), []
        return events


def usage_object(usage: Usage) -> Json:
    """Usage in the words of Responses."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write + usage.cache_write_1h,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total_tokens,
    }
