"""Rate limits against a list of what happened."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.admission.limits import RateLimits
from gateway.domain.errors import RateLimited
from gateway.domain.limit import RateLimit
from gateway.domain.scope import Scope, Subject

ALICE = Subject("app", "alice", "k", "openai/gpt-4o")
BOB = Subject("app", "bob", "k", "openai/gpt-4o")


def limits(*given: RateLimit) -> RateLimits:
    found = RateLimits()
    found.replace(given)
    return found


def limit(id_: str = "l", scope: Scope | None = None, **amounts: int) -> RateLimit:
    return RateLimit(id=id_, scope=scope or Scope("user", "alice"), **amounts)


def admitted(of: RateLimits, now: float, tokens: int = 0, subject: Subject = ALICE):
    try:
        return of.take(subject, tokens, now)
    except RateLimited:
        return None


def test_exactly_so_many_requests_pass_within_a_minute():
    of = limits(limit(requests_per_minute=7))
    assert sum(admitted(of, 1000 + n / 10) is not None for n in range(500)) == 7


@settings(deadline=None)
@given(st.lists(st.floats(0, 30), max_size=80), st.integers(1, 6))
def test_no_sixty_seconds_hold_more_than_the_limit(pauses, most):
    of, now, passed = limits(limit(requests_per_minute=most)), 5_000.0, []
    for pause in pauses:
        now += pause
        if admitted(of, now) is not None:
            passed.append(now)
    for start in passed:
        assert sum(start <= at < start + 60 for at in passed) <= most


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 120), st.integers(0, 200)), max_size=60))
def test_tokens_count_by_estimate_first_and_by_truth_afterwards(calls):
    of, now, used = limits(limit(tokens_per_minute=100)), 9_000.0, []
    for pause, estimate, truth in calls:
        now += pause
        recent = sum(tokens for at, tokens in used if at >= int(now) - 60)
        taken = admitted(of, now, estimate)
        assert (taken is not None) == (estimate <= 100 and recent + estimate <= 100)
        if taken is not None:
            taken.correct(truth, now)
            taken.correct(truth, now)
            used.append((int(now), truth))


def test_what_it_says_about_waiting_is_true():
    of = limits(limit(requests_per_minute=2))
    of.take(ALICE, 0, 100.2)
    of.take(ALICE, 0, 130.7)
    with pytest.raises(RateLimited) as refused:
        of.take(ALICE, 0, 131.0)
    wait = refused.value.retry_after_s
    assert admitted(of, 131.0 + wait - 1.1) is None
    assert admitted(of, 131.0 + wait) is not None
    assert refused.value.details["limit"] == {
        "id": "l", "scope": "user alice", "kind": "requests_per_minute", "limit": 2, "remaining": 0, "retry_after_s": wait,
    }  # fmt: skip


def test_what_cannot_ever_pass_is_told_so_without_a_time_to_wait():
    with pytest.raises(RateLimited, match="cannot pass") as refused:
        limits(limit(tokens_per_minute=100)).take(ALICE, 101, 1.0)
    assert refused.value.retry_after_s is None


def test_concurrency_is_given_back_once():
    of = limits(limit(concurrency=2))
    one, two = of.take(ALICE, 0, 1.0), of.take(ALICE, 0, 1.0)
    assert admitted(of, 1.0) is None
    one.release()
    one.release()
    assert admitted(of, 1.0) is not None
    assert admitted(of, 1.0) is None
    two.give_back()
    assert admitted(of, 1.0) is not None


def test_a_request_that_was_not_admitted_counts_nowhere():
    of = limits(limit(requests_per_minute=1, tokens_per_minute=50, concurrency=1))
    of.take(ALICE, 50, 1.0).give_back()
    assert admitted(of, 1.5, 50) is not None


def test_all_limits_in_scope_apply_and_a_refusal_takes_from_none():
    of = limits(limit("wide", Scope("everything"), requests_per_minute=3), limit("narrow", requests_per_minute=1))
    assert admitted(of, 1.0) is not None
    assert admitted(of, 1.0) is None
    assert [admitted(of, 1.0, subject=BOB) is not None for _ in range(3)] == [True, True, False]


def test_a_changed_limit_remembers_and_a_new_one_begins_anew():
    of = limits(limit(requests_per_minute=1))
    of.take(ALICE, 0, 1.0)
    of.replace([limit(requests_per_minute=2)])
    assert [admitted(of, 2.0) is not None for _ in range(2)] == [True, False]
    of.replace([])
    assert of.take(ALICE, 0, 2.0) is None
    of.replace([limit(requests_per_minute=1)])
    assert admitted(of, 2.0) is not None


def test_the_headers_are_those_of_the_tightest_limit():
    of = limits(
        limit("a", requests_per_minute=10), limit("b", Scope("everything"), requests_per_minute=5, tokens_per_minute=90)
    )
    headers = dict(of.take(ALICE, 30, 100.5).headers())
    assert headers == {
        b"x-ratelimit-limit-requests": b"5", b"x-ratelimit-remaining-requests": b"4", b"x-ratelimit-reset-requests": b"61s",
        b"x-ratelimit-limit-tokens": b"90", b"x-ratelimit-remaining-tokens": b"60", b"x-ratelimit-reset-tokens": b"61s",
    }  # fmt: skip
