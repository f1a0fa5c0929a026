"""Who gets in: every carrier alike, and one same answer to everybody else."""

import pytest

from gateway.domain.errors import Unauthenticated
from gateway.domain.key import Key
from gateway.identity import Identity, KeyRing

KEY = "sk-the-real-key-000000"


@pytest.mark.parametrize(
    "headers",
    [{b"authorization": b"Bearer " + KEY.encode()}, {b"authorization": b"bearer " + KEY.encode()},
     {b"x-api-key": KEY.encode()}, {b"x-goog-api-key": KEY.encode()}],
)  # fmt: skip
def test_the_three_carriers_have_the_same_rights(headers):
    assert Identity(KEY, KeyRing(b"pepper")).caller(headers).key_id == "admin"


@pytest.mark.parametrize(
    "headers",
    [{}, {b"authorization": b"Bearer wrong"}, {b"authorization": KEY.encode()}, {b"x-api-key": b"\xff\xfe"},
     {b"authorization": b"Basic " + KEY.encode()}, {b"x-api-key": b""}],
)  # fmt: skip
def test_everybody_else_gets_one_same_answer(headers):
    with pytest.raises(Unauthenticated) as refused:
        Identity(KEY, KeyRing(b"pepper")).caller(headers)
    with pytest.raises(Unauthenticated) as other:
        Identity(KEY, KeyRing(b"pepper")).caller({})
    assert refused.value.message == other.value.message


def test_without_a_key_everybody_is_let_in():
    assert Identity(None, KeyRing(b"pepper")).caller({}).key_id == ""


def ring_with(**changes: object) -> tuple[KeyRing, str]:
    ring = KeyRing(b"pepper")
    issued = ring.issue()
    ring.put(Key(**{"id": issued.id, "name": "n", "digests": ((issued.digest, None),), **changes}))
    return ring, issued.secret


def bearer(secret: str) -> dict[bytes, bytes]:
    return {b"authorization": b"Bearer " + secret.encode()}


def test_a_virtual_key_is_its_caller_by_every_carrier():
    ring, secret = ring_with(role="viewer")
    for headers in (bearer(secret), {b"x-api-key": secret.encode()}, {b"x-goog-api-key": secret.encode()}):
        caller = Identity(KEY, ring).caller(headers)
        assert (caller.role, caller.key_id) == ("viewer", ring.all()[0].id)


def test_only_its_digest_is_kept_and_that_depends_on_the_pepper():
    ring, secret = ring_with()
    (key,) = ring.all()
    assert secret not in repr(key)
    assert KeyRing(b"another", [key]).caller(secret.encode(), 0) is None


@pytest.mark.parametrize("changes", [{"blocked": True}, {"expires_at_ms": 1}, {"digests": ()}])
def test_a_closed_key_gets_the_answer_of_an_unknown_one(changes):
    ring, secret = ring_with(**changes)
    answers = set()
    for headers in (bearer(secret), bearer("sk-gw-0000"), bearer(KeyRing(b"x").issue().secret), {}):
        with pytest.raises(Unauthenticated) as refused:
            Identity(KEY, ring).caller(headers)
        answers.add(refused.value.message)
    assert len(answers) == 1


def test_a_key_that_looks_like_ours_counts_even_where_none_is_needed():
    ring, secret = ring_with()
    assert Identity(None, ring).caller(bearer(secret)).role == "member"
    assert Identity(None, ring).caller(bearer("sk-anything-an-sdk-sends")).role == "admin"
    with pytest.raises(Unauthenticated):
        Identity(None, ring).caller(bearer(secret[:-1] + ("A" if secret[-1] != "A" else "B")))


def test_a_replaced_secret_opens_until_its_time_is_over():
    ring = KeyRing(b"pepper")
    old = ring.issue()
    new = ring.issue(old.id)
    ring.put(Key(id=old.id, name="n", digests=((new.digest, None), (old.digest, 1_000))))
    assert ring.caller(old.secret.encode(), 999) is not None
    assert ring.caller(old.secret.encode(), 1_000) is None
    assert ring.caller(new.secret.encode(), 2_000) is not None
    ring.drop(old.id)
    assert ring.caller(new.secret.encode(), 0) is None
