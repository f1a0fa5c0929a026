"""What a router's plans add up to when deployments fail."""

from gateway.domain.errors import ProviderUnavailable
from gateway.providers.catalog import Provider
from gateway.providers.deployment import Endpoint
from gateway.routing.names import Names
from gateway.routing.plan import Rules, Way
from gateway.routing.retries import FLOOR
from gateway.routing.router import Route, Router

DOWN = ProviderUnavailable("connection refused")
PROVIDER = Provider(name="local", title="A server", source="a test")
NAMES = Names(
    {"local": Endpoint(PROVIDER, None, "", b"", (), via_litellm=False)},
    {},
    provider_of=lambda _name: None,
    nearest=lambda _name: [],
    missing={},
)


def router(*models, retries=0):
    ways = tuple(
        Way(key=model, deployment=NAMES.deployment(f"local/{model}"), order=order) for order, model in enumerate(models)
    )
    route = Route(ways=ways, rules=Rules(attempts=len(models) + retries))
    return Router(NAMES, {"best": route}, retries=retries, retry_share=0.1, price_of=lambda _deployment: None)


def calls_of_one_request(router, dead, now):
    plan = router.plan("best", None, bytes, now)
    called = []
    while True:
        way = plan.way
        called.append(way.key)
        router.begin(way, now)
        if way.key not in dead:
            router.answered(way, now, 0.1, 0.2)
            return called
        router.ended(way, now, DOWN)
        if plan.after(DOWN, now) is None:
            return called


def test_when_all_are_dead_they_hear_a_tenth_more_than_there_are_requests():
    routed = router("a", "b", "c", retries=2)
    requests = 3000
    calls = sum(len(calls_of_one_request(routed, {"a", "b", "c"}, at / 100)) for at in range(requests))
    until_they_are_out = 3 * 3
    assert calls <= 1.1 * requests + FLOOR + until_they_are_out


def test_when_one_is_dead_every_request_is_answered_by_another():
    routed = router("a", "b", "c")
    called = [calls_of_one_request(routed, {"a"}, at / 100) for at in range(1000)]
    assert {calls[-1] for calls in called} == {"b"}
    assert sum(len(calls) > 1 for calls in called) <= 10


def test_one_that_is_well_again_is_first_again_within_ten_seconds():
    routed = router("a", "b")
    for at in range(3000):
        calls_of_one_request(routed, {"a"}, at / 100)
    back = next(at for at in range(3000, 5000) if calls_of_one_request(routed, set(), at / 100) == ["a"])
    assert back / 100 - 30 <= 10


def test_of_two_that_are_due_each_gets_its_own_trial():
    routed = router("a", "b", "c")
    for at in range(400):
        calls_of_one_request(routed, {"a", "b"}, at / 100)
    tried = [calls_of_one_request(routed, {"a"}, 20 + at / 100) for at in range(3)]
    assert any("b" in calls for calls in tried)
    assert routed.health.is_open("b", 21)
