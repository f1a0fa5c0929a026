"""What Prometheus is told."""

from store_entries import hold, settlement

from gateway.domain.usage import Usage
from gateway.telemetry.metrics import METRICS, MOST_MODELS, Metrics


def none() -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    return {}


def test_an_outcome_is_counted_once_in_every_metric_it_belongs_to():
    metrics = Metrics()
    usage = Usage(input=7, cache_read=3, output=5, reasoning=2)
    metrics.add(settlement(hold(amount_nano_usd=10), usage=usage, cost_nano_usd=40, first_token_us=30_000))
    metrics.add(settlement(hold(price=None), cost_nano_usd=None))
    text = metrics.text(none)
    where = 'provider="openai",model="openai/gpt-4o"'
    for line in (
        f'gateway_requests_total{{{where},outcome="completed",http_status="200"}} 2',
        f'gateway_tokens_total{{{where},class="input_cached"}} 3',
        f'gateway_tokens_total{{{where},class="reasoning"}} 2',
        f'gateway_cost_nano_usd_total{{{where},source="computed"}} 40',
        f"gateway_unpriced_requests_total{{{where}}} 1",
        "gateway_overdrawn_total 1",
        'gateway_response_seconds_bucket{le="0.25"} 2',
        "gateway_response_seconds_count 2",
        "gateway_first_token_seconds_count 1",
    ):
        assert line in text.splitlines()


def test_names_cannot_break_a_line_and_models_are_bounded():
    metrics = Metrics()
    metrics.add(settlement(hold(model='odd"name\\with\nlines')))
    for number in range(MOST_MODELS + 50):
        metrics.add(settlement(hold(model=f"m/{number}")))
    text = metrics.text(none)
    assert 'model="odd\\"name\\\\with\\nlines"' in text
    assert text.count("gateway_requests_total{") == MOST_MODELS + 1
    assert 'model="other"' in text


def test_every_metric_says_what_it_is():
    lines = Metrics().text(none).splitlines()
    for name, (kind, about) in METRICS.items():
        assert f"# HELP {name} {about}" in lines
        assert f"# TYPE {name} {kind}" in lines
