"""Counts for Prometheus, in its text format.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from gateway.domain.entry import CostSource, Outcome, Settlement

MOST_MODELS = 300
OTHER = "other"
_TOKEN_CLASSES = ("input", "input_cached", "output", "reasoning")
BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
OVERHEAD_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

Labels = tuple[tuple[str, str], ...]
# Values that others hold, read when somebody asks: name → values by labels.
Gauges = Callable[[], Mapping[str, Mapping[Labels, float]]]

# Every metric: its kind and what it says. A test holds docs/metrics.md to it.
METRICS = {
    "gateway_requests_total": (
        "counter",
        "attempts that were settled, by provider, model, outcome and HTTP status",
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
    "gateway_absorbed_attempts_total": (
        "counter",
        "failed attempts that another one answered, by provider and error code",
    ),
    "gateway_cache_lookups_total": ("counter", "requests that were looked up in the response cache, by result"),
    "gateway_cache_saved_nano_usd_total": ("counter", "what answers from the cache would have cost, in nano-USD"),
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
        self._sums: dict[tuple[str, str, int, int, int], list[int]] = {}
        self._models: set[str] = set()
        self._refusals: Counter[str] = Counter()
        self._events: Counter[str] = Counter()
        self._absorbed: Counter[tuple[str, str]] = Counter()
        self._histograms = {
            "gateway_response_seconds": _Histogram(BUCKETS_S),
            "gateway_first_token_seconds": _Histogram(BUCKETS_S),
            "gateway_overhead_seconds": _Histogram(OVERHEAD_BUCKETS_S),
        }

    def add(self, settlement: Settlement) -> None:
        """Count the end of an attempt: one look-up, because this is done for each of them."""
        hold, usage, cost = settlement.hold, settlement.usage, settlement.cost_nano_usd
        key = (
            hold.provider,
            self._model(hold.model),
            settlement.outcome,
            settlement.http_status,
            settlement.cost_source,
        )
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = [0] * 8
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        sums[0] += 1
        sums[1] += prompt - usage.cache_read
        sums[2] += usage.cache_read
        sums[3] += completion - usage.reasoning
        sums[4] += usage.reasoning
        if cost is None:
            sums[6] += 1
        else:
            sums[5] += cost
            sums[7] += 0 < hold.amount_nano_usd < cost
        if not settlement.final:
            self._absorbed[hold.provider, settlement.error_code or ""] += 1
        self._add_times(settlement)

    def refused(self, code: str) -> None:
        """Count a request that was not admitted."""
        self._refusals[code] += 1

    def event(self, kind: str) -> None:
        """Count an event."""
        self._events[kind] += 1

    def text(self, gauges: Gauges) -> str:
        """All of it as Prometheus reads it."""
        values = {**self._counters(), **gauges()}
        lines: list[str] = []
        for name, (kind, about) in METRICS.items():
            lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
            if kind == "histogram":
                lines += self._histograms[name].lines(name)
            else:
                lines += [f"{name}{_labels(labels)} {value}" for labels, value in values.get(name, {}).items()]
        return "\n".join(lines) + "\n"

    def _counters(self) -> dict[str, Mapping[Labels, float]]:
        found: dict[str, Counter[Labels]] = {
            name: Counter() for name, (kind, _) in METRICS.items() if kind == "counter"
        }
        for (provider, model, outcome, status, source), sums in self._sums.items():
            where = (("provider", provider), ("model", model))
            ended = (("outcome", Outcome(outcome).name.lower()), ("http_status", str(status)))
            found["gateway_requests_total"][*where, *ended] += sums[0]
            for name, tokens in zip(_TOKEN_CLASSES, sums[1:5], strict=True):
                found["gateway_tokens_total"][*where, ("class", name)] += tokens
            found["gateway_cost_nano_usd_total"][*where, ("source", CostSource(source).name.lower())] += sums[5]
            found["gateway_unpriced_requests_total"][where] += sums[6]
            found["gateway_overdrawn_total"][()] += sums[7]
        found["gateway_refusals_total"].update({(("code", code),): count for code, count in self._refusals.items()})
        found["gateway_events_total"].update({(("kind", kind),): count for kind, count in self._events.items()})
        found["gateway_absorbed_attempts_total"].update({
            (("provider", provider), ("code", code)): count for (provider, code), count in self._absorbed.items()
        })  # fmt: skip
        return dict(found)

    def _add_times(self, settlement: Settlement) -> None:
        histograms = self._histograms
        histograms["gateway_response_seconds"].add(settlement.duration_us / 1e6)
        if settlement.first_token_us is not None:
            histograms["gateway_first_token_seconds"].add(settlement.first_token_us / 1e6)
        if settlement.overhead_us is not None:
            histograms["gateway_overhead_seconds"].add(settlement.overhead_us / 1e6)

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
