"""Counts for Prometheus, in its text format.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from gateway.domain.entry import Settlement

MOST_MODELS = 300
OTHER = "other"
BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
OVERHEAD_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

Labels = tuple[tuple[str, str], ...]
# Values that others hold, read when somebody asks: name → values by labels.
Gauges = Callable[[], Mapping[str, Mapping[Labels, float]]]

# Every metric: its kind and what it says. A test holds docs/metrics.md to it.
METRICS = {
    "gateway_requests_total": (
        "counter",
        "attempts that were settled, by operation, provider, model, outcome and HTTP status",
    ),
    "gateway_tokens_total": ("counter", "tokens, by provider, model and class"),
    "gateway_cost_nano_usd_total": ("counter", "cost in nano-USD, by provider, model and source of the cost"),
    "gateway_unpriced_requests_total": ("counter", "settled attempts without a price, by provider and model"),
    "gateway_overdrawn_total": ("counter", "settled attempts that cost more than was held for them"),
    "gateway_refusals_total": ("counter", "requests refused before they were admitted, by error code"),
    "gateway_events_total": ("counter", "events such as a budget's threshold, by kind"),
    "gateway_response_seconds": ("histogram", "from a request's arrival to its settlement"),
    "gateway_first_token_seconds": ("histogram", "from a streamed request's arrival to its first word"),
    "gateway_overhead_seconds": ("histogram", "the gateway's own part of a request's time"),
    "gateway_open_holds": ("gauge", "requests under way"),
    "gateway_ledger_waiting": ("gauge", "operations that wait for a commit"),
    "gateway_ledger_commits_total": ("counter", "commits since the start"),
    "gateway_ledger_operations_total": (
        "counter",
        "operations committed since the start; divided by commits, the batch size",
    ),
    "gateway_budget_limit_usd": ("gauge", "what may be spent in the current period, by budget and kind of scope"),
    "gateway_budget_spent_usd": ("gauge", "what is spent in the current period, by budget and kind of scope"),
    "gateway_budget_held_usd": ("gauge", "what running requests hold, by budget and kind of scope"),
    "gateway_uptime_seconds": ("gauge", "since the start"),
}


class _Histogram:
    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    def lines(self, name: str) -> Iterable[str]:
        total = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self.sum:.6f}"
        yield f"{name}_count {total}"


class Metrics:
    """Counts since the start; labels are bounded: no users, no keys, and the first few hundred models by name."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[Labels]] = {
            name: Counter() for name, (kind, _) in METRICS.items() if kind == "counter"
        }
        self._models: set[str] = set()
        self._histograms = {
            "gateway_response_seconds": _Histogram(BUCKETS_S),
            "gateway_first_token_seconds": _Histogram(BUCKETS_S),
            "gateway_overhead_seconds": _Histogram(OVERHEAD_BUCKETS_S),
        }

    def add(self, settlement: Settlement) -> None:
        """Count the end of an attempt."""
        hold = settlement.hold
        where = (("provider", hold.provider), ("model", self._model(hold.model)))
        outcome = (("outcome", settlement.outcome.name.lower()), ("http_status", str(settlement.http_status)))
        self._counts["gateway_requests_total"][("operation", hold.operation.name.lower()), *where, *outcome] += 1
        self._add_tokens(settlement, where)
        cost = settlement.cost_nano_usd
        if cost is None:
            self._counts["gateway_unpriced_requests_total"][where] += 1
        elif cost:
            source = ("source", settlement.cost_source.name.lower())
            self._counts["gateway_cost_nano_usd_total"][*where, source] += cost
            self._counts["gateway_overdrawn_total"][()] += 0 < hold.amount_nano_usd < cost
        self._add_times(settlement)

    def refused(self, code: str) -> None:
        """Count a request that was not admitted."""
        self._counts["gateway_refusals_total"][(("code", code),)] += 1

    def event(self, kind: str) -> None:
        """Count an event."""
        self._counts["gateway_events_total"][(("kind", kind),)] += 1

    def text(self, gauges: Gauges) -> str:
        """All of it as Prometheus reads it."""
        given = gauges()
        lines: list[str] = []
        for name, (kind, about) in METRICS.items():
            lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
            if kind == "histogram":
                lines += self._histograms[name].lines(name)
            else:
                values = given.get(name) or self._counts.get(name) or {}
                lines += [f"{name}{_labels(labels)} {value}" for labels, value in values.items()]
        return "\n".join(lines) + "\n"

    def _add_tokens(self, settlement: Settlement, where: Labels) -> None:
        usage, tokens = settlement.usage, self._counts["gateway_tokens_total"]
        for name, count in (
            ("input", usage.prompt_tokens - usage.cache_read),
            ("input_cached", usage.cache_read),
            ("output", usage.completion_tokens - usage.reasoning),
            ("reasoning", usage.reasoning),
        ):
            if count:
                tokens[*where, ("class", name)] += count

    def _add_times(self, settlement: Settlement) -> None:
        for name, microseconds in (
            ("gateway_response_seconds", settlement.duration_us),
            ("gateway_first_token_seconds", settlement.first_token_us),
            ("gateway_overhead_seconds", settlement.overhead_us),
        ):
            if microseconds is not None:
                self._histograms[name].add(microseconds / 1e6)

    def _model(self, model: str) -> str:
        if model not in self._models:
            if len(self._models) >= MOST_MODELS:
                return OTHER
            self._models.add(model)
        return model


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
