"""`/openapi.json` and `/docs`, both from one table of routes; nothing is fetched from elsewhere."""

import html
import re
from typing import Any, get_args, get_type_hints

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway import __version__
from gateway.http import conversation_documents as conversations
from gateway.http.admin import documents as administering
from gateway.http.chat import ChatBody
from gateway.http.doc import Doc
from gateway.http.operation_documents import DOCS as OPERATIONS
from gateway.http.parameters import FILTERS, RANGES
from gateway.http.schemas import ERROR, SHAPES, json_schemas, outline

_RANGE = {
    "from": "start, ISO 8601; rounded outward to a quarter of an hour",
    "to": "end, ISO 8601 (default: now)",
    "tz": "IANA time zone that shapes the buckets, for example Europe/Paris (default: UTC)",
}
_COMPARE = {
    "compare": "`previous` adds T of the period before: as many local months or days where the range is whole ones, else as long"
}
_FILTERS = dict.fromkeys(FILTERS, "narrows; repeat it for “or”")
_PAGE = {
    "id": "the first characters of an id, over all time",
    "cursor": "`next_cursor` of the page before",
    "limit": "1 to 200 (default 50)",
    "min_cost_usd": "USD; what is not priced has no cost", "max_cost_usd": "USD",
    "min_response_time": "seconds", "max_response_time": "seconds",
}  # fmt: skip
_HELLO = [{"role": "user", "content": "Hello"}]


