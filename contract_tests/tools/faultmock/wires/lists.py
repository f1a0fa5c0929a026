"""Routes whose answer is a list: OpenAI's embeddings and moderations, and rerank as Cohere and Jina have it.

platform.openai.com/docs/api-reference/embeddings, …/moderations, docs.cohere.com/reference/rerank, jina.ai/reranker.
"""

import base64
import struct
import zlib

from faultmock.answering import Answer, Usage, said_usage
from faultmock.asking import Asked, Target, Turn
from faultmock.pieces import Json
from faultmock.wires import openai
from faultmock.wires.completions import asked_texts
from faultmock.wires.wire import Wire

_DIMENSIONS = 8
_CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip


def _number(text: str, at: int = 0) -> float:
    """A number from 0 to 1 that follows from the text, exact in 32 bits."""
    return (zlib.crc32(f"{at} {text}".encode()) >> 16) / 65536


def vector(text: str, dimensions: int = _DIMENSIONS) -> list[float]:
    """The embedding of a text."""
    return [_number(text, at) for at in range(dimensions)]


def _read_embeddings(fields: Json, target: Target) -> Asked:
    return asked_texts(fields, target, "input")


def _input_usage(told: Usage) -> Json:
    return {"prompt_tokens": told.prompt, "total_tokens": told.prompt}


def _input_totals(stated: Json) -> Usage:
    return Usage(stated["prompt_tokens"], stated["total_tokens"] - stated["prompt_tokens"])


def _embeddings(answer: Answer) -> Json:
    asked = answer.ask.body
    vectors: list[list[float] | str] = []
    for turn in answer.ask.turns:
        numbers = vector(turn.text, int(asked.get("dimensions") or _DIMENSIONS))
        packed = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
        vectors.append(packed if asked.get("encoding_format") == "base64" else numbers)
    data = [{"object": "embedding", "index": i, "embedding": one} for i, one in enumerate(vectors)]
    stated = said_usage(answer, "usage", _input_usage(answer.usage))
    return {"object": "list", "data": data, "model": answer.ask.model, **stated}


def _read_moderations(fields: Json, target: Target) -> Asked:
    given = fields.get("input")
    if isinstance(given, list) and given and isinstance(given[0], dict):
        return openai.WIRE.read({"model": "", **fields, "messages": [{"role": "user", "content": given}]}, target)
    return asked_texts({"model": "omni-moderation-latest", **fields}, target, "input")


def _moderations(answer: Answer) -> Json:
    flagged = answer.finish in ("content_filter", "refusal")
    marks = dict.fromkeys(_CATEGORIES, False) | {"violence": flagged}
    scores = {name: 0.9 if marked else 0.01 for name, marked in marks.items()}
    inputs = {name: ["text"] for name in _CATEGORIES}
    result = {
        "flagged": flagged,
        "categories": marks,
        "category_scores": scores,
        "category_applied_input_types": inputs,
    }
    return {"id": f"modr-{answer.ask.id}", "model": answer.ask.model, "results": [result for _ in answer.ask.turns]}


def _read_rerank(fields: Json, target: Target) -> Asked:
    documents = [one if isinstance(one, str) else str(one.get("text", "")) for one in fields["documents"]]
    turns = [Turn("document", text) for text in documents] + [Turn("user", str(fields["query"]))]
    return Asked(body=fields, model=str(fields.get("model", target.model)), turns=turns)


def _rerank(answer: Answer) -> Json:
    asked, texts = answer.ask.body, [turn.text for turn in answer.ask.turns[:-1]]
    ranked = sorted(range(len(texts)), key=lambda i: -_number(texts[i]))[: asked.get("top_n") or len(texts)]
    shown: list[Json] = [{"index": i, "relevance_score": _number(texts[i])} for i in ranked]
    if asked.get("return_documents"):
        shown = [{**one, "document": {"text": texts[one["index"]]}} for one in shown]
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
    stated = said_usage(answer, "usage", _input_usage(answer.usage))
    return {"id": f"rerank-{answer.ask.id}", "model": answer.ask.model, "results": shown, "meta": meta, **stated}


EMBEDDINGS = Wire(
    name="embeddings",
    read=_read_embeddings,
    body=_embeddings,
    usage=_input_usage,
    totals=_input_totals,
    error=openai.error,
    outputs="data",
)
MODERATIONS = Wire(name="moderations", read=_read_moderations, body=_moderations, error=openai.error, outputs="results")
RERANK = Wire(
    name="rerank",
    read=_read_rerank,
    body=_rerank,
    usage=_input_usage,
    totals=_input_totals,
    error=openai.error,
    outputs="results",
)
