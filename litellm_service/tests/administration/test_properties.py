"""What holds for whatever anybody sends."""

import string
from decimal import Decimal

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from office import office

from gateway.administration import checks
from gateway.administration.input import BudgetFields, KeyFields, LimitFields
from gateway.administration.objects import KEY_FIELDS, changed_key
from gateway.domain.errors import InvalidRequest
from gateway.domain.key import Key
from gateway.domain.money import MAX_NANO_USD

FORBIDDEN = (
    "id",
    "digests",
    "blocked",
    "created_at_ms",
    "updated_at_ms",
    "created_at",
    "key",
    "state",
    "spent_usd",
    "actor",
)
NOW = 1_790_000_000_000
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from([*FORBIDDEN, *KEY_FIELDS]) | st.text(string.ascii_lowercase + "_", max_size=12)


patient = settings(suppress_health_check=[HealthCheck.too_slow])


@patient
@given(st.integers(1, MAX_NANO_USD - 1))
@example(100_000_000)
@example(1)
@example(MAX_NANO_USD - 1)
def test_every_amount_of_nano_usd_goes_through_json_exactly(nano):
    text = f"{nano // 10**9}.{nano % 10**9:09d}"
    for body in (f'{{"amount_usd": {text}}}', f'{{"amount_usd": "{text}"}}'):
        given_amount = msgspec.json.decode(body, type=BudgetFields).amount_usd
        assert checks.nano_usd("amount_usd", given_amount) == nano


@patient
@given(st.decimals(allow_nan=True, allow_infinity=True) | st.text("0123456789.eE+-", max_size=12))
def test_any_other_amount_is_refused_and_never_rounded(amount):
    try:
        amount = Decimal(amount)
        nano = checks.nano_usd("amount_usd", amount)
    except (InvalidRequest, ArithmeticError):
        return
    assert 0 < nano < MAX_NANO_USD
    assert Decimal(nano) == amount * 10**9


@patient
@given(st.dictionaries(names, values, max_size=5))
def test_a_patch_changes_the_fields_it_names_or_nothing(patch):
    old = Key(id="0" * 16, name="n", blocked=True, created_at_ms=1, updated_at_ms=1, digests=(("ab", None),))
    try:
        new = changed_key(old, msgspec.json.decode(msgspec.json.encode(patch), type=KeyFields), NOW)
    except (msgspec.ValidationError, InvalidRequest):
        return
    assert set(patch) <= set(KEY_FIELDS)
    touched = {KEY_FIELDS[name][0] for name in patch} | {"updated_at_ms"}
    for field in Key.__struct_fields__:
        if field not in touched:
            assert getattr(new, field) == getattr(old, field)


@pytest.mark.parametrize("kind", [KeyFields, BudgetFields, LimitFields])
@pytest.mark.parametrize("name", FORBIDDEN)
def test_no_field_that_is_ours_can_be_sent(kind, name):
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.json.decode(msgspec.json.encode({name: 1}), type=kind)


@pytest.mark.anyio
async def test_whatever_is_sent_is_answered_with_a_reason_and_changes_nothing_it_does_not_say(tmp_path):
    async with office(tmp_path) as it:
        made = await it.made("/api/keys", {"name": "n"})
        shown = (await it.get(f"/api/keys/{made['id']}")).json
        bodies = [
            b"null",
            b"[]",
            b"{",
            b'"x"',
            b"\xff",
            b'{"name": "\\ud800"}',
            b'{"name": "a", "name": 1}',
            b"[" * 5000,
        ]
        for path in ("/api/keys", "/api/budgets", "/api/limits"):
            for body in bodies:
                assert (await it.post(path, body)).status == 400, body
        for body in bodies:
            assert (await it.patch(f"/api/keys/{made['id']}", body)).status == 400
        assert (await it.get("/api/keys")).json["keys"] == [shown]


paths = st.lists(st.text(min_size=1, max_size=20), max_size=2).map("/".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.sampled_from(["/api/keys/", "/api/budgets/", "/api/limits/"]), paths)
def test_ids_that_nobody_made_are_not_found(tmp_path_factory, base, path):
    import anyio

    async def look():
        async with office(tmp_path_factory.mktemp("p")) as it:
            for method in ("GET", "DELETE"):
                reply = await it.call(method, base + path)
                assert reply.status in {404, 405}
            assert (await it.get("/api/audit")).json["entries"] == []

    anyio.run(look)