DOCS = (
    Doc(
        method="POST",
        path="/api/chat",
        reply="ChatReply",
        title="Ask a model",
        about="`query` or `messages`, and `model`. With `stream: true` events `chunk`, at most one `error`, then `done`.",
        schema="ChatBody",
        body={"application_id": "my-app", "user_id": "user123", "query": "What is AI?", "model": "demo/echo"},
        streams=True,
    ),
    Doc(
        method="POST",
        path="/v1/chat/completions",
        title="Chat completions (OpenAI)",
        about="OpenAI's body and replies, streamed too; fields that are not read here go upstream untouched. "
        "`x-application-id` and `x-user-id` headers (or `user`) say whom it is charged to.",
        body={"model": "demo/echo", "messages": _HELLO},
        streams=True,
    ),
    Doc(
        method="POST",
        path="/v1/responses",
        title="Responses (OpenAI)",
        about="Passed on to providers that have the route, translated for all others; streamed events too.",
        body={"model": "demo/echo", "input": "Hello"},
        streams=True,
    ),
    Doc(
        method="GET",
        path="/v1/responses/{response_id}",
        title="A kept response",
        about="As its provider keeps it; for the key only that had it made. Passed on to the provider.",
    ),
    Doc(
        method="DELETE",
        path="/v1/responses/{response_id}",
        title="Delete a kept response",
        about="For the key only that had it made. Passed on to the provider.",
    ),
    Doc(
        method="POST",
        path="/v1/responses/{response_id}/cancel",
        title="Cancel a response",
        about="For the key only that had it made. Passed on to the provider.",
    ),
    Doc(
        method="GET",
        path="/v1/responses/{response_id}/input_items",
        title="The input of a kept response",
        about="For the key only that had it made. Passed on to the provider.",
    ),
    Doc(
        method="GET",
        path="/v1beta/models",
        title="Models (Gemini)",
        about="What can be called now, in Google's form.",
    ),
    Doc(
        method="GET",
        path="/v1beta/models/{model}",
        title="One model (Gemini)",
        about="One of them, in Google's form.",
    ),
    Doc(
        method="POST",
        path="/v1/messages",
        title="Messages (Anthropic)",
        about="Passed on to Anthropic, translated for all others; streamed events too. `x-application-id` and `x-user-id` headers "
        "(or a short `metadata.user_id`) say whom it is charged to. Errors have Anthropic's form.",
        body={"model": "demo/echo", "max_tokens": 1024, "messages": _HELLO},
        streams=True,
    ),
    Doc(
        method="POST",
        path="/v1beta/models/{model}:generateContent",
        title="Generate content (Gemini)",
        about="Passed on to Google, translated for others; `:streamGenerateContent?alt=sse` streams. Errors have Google's form.",
        body={"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
    ),
    *OPERATIONS,
    Doc(
        method="GET",
        path="/v1/models",
        reply="ModelList",
        title="Callable models (OpenAI)",
        about="With prices, context window and abilities.",
    ),
    Doc(method="GET", path="/v1/models/{model}", title="One callable model (OpenAI)"),
    Doc(
        method="GET",
        path="/api/models",
        reply="ModelsByProvider",
        title="All models by provider",
        about="`callable`, and if not, why.",
    ),
    Doc(
        method="GET",
        path="/api/usage",
        reply="UsageReport",
        title="Usage over time",
        about="One series per group; the totals are the same in every grouping. A cost of null means: not priced. "
        "Members see what is their own, here and everywhere: of their key's user, or where it has none of their key.",
        parameters={
            **_RANGE,
            "bucket": "hour, day, week or month",
            "group_by": f"any of {', '.join(FILTERS)}",
            "limit": "how many groups, the dearest first: 1 to 1000 (default 50); the rest is summed up in `others`",
            **_COMPARE,
            **_FILTERS,
        },
    ),
    Doc(
        method="GET",
        path="/api/usage/export",
        title="Everything behind a report as a file",
        about="Streamed. Of requests: figures only, never content, newest first, up to now. Of groups: T for each bucket and "
        "group that has anything. In CSV, text that a spreadsheet would take for a formula begins with an apostrophe.",
        parameters={
            "format": "csv (default), jsonl, or parquet where pyarrow is installed",
            "rows": "requests (default), or groups for sums",
            **_RANGE,
            "bucket": "of groups: hour, day (default), week or month",
            "group_by": "of groups: as in /api/usage",
            **_FILTERS,
            **{name: f"of requests: {_PAGE[name]}" for name in RANGES},
        },
    ),
    Doc(
        method="GET",
        path="/api/what-if",
        reply="WhatIf",
        title="What it would have cost on another model",
        about="The stored usage at the usual prices of today of each `instead`, by model and in total. `notes` say what "
        "is not the same there, `left_out` what no chat model could have answered. The difference is that of models "
        "whose requests all have a price.",
        parameters={
            "from": _RANGE["from"],
            "to": _RANGE["to"],
            "instead": "a model; repeat it for several, up to 8",
            **_FILTERS,
        },
    ),
    Doc(
        method="GET",
        path="/api/stats",
        reply="Stats",
        title="Totals across all users",
        about="To a member: of what is its own.",
        parameters={**_RANGE, **_COMPARE, **_FILTERS},
    ),
    Doc(
        method="GET",
        path="/api/user/{user_id}/usage",
        reply="UserUsage",
        title="One user's usage",
        about="An unknown user has zeros; to a member there are no users but its own.",
        parameters={
            **_RANGE,
            **_COMPARE,
            **{name: _FILTERS[name] for name in ("application_id", "model", "provider", "status")},
        },
    ),
    Doc(
        method="GET",
        path="/api/requests",
        reply="RequestList",
        title="Requests, newest first",
        about="Figures only, never content; paged by cursor.",
        parameters={"from": _RANGE["from"], "to": _RANGE["to"], **_FILTERS, **_PAGE},
    ),
    Doc(
        method="GET",
        path="/api/requests/{request_id}",
        reply="RequestDetail",
        title="Everything about one request",
        about="Content if it is stored; price and receipt, which adds up to the cost, and where that comes from; what was held and "
        "when; the budgets of now that it counts in; attempts with their corrections; route.",
    ),
    Doc(
        method="GET",
        path="/api/events",
        reply="Status",
        title="What runs now, as events",
        about="At once and after each change: how many requests run, the newest fifty of them, and `changes`, which grows "
        "with whatever is written to the ledger. A comment every five seconds. A member sees its own.",
        gives="text/event-stream",
    ),
    *conversations.DOCS,
    *administering.DOCS,
    Doc(method="GET", path="/metrics", title="Metrics for Prometheus", about="Text; for the roles admin and viewer."),
    Doc(
        method="GET",
        path="/health",
        reply="Health",
        title="Health",
        about="200 while serving, with a status per part.",
        open=True,
    ),
    Doc(method="GET", path="/health/live", title="Liveness", open=True),
    Doc(
        method="GET",
        path="/health/ready",
        title="Readiness",
        about="503 while new requests would be refused.",
        open=True,
    ),
    Doc(method="GET", path="/openapi.json", title="This description as OpenAPI", open=True),
    Doc(method="GET", path="/docs", title="This page", open=True),
)

_STYLE = """
:root{color-scheme:light dark}
body{font:1rem/1.6 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;
background:light-dark(#faf9f6,#141716);color:light-dark(#1f2421,#eceFea)}
article{border-top:1px dashed light-dark(#857f73,#7c8682);padding:.75rem 0}
h1{font-size:1.5rem}h2{font-size:1rem;margin:.25rem 0}
code,pre{font:.875rem/1.5 ui-monospace,monospace}
pre{background:light-dark(#f3f1ec,#222726);padding:.75rem;border-radius:8px;overflow-x:auto}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.125rem 1rem;margin:.5rem 0}dd{margin:0}
summary{cursor:pointer;padding:.25rem 0}
.m{color:light-dark(#0f6b63,#5cc8b8);font-weight:600}
a{color:light-dark(#0f6b63,#5cc8b8)}
"""


async def document(_request: Request) -> Response:
    """OpenAPI 3.1."""
    return Response(msgspec.json.encode(openapi()), media_type="application/json")


async def page(request: Request) -> Response:
    """The same as a page to read."""
    base = f"{request.url.scheme}://{request.url.netloc}"
    routes = "".join(_article(doc, base) for doc in DOCS)
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>API</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="stylesheet" href="/docs?style">'
        f"</head><body><main><h1>LiteLLM Microservices {__version__}: the API</h1><p>Keys go as <code>Authorization: Bearer …"
        f"</code>, <code>x-api-key</code> or <code>x-goog-api-key</code>; on loopback without a configured key none is needed. "
        f'Machine-readable: <a href="/openapi.json">openapi.json</a>.</p>{routes}</main></body></html>'
    )
    if request.url.query == "style":
        return Response(_STYLE, media_type="text/css")
    policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return Response(
        text, media_type="text/html", headers={"content-security-policy": policy, "x-content-type-options": "nosniff"}
    )


