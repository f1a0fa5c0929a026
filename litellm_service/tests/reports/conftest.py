"""One filled database for all reports' tests, and the reading routes over it."""

import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest
from seeded import Shape, fill

from gateway.http.guard import Guard
from gateway.http.health import Health
from gateway.http.models import ModelList
from gateway.http.routes import Dispatcher, routes
from gateway.identity import Identity
from gateway.metering.models import ModelMap
from gateway.metering.prices import PriceBook
from gateway.store.sqlite.reading import Reader

SECRET = "What is a ledger, my canary?"


class Rows(list):
    def __repr__(self):
        return f"{len(self)} rows"


@pytest.fixture(scope="session")
def shape():
    return Shape(content=SECRET)


@pytest.fixture(scope="session")
def filled(tmp_path_factory, shape):
    path = tmp_path_factory.mktemp("filled") / "usage.db"
    fill(path, shape)
    return path


@pytest.fixture(scope="session")
def rows(filled):
    """The ledger by column, names instead of ids."""
    with closing(sqlite3.connect(filled)) as connection:
        names = dict(connection.execute("SELECT id, name FROM dimensions"))
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute("SELECT * FROM ledger ORDER BY id")]
    for row in found:
        for name in ("application", "user", "key", "model", "provider"):
            row[name] = names[row[f"{name}_ref"]]
        row["counts"] = bool(row["final"] and row["kind"] != 3)
    return Rows(found)


@pytest.fixture
def filled_reader(filled):
    reader = Reader(filled)
    yield reader
    reader.close()


@pytest.fixture
def app(filled_reader):
    return application(filled_reader)


def application(reader):
    """The reading routes as the service serves them, without a key."""
    models = ModelMap.load()
    found = routes(Health(dict), ModelList({}, models, PriceBook(models), {}, {}), Identity(None))
    dispatcher = Dispatcher({}, found, SimpleNamespace(state=SimpleNamespace(reader=reader)))
    return Guard(dispatcher, allowed_hosts=["localhost"], cors_origins=[])
