"""The work of a report grows with the hours that it spans, not with the requests stored."""

import sqlite3
from contextlib import closing

import pytest
from seeded import DAY_MS, Shape, fill

from gateway.store.questions import Filters, Part, RequestQuery, UsageQuestion
from gateway.store.sqlite.request_reading import list_requests
from gateway.store.sqlite.usage_reading import answer

FEW, MANY = 15_000, 60_000
DAYS = 1
QUARTER_MS = 900_000


@pytest.fixture(scope="module")
def databases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scale")
    for number in (FEW, MANY):
        fill(folder / f"{number}.db", Shape(requests=number, days=DAYS, applications=2, users=30, keys=4))
    return folder


def steps(path, ask):
    """Instructions that SQLite executes to answer, in hundreds: the same on every machine."""
    counted = []
    with closing(sqlite3.connect(path)) as connection:
        connection.set_progress_handler(lambda: counted.append(1), 100)
        ask(connection)
    return max(1, len(counted))


def growth(databases, ask):
    return steps(databases / f"{MANY}.db", ask) / steps(databases / f"{FEW}.db", ask)


@pytest.mark.parametrize("group_by", [(), ("model",), ("application_id",), ("status",), ("user_id",), ("key_id",)])
def test_reports_cost_the_same_with_four_times_the_requests(databases, group_by):
    end = Shape().to_ms // QUARTER_MS
    part = Part(end - DAYS * DAY_MS // QUARTER_MS, end, 0, 86_400)
    question = UsageQuestion(parts=(part,), group_by=group_by, limit=50)
    assert growth(databases, lambda connection: answer(connection, question)) < 1.5


@pytest.mark.parametrize(
    "filters",
    [Filters(), Filters(user_id=("user-3", "user-1")), Filters(status=("error",)), Filters(model=("openai/o3",))],
)
def test_a_page_of_requests_costs_the_same_with_four_times_the_requests(databases, filters):
    assert growth(databases, lambda connection: list_requests(connection, RequestQuery(filters=filters))) < 1.5
