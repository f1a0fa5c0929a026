"""The price book over time: the built-in map, imported ones, overrides."""

import gzip
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.entry import Hold, Operation
from gateway.domain.price import Price, PriceMap, PriceOverride, Rates, Terms
from gateway.metering.compaction import compact
from gateway.metering.models import ModelMap
from gateway.metering.prices import PriceBook


def ms(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


NOW_MS = ms("2026-11-25")


def imported(day: str, usd_per_million: float, *, imported_on: str = "2026-11-24", **models: float) -> PriceMap:
    """A map with `gpt-4o` at this price, and more models."""
    rows = {
        name: {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": usd / 1e6, "output_cost_per_token": usd / 1e6}
        for name, usd in ({"gpt-4o": usd_per_million} | models).items()
    }  # fmt: skip
    text = compact(json.dumps(rows), "x", imported_on)
    return PriceMap(
        version=f"map of {day}", date=imported_on, effective_from_ms=ms(day), imported_at_ms=ms(imported_on), models=len(rows),
        compact_gz=gzip.compress(text.encode()),
    )  # fmt: skip


def override(model: str, pico: int, *, since: str = "1970-01-01", provider: str = "", **tiers: int) -> PriceOverride:
    return PriceOverride(
        id=f"{model}@{since}", model=model, provider=provider, effective_from_ms=ms(since), rates=Rates(input=pico, output=pico),
        service_tiers={name: Terms(rates=Rates(input=each, output=each)) for name, each in tiers.items()},
    )  # fmt: skip


def book_of(maps: list[PriceMap], overrides: list[PriceOverride]) -> PriceBook:
    book = PriceBook(ModelMap.load())
    book.replace(maps, overrides)
    return book


def input_rate(price: Price | None) -> int | None:
    return None if price is None else price.rates.input


def test_a_map_holds_from_its_day_on_and_the_built_in_one_before() -> None:
    book = book_of([imported("2026-12-01", 7), imported("2027-01-01", 9)], [])
    at = {
        day: book.price("openai", "gpt-4o", at_ms=ms(day))
        for day in ("2026-11-30", "2026-12-01", "2026-12-31", "2027-06-01")
    }
    assert [input_rate(price) for price in at.values()] == [2_500_000, 7_000_000, 7_000_000, 9_000_000]
    price = at["2026-12-01"]
    assert price is not None
    assert (price.source, price.version) == ("litellm", "map of 2026-12-01")


def test_a_model_that_a_newer_map_leaves_out_keeps_its_last_price() -> None:
    book = book_of([imported("2026-12-01", 7)], [])
    kept = book.price("openai", "gpt-4o-mini", at_ms=ms("2026-12-02"))
    assert input_rate(kept) == 150_000


def test_new_models_of_an_imported_map_are_known_at_once_and_priced_from_its_day_on() -> None:
    models = ModelMap.load()
    book = PriceBook(models)
    assert book.model("openai", "brand-new") is None
    book.replace([imported("2026-12-01", 7, **{"brand-new": 3})], [])
    assert models.provider_of("brand-new") == "openai"
    assert book.model("openai", "brand-new") is not None
    assert "openai/brand-new" in [info.canonical for info in models.chat_models("openai")]
    assert book.price("openai", "brand-new", at_ms=ms("2026-11-30")) is None
    assert input_rate(book.price("openai", "brand-new", at_ms=ms("2026-12-01"))) == 3_000_000


def test_a_newer_package_takes_over_from_an_older_import_on_its_day() -> None:
    book = book_of([imported("2026-10-01", 7, imported_on="2026-10-01")], [])
    assert input_rate(book.price("openai", "gpt-4o", at_ms=ms("2026-11-22"))) == 7_000_000
    assert input_rate(book.price("openai", "gpt-4o", at_ms=NOW_MS)) == 2_500_000
    assert input_rate(book.price("openai", "gpt-4o", at_ms=ms("2026-09-01"))) == 2_500_000


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([override("*", 1), override("openai/*", 2)], 2),
        ([override("openai/*", 1), override("openai/gpt-4*", 2)], 2),
        ([override("openai/gpt-4o*", 1), override("gpt-4o", 2)], 2),
        ([override("gpt-4o", 1), override("openai/gpt-4o", 2)], 2),
        ([override("gpt-4o", 1), override("gpt-4o", 2, provider="openai")], 2),
        ([override("gpt-4o", 1), override("gpt-4o", 2, provider="groq")], 1),
        ([override("gpt-4o", 1), override("gpt-4o", 2, since="2026-11-24")], 2),
        ([override("gpt-4o", 1), override("gpt-4o", 2, since="2026-11-26")], 1),
        ([override("gpt-4o-mini", 1)], 2_500_000),
    ],
)  # fmt: skip
def test_the_most_precise_override_that_is_in_force_holds(overrides: list[PriceOverride], expected: int) -> None:
    for order in (overrides, overrides[::-1]):
        assert input_rate(book_of([], order).price("openai", "gpt-4o", at_ms=NOW_MS)) == expected


