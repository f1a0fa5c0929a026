"""What an attempt is taken to have used where the provider did not say."""

import msgspec

from gateway.domain.request import ModelRequest, WireName
from gateway.domain.usage import NO_USAGE, Usage
from gateway.metering.tokens import estimate_tokens
from gateway.providers.catalog import Interrupted

TOKENS_PER_MESSAGE = 4
TOKENS_PER_MEDIA_PART = 500
JSON_FRAME_BYTES = 32
# The field in which each wire carries what was said.
CONVERSATION: dict[WireName, str] = {
    "openai": "messages", "responses": "input", "anthropic": "messages", "gemini": "contents",
}  # fmt: skip


class _Part(msgspec.Struct):
    type: str = "text"
    text: str | None = None


class _Message(msgspec.Struct):
    content: str | list[_Part] | None = None


_messages = msgspec.json.Decoder(list[_Message])


def interrupted_usage(policy: Interrupted, input_tokens: int, output_tokens: int) -> Usage:
    """An attempt that ended before its usage was known, by the provider's policy."""
    if policy == "free":
        return NO_USAGE
    return Usage(input=input_tokens, output=output_tokens if policy == "estimate" else 0, estimated=True)


def rough_input_tokens(request: ModelRequest) -> int:
    """A first estimate from the length of the conversation alone: free of charge, for the hold."""
    conversation = request.fields.get(CONVERSATION[request.wire])
    length = request.size if conversation is None else len(memoryview(conversation))
    return max(1, (length - JSON_FRAME_BYTES) // 4)


def input_tokens(request: ModelRequest) -> int:
    """An estimate from the words of the messages, tools included."""
    try:
        messages = _messages.decode(request.fields["messages"])
    except (KeyError, msgspec.DecodeError, RecursionError):
        return rough_input_tokens(request)
    words, media = [], 0
    for message in messages:
        if isinstance(message.content, str):
            words.append(message.content)
            continue
        for part in message.content or ():
            words.append(part.text or "")
            media += part.type != "text" and part.text is None
    tools = bytes(request.fields.get("tools", b"")).decode(errors="replace")
    return (
        estimate_tokens("\n".join(words) + tools) + TOKENS_PER_MESSAGE * len(messages) + TOKENS_PER_MEDIA_PART * media
    )
