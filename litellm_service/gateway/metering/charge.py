"""What an attempt is taken to have used where the provider did not say."""

import msgspec

from gateway.domain.entry import Operation
from gateway.domain.errors import InvalidRequest
from gateway.domain.request import ModelRequest, WireName
from gateway.domain.usage import NO_USAGE, Usage
from gateway.metering.operations import ASKED, asked_tokens
from gateway.metering.tokens import estimate_tokens
from gateway.providers.calls import read
from gateway.providers.catalog import Interrupted
from gateway.wires.neutral import Media, Part, Text, ToolCall, ToolResult

TOKENS_PER_MESSAGE = 4
TOKENS_PER_MEDIA_PART = 500
JSON_FRAME_BYTES = 32
CONVERSATION_START = 1_024
# The field in which each wire carries what was said.
CONVERSATION: dict[WireName, str] = {
    "openai": "messages", "responses": "input", "anthropic": "messages", "gemini": "contents",
}  # fmt: skip


def interrupted_usage(policy: Interrupted, input_tokens: int, output_tokens: int) -> Usage:
    """An attempt that ended before its usage was known, by the provider's policy."""
    if policy == "free":
        return NO_USAGE
    return Usage(input=input_tokens, output=output_tokens if policy == "estimate" else 0, estimated=True)


def rough_input_tokens(request: ModelRequest) -> int:
    """A first estimate from the length of the conversation alone: free of charge, for the hold."""
    conversation = said_in(request)
    unsaid = 0 if request.upload is not None else request.size
    length = unsaid if conversation is None else len(memoryview(conversation))
    return max(1, (length - JSON_FRAME_BYTES) // 4)


def said_in(request: ModelRequest) -> msgspec.Raw | None:
    """The field that holds what was said, or what is asked."""
    return request.fields.get(ASKED.get(request.operation) or CONVERSATION[request.wire])


def conversation_of(request: ModelRequest) -> bytes:
    """How the conversation begins: the same for all its turns."""
    said = said_in(request)
    return b"" if said is None else bytes(said)[:CONVERSATION_START]


def input_tokens(request: ModelRequest) -> int:
    """An estimate from the words of the conversation, tools included."""
    if request.operation not in {Operation.CHAT, Operation.TOKEN_COUNT}:
        return asked_tokens(request)
    try:
        prompt = read(request)
    except InvalidRequest:
        return rough_input_tokens(request)
    words, media = [part.text for part in prompt.system], 0
    for part in (part for turn in prompt.turns for part in turn.parts):
        more, pictures = _said(part)
        words += more
        media += pictures
    words += [
        f"{tool.name} {tool.description or ''} {bytes(tool.schema).decode(errors='replace')}" for tool in prompt.tools
    ]
    messages = len(prompt.turns) + len(prompt.system)
    return estimate_tokens("\n".join(words)) + TOKENS_PER_MESSAGE * messages + TOKENS_PER_MEDIA_PART * media


def _said(part: Part) -> tuple[list[str], int]:
    """The words of a part, and how many pictures, sounds and documents are in it."""
    if isinstance(part, Media):
        return [], 1
    if isinstance(part, ToolCall):
        return [part.name, part.arguments], 0
    if isinstance(part, ToolResult):
        return [inner.text for inner in part.content if isinstance(inner, Text)], sum(
            isinstance(inner, Media) for inner in part.content
        )
    return [part.text], 0
