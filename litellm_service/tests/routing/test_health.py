"""Who is left out after failures, for how long, and who tries again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.errors import ProviderLimited, ProviderRejected, ProviderTimeout, ProviderUnavailable
from gateway.routing.health import KNOWN, LONGEST_EJECTION_S, TRIAL_S, WINDOW_S, Health

DOWN = ProviderUnavailable("connection refused")


def failing(times, error=DOWN, now=0.0):
    health = Health()
    for _ in range(times):
        health.note_failure("a", now, error)
    return health


def succeed(health, now, took=0.1, key="a"):
    health.note_success(key, now, took, took)


def test_one_that_was_never_called_is_open_and_has_nothing_to_try():
    health = Health()
    assert health.is_open("a", 0.0)
    assert not health.try_half_open("a", 0.0)
    state = health.state("a", 0.0)
    assert (state.status, state.requests, state.latency_s, state.last_error) == ("healthy", 0, None, None)
    assert health.called() == []


@pytest.mark.parametrize(
    "error",
    [
        DOWN,
        ProviderTimeout("too slow"),
        ProviderLimited("slow down"),
        ProviderRejected("no such key", status=401),
        ProviderRejected("no such model", status=404),
    ],
    ids=lambda error: f"{error.code} {error.status}",
)
def test_three_faults_of_its_own_put_a_deployment_out(error):
    assert failing(2, error).is_open("a", 0.0)
    assert not failing(3, error).is_open("a", 0.0)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_what_is_wrong_with_the_request_says_nothing_of_the_deployment(status):
    health = failing(20, ProviderRejected("bad request", status=status))
    assert health.is_open("a", 0.0)
    assert health.state("a", 0.0).requests == 0


def test_a_success_between_failures_begins_the_count_anew():
    health = failing(2)
    succeed(health, 0.0)
    health.note_failure("a", 0.0, DOWN)
    health.note_failure("a", 0.0, DOWN)
    assert health.is_open("a", 0.0)
    assert health.state("a", 0.0).consecutive_failures == 2


@pytest.mark.parametrize(("calls", "is_open"), [(8, True), (10, False)])
def test_half_of_at_least_ten_calls_failing_is_too_often(calls, is_open):
    health = Health()
    for _ in range(calls // 2):
        succeed(health, 0.0)
        health.note_failure("a", 0.0, DOWN)
    assert health.is_open("a", 0.0) is is_open


def test_failures_older_than_half_a_minute_are_forgotten():
    health = Health()
    for _ in range(4):
        succeed(health, 0.0)
        health.note_failure("a", 0.0, DOWN)
    succeed(health, WINDOW_S)
    health.note_failure("a", WINDOW_S, DOWN)
    assert health.is_open("a", WINDOW_S)
    assert (health.state("a", WINDOW_S).requests, health.state("a", WINDOW_S).failures) == (2, 1)


def test_one_out_is_tried_after_one_second_then_two_then_at_most_eight():
    health = failing(3)
    now, waits = 0.0, []
    for _ in range(6):
        waits.append(health.opens_in_s("a", now))
        assert not health.try_half_open("a", now + waits[-1] - 0.001)
        now += waits[-1]
        assert health.try_half_open("a", now)
        health.note_failure("a", now, DOWN)
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_one_request_tries_and_the_others_wait():
    health = failing(3)
    assert [health.try_half_open("a", 1.0) for _ in range(5)] == [True, False, False, False, False]
    assert health.state("a", 1.0).status == "trying"
    assert not health.is_open("a", 1.0)


def test_a_trial_that_nobody_tells_of_lapses():
    health = failing(3)
    assert health.try_half_open("a", 1.0)
    assert not health.try_half_open("a", 1.0 + TRIAL_S - 0.001)
    assert health.try_half_open("a", 1.0 + TRIAL_S)


def test_a_trial_that_goes_well_brings_it_back_and_forgives():
    health = failing(3)
    assert health.try_half_open("a", 1.0)
    succeed(health, 1.2)
    assert health.is_open("a", 1.2)
    state = health.state("a", 1.2)
    assert (state.status, state.consecutive_failures, state.last_error) == ("healthy", 0, None)


@pytest.mark.parametrize(("asked_s", "out_s"), [(5, 5.0), (60, 60.0), (3600, 60.0)])
def test_who_asks_to_be_left_alone_is_for_so_long_but_a_minute_at_most(asked_s, out_s):
    health = failing(1, ProviderLimited("slow down", retry_after_s=asked_s))
    assert not health.is_open("a", 0.0)
    assert health.opens_in_s("a", 0.0) == out_s
    assert not health.try_half_open("a", out_s - 0.001)
    assert health.try_half_open("a", out_s)


def test_calls_that_fail_together_put_it_out_no_longer_than_one():
    health = failing(20)
    assert health.opens_in_s("a", 0.0) == 1.0
    health.note_failure("a", 0.9, DOWN)
    assert health.try_half_open("a", 1.0)


def test_a_failure_does_not_shorten_what_it_asked_for():
    health = failing(2)
    health.note_failure("a", 0.0, ProviderLimited("slow down", retry_after_s=60))
    health.note_failure("a", 0.1, DOWN)
    assert health.opens_in_s("a", 0.1) == pytest.approx(59.9)


def test_a_trial_that_is_refused_for_its_own_fault_shows_that_it_answers():
    health = failing(3)
    health.note_failure("a", 1.0, ProviderRejected("bad request", status=400))
    assert not health.is_open("a", 1.0)
    assert health.try_half_open("a", 1.0)
    health.note_failure("a", 1.1, ProviderRejected("bad request", status=400))
    assert health.is_open("a", 1.1)
    assert health.state("a", 1.1).requests == 3


def test_one_that_is_down_for_hours_is_out_for_eight_seconds_each_time():
    health = Health()
    for second in range(5000):
        health.note_failure("a", 10.0 * second, DOWN)
    assert health.opens_in_s("a", 49990.0) == LONGEST_EJECTION_S


def test_running_calls_are_counted_by_deployment_and_never_below_none():
    health = Health()
    for key in ("a", "a", "b"):
        health.begin(key, 0.0)
    health.done("a", 0.0)
    for _ in range(3):
        health.done("b", 0.0)
    assert (health.running("a"), health.running("b"), health.running("c")) == (1, 0, 0)


def test_latency_is_to_the_first_token_and_follows_slowly():
    health = Health()
    health.note_success("a", 0.0, 1.0, 9.0)
    assert health.latency_s("a") == 1.0
    health.note_success("a", 0.0, 2.0, 9.0)
    assert 1.0 < health.latency_s("a") < 1.5
    health.note_success("b", 0.0, None, 9.0)
    assert health.latency_s("b") == 9.0


def test_names_that_clients_make_up_do_not_fill_the_memory():
    health = failing(3)
    for number in range(2 * KNOWN):
        succeed(health, 0.0, key=f"made-up-{number}")
    assert len(health.called()) <= KNOWN
    assert not health.is_open("a", 0.0)


steps = st.lists(
    st.tuples(
        st.sampled_from(["ok", "down", "limited", "refused", "try"]),
        st.floats(0, 5, allow_nan=False),
        st.integers(0, 90),
    ),
    max_size=60,
)


@settings(max_examples=100)
@given(steps)
def test_whatever_happens_one_out_is_never_open_and_waits_a_minute_at_most(story):
    health, now = Health(), 0.0
    for what, pause, retry_after_s in story:
        now += pause
        if what == "ok":
            succeed(health, now)
        elif what == "try":
            if health.try_half_open("a", now):
                assert not health.try_half_open("a", now)
        else:
            errors = {
                "down": DOWN,
                "limited": ProviderLimited("slow down", retry_after_s=retry_after_s),
                "refused": ProviderRejected("bad request", status=400),
            }
            health.note_failure("a", now, errors[what])
        state = health.state("a", now)
        assert (state.status == "healthy") is health.is_open("a", now)
        assert 0 <= state.until_s <= 60.001
        assert 0 <= state.failures <= state.requests
        if state.consecutive_failures >= 3:
            assert not health.is_open("a", now)


@settings(max_examples=50)
@given(st.floats(0, 300), st.integers(1, 40))
def test_a_recovery_is_noticed_within_ten_seconds(down_s, per_second):
    health, now = Health(), 0.0
    while now < down_s + 10 and (now < down_s or not health.is_open("a", now)):
        if health.is_open("a", now) or health.try_half_open("a", now):
            if now < down_s:
                health.note_failure("a", now, DOWN)
            else:
                succeed(health, now)
        now += 1 / per_second
    assert health.is_open("a", now)
    assert now <= down_s + LONGEST_EJECTION_S + 2
