"""CPU per request of the ledger writer alone, by batch size: `python -m bench.ledger_batches`."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.places import CACHE, SERVICE

sys.path.insert(0, str(SERVICE))
from gateway.domain.entry import CostSource, Hold, Operation, Outcome, Settlement
from gateway.domain.price import Price, Rates
from gateway.domain.time import new_request_id, now_ms
from gateway.domain.usage import Usage
from gateway.store.sqlite import opening
from gateway.store.sqlite.batch import BatchWriter

BATCHES = (1, 8, 32, 128)
FLUSH_INTERVAL_S = 0.5
CONTENT = "How much flour came this week, and which day was the largest delivery? " * 6  # 0.4 KB, once each way
PRICE = Price(name="openai/gpt-4o", version="bench", source="litellm", rates=Rates(input=2_500_000, output=10_000_000))


def main() -> int:
    """Print the table."""
    options = _options()
    CACHE.mkdir(parents=True, exist_ok=True)
    print(f"{'requests a commit':>18} {'CPU a request':>14} {'commits':>8} {'worst commit':>13} {'requests/s':>11}")
    for batch in options.batches:
        with TemporaryDirectory(dir=CACHE) as folder:
            _measure(Path(folder) / "ledger.db", batch, options.seconds)
    return 0


def _measure(database: Path, batch: int, seconds: float) -> None:
    opening.migrate_if_behind(database)
    connection = opening.connect(database)
    connection.execute("INSERT INTO boots (started_at_ms, version) VALUES (?, 'bench')", (now_ms(),))
    writer = BatchWriter(connection, 1)
    operations = _operations(batch)
    end, last_flush = time.perf_counter() + seconds, time.perf_counter()
    cpu_s = wall_s = worst_s = 0.0
    requests = commits = 0
    while time.perf_counter() < end:
        group = next(operations)
        flush = time.perf_counter() - last_flush >= FLUSH_INTERVAL_S
        last_flush = time.perf_counter() if flush else last_flush
        cpu, wall = time.thread_time(), time.perf_counter()
        writer.write(group, flush=flush)
        cpu_s, took_s = cpu_s + time.thread_time() - cpu, time.perf_counter() - wall
        wall_s, worst_s = wall_s + took_s, max(worst_s, took_s)
        requests += sum(isinstance(operation, Settlement) for operation in group)
        commits += 1
    connection.close()
    print(
        f"{batch:>18} {1e6 * cpu_s / requests:>11.0f} µs {commits:>8} {1e3 * worst_s:>10.1f} ms {requests / wall_s:>11,.0f}"
    )


def _operations(batch: int) -> Iterator[list[Hold | Settlement]]:
    """Groups as the writer meets them: the settlements of the requests held before, and as many new holds.

    One request alone cannot share its commits: its hold and its settlement are a commit each.
    """
    number, held = 0, [_hold(n) for n in range(batch)]
    yield list(held)
    while True:
        settled: list[Hold | Settlement] = [_settlement(hold) for hold in held]
        number += batch
        held = [_hold(number + n) for n in range(batch)]
        if batch == 1:
            yield settled
            yield list(held)
        else:
            yield [*settled, *held]


def _hold(number: int) -> Hold:
    at_ms = now_ms()
    return Hold(
        id=number + 1, request_id=new_request_id(at_ms), attempt=0, admitted_at_ms=at_ms,
        application_id=f"app-{number % 10}", user_id=f"user-{number % 100}", key_id="admin",
        model="openai/gpt-4o", provider="openai", upstream_model="gpt-4o", operation=Operation.CHAT, stream=False,
        input_tokens_estimate=200, amount_nano_usd=0, price=PRICE,
    )  # fmt: skip


def _settlement(hold: Hold) -> Settlement:
    jitter = os.getpid() % 97 + hold.id % 1_000
    return Settlement(
        hold=hold, outcome=Outcome.COMPLETED, http_status=200, usage=Usage(input=96, output=58),
        cost_nano_usd=820_000, cost_source=CostSource.COMPUTED, duration_us=400_000 + 100 * jitter,
        first_token_us=120_000 + 50 * jitter, overhead_us=300 + jitter, query=CONTENT, response=CONTENT,
        finish_reason="stop",
    )  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.ledger_batches", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="for each batch size")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
