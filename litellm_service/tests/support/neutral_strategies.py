"""Prompts and answers in the neutral form, for properties of every wire.

Each wire narrows them to what it can say: `prompts(seed=st.none())`, `conversations(media=…)`, `answers(thinking=False)`.
`content_of` makes answers comparable, however they were cut into pieces.
"""

import base64
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from hypothesis import strategies as st

from gateway.wires.neutral import (
    Begin,
    Delta,
    Effort,
    Finish,
    FinishReason,
    Format,
    Media,
    MediaDelta,
    Part,
    Prompt,
    Reasoning,
    Refusal,
    RefusalDelta,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingEnd,
    Tool,
    ToolCall,
    ToolCallBegin,
    ToolCallDelta,
    ToolChoice,
    ToolResult,
    Turn,
)

texts = st.text(max_size=12)
words = st.text(min_size=1, max_size=12)
names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_-]{0,20}", fullmatch=True)
call_ids = st.from_regex(r"call_[a-zA-Z0-9]{1,20}", fullmatch=True)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
json_objects = st.dictionaries(texts, json_values, max_size=3)
json_texts = json_objects.map(lambda value: msgspec.json.encode(value).decode())
base64_data = st.binary(min_size=1, max_size=12).map(lambda data: base64.b64encode(data).decode())
property_schemas = st.sampled_from(
    [{"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "array", "items": {"type": "string"}}]
)
schemas = st.dictionaries(names, property_schemas, min_size=1, max_size=3).map(
    lambda properties: msgspec.Raw(
        msgspec.json.encode({"type": "object", "properties": properties, "required": list(properties)})
    )
)
tools = st.builds(Tool, name=names, description=st.none() | words, schema=schemas)
fractions = st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0])
efforts: st.SearchStrategy[Effort] = st.sampled_from(["minimal", "low", "medium", "high"])
reasons: st.SearchStrategy[FinishReason] = st.sampled_from(["stop", "length", "tool_calls", "content_filter"])
images = st.builds(
    Media, kind=st.just("image"), mime_type=st.sampled_from(["image/png", "image/jpeg"]), data=base64_data
)
unsigned: st.SearchStrategy[str | None] = st.none()
perhaps_signed: st.SearchStrategy[str | None] = st.none() | base64_data
one_text: st.SearchStrategy[list[Text | Media]] = st.lists(st.builds(Text, text=words), min_size=1, max_size=1)


