"""Reasoning that another provider signed, taken out of what goes to a provider of the client's own wire.

A conversation may have been answered by others before. What they signed travels in the client's wire (see each wire's writer),
and no provider takes another's: OpenAI and Google refuse it, Anthropic also reasoning that nobody signed.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

# How `gateway-signature:` and `gateway-redacted:` begin in base64.
_WRAPPED = b"Z2F0ZXdheS1"
_WRAPPED_TEXT = _WRAPPED.decode()
# How the responses that we write name their reasoning (see `responses.answer_out`); OpenAI's own names have no dash.
_OUR_REASONING = re.compile(rb'"rs_[0-9a-f]{8}-')
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_THOUGHTS = ("reasoning_content", "thinking_blocks", "extra_content")
_THOUGHT_FIELDS = re.compile(rb'"(?:%s)"' % "|".join(_THOUGHTS).encode())


def from_openai(raw: msgspec.Raw) -> msgspec.Raw:
    """`messages` without thoughts and signatures: a provider that takes no fields but OpenAI's has none of its own."""
    if not _THOUGHT_FIELDS.search(raw):
        return raw
    return _rewritten(raw, lambda messages: [_plain_message(message) for message in messages])


def from_responses(raw: msgspec.Raw) -> msgspec.Raw:
    """`input` without reasoning items of others, signed or not, and without what they signed of their calls."""
    data = bytes(raw)
    if _WRAPPED not in data and b'"extra_content"' not in data and not _OUR_REASONING.search(data):
        return raw
    return _rewritten(raw, lambda items: [_own_item(item) for item in items if not _is_foreign_item(item)])


def from_anthropic(raw: msgspec.Raw) -> msgspec.Raw:
    """`messages` without thinking blocks of others; those have no signature, or one with a colon in it."""
    if b'"thinking"' not in bytes(raw):
        return raw
    return _rewritten(raw, lambda messages: [_own_message(message) for message in messages])


def from_gemini(raw: msgspec.Raw) -> msgspec.Raw:
    """`contents` without signatures of others."""
    if _WRAPPED not in bytes(raw):
        return raw
    return _rewritten(raw, lambda contents: [_own_content(content) for content in contents])


def _rewritten(raw: msgspec.Raw, change: Callable[[Any], Any]) -> msgspec.Raw:
    """The same bytes where nothing was to be changed, or nothing could be."""
    try:
        before = msgspec.json.decode(raw)
        after = change(before) if isinstance(before, list) else before
        return raw if after == before else msgspec.Raw(msgspec.json.encode(after))
    except _UNREADABLE:
        return raw


def _is_foreign_item(item: Any) -> bool:
    if not isinstance(item, dict) or item.get("type") != "reasoning":
        return False
    return _is_wrapped(item.get("encrypted_content")) or _is_our_name(item.get("id"))


def _is_our_name(name: Any) -> bool:
    return isinstance(name, str) and _OUR_REASONING.match(f'"{name}'.encode(errors="replace")) is not None


def _own_item(item: Any) -> Any:
    return _plain(item) if isinstance(item, dict) and item.get("type") == "function_call" else item


def _plain_message(message: Any) -> Any:
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return message
    plain = _plain(message)
    calls = plain.get("tool_calls")
    return {**plain, "tool_calls": [_plain(call) for call in calls]} if isinstance(calls, list) else plain


def _plain(value: Any) -> Any:
    return {name: field for name, field in value.items() if name not in _THOUGHTS} if isinstance(value, dict) else value


def _own_message(message: Any) -> Any:
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        return message
    own = [block for block in content if not _is_foreign_block(block)]
    return {**message, "content": own} if own else message


def _is_foreign_block(block: Any) -> bool:
    if not isinstance(block, dict) or block.get("type") != "thinking":
        return False
    signature = block.get("signature")
    return not signature or (isinstance(signature, str) and ":" in signature)


def _own_content(content: Any) -> Any:
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list):
        return content
    return {**content, "parts": [_own_part(part) for part in parts]}


def _own_part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    return {name: value for name, value in part.items() if not _is_wrapped(value)}


def _is_wrapped(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_WRAPPED_TEXT)