def test_an_override_prices_what_no_map_knows_and_says_so() -> None:
    price = book_of([], [override("vllm/*", 5)]).price("vllm", "my-own-model", at_ms=NOW_MS)
    assert price is not None
    assert (price.name, price.source, price.version) == ("vllm/my-own-model", "override", "override vllm/*@1970-01-01")


def test_an_override_replaces_the_service_tiers_too() -> None:
    book = book_of([], [override("gpt-4o", 5, flex=2)])
    assert input_rate(book.price("openai", "gpt-4o", "priority", at_ms=NOW_MS)) == 5
    assert input_rate(book.price("openai", "gpt-4o", "flex", at_ms=NOW_MS)) == 2
    assert input_rate(book.price("openai", "gpt-4o", at_ms=NOW_MS)) == 5


def test_replacing_is_seen_at_once_and_taking_it_back_too() -> None:
    book = PriceBook(ModelMap.load())
    before = book.revision(NOW_MS)
    assert input_rate(book.price("openai", "gpt-4o", at_ms=NOW_MS)) == 2_500_000
    book.replace([], [override("gpt-4o", 5)])
    assert input_rate(book.price("openai", "gpt-4o", at_ms=NOW_MS)) == 5
    assert book.revision(NOW_MS) != before
    book.replace([], [])
    assert input_rate(book.price("openai", "gpt-4o", at_ms=NOW_MS)) == 2_500_000


def test_a_date_that_passes_is_a_new_revision() -> None:
    book = book_of([], [override("gpt-4o", 5, since="2026-11-26")])
    assert book.revision(ms("2026-11-25")) != book.revision(ms("2026-11-26"))
    assert book.revision(ms("2026-11-24")) == book.revision(ms("2026-11-25"))


def test_the_same_terms_are_the_same_object_as_long_as_the_book_stays() -> None:
    book = book_of([imported("2026-12-01", 7)], [override("groq/*", 1)])
    for provider, at_ms in (("openai", NOW_MS), ("groq", NOW_MS), ("openai", ms("2026-12-02"))):
        assert book.price(provider, "gpt-4o", at_ms=at_ms) is book.price(provider, "gpt-4o", at_ms=at_ms + 1)


def hold(service_tier: str, book: PriceBook) -> Hold:
    return Hold(
        request_id=bytes(16), attempt=0, admitted_at_ms=NOW_MS, application_id="", user_id="", key_id="", model="openai/gpt-5",
        provider="openai", upstream_model="gpt-5", operation=Operation.CHAT, stream=False, input_tokens_estimate=1,
        amount_nano_usd=0, price=book.price("openai", "gpt-5", service_tier, at_ms=NOW_MS),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "answered", "name"),
    [
        ("", None, "gpt-5"),
        ("", "default", "gpt-5"),
        ("", "priority", "gpt-5@priority"),
        ("auto", "flex", "gpt-5@flex"),
        ("auto", "scale", "gpt-5"),
        ("priority", None, "gpt-5@priority"),
        ("priority", "default", "gpt-5"),
        ("fast", "priority", "gpt-5@priority"),
        ("flex", "flex", "gpt-5@flex"),
        ("flex", "nonsense", "gpt-5"),
    ],
)
def test_the_tier_that_the_answer_names_is_the_one_that_is_charged(asked: str, answered: str | None, name: str) -> None:
    book = PriceBook(ModelMap.load())
    price = book.price_as_answered(hold(asked, book), asked, answered)
    assert price is not None
    assert price.name == name


@given(st.lists(st.sampled_from([1, 10, 20, 30]), max_size=4), st.integers(0, 40))
def test_what_holds_is_the_last_that_has_come_into_force(days: list[int], today: int) -> None:
    day_ms = 86_400_000
    overrides = [
        PriceOverride(id=str(n), model="gpt-4o", rates=Rates(input=n, output=n), effective_from_ms=day * day_ms, created_at_ms=n)
        for n, day in enumerate(days)
    ]  # fmt: skip
    begun = [(day, n) for n, day in enumerate(days) if day <= today]
    expected = max(begun)[1] if begun else 2_500_000
    assert input_rate(book_of([], overrides).price("openai", "gpt-4o", at_ms=today * day_ms)) == expected
