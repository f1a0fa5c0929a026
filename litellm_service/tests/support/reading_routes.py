"""The reading routes over a reader, without the rest of the service."""

from pathlib import Path
from types import SimpleNamespace

from gateway.administration.changes import InForce
from gateway.administration.office import Administration
from gateway.admission.budgets import BudgetBook
from gateway.admission.limits import RateLimits
from gateway.http.guard import Guard
from gateway.http.health import Health
from gateway.http.models import ModelList
from gateway.http.routes import Dispatcher, routes
from gateway.identity import Identity, KeyRing
from gateway.metering.models import ModelMap
from gateway.metering.prices import PriceBook
from gateway.store.sqlite.store import SqliteStore

SECRET = "What is a ledger, my canary?"


def application(reader, keys=None):
    """The reading routes as the service serves them; without a key one may do everything."""
    models = ModelMap.load()
    identity = Identity(None, keys or KeyRing(b"pepper"))
    found = routes(Health(dict), ModelList({}, models, PriceBook(models), {}, {}), identity)
    store = SqliteStore(Path("never-opened.db"), "test")
    in_force = InForce(
        store, KeyRing(b"pepper"), BudgetBook(), RateLimits(), prices=PriceBook(models), on_key_changed=lambda _: None
    )
    state = SimpleNamespace(reader=reader, administration=Administration(in_force))
    dispatcher = Dispatcher({}, found, SimpleNamespace(state=state))
    return Guard(dispatcher, allowed_hosts=["localhost"], cors_origins=[])
