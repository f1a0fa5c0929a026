"""The description is the routes, and the routes are the description."""

from gateway.http.health import Health
from gateway.http.models import ModelList
from gateway.http.openapi import DOCS, openapi
from gateway.http.routes import CALLING, routes
from gateway.identity import Identity, KeyRing
from gateway.metering.models import ModelMap
from gateway.metering.prices import PriceBook


def test_every_route_is_described_and_every_description_is_a_route():
    models = ModelMap.load()
    listed = routes(Health(dict), ModelList({}, models, PriceBook(models), {}, {}), Identity(None, KeyRing(b"pepper")))
    served = {("GET", route.path.replace(":path", "")) for route in listed} | {("POST", path) for path in CALLING}
    assert {(doc.method, doc.path) for doc in DOCS} == served


def test_references_resolve():
    document = openapi()
    schemas = document["components"]["schemas"]
    body = document["paths"]["/api/chat"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["$ref"].rsplit("/", 1)[1] in schemas
    assert "Error" in schemas
