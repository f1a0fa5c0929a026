"""Suite d on every wire: whatever a provider does, each client's SDK gets one proper end, and the ledger one right row."""

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditing import compare
from expectations import Expect
from faultmock.faults import FAULTS, faults_of
from figures import record
from prompts import new_marker, prompt
from rawhttp import Reply, exchange, post
from sdk_readers import Made, SdkReaders
from stack import ApiService, Mock, get_json, running_api, wait_until
from wire_expectations import TELLING, UNBEARABLE, expected
from wire_forms import Way, own_faults

pytestmark = pytest.mark.slow

# The mock's 401 repeats this key, as careless providers do: no client may see it.
LEAKED_KEY = "sk-upstream-secret-0123456789abcdef"
SPARED = {"429"}  # takes its header from the script
TOKENS = 12
TOLERATED_TOKENS = 4
PACED = ("invalid-event", "html-mid", "long-line", "long-comment", "big-answer")
EXTRA: dict[str, dict[str, float]] = {
    "drip": {"delay_ms": 100},
    "endless": {"delay_ms": 10},
    "gzip-bomb": {"size": 50},
    **{fault: {"delay_ms": 10} for fault in PACED},
}
AT_ONCE = 12
# They leave a dead connection in the pool, where others at the same time would meet it: asked one by one.
APART = {"reset-after-end", "close-after-end"}
SETTINGS = {
    **dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"), LEAKED_KEY),
    "UPSTREAM_FIRST_BYTE_TIMEOUT_S": "1.5",
    "UPSTREAM_SILENCE_TIMEOUT_S": "1.5",
    "UPSTREAM_TOTAL_TIMEOUT_S": "4",
}
NATIVE = (("anthropic", "anthropic"), ("gemini", "gemini"), ("responses", "openai"))
TRANSLATED = (
    ("openai", "anthropic"), ("openai", "gemini"), ("anthropic", "openai"), ("anthropic", "gemini"), ("gemini", "openai"),
    ("gemini", "anthropic"), ("gemini-array", "openai"), ("responses", "anthropic"), ("responses", "gemini"),
)  # fmt: skip
WAYS = [Way(client, provider, stream) for client, provider in (*NATIVE, *TRANSLATED) for stream in (False, True)]
WAYS.append(Way("gemini-array", "gemini", stream=True))
ENDS = {"message_stop", "error", "response.completed", "response.incomplete", "response.failed"}
# Too slow, or too large, to be drawn again and again.
_LONG = {"drip", "endless", "black-hole", "500-big", "gzip-bomb", "big-answer", "long-line", "long-comment"}


@dataclasses.dataclass
class Exchanged:
    """A request with its reply, its row and what the mock served it."""

    way: Way
    fault: str
    reply: Reply
    data: bytes
    row: dict[str, Any] = dataclasses.field(default_factory=dict)
    call: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def events(self) -> list[str]:
        """The data of each event."""
        blocks = [block.split("\n") for block in self.data.decode().split("\n\n")]
        said = [[line[5:].strip() for line in lines if line.startswith("data:")] for lines in blocks]
        return [" ".join(lines) for lines in said if lines]


def asked(way: Way) -> list[str]:
    """The faults that are tried on a way: all on a wire's own, telling ones where answers are translated."""
    able = [name for name in faults_of(way.upstream) if name not in SPARED]
    if not way.is_translated:
        return able
    return [name for name in able if name in TELLING or name in own_faults(way.upstream)]


CASES = [(way, fault) for way in WAYS for fault in asked(way)]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[ApiService]:
    """The service, with every native provider at the mock."""
    root = mock.url.removesuffix("/v1")
    urls = {"ANTHROPIC_BASE_URL": root, "GOOGLE_BASE_URL": root}
    with running_api(tmp_path_factory.mktemp("api"), mock.url, None, **SETTINGS, **urls) as running:
        yield running


@pytest.fixture(scope="module")
def exchanged(api: ApiService, mock: Mock) -> dict[tuple[Way, str], Exchanged]:
    """All requests, made a few at a time."""
    markers = {case: new_marker() for case in CASES}
    found = asyncio.run(_all(api.port, markers))
    wait_until(lambda: all(call["how"] for call in mock.calls()), 10, "the end of all upstream calls")
    calls = {call["marker"]: call for call in mock.calls()}
    rows = rows_by_id(api)
    for case, one in found.items():
        one.row, one.call = rows[one.reply.headers["x-request-id"]], calls[markers[case]]
        assert one.row["query"].startswith(markers[case])
    return found


async def _all(port: int, markers: dict[tuple[Way, str], str]) -> dict[tuple[Way, str], Exchanged]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(way: Way, fault: str, marker: str) -> Exchanged:
        text = prompt(marker, 30, fault=fault, tokens=TOKENS, **EXTRA.get(fault, {}))
        async with gate:
            return Exchanged(way, fault, *await exchange(port, way.path, way.body(text)))

    jobs = [(*case, marker) for case, marker in markers.items()]
    made = await asyncio.gather(*(one(*job) for job in jobs if job[1] not in APART))
    made += [await one(*job) for job in jobs if job[1] in APART]
    return {(each.way, each.fault): each for each in made}


def rows_by_id(api: ApiService) -> dict[str, dict[str, Any]]:
    """Each request joined to its final ledger row; two of them for one request fail."""
    rows = api.rows(
        "SELECT r.*, l.estimated FROM requests r "
        "JOIN ledger l ON lower(hex(l.request_id)) = replace(r.id, '-', '') AND l.final"
    )
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture(scope="module")
def sdks() -> SdkReaders:
    """The official SDKs."""
    return SdkReaders()


