"""Google's subset of OpenAPI schemas as JSON Schema.

Source: https://ai.google.dev/api/caching#Schema
"""

from typing import Any

import msgspec

from gateway.wires.gemini.objects import decoded, readable

_ANY = msgspec.json.Decoder(dict[str, Any])
_SCHEMAS = {"items", "additionalProperties", "not"}
_LISTS = {"anyOf", "oneOf", "allOf", "prefixItems"}
_MAPS = {"properties", "$defs"}
_COUNTS = {"minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength"}
_NAMES = {
    "any_of": "anyOf", "one_of": "oneOf", "all_of": "allOf", "prefix_items": "prefixItems", "min_items": "minItems",
    "max_items": "maxItems", "min_properties": "minProperties", "max_properties": "maxProperties", "min_length": "minLength",
    "max_length": "maxLength", "additional_properties": "additionalProperties", "property_ordering": "propertyOrdering",
    "defs": "$defs", "ref": "$ref",
}  # fmt: skip


def json_schema(raw: msgspec.Raw, at: str) -> msgspec.Raw:
    """JSON Schema of the same values; raises `InvalidRequest`. Properties stand in the order that was asked for."""
    schema = decoded(raw, _ANY, at)
    return msgspec.Raw(readable(lambda: msgspec.json.encode(_converted(schema)), at))


def _converted(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    given: dict[str, Any] = {str(_NAMES.get(name, name)): value for name, value in schema.items()}
    nullable, order = given.pop("nullable", None), given.pop("propertyOrdering", None)
    written = {name: _value(name, value) for name, value in given.items() if not _is_unspecified(name, value)}
    if isinstance(order, list) and isinstance(written.get("properties"), dict):
        written["properties"] = _ordered(written["properties"], order)
    if "example" in written:
        written.setdefault("examples", [written.pop("example")])
    return _with_null(written) if nullable is True else written


def _value(name: str, value: Any) -> Any:
    if name in _SCHEMAS:
        return _converted(value)
    if isinstance(value, list) and name in _LISTS:
        return [_converted(one) for one in value]
    if isinstance(value, dict) and name in _MAPS:
        return {key: _converted(one) for key, one in value.items()}
    if isinstance(value, list) and name == "type":
        return [str(one).lower() for one in value]
    return _word(name, value) if isinstance(value, str) else value


def _word(name: str, value: str) -> str | int:
    if name == "type":
        return value.lower()
    if name in _COUNTS and len(value) < 19 and value.isdecimal():
        return int(value)
    return value.replace("#/defs/", "#/$defs/") if name == "$ref" else value


def _is_unspecified(name: str, value: Any) -> bool:
    return value is None or (name == "type" and value == "TYPE_UNSPECIFIED")


def _ordered(properties: dict[str, Any], order: list[Any]) -> dict[str, Any]:
    first = {name: properties[name] for name in order if isinstance(name, str) and name in properties}
    return first | properties


def _with_null(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    if isinstance(schema.get("anyOf"), list):
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    if isinstance(kind, str):
        schema["type"] = [kind, "null"]
    if isinstance(schema.get("enum"), list):
        schema["enum"] = [*schema["enum"], None]
    return schema
