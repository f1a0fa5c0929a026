"""What was used, and can be at most, where no chat was asked for.

Embeddings, moderations and rankings are charged by what goes in, rankings also by the search unit (a query with up to 100
pieces of 500 tokens, docs.cohere.com/docs/how-does-cohere-pricing-work), pictures by the piece or by tokens, speech by the
character or by tokens, recordings by the second or by tokens (platform.openai.com/docs/pricing).
"""

import math
from typing import Any

import msgspec

from gateway.domain.entry import Operation
from gateway.domain.price import Price, Rates
from gateway.domain.request import ModelRequest
from gateway.domain.usage import NO_USAGE, Usage
from gateway.metering.tokens import (
    CHAT_TEMPLATE_TOKENS,
    UNKNOWN_CONTEXT_WINDOW,
    estimate_tokens,
    points_elsewhere,
)
from gateway.metering.usage import last, normalise
from gateway.providers.catalog import UsageRule
from gateway.wires.plain import Report

# The field that holds what is asked.
ASKED = {
    Operation.EMBEDDINGS: "input",
    Operation.COMPLETIONS: "prompt",
    Operation.IMAGES: "prompt",
    Operation.SPEECH: "input",
    Operation.TRANSCRIPTION: "prompt",
    Operation.TRANSLATION: "prompt",
    Operation.MODERATIONS: "input",
    Operation.RERANK: "documents",
}
FREE = Price(name="free of charge", version="1", source="gateway", rates=Rates(input=0, output=0))
RECORDINGS = frozenset((Operation.TRANSCRIPTION, Operation.TRANSLATION))
HAVE_LENGTH = frozenset((Operation.CHAT, Operation.COMPLETIONS))
# A picture of 1024×1024 in medium quality; more than any of the usual sizes has, and any at all, up to 3840×2160
# (platform.openai.com/docs/guides/image-generation).
TOKENS_OF_IMAGE, MOST_TOKENS_OF_USUAL_IMAGE, MOST_TOKENS_OF_IMAGE = 1_056, 8_192, 32_768
USUAL_SIZES = frozenset(("256x256", "512x512", "1024x1024", "1536x1024", "1024x1536"))
# A minute of speech is about 900 characters and 1,250 tokens; digits and pauses take longer.
TOKENS_PER_CHARACTER, MOST_TOKENS_PER_CHARACTER = 1.4, 16
DOCUMENTS_OF_SEARCH, TOKENS_OF_DOCUMENT = 100, 500
_NAMES = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "input_tokens_details": "prompt_tokens_details",
    "input_token_details": "prompt_tokens_details",
    "output_tokens_details": "completion_tokens_details",
}
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
_report = msgspec.json.Decoder(Report)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[msgspec.Raw])


def used(request: ModelRequest, reports: list[bytes], rule: UsageRule, price: Price | None) -> Usage | None:
    """What a whole answer used, by its reports or else by what was asked; `None`: nobody can say."""
    if request.operation is Operation.TOKEN_COUNT:
        return NO_USAGE
    told, stated = Report(), None
    for raw in reports:
        report = _report.decode(raw)
        stated = last(stated, normalise(_renamed(report.usage), rule))
        report.images += told.images
        told = report
    if request.operation in RECORDINGS:
        return _heard(stated, told, price)
    if stated is None:
        return unstated(request, price, images=told.images, searches=told.searches)
    return _completed(request, stated, told, price)