def test_every_fault_of_every_wire_is_tried() -> None:
    tried = {fault for _, fault in CASES}
    assert set(FAULTS) - SPARED - tried == set()
    for wire in ("openai", "anthropic", "gemini", "responses"):
        assert set(own_faults(wire)) <= tried


@pytest.mark.filterwarnings("ignore:.*is not a valid FinishReason", "ignore:Pydantic serializer")
@pytest.mark.parametrize(("way", "fault"), CASES, ids=[f"{way}-{fault}" for way, fault in CASES])
def test_a_fault_has_its_end_and_its_row(
    exchanged: dict[tuple[Way, str], Exchanged], sdks: SdkReaders, way: Way, fault: str
) -> None:
    one, expect = exchanged[way, fault], expected(way, fault)
    assert one.reply.status == expect.status, one.data[:500]
    if (way.upstream, fault) not in UNBEARABLE or way.is_translated:
        check_made(one, expect, sdks.read(way.client, one.reply, one.data, stream=way.stream))
    if one.reply.status == 200 and way.stream and way.client != "gemini-array":
        check_single_end(one, expect)
    if way.client == "anthropic" and way.is_translated and way.stream and expect.row_status == 200:
        assert sdks.accumulated(one.reply, one.data).stop_reason is not None
    check_row(one, expect)
    assert LEAKED_KEY not in str(one.reply.headers) + one.data.decode("utf-8", "replace") + json.dumps(one.row)


def check_made(one: Exchanged, expect: Expect, made: Made) -> None:
    """The SDK has an answer that ended, or raised; a status that came before the stream is the one it raises."""
    if expect.row_status == 200:
        assert made.status is None, made
        assert made.ended or one.fault == "no-finish", made
        return
    assert made.status is not None
    assert made.error
    if expect.status != 200:
        assert made.status == expect.status


def check_single_end(one: Exchanged, expect: Expect) -> None:
    """One event ends the stream, and it is the last."""
    ends = [event for event in one.events if is_end(one.way.wire, event)]
    if one.way.wire == "gemini" and expect.row_status == 200:
        assert ends == []
    else:
        assert ends == [one.events[-1]] or one.fault == "with-done"
    assert (bool(ends) and '"error":{' in ends[0].replace(" ", "").replace('"error":null', "")) == (
        expect.row_status != 200
    )


def is_end(wire: str, event: str) -> bool:
    if event == "[DONE]":
        return wire == "openai"
    said = json.loads(event)
    return ("error" in said) if wire in {"openai", "gemini"} else said.get("type") in ENDS


def check_row(one: Exchanged, expect: Expect) -> None:
    row, call = one.row, one.call
    assert (row["http_status"], row["outcome"]) == (expect.row_status, expect.outcome)
    assert bool(row["error_message"]) == (expect.row_status != 200)
    tokens = row["prompt_tokens"], row["completion_tokens"]
    if expect.usage == "exact":
        served = call["served"]
        assert tokens == (served["prompt_tokens"], served["completion_tokens"])
        assert (row["estimated"], row["cost_source"]) == (0, "computed")
    elif expect.usage == "none":
        assert (row["total_tokens"], row["cost_nano_usd"], row["cost_source"]) == (0, 0, "none")
    elif expect.usage == "estimated":
        assert (row["estimated"], row["cost_source"]) == (1, "estimated")
        assert 0.75 * call["prompt_tokens"] <= row["prompt_tokens"] <= 1.6 * call["prompt_tokens"]
        if expect.status == 200:
            sent = call["tokens_sent"]
            assert abs(row["completion_tokens"] - sent) <= max(TOLERATED_TOKENS, 0.25 * sent)


@st.composite
def asks(draw: st.DrawFn) -> tuple[Way, dict[str, Any], bool]:
    """A way, a script with or without a fault, and whether the client leaves once the head is there."""
    way = draw(st.sampled_from(WAYS))
    faults = [name for name in faults_of(way.upstream) if name not in _LONG | SPARED]
    script = {
        "fault": draw(st.sampled_from(["", *faults])),
        "tokens": draw(st.integers(1, 20)),
        "after": draw(st.integers(0, 20)),
        "times": draw(st.integers(0, 1)),
        "delay_ms": draw(st.sampled_from([0, 5])),
    }
    return way, script, draw(st.booleans())


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(st.lists(asks(), min_size=5, max_size=40))
def test_every_request_ends_in_one_outcome(
    api: ApiService, mock: Mock, drawn: list[tuple[Way, dict[str, Any], bool]]
) -> None:
    asyncio.run(_asked(api.port, drawn))
    wait_until(lambda: api.open_holds() == 0, 8, "the end of all holds")
    assert compare(api, mock, []).faults == {}


async def _asked(port: int, drawn: list[tuple[Way, dict[str, Any], bool]]) -> None:
    async def one(way: Way, script: dict[str, Any], leaves: bool) -> None:
        client, _ = await post(port, way.path, way.body(prompt(new_marker(), 5, **script)))
        if not leaves:
            await client.read_all()
        await client.leave("rst" if leaves else "fin")

    await asyncio.gather(*(one(*ask) for ask in drawn))


def test_nothing_is_left_and_every_call_is_in_the_ledger(
    api: ApiService, mock: Mock, exchanged: dict[tuple[Way, str], Exchanged]
) -> None:
    """Last in this file."""
    wait_until(lambda: api.open_holds() == 0, what="the end of all holds")
    assert compare(api, mock, []).faults == {}
    status, health = get_json(f"{api.url}/health")
    assert (status, health["status"]) == (200, "healthy")
    assert api.peak_memory_mb() < 300
    record("d faulty upstream, every wire", ways=len(WAYS), cases=len(CASES), open_holds=api.open_holds())
    assert "Task exception was never retrieved" not in api.log
    assert "Traceback" not in api.log
