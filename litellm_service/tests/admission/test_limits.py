"""Rate limits against a list of what happened."""

import copy

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


@given(st.lists(st.floats(0, 30), max_size=80), st.integers(1, 6))
def test_no_sixty_seconds_hold_more_than_the_limit(pauses, most):
    of, now, passed = limits(limit(requests_per_minute=most)), 5_000.0, []
    for pause in pauses:
        now += pause
        if admitted(of, now) is not None:
            passed.append(now)
    for start in passed:
        assert sum(start <= at < start + 60 for at in passed) <= most


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


def test_what_a_long_answer_used_beyond_its_estimate_counts_when_it_is_known():
    of = limits(limit(tokens_per_minute=100))
    of.take(ALICE, 10, 100.0).correct(90, 400.0)
    assert admitted(of, 401.0, 30) is None
    assert admitted(of, 401.0, 20) is not None
    of.take(ALICE, 80, 600.0).correct(0, 700.0)
    assert admitted(of, 701.0, 100) is not None


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


def test_where_several_refuse_the_time_to_wait_is_enough_for_all():
    of = limits(limit("requests", requests_per_minute=2), limit("tokens", Scope("everything"), tokens_per_minute=100))
    of.take(ALICE, 1, 100.0)
    of.take(ALICE, 99, 150.0)
    with pytest.raises(RateLimited, match="tokens a minute on everything") as refused:
        of.take(ALICE, 50, 151.0)
    wait = refused.value.retry_after_s
    assert admitted(of, 151.0 + wait - 1, 50) is None
    assert admitted(of, 151.0 + wait, 50) is not None


def test_what_can_never_pass_is_told_so_even_while_another_limit_would_say_wait():
    of = limits(limit(requests_per_minute=1, tokens_per_minute=100))
    of.take(ALICE, 70, 1.0)
    with pytest.raises(RateLimited, match="cannot pass") as refused:
        of.take(ALICE, 101, 1.0)
    assert refused.value.retry_after_s is None
    assert refused.value.details["limit"]["remaining"] == 30


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
    headers = dict(of.take(ALICE, 30, 100.5).headers(100.5))
    assert headers == {
        b"x-ratelimit-limit-requests": b"5", b"x-ratelimit-remaining-requests": b"4", b"x-ratelimit-reset-requests": b"61s",
        b"x-ratelimit-limit-tokens": b"90", b"x-ratelimit-remaining-tokens": b"60", b"x-ratelimit-reset-tokens": b"61s",
    }  # fmt: skip


def test_headers_say_how_things_stand_when_they_are_made():
    of = limits(limit(requests_per_minute=2, tokens_per_minute=100))
    taken = of.take(ALICE, 30, 100.5)
    taken.correct(10, 140.0)
    assert dict(taken.headers(140.0))[b"x-ratelimit-reset-requests"] == b"21s"
    assert dict(taken.headers(140.0))[b"x-ratelimit-remaining-tokens"] == b"90"
    later = dict(taken.headers(161.0))
    assert later[b"x-ratelimit-remaining-requests"] == b"2"
    assert later[b"x-ratelimit-reset-requests"] == b"0s"


