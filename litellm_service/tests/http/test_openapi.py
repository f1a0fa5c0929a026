"""The description is the routes, and the routes are the description."""

import json
import re

from gateway.http.health import Health
from gateway.http.models import ModelList
from gateway.http.openapi import DOCS, openapi
from gateway.http.routes import CALLING, routes
from gateway.identity import Identity, KeyRing
from gateway.metering.models import ModelMap
from gateway.metering.prices import PriceBook


def test_every_route_is_described_and_every_description_is_a_route():
    models = ModelMap.load()
    listed = routes(
        Health(dict),
        ModelList({}, models, PriceBook(models), {}, {}),
        Identity(None, KeyRing(b"pepper")),
    )
    served = {(method, route.path.replace(":path", "")) for route in listed for method in route.methods - {"HEAD"}}
    assert sorted((doc.method, doc.path) for doc in DOCS) == sorted(served | {("POST", path) for path in CALLING})


def test_references_resolve():
    document = openapi()
    schemas = document["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert {"ChatBody", "Error", "NewKey", "Budget"} <= named <= set(schemas)


def test_fields_that_are_unknown_are_refused_in_the_description_too():
    schemas = openapi()["components"]["schemas"]
    for name in ("NewKey", "KeyFields", "NewBudget", "BudgetFields", "NewLimit", "LimitFields", "Rotation"):
        assert schemas[name]["additionalProperties"] is False
    assert schemas["NewBudget"]["properties"]["amount_usd"] == {"type": ["number", "string"]}
    assert schemas["BudgetFields"]["properties"]["raised_to_usd"] == {"type": ["number", "string", "null"]}
