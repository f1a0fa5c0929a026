"""Token counts without a tokenizer: an estimate, and a bound.

The estimate weighs kinds of bytes; the weights were fitted to the o200k_base encoding over prose, code and data in
many languages (`tests/metering/token_samples.json`), where it stays within 25 %. Long runs without words, such as
base64, have more tokens than it says.
"""

import re
import string

import msgspec

CHAT_TEMPLATE_TOKENS = 1_024
UNKNOWN_CONTEXT_WINDOW = 1_048_576

_LETTERS = string.ascii_letters.encode()
_DIGITS = string.digits.encode()
_CONTROL = bytes(range(0x20)) + b"\x7f"
_ASCII = bytes(range(0x80))
_CONTINUATION = bytes(range(0x80, 0xC0))
_LEADS_OF_TWO = bytes(range(0xC0, 0xE0))
_LEADS_OF_FOUR = bytes(range(0xF0, 0x100))

# thousandths of a token for each character of a kind
_LETTER, _SPACE, _DIGIT, _PUNCTUATION = 215, 173, 853, 524
_OF_TWO_BYTES, _INDIC, _OF_THREE_BYTES, _OF_FOUR_BYTES = 274, 320, 704, 1_933

_TYPED = (b'"type"', b'"audio"', b'Data"', b'_data"')
_MEDIA = (
    b'"image_url"', b'"input_audio"', b'"input_image"', b'"input_file"', b'"input_video"', b'"video_url"', b'"image"', b'"audio"',
    b'"video"', b'"file"', b'"document"', b'"media"', b'"source"', b'"file_id"', b'"file_data"', b'"container_upload"',
    b'"search_result"', b'"cached_content"', b'"inlineData"', b'"inline_data"', b'"fileData"', b'"item_reference"',
)  # fmt: skip
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has for today's large models."""
    data = text.encode("utf-8", "replace")
    others = data.translate(None, _LETTERS)
    spaces = others.count(b" ")
    symbols = others.translate(None, _CONTROL)
    not_digits = symbols.translate(None, _DIGITS)
    weight = (len(data) - len(others)) * _LETTER + spaces * _SPACE + (len(symbols) - len(not_digits)) * _DIGIT
    if text.isascii():
        return _rounded_up(weight + (len(not_digits) - spaces) * _PUNCTUATION)
    foreign = not_digits.translate(None, _ASCII)
    return _rounded_up(weight + (len(not_digits) - len(foreign) - spaces) * _PUNCTUATION + _foreign_weight(foreign))


def input_token_bound(body_bytes: int, context_window: int | None = None, *, points_elsewhere: bool = False) -> int:
    """The most input tokens that a body of so many bytes can become, and no more than fits into the context window.

    A token is at least a byte; chat templates add some. Where the body only points at what the model will read
    (`points_elsewhere`), it is the whole window.
    """
    window = context_window or UNKNOWN_CONTEXT_WINDOW
    if points_elsewhere:
        return window
    bound = body_bytes + CHAT_TEMPLATE_TOKENS
    return bound if context_window is None else min(bound, window)


def points_elsewhere(messages: bytes) -> bool:
    """Whether messages (as JSON) may hold media or references, whose tokens their bytes do not bound.

    A small picture can be tens of thousands of tokens. Words within a text do not count: there a quotation mark is escaped. Says
    yes too often rather than too seldom.
    """
    if b"\\u00" in messages and _ESCAPED_LETTER.search(messages):
        messages = _unescaped(messages)
    if not any(word in messages for word in _TYPED):
        return False
    return any(word in messages for word in _MEDIA)


def _unescaped(json: bytes) -> bytes:
    try:
        return msgspec.json.encode(msgspec.json.decode(json))
    except (msgspec.DecodeError, RecursionError):
        return _MEDIA[0]


def _foreign_weight(foreign: bytes) -> int:
    leads = foreign.translate(None, _CONTINUATION)
    without_twos = leads.translate(None, _LEADS_OF_TWO)
    threes = without_twos.translate(None, _LEADS_OF_FOUR)
    indic = threes.count(b"\xe0")
    return (
        (len(leads) - len(without_twos)) * _OF_TWO_BYTES
        + indic * _INDIC
        + (len(threes) - indic) * _OF_THREE_BYTES
        + (len(without_twos) - len(threes)) * _OF_FOUR_BYTES
    )


def _rounded_up(thousandths: int) -> int:
    return -(-thousandths // 1_000)
