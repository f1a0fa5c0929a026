"""OpenAI's image generation (platform.openai.com/docs/api-reference/images, …/images-streaming)."""

import base64
import struct
import zlib

from faultmock.answering import Answer, Usage, said_usage
from faultmock.asking import Asked, Target
from faultmock.pieces import Json, Piece, json_piece
from faultmock.wires import openai
from faultmock.wires.completions import asked_texts
from faultmock.wires.wire import Wire

_CREATED = 1_762_000_000
_LOOKS = {"background": "opaque", "output_format": "png", "quality": "low", "size": "1024x1024"}


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(seed: str = "") -> bytes:
    """A PNG of one pixel whose colour follows from the seed."""
    colour = struct.pack(">I", zlib.crc32(seed.encode()))[:3]
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" + colour)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _picture(answer: Answer, at: int) -> str:
    return base64.b64encode(png(f"{answer.ask.prompt} {at}")).decode()


def _read(fields: Json, target: Target) -> Asked:
    return asked_texts(fields, target, "prompt", stream=bool(fields.get("stream")), choices=int(fields.get("n") or 1))


def _usage(told: Usage) -> Json:
    inputs = {"text_tokens": told.prompt, "image_tokens": 0}
    stated = {"input_tokens": told.prompt, "input_tokens_details": inputs, "output_tokens": told.completion}
    return {**stated, "total_tokens": told.total}


def _totals(stated: Json) -> Usage:
    return Usage(stated["input_tokens"], stated["output_tokens"])


def _body(answer: Answer) -> Json:
    """DALL·E answers with addresses if asked to, and without usage."""
    asked, count = answer.ask.body, range(answer.ask.choices)
    if not answer.ask.model.startswith("dall-e"):
        pictures = [{"b64_json": _picture(answer, i)} for i in count]
        stated = said_usage(answer, "usage", _usage(answer.usage))
        return {"created": _CREATED, **_LOOKS, "data": pictures, **stated}
    if asked.get("response_format") == "b64_json":
        return {"created": _CREATED, "data": [{"b64_json": _picture(answer, i)} for i in count]}
    return {"created": _CREATED, "data": [{"url": f"https://images.example/{answer.ask.id}/{i}.png"} for i in count]}


def _pieces(answer: Answer) -> list[Piece]:
    looks = {"created_at": _CREATED, **_LOOKS}
    pieces = []
    for i in range(int(answer.ask.body.get("partial_images") or 0)):
        name = "image_generation.partial_image"
        fields = {"type": name, "b64_json": _picture(answer, i + 1), "partial_image_index": i, **looks}
        pieces.append(json_piece("start", fields, name))
    name, stated = "image_generation.completed", said_usage(answer, "usage", _usage(answer.usage))
    fields = {"type": name, "b64_json": _picture(answer, 0), **looks, **stated}
    return [*pieces, json_piece("finish", fields, name, answer.completion_tokens, stated.get("usage"))]


def _error_piece(body: Json) -> Piece:
    return json_piece("error", {"type": "error", **body}, "error")


WIRE = Wire(
    name="images",
    read=_read,
    body=_body,
    pieces=_pieces,
    usage=_usage,
    totals=_totals,
    error=openai.error,
    error_piece=_error_piece,
    outputs="data",
)
