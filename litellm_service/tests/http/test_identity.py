"""Who gets in: every carrier alike, and one same answer to everybody else."""

import pytest

from gateway.domain.errors import Unauthenticated
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
