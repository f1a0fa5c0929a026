"""What a usage costs, and the most that a call can cost."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.entry import CostSource
from gateway.domain.money import PICO_PER_NANO, nano_from_pico
from gateway.domain.price import Price, Rates, Tier, receipt_lines
from gateway.domain.usage import NO_USAGE, Usage
from gateway.metering.models import ModelMap, OffPeak
from gateway.metering.prices import PriceBook, cost_nano_usd, priced
from gateway.providers.catalog import Catalog

rate = st.integers(0, 10**9)
optional = st.none() | rate
rates = st.builds(
    Rates,
    input=rate,
    output=rate,
    cache_read=optional,
    cache_write=optional,
    cache_write_1h=optional,
    audio_input=optional,
    reasoning=optional,
    audio_output=optional,
    image_input=optional,
    image_output=optional,
    request=rate,
    search=rate,
    searching=rate,
    second=rate,
    character=rate,
    image=rate,
)
count = st.integers(0, 10**6)
usages = st.builds(
    Usage,
    input=count,
    cache_read=count,
    cache_write=count,
    cache_write_1h=count,
    audio_input=count,
    output=count,
    reasoning=count,
    audio_output=count,
    image_input=count,
    image_output=count,
    searches=count,
    seconds=count,
    characters=count,
    images=count,
)


@st.composite
def prices(draw: st.DrawFn) -> Price:
    thresholds = draw(st.lists(st.integers(1, 4 * 10**6), unique=True, max_size=3))
    tiers = tuple(Tier(above_prompt_tokens=above, rates=draw(rates)) for above in sorted(thresholds))
    return Price(name="m", version="1", source="test", rates=draw(rates), tiers=tiers)


def flat(**stated: int) -> Price:
    return Price(name="m", version="1", source="test", rates=Rates(**stated))


def by_hand(price: Price, usage: Usage) -> Fraction:
    """The same cost in exact USD, written down a second time."""
    fitting = [tier.rates for tier in price.tiers if usage.prompt_tokens > tier.above_prompt_tokens]
    r = fitting[-1] if fitting else price.rates
    write = r.input if r.cache_write is None else r.cache_write
    parts = [
        (usage.input, r.input),
        (usage.cache_read, r.input if r.cache_read is None else r.cache_read),
        (usage.cache_write, write),
        (usage.cache_write_1h, write if r.cache_write_1h is None else r.cache_write_1h),
        (usage.audio_input, r.input if r.audio_input is None else r.audio_input),
        (usage.output, r.output),
        (usage.reasoning, r.output if r.reasoning is None else r.reasoning),
        (usage.audio_output, r.output if r.audio_output is None else r.audio_output),
        (usage.image_input, r.input if r.image_input is None else r.image_input),
        (usage.image_output, r.output if r.image_output is None else r.image_output),
        (1, r.request),
        (usage.searches, r.search),
        (1 if usage.searches else 0, r.searching),
        (usage.seconds, r.second),
        (usage.characters, r.character),
        (usage.images, r.image),
    ]
    return sum((Fraction(tokens) * Fraction(pico, 10**12) for tokens, pico in parts), Fraction())


@given(prices(), usages)
def test_a_cost_is_exact_and_rounded_half_up_once(price: Price, usage: Usage) -> None:
    exact_nano = by_hand(price, usage) * 10**9
    assert cost_nano_usd(price, usage) == (exact_nano + Fraction(1, 2)).__floor__()


@given(prices(), usages)
def test_a_receipt_adds_up_to_the_cost_and_leaves_nothing_out(price: Price, usage: Usage) -> None:
    lines = receipt_lines(price, usage)
    assert nano_from_pico(sum(line.quantity * line.unit_pico_usd for line in lines)) == cost_nano_usd(price, usage)
    assert all(line.quantity for line in lines)


@given(rates, usages, st.integers(0, 50))
def test_a_cost_grows_linearly_with_the_tokens(one: Rates, usage: Usage, times: int) -> None:
    price = Price(name="m", version="1", source="test", rates=one)
    fields = {
        name: getattr(usage, name) * times for name in ("input", "cache_read", "cache_write", "output", "reasoning")
    }
    single = {name: getattr(usage, name) for name in fields}
    fee = Fraction(one.request, PICO_PER_NANO)
    scaled = cost_nano_usd(price, Usage(**fields)) - fee
    assert abs(scaled - times * (cost_nano_usd(price, Usage(**single)) - fee)) <= Fraction(times + 1, 2)


@pytest.mark.parametrize(
    ("prompt", "expected"), [(200_000, 200_000 * 1_250), (200_001, 200_001 * 2_500), (300_001, 300_001 * 5_000)]
)
def test_a_tier_applies_to_the_whole_prompt_above_its_threshold(prompt: int, expected: int) -> None:
    tiers = (
        Tier(above_prompt_tokens=200_000, rates=Rates(input=2_500_000, output=0)),
        Tier(above_prompt_tokens=300_000, rates=Rates(input=5_000_000, output=0)),
    )
    price = Price(name="m", version="1", source="test", rates=Rates(input=1_250_000, output=0), tiers=tiers)
    assert cost_nano_usd(price, Usage(input=prompt)) == expected


@pytest.mark.parametrize(("tokens", "nano"), [(0, 0), (49, 0), (50, 1), (149, 1), (150, 2)])
def test_a_cost_below_a_nano_usd_is_rounded_half_up(tokens: int, nano: int) -> None:
    assert cost_nano_usd(flat(input=10, output=0), Usage(input=tokens)) == nano


def test_a_class_without_a_rate_costs_what_it_falls_back_to() -> None:
    price = flat(input=1_000, output=5_000)
    every = Usage(
        input=1, cache_read=1, cache_write=1, cache_write_1h=1, audio_input=1, output=1, reasoning=1, audio_output=1
    )
    assert cost_nano_usd(price, every) == 5 * 1 + 3 * 5
    written = flat(input=1_000, output=0, cache_write=2_000)
    assert cost_nano_usd(written, Usage(cache_write_1h=1)) == 2


def test_a_cost_says_where_it_comes_from() -> None:
    price = flat(input=1_000, output=1_000)
    assert priced(price, Usage(input=2)) == (2, CostSource.COMPUTED)
    assert priced(price, Usage(input=2, estimated=True)) == (2, CostSource.ESTIMATED)
    assert priced(price, Usage(input=2, stated_cost_nano_usd=9)) == (9, CostSource.PROVIDER)
    assert priced(price, Usage(input=2, stated_cost_nano_usd=0)) == (0, CostSource.PROVIDER)
    assert priced(None, Usage(input=2, stated_cost_nano_usd=9)) == (9, CostSource.PROVIDER)
    assert priced(None, Usage(input=2)) == (None, CostSource.NONE)
    assert priced(price, NO_USAGE) == (0, CostSource.COMPUTED)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook(ModelMap.load())


def test_the_book_names_its_price_by_litellms_key_and_version(book: PriceBook) -> None:
    price = book.price("openai", "gpt-4o")
    assert price is not None
    assert (price.name, price.source, price.version) == ("gpt-4o", "litellm", book.version)
    assert book.price("openai", "gpt-4o") is price


def test_a_service_tier_has_its_own_price_only_where_the_map_states_one(book: PriceBook) -> None:
    usual, priority = book.price("openai", "gpt-4o"), book.price("openai", "gpt-4o", "priority")
    assert usual is not None
    assert priority is not None
    assert priority.name == "gpt-4o@priority"
    assert priority.rates.input > usual.rates.input
    assert book.price("openai", "gpt-4o", "auto") == usual
    assert book.price("groq", "openai/gpt-oss-120b", "priority") == book.price("groq", "openai/gpt-oss-120b")


@pytest.mark.parametrize(
    ("moment", "off_peak"),
    [
        ("2026-11-23T00:59:59", True),
        ("2026-11-23T01:00:00", False),
        ("2026-11-23T04:00:00", True),
        ("2026-11-23T06:00:00", False),
        ("2026-11-23T09:59:59", False),
        ("2026-11-23T10:00:00", True),
        ("2026-11-23T23:59:59", True),
        ("2026-11-28T02:00:00", True),
        ("2026-11-29T08:00:00", True),
        ("1970-01-01T02:00:00", False),
    ],
)
def test_a_price_of_certain_hours_holds_at_those_hours_of_admission(moment: str, off_peak: bool) -> None:
    weekdays = [
        (day * 1440 + start, day * 1440 + end) for day in range(5) for start, end in [(0, 60), (240, 360), (600, 1440)]
    ]
    hours = OffPeak(rates=Rates(input=1, output=1), minutes_of_week=(*weekdays, (5 * 1440, 7 * 1440)))
    at_ms = int(datetime.fromisoformat(moment + "+00:00").timestamp() * 1000)
    assert hours.open_at(at_ms) is off_peak


def test_the_book_gives_the_price_of_the_hour_and_the_usual_one_without_a_moment(book: PriceBook) -> None:
    busy_ms, quiet_ms = 1_795_399_200_000, 1_795_406_400_000
    assert datetime.fromtimestamp(busy_ms / 1000, UTC).isoformat() == "2026-11-23T02:00:00+00:00"
    assert datetime.fromtimestamp(quiet_ms / 1000, UTC).isoformat() == "2026-11-23T04:00:00+00:00"
    usual, cheaper = (
        book.price("deepseek", "deepseek-v4-pro"),
        book.price("deepseek", "deepseek-v4-pro", at_ms=quiet_ms),
    )
    assert usual is not None
    assert cheaper is not None
    assert book.price("deepseek", "deepseek-v4-pro", at_ms=busy_ms) == usual
    assert cheaper.name.endswith("@off_peak")
    assert cheaper.rates.output < usual.rates.output
    assert book.price("openai", "gpt-4o", at_ms=quiet_ms) == book.price("openai", "gpt-4o")


def test_unknown_is_never_zero(book: PriceBook) -> None:
    assert book.price("openai", "no-such-model") is None
    assert book.price("no-such-provider", "gpt-4o") is None
    assert book.price("vllm", "my-own-model") is None
    assert book.price("ollama", "my-own-model") is None


def test_a_zero_in_the_map_is_a_price_only_where_the_provider_has_free_models(book: PriceBook) -> None:
    for provider in Catalog.load().providers.values():
        for info in ModelMap.load().chat_models(provider.name):
            price = book.price(provider.name, info.name)
            if price is not None and not price.tiers and price.rates == Rates(input=0, output=0):
                assert provider.zero_is_free or provider.name == "demo", info.canonical


def test_demo_models_are_free_but_one(book: PriceBook) -> None:
    for name in ("echo", "story", "error", "slow"):
        price = book.price("demo", name)
        assert price is not None
        assert cost_nano_usd(price, Usage(input=10**6, output=10**6)) == 0
    paid = book.price("demo", "priced")
    assert paid is not None
    assert paid.source == "demo"
    assert cost_nano_usd(paid, Usage(input=10**6, output=10**6)) == 2 * 10**9
    assert book.price("demo", "unknown") is None


def test_names_that_clients_invent_do_not_fill_the_memory(book: PriceBook) -> None:
    for number in range(10_000):
        assert book.price("openai", f"invented-{number}") is None
    assert len(book._known) <= 4096
    assert book.price("openai", "gpt-4o") is not None
