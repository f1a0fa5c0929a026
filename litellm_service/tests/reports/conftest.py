"""One filled database for all reports' tests, and the reading routes over it."""

import sqlite3
from contextlib import closing

import pytest
from reading_routes import SECRET, application
from seeded import Shape, fill

from gateway.store.sqlite.reading import Reader


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
