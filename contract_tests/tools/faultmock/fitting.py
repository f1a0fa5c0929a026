"""Values that fit a JSON schema (draft 2020-12 as far as models are asked for it; Gemini's upper-case types too)."""

import math
import zlib
from typing import Any

from faultmock.pieces import Json
from faultmock.text import word_tokens

_DEPTH = 12
_FORMATS = {
    "date": "2026-01-31",
    "time": "12:30:00Z",
    "date-time": "2026-01-31T12:30:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
}


def fitting(schema: Json, seed: str = "") -> Any:
    """A value that fits; the same for the same seed."""
    return _value(schema or {"type": "object"}, schema, seed, 0)


def _value(schema: Any, root: Json, seed: str, depth: int) -> Any:
    schema = _resolved(schema, root)
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if "enum" in schema:
        return schema["enum"][zlib.crc32(seed.encode()) % len(schema["enum"])]
    makers = {"object": _object, "array": _array, "string": _string, "integer": _number, "number": _number}
    maker = makers.get(kind := _kind(schema))
    if maker:
        return maker(schema, root, seed, depth)
    return {"boolean": True, "null": None}.get(kind, "value")


def _resolved(schema: Any, root: Json) -> Json:
    """A schema without references and alternatives: the first that is not null."""
    if not isinstance(schema, dict):
        return {}
    while "$ref" in schema:
        target: Any = root
        for name in schema["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        schema = target
    for name in ("anyOf", "oneOf"):
        if schema.get(name):
            return _resolved(next((one for one in schema[name] if one.get("type") != "null"), schema[name][0]), root)
    for part in schema.get("allOf", ()):
        schema = {**schema, **_resolved(part, root)}
    return dict(schema)


def _kind(schema: Json) -> str:
    named = schema.get("type")
    if isinstance(named, list):
        named = next((one for one in named if one != "null"), "null")
    return str(named or ("object" if "properties" in schema else "string")).lower()


def _object(schema: Json, root: Json, seed: str, depth: int) -> Json:
    properties = schema.get("properties", {})
    wanted = properties if depth < _DEPTH else {name: properties.get(name, {}) for name in schema.get("required", ())}
    return {name: _value(part, root, f"{seed}/{name}", depth + 1) for name, part in wanted.items()}


def _array(schema: Json, root: Json, seed: str, depth: int) -> list[Any]:
    least = int(schema.get("minItems", 0))
    count = least if depth >= _DEPTH else max(least, min(2, int(schema.get("maxItems", 2))))
    return [_value(schema.get("items", {}), root, f"{seed}/{i}", depth + 1) for i in range(count)]


def _string(schema: Json, root: Json, seed: str, depth: int) -> str:
    text = _FORMATS.get(schema.get("format", ""), "") or "".join(word_tokens(2, seed))
    text = text.ljust(int(schema.get("minLength", 0)), "x")
    return text[: int(schema.get("maxLength", len(text)))]


def _number(schema: Json, root: Json, seed: str, depth: int) -> int | float:
    """Seven, or what is nearest to it within the bounds."""
    low, high = _bound(schema, "inimum", 1), _bound(schema, "aximum", -1)
    number = max(low, min(7, high))
    if step := schema.get("multipleOf"):
        number = -(-number // step) * step
    return int(number) if _kind(schema) == "integer" else float(number)


def _bound(schema: Json, name: str, inwards: int) -> float:
    """The least or greatest value allowed."""
    if f"m{name}" in schema:
        return float(schema[f"m{name}"])
    return float(schema.get(f"exclusiveM{name}", -inwards * math.inf)) + inwards * (
        1 if _kind(schema) == "integer" else 1e-6
    )
