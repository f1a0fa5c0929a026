"""In which order deployments are tried, and that chance is fair."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.routing.affinity import prefer
from gateway.routing.strategies import STRATEGIES, Rated, cost, latency, least_busy, priority, weighted

rated = st.builds(
    Rated,
    key=st.text(min_size=1, max_size=20),
    weight=st.floats(0.01, 100),
    order=st.integers(0, 9),
    running=st.integers(0, 50),
    latency_s=st.none() | st.floats(0, 60),
    price=st.none() | st.integers(0, 10**12),
)
several = st.lists(rated, max_size=8, unique_by=lambda one: one.key)


def keys(order):
    return [one.key for one in order]


def firsts(strategy, candidates, times=4000, seed=11):
    chance = random.Random(seed).random
    counted = Counter(strategy(candidates, chance)[0].key for _ in range(times))
    return {one.key: counted[one.key] / times for one in candidates}


@pytest.mark.parametrize("name", STRATEGIES)
@settings(max_examples=60)
@given(candidates=several, seed=st.integers())
def test_every_strategy_gives_each_candidate_once(name, candidates, seed):
    order = STRATEGIES[name](candidates, random.Random(seed).random)
    assert sorted(keys(order)) == sorted(keys(candidates))


@pytest.mark.parametrize("name", STRATEGIES)
def test_chance_at_its_edges_breaks_nothing(name):
    candidates = [Rated(key="a", latency_s=0.0), Rated(key="b", latency_s=3.0), Rated(key="c", weight=1e-9)]
    for drawn in (0.0, 1 - 2**-53):
        assert len(STRATEGIES[name](candidates, lambda drawn=drawn: drawn)) == 3


@given(several)
def test_priority_keeps_to_the_list_and_needs_no_chance(candidates):
    order = priority(candidates, lambda: pytest.fail("nothing to draw"))
    assert [one.order for one in order] == sorted(one.order for one in candidates)


def test_weighted_sends_each_its_share():
    shares = firsts(weighted, [Rated(key="a", weight=1), Rated(key="b", weight=2), Rated(key="c", weight=7)])
    assert shares == pytest.approx({"a": 0.1, "b": 0.2, "c": 0.7}, abs=0.03)


def test_weighted_orders_the_rest_by_weight_too():
    candidates = [Rated(key="a", weight=1), Rated(key="b", weight=2), Rated(key="c", weight=7)]
    chance = random.Random(3).random
    after_c = Counter(
        order[1] for order in (keys(weighted(candidates, chance)) for _ in range(4000)) if order[0] == "c"
    )
    assert after_c["b"] / after_c.total() == pytest.approx(2 / 3, abs=0.04)


def test_the_least_busy_for_its_weight_is_first():
    candidates = [Rated(key="small", running=2), Rated(key="big", weight=4, running=6), Rated(key="full", running=9)]
    assert keys(least_busy(candidates, random.Random(1).random)) == ["big", "small", "full"]


def test_of_equally_busy_ones_any_is_first():
    assert firsts(least_busy, [Rated(key="a"), Rated(key="b")]) == pytest.approx({"a": 0.5, "b": 0.5}, abs=0.04)


def test_the_quickest_is_first_where_a_tenth_makes_no_difference():
    candidates = [Rated(key="a", latency_s=1.0), Rated(key="b", latency_s=1.09), Rated(key="slow", latency_s=2.0)]
    shares = firsts(latency, candidates)
    assert shares["a"] == pytest.approx(shares["b"], abs=0.05)


def test_a_slow_one_is_tried_now_and_then():
    shares = firsts(latency, [Rated(key="quick", latency_s=1.0), Rated(key="slow", latency_s=2.0)])
    assert shares["slow"] == pytest.approx(0.05, abs=0.015)


@given(several, st.integers())
def test_the_cheapest_is_first_and_those_without_a_price_are_last(candidates, seed):
    prices = [one.price for one in cost(candidates, random.Random(seed).random)]
    stated = [price for price in prices if price is not None]
    assert prices == sorted(stated) + [None] * (len(prices) - len(stated))


FOUR = [Rated(key=f"provider/model-{number}") for number in range(4)]
TALKS = [f"talk {number}".encode() for number in range(10_000)]


def test_a_talk_stays_where_it_is_however_the_candidates_are_listed():
    for talk in TALKS[:100]:
        assert keys(prefer(FOUR, talk)) == keys(prefer(FOUR[::-1], talk))


@pytest.mark.parametrize("gone", range(4))
def test_one_that_goes_moves_only_the_talks_that_it_had(gone):
    left = [one for number, one in enumerate(FOUR) if number != gone]
    for talk in TALKS[:500]:
        before = keys(prefer(FOUR, talk))
        assert keys(prefer(left, talk)) == [key for key in before if key != FOUR[gone].key]


def test_talks_are_spread_by_weight():
    candidates = [Rated(key="a", weight=1), Rated(key="b", weight=3)]
    counted = Counter(prefer(candidates, talk)[0].key for talk in TALKS)
    assert counted["b"] / len(TALKS) == pytest.approx(0.75, abs=0.02)


def test_more_weight_only_brings_talks():
    heavier = [Rated(key=one.key, weight=3 if one is FOUR[0] else 1) for one in FOUR]
    for talk in TALKS[:500]:
        if prefer(FOUR, talk)[0].key == FOUR[0].key:
            assert prefer(heavier, talk)[0].key == FOUR[0].key
