"""How often requests are sent again, and after which pause."""

import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.routing.retries import FLOOR, LONGEST_PAUSE_S, WINDOW_S, RetryBudget, backoff_s


def test_a_quiet_gateway_may_retry_a_few_times():
    budget = RetryBudget()
    budget.note_request(0.0)
    assert [budget.may_retry(0.0) for _ in range(FLOOR + 2)] == [True] * FLOOR + [False] * 2


def test_a_busy_one_may_retry_a_tenth():
    budget = RetryBudget()
    for _ in range(1000):
        budget.note_request(0.0)
    assert sum(budget.may_retry(0.0) for _ in range(1000)) == 100


def test_nothing_is_sent_again_where_that_is_switched_off():
    budget = RetryBudget(share=0.0)
    budget.note_request(0.0)
    assert not budget.may_retry(0.0)


def test_what_was_taken_comes_back_after_ten_seconds():
    budget = RetryBudget()
    for _ in range(FLOOR):
        assert budget.may_retry(0.0)
    assert not budget.may_retry(WINDOW_S - 0.001)
    assert budget.may_retry(WINDOW_S)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 30), st.integers(0, 30)), max_size=40), st.floats(0, 1))
def test_in_any_ten_seconds_retries_stay_below_their_share_of_twenty_and_the_floor(story, share):
    budget, now = RetryBudget(share=share), 0.0
    requests, retries = deque(), deque()
    for pause, come, fail in story:
        now += pause
        for _ in range(come):
            budget.note_request(now)
            requests.append(now)
        retries.extend(now for _ in range(fail) if budget.may_retry(now))
        lately = sum(at > now - WINDOW_S for at in retries)
        before = sum(at > now - 2 * WINDOW_S for at in requests)
        assert lately <= max(FLOOR, share * before) + 1


@settings(max_examples=15)
@given(st.integers(1, 400))
def test_at_a_steady_pace_a_dead_provider_hears_a_tenth_more(per_second):
    budget = RetryBudget()
    calls = 0
    for number in range(per_second * 20):
        now = number / per_second
        budget.note_request(now)
        calls += 1 + sum(budget.may_retry(now) for _ in range(3))
    assert calls <= 1.1 * per_second * 20 + 2 * FLOOR + 1


@given(st.integers(0, 40), st.floats(0, 1, exclude_max=True))
def test_the_pause_is_a_part_of_a_time_that_doubles_up_to_two_seconds(attempt, drawn):
    pause = backoff_s(attempt, lambda: drawn)
    assert pause == pytest.approx(drawn * min(LONGEST_PAUSE_S, 0.1 * 2**attempt))


def test_pauses_are_spread():
    chance = random.Random(7).random
    pauses = [backoff_s(3, chance) for _ in range(2000)]
    assert sum(pauses) / 2000 == pytest.approx(0.4, rel=0.05)
    assert min(pauses) < 0.05
    assert max(pauses) > 0.75


@pytest.mark.parametrize(("asked_s", "pause"), [(1, 1.0), (10, 10.0), (11, None), (3600, None)])
def test_a_provider_is_asked_again_when_it_wants_or_not_at_all(asked_s, pause):
    assert backoff_s(0, lambda: 0.5, asked_s) == pause


@pytest.mark.parametrize("asked_s", [None, 0, -1])
def test_who_asks_for_no_pause_is_not_called_at_once_by_all(asked_s):
    assert backoff_s(0, lambda: 0.5, asked_s) == 0.05
