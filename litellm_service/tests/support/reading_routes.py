"""The reading routes over a reader, without the rest of the service."""

from types import SimpleNamespace

from gateway.http.guard import Guard
from gateway.http.health import Health
from gateway.http.models import ModelList
from gateway.http.routes import Dispatcher, routes
from gateway.identity import Identity, KeyRing
from gateway.metering.models import ModelMap
from gateway.metering.prices import PriceBook

SECRET = "What is a ledger, my canary?"


def application(reader):
    """The reading routes as the service serves them, without a key."""
    models = ModelMap.load()
    found = routes(Health(dict), ModelList({}, models, PriceBook(models), {}, {}), Identity(None, KeyRing(b"pepper")))
    dispatcher = Dispatcher({}, found, SimpleNamespace(state=SimpleNamespace(reader=reader)))
    return Guard(dispatcher, allowed_hosts=["localhost"], cors_origins=[])