def prompts(**narrowed: st.SearchStrategy[Any]) -> st.SearchStrategy[Prompt]:
    """Whole prompts; name the fields to narrow."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        "turns": conversations(),
        "system": st.lists(st.builds(Text, text=words), max_size=2),
        "tools": st.lists(tools, max_size=3, unique_by=lambda tool: tool.name),
        "tool_choice": st.none(),
        "output_limit": st.none() | st.integers(1, 100_000),
        "temperature": fractions,
        "top_p": fractions,
        "top_k": st.none() | st.integers(1, 100),
        "stop": st.lists(words, max_size=3, unique=True),
        "seed": st.none() | st.integers(0, 2**31 - 1),
        "frequency_penalty": st.none() | st.sampled_from([-1.5, 0.5]),
        "presence_penalty": st.none() | st.sampled_from([-1.5, 0.5]),
        "reasoning": st.none() | st.builds(Reasoning, effort=efforts),
        "format": st.none() | st.just(Format()) | st.builds(Format, schema=schemas),
    }
    return st.builds(Prompt, **(fields | narrowed)).map(_with_fitting_choice)


def _with_fitting_choice(prompt: Prompt) -> Prompt:
    """A tool can be chosen only where there is one."""
    choice = prompt.tool_choice
    if choice is None or not prompt.tools:
        return msgspec.structs.replace(prompt, tool_choice=None)
    name = prompt.tools[-1].name if choice.mode == "tool" else None
    return msgspec.structs.replace(prompt, tool_choice=ToolChoice(mode=choice.mode, name=name))


MODES: tuple[Literal["auto", "none", "any", "tool"], ...] = ("auto", "none", "any", "tool")
tool_choices = st.none() | st.sampled_from(MODES).map(lambda mode: ToolChoice(mode=mode))


@st.composite
def conversations(
    draw: st.DrawFn,
    *,
    media: st.SearchStrategy[Media] = images,
    thinking: st.SearchStrategy[Thinking] | None = None,
    refusals: st.SearchStrategy[Refusal] | None = None,
    call_signatures: st.SearchStrategy[str | None] = unsigned,
    result_contents: st.SearchStrategy[list[Text | Media]] = one_text,
    result_names: bool = False,
) -> list[Turn]:
    """User and assistant in turn, the user first and last; every call is answered at once, results first.

    `result_names`: a result says its tool's name.
    """
    turns: list[Turn] = []
    asked: list[ToolCall] = []
    ids = draw(st.lists(call_ids, min_size=8, max_size=8, unique=True))
    said = st.builds(Text, text=words)
    answered: st.SearchStrategy[Part] = st.one_of([said, *(more for more in (thinking, refusals) if more is not None)])
    for last in [*draw(st.lists(st.just(False), max_size=2)), True]:
        results = [
            ToolResult(
                call_id=call.id,
                content=draw(result_contents),
                name=call.name if result_names else None,
                is_error=draw(st.booleans()),
            )
            for call in asked
        ]
        spoken = draw(st.lists(said | media, min_size=0 if results else 1, max_size=2))
        turns.append(Turn(role="user", parts=[*results, *spoken]))
        if not last:
            asked = [
                ToolCall(id=ids.pop(), name=draw(names), arguments=draw(json_texts), signature=draw(call_signatures))
                for _ in range(draw(st.integers(0, 2)))
            ]
            before = draw(st.lists(answered, min_size=0 if asked else 1, max_size=2))
            turns.append(Turn(role="assistant", parts=[*before, *asked]))
    return turns


@st.composite
def answers(
    draw: st.DrawFn,
    *,
    thinking: bool = True,
    signatures: st.SearchStrategy[str | None] = perhaps_signed,
    redacted: bool = False,
    refusals: bool = False,
    media: st.SearchStrategy[Media] | None = None,
    call_signatures: st.SearchStrategy[str | None] = unsigned,
) -> list[Delta]:
    """Deltas in a sensible order: the beginning, reasoning, words, calls (their arguments may interleave), the end."""
    deltas: list[Delta] = [Begin(id=draw(st.none() | names), model=draw(st.none() | names))]
    if thinking and (thoughts := draw(st.lists(words, max_size=2))):
        deltas += [ThinkingDelta(text=text) for text in thoughts]
        deltas.append(ThinkingEnd(signature=draw(signatures)))
    if redacted and draw(st.booleans()):
        deltas.append(ThinkingEnd(redacted=draw(base64_data)))
    deltas += [TextDelta(text=text) for text in draw(st.lists(words, max_size=3))]
    if refusals:
        deltas += [RefusalDelta(text=text) for text in draw(st.lists(words, max_size=2))]
    if media is not None and draw(st.booleans()):
        deltas.append(MediaDelta(media=draw(media)))
    calls = draw(_calls(call_signatures))
    deltas += calls
    reason: FinishReason = "tool_calls" if calls else draw(st.sampled_from(["stop", "length", "content_filter"]))
    return [*deltas, Finish(reason=reason)]


@st.composite
def _calls(draw: st.DrawFn, signatures: st.SearchStrategy[str | None]) -> list[Delta]:
    ids = draw(st.lists(call_ids, max_size=3, unique=True))
    begun: list[Delta] = [
        ToolCallBegin(index=index, id=call_id, name=draw(names), signature=draw(signatures))
        for index, call_id in enumerate(ids)
    ]
    pieces: list[list[Delta]] = []
    for index in range(len(ids)):
        text = draw(json_texts)
        cut = draw(st.integers(0, len(text)))
        pieces.append([ToolCallDelta(index=index, arguments=part) for part in (text[:cut], text[cut:]) if part])
    if draw(st.booleans()):
        longest = max((len(some) for some in pieces), default=0)
        woven = [some[place] for place in range(longest) for some in pieces if place < len(some)]
        return [*begun, *woven]
    return [delta for call, some in zip(begun, pieces, strict=True) for delta in (call, *some)]


def content_of(deltas: Sequence[Delta]) -> list[tuple[object, ...]]:
    """What an answer says, in order, with its pieces joined; a beginning says nothing, nor does an end of no reasoning."""
    said: list[list[Any]] = []
    calls: dict[int, list[Any]] = {}
    for delta in deltas:
        match delta:
            case TextDelta() | RefusalDelta():
                _join(said, type(delta).__name__, delta.text)
            case ThinkingDelta() | ThinkingEnd():
                _think(said, delta)
            case ToolCallBegin():
                calls[delta.index] = ["call", delta.id, delta.name, delta.signature, ""]
                said.append(calls[delta.index])
            case ToolCallDelta():
                calls[delta.index][-1] += delta.arguments
            case MediaDelta() | Finish():
                said.append([msgspec.json.encode(delta)])
    return [tuple(one) for one in said]


def _join(said: list[list[Any]], kind: str, text: str) -> None:
    if said and said[-1][0] == kind:
        said[-1][1] += text
    elif text:
        said.append([kind, text])


def _think(said: list[list[Any]], delta: ThinkingDelta | ThinkingEnd) -> None:
    is_open = bool(said) and said[-1][0] == "thinking" and said[-1][2:] == [None, None]
    if not is_open:
        said.append(["thinking", "", None, None])
    if isinstance(delta, ThinkingDelta):
        said[-1][1] += delta.text
    else:
        said[-1][2:] = [delta.signature, delta.redacted]
    if said[-1] == ["thinking", "", None, None]:
        said.pop()
