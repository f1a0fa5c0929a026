"""A change that the database confirms late, or never."""

import asyncio

import pytest

from gateway.administration.changes import InForce
from gateway.administration.input import KeyFields, NewKey
from gateway.administration.office import Administration
from gateway.admission.budgets import BudgetBook
from gateway.admission.limits import RateLimits
from gateway.domain.errors import StoreUnavailable
from gateway.identity import KeyRing
from gateway.metering.models import ModelMap
from gateway.metering.prices import PriceBook

pytestmark = pytest.mark.anyio


class SlowDisk:
    """A store that gives up waiting at once, and is told by the test how each change ended."""

    def __init__(self):
        self.outcomes = []

    def change(self, change, then):
        self.outcomes.append(then)
        future = asyncio.get_running_loop().create_future()
        future.set_exception(StoreUnavailable("not confirmed in time"))
        return future

    def objects(self, kind, type_):
        return []

    def accounts(self):
        return []


@pytest.fixture
def disk():
    return SlowDisk()


@pytest.fixture
def told():
    return []


@pytest.fixture
def office(disk, told):
    return Administration(
        InForce(
            disk,
            KeyRing(b"pepper"),
            BudgetBook(),
            RateLimits(),
            prices=PriceBook(ModelMap.load()),
            on_key_changed=told.append,
        )
    )


async def test_it_comes_into_force_when_it_is_confirmed_however_late(office, disk, told):
    with pytest.raises(StoreUnavailable, match="not confirmed in time"):
        await office.create_key("admin", NewKey(name="n"))
    assert (office.keys(), told) == ([], [])
    disk.outcomes[0](None)
    (key,) = office.keys()
    assert (key.name, told) == ("n", [key.id])


async def test_it_never_does_if_it_failed_in_the_end(office, disk, told):
    with pytest.raises(StoreUnavailable):
        await office.create_key("admin", NewKey(name="n"))
    disk.outcomes[0](StoreUnavailable("the disk is full"))
    assert (office.keys(), told) == ([], [])


async def test_nothing_else_is_changed_until_its_outcome_is_known(office, disk):
    with pytest.raises(StoreUnavailable):
        await office.create_key("admin", NewKey(name="n"))
    disk.outcomes[0](None)
    (key,) = office.keys()
    with pytest.raises(StoreUnavailable):
        await office.change_key("admin", key.id, KeyFields(user_id="u"))
    with pytest.raises(StoreUnavailable, match="earlier change"):
        await office.change_key("admin", key.id, KeyFields(application_id="a"))
    assert len(disk.outcomes) == 2
    disk.outcomes[1](None)
    assert (office.key(key.id).user_id, office.key(key.id).application_id) == ("u", None)
