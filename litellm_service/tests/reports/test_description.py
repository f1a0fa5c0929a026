"""What `/openapi.json` and `/docs` say of the replies is what the replies are."""

import re

import pytest
from asgi import get
from jsonschema import Draft202012Validator

from gateway.domain.time import id_text
from gateway.http.openapi import DOCS
from gateway.http.schemas import outline

pytestmark = pytest.mark.anyio

READING = {
    "/api/usage": (
        "/api/usage",
        [("from", "2026-10-30T00:00:00Z"), ("group_by", "user_id"), ("limit", "2"), ("compare", "previous")],
    ),
    "/api/stats": ("/api/stats", []),
    "/api/user/{user_id}/usage": ("/api/user/user-1/usage", []),
    "/api/requests": ("/api/requests", [("limit", "200")]),
    "/api/models": ("/api/models", []),
    "/v1/models": ("/v1/models", []),
}


@pytest.fixture
async def document(app):
    return (await get(app, "/openapi.json")).json()


def assert_fits(document, path, reply):
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": document["components"]})
    assert [error.message for error in validator.iter_errors(reply)] == []


@pytest.mark.parametrize("path", READING)
async def test_replies_have_the_shape_that_is_described(app, document, path):
    reply = await get(app, *READING[path])
    assert_fits(document, path, reply.json())


async def test_every_kind_of_request_has_the_shape_that_is_described(app, document, rows):
    kinds = {(row["http_status"], row["cost_nano_usd"] is None, row["attempt"]): row for row in rows if row["counts"]}
    assert len(kinds) > 6
    for row in kinds.values():
        reply = await get(app, f"/api/requests/{id_text(row['request_id'])}")
        assert_fits(document, "/api/requests/{request_id}", reply.json())


async def test_the_parameters_that_are_described_are_taken_and_no_others(app, document):
    export = {"/api/usage/export": ("/api/usage/export", [])}
    for path, (called, _) in {**READING, **export}.items():
        described = [one["name"] for one in document["paths"][path]["get"]["parameters"] if one["in"] == "query"]
        if described:
            refusal = (await get(app, called, [("nonsense", "1")])).json()["error"]["message"]
            taken = refusal.partition("there are ")[2].removesuffix(".").split(", ")
            assert set(described) == set(taken)


async def test_operations_have_names_of_their_own(document):
    operations = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(operations)) == len(operations)
    assert {"bearer", "x-api-key", "x-goog-api-key"} == document["components"]["securitySchemes"].keys()


async def test_the_page_shows_every_route_and_loads_nothing_from_elsewhere(app):
    reply = await get(app, "/docs")
    page = reply.body.decode()
    assert all(f"<code>{doc.path}</code>" in page for doc in DOCS)
    assert "<script" not in page
    assert "`" not in page
    assert " style=" not in page
    assert re.findall(r'(?:href|src)="(https?:)?//', page) == []
    assert "default-src 'none'" in reply.headers["content-security-policy"]


def test_an_outline_reads_like_the_reply():
    shape = {"requests": [{"id": "string", "cost": "number?"}], "totals": "@Totals"}
    assert outline(shape) == "{\n  requests: [{\n    id: string\n    cost: number or null\n  }, …]\n  totals: Totals\n}"
