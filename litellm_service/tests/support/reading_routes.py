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


def application(reader, keys=None):
    """The reading routes as the service serves them; without a key one may do everything."""
    models = ModelMap.load()
    identity = Identity(None, keys or KeyRing(b"pepper"))
    found = routes(Health(dict), ModelList({}, models, PriceBook(models), {}, {}), identity)
    dispatcher = Dispatcher({}, found, SimpleNamespace(state=SimpleNamespace(reader=reader)))
    return Guard(dispatcher, allowed_hosts=["localhost"], cors_origins=[])