class Naive:
    """One limit as lists of (second, amount), without any thought of speed."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit, self.running = limit, 0
        self.requests, self.tokens = [], []

    def refuses(self, tokens: int, second: int) -> bool:
        used = [sum(n for at, n in log if at > second - 61) for log in (self.requests, self.tokens)]
        return any(
            most is not None and amount > most
            for amount, most in (
                (self.running + 1, self.limit.concurrency),
                (used[0] + 1, self.limit.requests_per_minute),
                (used[1] + tokens, self.limit.tokens_per_minute),
            )
        )


class Both:
    """The limits and the naive ones side by side; whatever is done is done to both, and must come out the same."""

    def __init__(self, *given: RateLimit) -> None:
        self.of, self.naive, self.now = RateLimits(), {}, 7_000.0
        self.running = []
        self.replace(given)

    def replace(self, given) -> None:
        self.of.replace(given)
        before, self.naive = self.naive, {}
        for limit in given:
            self.naive[limit.id] = before.get(limit.id) or Naive(limit)
            self.naive[limit.id].limit = limit

    def take(self, subject: Subject, tokens: int) -> None:
        second = int(self.now)
        concerned = [one for one in self.naive.values() if one.limit.scope.covers(subject)]
        refused = any(one.refuses(tokens, second) for one in concerned)
        try:
            taken = self.of.take(subject, tokens, self.now)
        except RateLimited as error:
            assert refused
            self.try_when_told(subject, tokens, error)
            return
        assert not refused
        assert (taken is None) == (not concerned)
        if taken is not None:
            for one in concerned:
                one.running += 1
                one.requests.append((second, 1))
                one.tokens.append((second, tokens))
            self.running.append((taken, concerned, second, tokens))

    def try_when_told(self, subject: Subject, tokens: int, error: RateLimited) -> None:
        if error.details["limit"]["kind"] == "concurrency":
            return
        wait = error.retry_after_s
        if wait is None:
            assert tokens > error.details["limit"]["limit"]
            return
        later = copy.deepcopy(self.of)
        for counter in later._counters.values():
            counter.running = 0
        assert admitted(copy.deepcopy(later), self.now + wait - 1.001, tokens, subject) is None
        later.take(subject, tokens, self.now + wait)

    def end(self, which: int, truth: int, *, back: bool) -> None:
        if not self.running:
            return
        taken, concerned, second, tokens = self.running.pop(which % len(self.running))
        now = int(self.now)
        for one in concerned:
            one.running -= 1
        if back:
            taken.give_back()
            for one in concerned:
                one.requests.append((second, -1))
                one.tokens.append((second, -tokens))
        else:
            taken.correct(truth, self.now)
            taken.release()
            is_late = second <= now - 61
            for one in concerned:
                one.tokens.append((now if is_late else second, max(0, truth - tokens) if is_late else truth - tokens))
        taken.correct(truth if not back else tokens, self.now)
        taken.release()
        taken.give_back()


AMOUNTS = st.tuples(*[st.none() | st.integers(1, most) for most in (4, 60, 3)])
STEPS = st.one_of(
    st.tuples(st.just("take"), st.sampled_from([ALICE, BOB]), st.integers(0, 70)),
    st.tuples(st.just("end"), st.integers(0, 9), st.integers(0, 90), st.booleans()),
    st.tuples(st.just("pause"), st.floats(0, 45)),
    st.tuples(st.just("change"), AMOUNTS),
)


def three(amounts) -> list[RateLimit]:
    scopes = Scope("user", "alice"), Scope("everything"), Scope("model", "openai/*")
    return [
        RateLimit(
            id=scope.kind, scope=scope, requests_per_minute=requests, tokens_per_minute=tokens, concurrency=running
        )
        for scope, (requests, tokens, running) in zip(scopes, amounts, strict=True)
    ]


@settings(max_examples=300)
@given(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), st.lists(STEPS, max_size=60))
def test_whatever_happens_they_decide_as_a_list_of_everything_would(amounts, steps):
    both = Both(*three(amounts))
    for kind, *what in steps:
        if kind == "take":
            both.take(*what)
        elif kind == "end":
            both.end(what[0], what[1], back=what[2])
        elif kind == "pause":
            both.now += what[0]
        else:
            both.replace(three((what[0], *amounts[1:])))


def test_what_it_remembers_is_bounded():
    of = limits(*[limit(f"l{n}", Scope("key", f"k{n}"), requests_per_minute=5) for n in range(50)])
    for n in range(10_500):
        of.take(Subject("app", f"user-{n}", f"other-{n}", "m/x"), 1, 1.0)
    assert len(of._known) <= 10_000
    of.replace([])
    assert not of._counters
    assert not of._known