def openapi() -> dict[str, Any]:
    """The document."""
    paths: dict[str, dict[str, Any]] = {}
    for doc in DOCS:
        paths.setdefault(doc.path, {})[doc.method.lower()] = _operation(doc)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "LiteLLM Microservices API",
            "version": __version__,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": {
                "ChatBody": _chat_body(),
                "Error": ERROR,
                **json_schemas(),
                **conversations.input_schemas(),
                **administering.input_schemas(),
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "x-goog-api-key": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
            },
        },
    }


_TYPES = {"str": "string", "float": "number", "int": "integer", "bool": "boolean"}


def _chat_body() -> dict[str, Any]:
    """`ChatBody` as a schema; fields that are passed on unread have no type."""
    properties: dict[str, Any] = {}
    for name, hint in get_type_hints(ChatBody).items():
        kinds = [_TYPES[kind.__name__] for kind in get_args(hint) or (hint,) if getattr(kind, "__name__", "") in _TYPES]
        properties[name] = {"type": kinds[0]} if len(kinds) == 1 else {}
    properties["messages"] = {"type": "array", "items": {"type": "object", "required": ["role"]}}
    return {"type": "object", "required": ["model"], "properties": properties, "additionalProperties": False}


def _operation(doc: Doc) -> dict[str, Any]:
    reply = {"$ref": f"#/components/schemas/{doc.reply}"} if doc.reply else {"type": "object"}
    content: dict[str, Any] = {doc.gives: {"schema": reply}}
    if doc.streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    if doc.path == "/docs":
        content = {"text/html": {"schema": {"type": "string"}}}
    if doc.path == "/metrics":
        content = {"text/plain": {"schema": {"type": "string"}}}
    failure = {
        "description": "an error",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    operation: dict[str, Any] = {
        "summary": doc.title,
        "description": doc.about,
        "operationId": f"{doc.method.lower()}{doc.path.replace('/', '_').replace('{', '').replace('}', '').replace('.', '_')}",
        "parameters": [_parameter(name, "path", "", required=True) for name in _names(doc.path)]
        + [_parameter(name, "query", about, required=False) for name, about in doc.parameters.items()],
        "responses": {"200": {"description": "success", "content": content}, "default": failure},
        "security": [] if doc.open else [{}, {"bearer": []}, {"x-api-key": []}, {"x-goog-api-key": []}],
    }
    if doc.body is not None:
        schema = (
            {"$ref": f"#/components/schemas/{doc.schema}"}
            if doc.schema
            else {"type": "object", "required": list(doc.body)}
        )
        kind = "multipart/form-data" if doc.form else "application/json"
        operation["requestBody"] = {"required": True, "content": {kind: {"schema": schema, "example": doc.body}}}
    return operation


def _parameter(name: str, place: str, about: str, *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "description": about, "schema": {"type": "string"}}


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _article(doc: Doc, base: str) -> str:
    listed = "".join(f"<dt><code>{name}</code></dt><dd>{_prose(about)}</dd>" for name, about in doc.parameters.items())
    parameters = f"<dl>{listed}</dl>" if listed else ""
    shape = html.escape(outline(SHAPES[doc.reply])) if doc.reply else ""
    reply = f'<details><summary>Reply</summary><pre tabindex="0">{shape}</pre></details>' if shape else ""
    return (
        f'<article><h2><span class="m">{doc.method}</span> <code>{html.escape(doc.path)}</code> {html.escape(doc.title)}</h2>'
        f'<p>{_prose(doc.about)}</p>{parameters}<pre tabindex="0">{html.escape(_curl(doc, base))}</pre>{reply}</article>'
    )


def _prose(text: str) -> str:
    """What stands in backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _curl(doc: Doc, base: str) -> str:
    method = "" if doc.method == "GET" else f"-X {doc.method} "
    if doc.body is None:
        return f"curl {method}{base}{doc.path.replace('{user_id}', 'user123').replace('{model}', 'demo/echo')}"
    if doc.form:
        parts = " ".join(f"-F '{name}={value}'" for name, value in doc.body.items())
        return f"curl {method}{base}{doc.path} {parts}"
    data = msgspec.json.encode(doc.body).decode()
    return f"curl {method}{base}{doc.path} -H 'Content-Type: application/json' \\\n  -d '{data}'"