def unstated(
    request: ModelRequest, price: Price | None, *, images: int = 0, searches: int | None = None
) -> Usage | None:
    """What a request is taken to use where its provider does not say; `None`: nobody can say."""
    operation = request.operation
    rates = price.rates if price is not None else None
    if operation in RECORDINGS:
        return None
    if operation is Operation.SPEECH:
        return _spoken(request, rates)
    if operation is Operation.IMAGES:
        return _drawn(request, rates, images or request.choices)
    if operation is Operation.RERANK and rates is not None and rates.search:
        units = searches if searches is not None else -(-_documents(request) // DOCUMENTS_OF_SEARCH)
        return Usage(searches=units, estimated=searches is None)
    return Usage(input=asked_tokens(request), estimated=True)


def _spoken(request: ModelRequest, rates: Rates | None) -> Usage:
    """By the character, which is exact, or by tokens, which is not."""
    if rates is None or rates.character:
        return Usage(characters=request.characters)
    spoken = math.ceil(request.characters * TOKENS_PER_CHARACTER)
    return Usage(input=asked_tokens(request), audio_output=spoken, characters=request.characters, estimated=True)


def _drawn(request: ModelRequest, rates: Rates | None, made: int) -> Usage:
    """By the picture, which is exact, or by tokens, which is not."""
    if rates is None or rates.image:
        return Usage(images=made)
    return Usage(input=asked_tokens(request), image_output=TOKENS_OF_IMAGE * made, images=made, estimated=True)


def asked_tokens(request: ModelRequest) -> int:
    """An estimate from the words that were asked; token ids count one each."""
    words: list[str] = []
    ids = 0
    queue: list[Any] = [_decoded(request, ASKED.get(request.operation, ""))]
    while queue:
        value = queue.pop()
        if isinstance(value, str):
            words.append(value)
        elif isinstance(value, int):
            ids += 1
        elif isinstance(value, list | dict):
            queue.extend(value.values() if isinstance(value, dict) else value)
    query = _decoded(request, "query")
    again = estimate_tokens(query) * _documents(request) if isinstance(query, str) else 0
    return ids + estimate_tokens("\n".join(words)) + again


def input_bound(request: ModelRequest, context_window: int | None) -> int:
    """The most tokens that can go in: a token is at least a byte, but pictures and references are as long as a context.

    A ranking reads its query with each document (docs.voyageai.com/docs/pricing), and may be charged so. Each of many inputs may
    fill the context window, so it bounds only what is given by reference.
    """
    asked = request.fields.get(ASKED.get(request.operation, ""))
    said = b"" if asked is None else bytes(asked)
    if points_elsewhere(said):
        return request.size + (context_window or UNKNOWN_CONTEXT_WINDOW) * max(1, said.count(b"{"))
    query = request.fields.get("query")
    again = len(bytes(query)) * _documents(request) if query is not None else 0
    return request.size + CHAT_TEMPLATE_TOKENS + again


def output_bound(request: ModelRequest, most_output: int | None) -> int:
    """The most tokens that can come out where the request cannot limit them: of pictures and speech."""
    if request.operation is Operation.IMAGES:
        is_usual = str(_decoded(request, "size")) in USUAL_SIZES
        return request.choices * (
            MOST_TOKENS_OF_USUAL_IMAGE if is_usual else max(MOST_TOKENS_OF_IMAGE, most_output or 0)
        )
    return request.size * MOST_TOKENS_PER_CHARACTER if request.operation is Operation.SPEECH else 0


def searches_bound(request: ModelRequest) -> int:
    """The most search units of a ranking: documents, with the query, may be cut into pieces."""
    if request.operation is not Operation.RERANK:
        return 0
    query = request.fields.get("query")
    room = max(1, TOKENS_OF_DOCUMENT - (0 if query is None else len(bytes(query))))
    pieces = _documents(request) + -(-request.size // room)
    return -(-pieces // DOCUMENTS_OF_SEARCH)


def _completed(request: ModelRequest, stated: Usage, told: Report, price: Price | None) -> Usage:
    """What tokens of an answer are, where the provider does not tell them apart."""
    if request.operation is Operation.IMAGES:
        if stated.image_output or not stated.output:
            return msgspec.structs.replace(stated, images=told.images)
        return msgspec.structs.replace(stated, output=0, image_output=stated.output, images=told.images)
    if request.operation is Operation.SPEECH:
        voice = stated.audio_output or stated.output
        return msgspec.structs.replace(stated, output=0, audio_output=voice, characters=request.characters)
    usage = msgspec.structs.replace(stated, output=0, reasoning=0, audio_output=0, image_output=0)
    if request.operation is not Operation.RERANK:
        return usage
    if told.searches is None and price is not None and price.rates.search:
        units = -(-_documents(request) // DOCUMENTS_OF_SEARCH)
        return msgspec.structs.replace(usage, searches=units, estimated=True)
    return msgspec.structs.replace(usage, searches=told.searches or 0)


def _heard(stated: Usage | None, told: Report, price: Price | None) -> Usage | None:
    """Tokens or seconds, as the model is priced."""
    seconds = math.ceil(told.seconds) if told.seconds is not None else 0
    if stated is None:
        return Usage(seconds=seconds) if seconds else None
    by_second = price is not None and price.rates.second and not (price.rates.input or price.rates.output)
    if by_second and not stated.seconds:
        return msgspec.structs.replace(stated, seconds=seconds) if seconds else None
    return stated


def _renamed(raw: msgspec.Raw) -> bytes | None:
    """A usage object under the names of chat completions; a total alone is what went in."""
    try:
        fields = _fields.decode(raw)
    except _UNREADABLE:
        return None
    said = {_NAMES.get(name, name): value for name, value in fields.items()}
    if "total_tokens" in said and not said.keys() & {"prompt_tokens", "completion_tokens"}:
        said["prompt_tokens"] = said["total_tokens"]
    return msgspec.json.encode(said)


def _documents(request: ModelRequest) -> int:
    raw = request.fields.get("documents")
    try:
        return max(1, len(_items.decode(raw))) if raw is not None else 1
    except _UNREADABLE:
        return 1


def _decoded(request: ModelRequest, name: str) -> Any:
    raw = request.fields.get(name)
    try:
        return None if raw is None else msgspec.json.decode(raw)
    except _UNREADABLE:
        return None
