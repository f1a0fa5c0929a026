"""The neutral form: what is asked and what is answered, as any wire can say it.

Something is put into it only where client and provider speak different wires; where both speak the same, bytes pass through.
"""

from typing import Literal

import msgspec

CacheTtl = Literal["5m", "1h"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "pause"]


class Text(msgspec.Struct, kw_only=True):
    """Words; `cache`: the provider is asked to keep everything up to here for so long."""

    text: str
    cache: CacheTtl | None = None


class Media(msgspec.Struct, kw_only=True):
    """An image, a sound, a film or a document: exactly one of `data` (base64), `url` and `file_id` says where it is.

    `detail` is OpenAI's wish for an image's resolution (`low`, `high`, `auto`); `name` the file's.
    """

    kind: Literal["image", "audio", "video", "document"]
    mime_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    name: str | None = None
    detail: str | None = None
    cache: CacheTtl | None = None


class Thinking(msgspec.Struct, kw_only=True):
    """A model's reasoning as it said it in an earlier turn; a provider takes back only what carries its own `signature`.

    `redacted`: the provider keeps the words to itself and gave this instead; `text` is empty then.
    """

    text: str = ""
    signature: str | None = None
    redacted: str | None = None


class ToolCall(msgspec.Struct, kw_only=True):
    """A call that the model asked for; `arguments` is JSON text; `signature` is Gemini's, given back with the call."""

    id: str
    name: str
    arguments: str
    signature: str | None = None
    cache: CacheTtl | None = None


class ToolResult(msgspec.Struct, kw_only=True):
    """What a tool gave back for the call with `call_id`; `name` is the tool's where the wire says it."""

    call_id: str
    content: list[Text | Media]
    name: str | None = None
    is_error: bool = False
    cache: CacheTtl | None = None


class Refusal(msgspec.Struct, kw_only=True):
    """Words by which the model declined in an earlier turn."""

    text: str


Part = Text | Media | Thinking | ToolCall | ToolResult | Refusal


class Turn(msgspec.Struct, kw_only=True):
    """What one side says; tool results stand in the user's turn. `system`: instructions in mid-conversation."""

    role: Literal["user", "assistant", "system"]
    parts: list[Part]


class Tool(msgspec.Struct, kw_only=True):
    """A function that the model may call; `schema` is the JSON Schema of its arguments (an object)."""

    name: str
    description: str | None = None
    schema: msgspec.Raw = msgspec.Raw(b"{}")
    strict: bool | None = None
    cache: CacheTtl | None = None


class ToolChoice(msgspec.Struct, kw_only=True):
    """`any`: some tool must be called; `tool`: the one with `name`."""

    mode: Literal["auto", "none", "any", "tool"]
    name: str | None = None


class Reasoning(msgspec.Struct, kw_only=True):
    """How much the model should think: by `effort` or by a `budget` in tokens (0: not at all); `shown`: with its words."""

    effort: Effort | None = None
    budget: int | None = None
    shown: bool | None = None


class Format(msgspec.Struct, kw_only=True):
    """The answer is to be JSON: any object, or by a `schema`."""

    schema: msgspec.Raw | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class Unsaid(msgspec.Struct, frozen=True):
    """Something asked for that the provider's wire has no word for.

    `harmless`: the answer means the same without it. `allowed`: what could be asked for instead, a sentence.
    """

    name: str
    harmless: bool = False
    allowed: str = ""


class Prompt(msgspec.Struct, kw_only=True):
    """Everything that one request asks. `None` and empty lists: the client did not say.

    `unsaid` are the fields of the client's wire that this form has no word for. `user` is the end user's name for the provider.
    """

    turns: list[Turn]
    system: list[Text] = []
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    output_limit: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = []
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    choices: int = 1
    logprobs: bool = False
    top_logprobs: int | None = None
    reasoning: Reasoning | None = None
    format: Format | None = None
    user: str | None = None
    service_tier: str | None = None
    stream: bool = False
    unsaid: list[Unsaid] = []


# An answer is a list of deltas, whether it came at once or in pieces.


class Begin(msgspec.Struct, kw_only=True):
    """The provider begins; its own id and model name where it says them."""

    id: str | None = None
    model: str | None = None


class TextDelta(msgspec.Struct, kw_only=True):
    """More words."""

    text: str


class ThinkingDelta(msgspec.Struct, kw_only=True):
    """More reasoning."""

    text: str


class ThinkingEnd(msgspec.Struct, kw_only=True):
    """A stretch of reasoning is over: what must come back with it in the next turn, see `Thinking`."""

    signature: str | None = None
    redacted: str | None = None


class ToolCallBegin(msgspec.Struct, kw_only=True):
    """A call to a tool begins; `index` counts the calls of this answer from 0."""

    index: int
    id: str
    name: str
    signature: str | None = None


class ToolCallDelta(msgspec.Struct, kw_only=True):
    """More of a call's arguments (JSON text); calls may come interleaved."""

    index: int
    arguments: str


class RefusalDelta(msgspec.Struct, kw_only=True):
    """More words of a refusal."""

    text: str


class MediaDelta(msgspec.Struct, kw_only=True):
    """A whole image or sound that the model made."""

    media: Media


class Finish(msgspec.Struct, kw_only=True):
    """The model is done; `stop_sequence` is the one that ended it, where the wire says which."""

    reason: FinishReason
    stop_sequence: str | None = None


Delta = (
    Begin | TextDelta | ThinkingDelta | ThinkingEnd | ToolCallBegin | ToolCallDelta | RefusalDelta | MediaDelta | Finish
)
