"""Suite e: clients that leave. The provider is hung up on, the hold resolved, the estimate near the truth."""

import asyncio
import dataclasses
import statistics
import time
from typing import Any

import pytest

from figures import record
from prompts import ROUTES, body, new_marker, prompt
from rawhttp import Broken, Client, connect, request_bytes
from stack import ApiService, Mock, running_api, running_mock, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TOKENS = 40
DELAY_MS = 8
PROMPT_WORDS = 60
AT_ONCE = 24
UPSTREAM_CLOSED_S = 1.0
RESOLVED_S = 2.0
TOLERANCE = 0.25
TOLERATED_TOKENS = 4
HOW = ("fin", "rst")
EARLY = ("before first byte", "plain call")
POSITIONS = (0, 1, TOKENS // 2, TOKENS - 1)


@dataclasses.dataclass
class Leaver:
    """One client: where it leaves (a number of content events, or a name), how, and when it did."""

    where: int | str
    how: str
    route: str
    marker: str = dataclasses.field(default_factory=new_marker)
    left_at: float = 0.0

    @property
    def stream(self) -> bool:
        return self.where != "plain call"

    @property
    def tokens(self) -> int:
        """Of the answer: so many that only who leaves before the last can meet its end on the way."""
        return TOKENS if self.where in (TOKENS - 1, TOKENS) else 10 * TOKENS


def leavers(rounds: int) -> list[Leaver]:
    wheres: list[int | str] = [*EARLY, *POSITIONS]
    return [Leaver(where, how, route) for _ in range(rounds) for where in wheres for how in HOW for route in ROUTES]


async def send(port: int, leaver: Leaver, **script: float) -> Client:
    text = prompt(leaver.marker, PROMPT_WORDS, tokens=leaver.tokens, **script)
    client = await connect(port)
    await client.send(request_bytes(ROUTES[leaver.route], body(leaver.route, text, stream=leaver.stream)))
    return client


async def events(client: Client, count: int) -> None:
    """Read so many events that carry words."""
    while count:
        event = await client.event()
        assert event is not None
        count -= b'"delta":"' in event or b'"content":"' in event.replace(b'"content":""', b"")


async def leave(port: int, leaver: Leaver) -> None:
    if leaver.where in EARLY:
        client = await send(port, leaver, first_ms=5000)
        await asyncio.sleep(0.15)
    else:
        client = await send(port, leaver, delay_ms=DELAY_MS)
        await client.head()
        await events(client, int(leaver.where))
    leaver.left_at = time.time()
    await client.leave(leaver.how)


async def all_leave(port: int, everybody: list[Leaver]) -> None:
    """Bounded: so many at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(leaver: Leaver) -> None:
        async with gate:
            await leave(port, leaver)

    await asyncio.gather(*(one(leaver) for leaver in everybody))


def row(api: ApiService, request_id: str) -> dict[str, Any]:
    found = api.rows(
        "SELECT r.*, l.estimated, l.recorded_at_ms FROM requests r JOIN ledger l ON l.request_id = ? WHERE r.id = ?",
        bytes.fromhex(request_id.replace("-", "")),
        request_id,
    )
    assert len(found) == 1, f"{len(found)} rows for {request_id}"
    return found[0]


def near(estimate: int, truth: int) -> bool:
    return abs(estimate - truth) <= max(TOLERATED_TOKENS, TOLERANCE * truth)


async def test_whoever_leaves_is_recorded_and_the_provider_hung_up_on(
    api: ApiService, mock: Mock, long_form: bool
) -> None:
    everybody = leavers(42 if long_form else 16)
    await all_leave(api.port, everybody)
    wait_until(lambda: api.open_holds() == 0, RESOLVED_S + 1, "resolution of all holds")
    wait_until(lambda: all(call["how"] for call in mock.calls()), RESOLVED_S, "the end of all upstream calls")
    calls = {call["marker"]: call for call in mock.calls()}
    closing, resolving, errors = [], [], []
    for leaver in everybody:
        if leaver.marker not in calls:  # it left before the gateway had begun to call
            assert leaver.where in EARLY, leaver
            continue
        call = calls[leaver.marker]
        entry = row(api, call["ids"]["x-request-id"])
        if call["how"] == "finished":  # its last token was on the way already when the client left
            assert leaver.where == TOKENS - 1, (leaver, entry)
            assert near(entry["completion_tokens"], TOKENS), (leaver, entry)
            continue
        assert call["how"] in {"peer_fin", "peer_rst"}, (leaver, call)
        assert (entry["outcome"], entry["http_status"], entry["status"]) == ("abandoned", 499, "error"), leaver
        assert (entry["estimated"], entry["cost_source"]) == (1, "estimated"), leaver
        assert near(entry["prompt_tokens"], call["prompt_tokens"]), (leaver, entry["prompt_tokens"], call)
        assert near(entry["completion_tokens"], call["tokens_sent"]), (leaver, entry["completion_tokens"], call)
        closing.append(call["ended_at"] - leaver.left_at)
        resolving.append(entry["recorded_at_ms"] / 1000 - leaver.left_at)
        errors.append(abs(entry["total_tokens"] / (call["prompt_tokens"] + call["tokens_sent"]) - 1))
    assert len(closing) > 0.9 * len(everybody)
    assert max(closing) <= UPSTREAM_CLOSED_S
    assert max(resolving) <= RESOLVED_S
    assert max(errors) <= TOLERANCE
    record(
        "e disconnects",
        runs=len(everybody),
        upstream_closed_after_ms=f"{statistics.median(closing) * 1e3:.1f} median, {max(closing) * 1e3:.0f} most",
        resolved_after_ms=f"{statistics.median(resolving) * 1e3:.1f} median, {max(resolving) * 1e3:.0f} most",
        estimate_off_by_percent=f"{max(errors) * 100:.0f} at most",
    )


async def test_leaving_after_the_finish_keeps_the_exact_usage(api: ApiService, mock: Mock) -> None:
    """All content was read and the end is on its way: nothing needs to be guessed."""
    leaver = Leaver(TOKENS, "rst", "openai")
    client = await send(api.port, leaver)
    await client.head()
    await events(client, TOKENS)
    await client.leave("rst")
    call = mock.ended_call(leaver.marker)
    entry = wait_until(lambda: api.rows("SELECT * FROM requests WHERE id = ?", call["ids"]["x-request-id"]))[0]
    assert entry["completion_tokens"] == TOKENS


async def test_leaving_before_the_body_is_whole_reaches_no_provider(api: ApiService, mock: Mock) -> None:
    leaver = Leaver(0, "rst", "openai")
    text = prompt(leaver.marker, PROMPT_WORDS)
    data = request_bytes(ROUTES["openai"], body("openai", text, stream=True))
    for how in HOW:
        client = await connect(api.port)
        await client.send(data[: len(data) // 2])
        await asyncio.sleep(0.05)
        await client.leave(how)
    await asyncio.sleep(0.3)
    assert mock.calls(leaver.marker) == []
    assert api.rows("SELECT 1 FROM requests WHERE query LIKE ?", f"%{leaver.marker}%") == []


@pytest.mark.parametrize("stream", [True, False])
async def test_a_half_closed_client_is_served_or_hung_up_on_but_never_lost(
    api: ApiService, mock: Mock, stream: bool
) -> None:
    leaver = Leaver(3, "fin", "openai") if stream else Leaver("plain call", "fin", "openai")
    client = await send(api.port, leaver, delay_ms=DELAY_MS)
    await asyncio.sleep(0.1)
    client.half_close()
    whole = await reads_to_the_end(client, stream)
    await client.leave("fin")
    call = mock.ended_call(leaver.marker)
    entry = wait_until(lambda: api.rows("SELECT * FROM requests WHERE id = ?", call["ids"]["x-request-id"]))[0]
    if whole:
        assert (entry["outcome"], entry["completion_tokens"]) == ("completed", leaver.tokens)
    else:
        assert entry["outcome"] == "abandoned"
        assert near(entry["completion_tokens"], call["tokens_sent"])


async def reads_to_the_end(client: Client, stream: bool) -> bool:
    try:
        await client.head()
        data = await client.read_all()
    except Broken:
        return False
    return data.endswith(b"data: [DONE]\n\n") if stream else bool(data)


async def test_a_client_that_stops_reading_holds_the_provider_back(tmp_path: Any) -> None:
    """The provider could send 36 MB at once; what piles up in the gateway is bounded, and leaving ends it."""
    with running_mock(tmp_path / "mock") as mock, running_api(tmp_path / "api", mock.url) as api:
        leaver = Leaver(1, "rst", "openai")
        text = prompt(leaver.marker, tokens=200_000)
        client = await connect(api.port, receive_buffer=4096)
        await client.send(request_bytes(ROUTES["openai"], body("openai", text, stream=True)))
        await client.head()
        client.stop_reading()
        await asyncio.sleep(1.0)
        memory = api.peak_memory_mb()
        left_at = time.time()
        await client.leave("rst")
        call = mock.ended_call(leaver.marker)
        assert call["how"] in {"peer_fin", "peer_rst"}
        assert call["ended_at"] - left_at <= UPSTREAM_CLOSED_S
        assert call["tokens_sent"] < 150_000
        assert memory < 150
        entry = wait_until(lambda: api.rows("SELECT * FROM requests WHERE id = ?", call["ids"]["x-request-id"]))[0]
        assert entry["outcome"] == "abandoned"


def test_nothing_is_left_behind(api: ApiService) -> None:
    """Last in this file."""
    assert api.open_holds() == 0
    wait_until(lambda: api.descriptors() < 60, what="closing of descriptors")
    assert "Traceback" not in api.log
