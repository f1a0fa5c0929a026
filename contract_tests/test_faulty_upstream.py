"""Suite d: whatever an upstream does, the client gets a proper answer and the ledger one right row."""

import json
import re
from typing import Any

import pytest

from expectations import EXPECTED, Expect
from faultmock.faults import FAULTS
from figures import record
from prompts import ROUTES, body, new_marker, prompt
from rawhttp import Reply, exchange
from stack import ApiService, Mock, get_json, running_api, wait_until

pytestmark = pytest.mark.anyio

# The mock's 401 repeats this key, as careless providers do: no client may see it.
LEAKED_KEY = "sk-upstream-secret-0123456789abcdef"
API_ENVIRONMENT = {
    "OPENAI_API_KEY": LEAKED_KEY,
    "UPSTREAM_FIRST_BYTE_TIMEOUT_S": "0.8",
    "UPSTREAM_SILENCE_TIMEOUT_S": "0.8",
    "UPSTREAM_TOTAL_TIMEOUT_S": "2.5",
}
SPARED = {"429"}  # takes its header from the script: tested by its named forms
TOKENS = 12
TOLERATED_TOKENS = 4
PACED = ("invalid-event", "html-mid", "long-line", "long-comment", "big-answer")
EXTRA: dict[str, dict[str, float]] = {
    "drip": {"delay_ms": 100},
    "endless": {"delay_ms": 10},
    "gzip-bomb": {"size": 50},
    **{fault: {"delay_ms": 10} for fault in PACED},
}
FORMS = [(route, stream) for route in ROUTES for stream in (False, True)]


@pytest.fixture(scope="module")
def descriptors_at_start(api: ApiService) -> int:
    """Open descriptors of the service before the first fault."""
    return api.descriptors()


def test_every_fault_of_the_mock_has_an_expectation() -> None:
    assert set(EXPECTED) == set(FAULTS) - SPARED
    assert len(EXPECTED) >= 40


@pytest.mark.parametrize(("route", "stream"), FORMS, ids=[f"{r}-{'stream' if s else 'plain'}" for r, s in FORMS])
@pytest.mark.parametrize("fault", list(EXPECTED))
async def test_a_fault_has_its_answer_and_its_row(
    api: ApiService, mock: Mock, descriptors_at_start: int, fault: str, route: str, stream: bool
) -> None:
    marker, expect = new_marker(), EXPECTED[fault][stream]
    text = prompt(marker, 30, fault=fault, tokens=TOKENS, **EXTRA.get(fault, {}))
    reply, data = await exchange(api.port, ROUTES[route], body(route, text, stream=stream))
    check_answer(reply, data, expect, route=route, stream=stream)
    row = only_row(api, reply.headers["x-request-id"], marker)
    check_row(row, expect, mock.ended_call(marker))
    assert LEAKED_KEY not in str(reply.headers) + data.decode("utf-8", "replace") + json.dumps(row)


def check_answer(reply: Reply, data: bytes, expect: Expect, *, route: str, stream: bool) -> None:
    assert reply.status == expect.status, data[:500]
    if reply.status != 200:
        error = json.loads(data)["error"]
        assert error["code"] == expect.code
        assert error["message"]
        assert error["request_id"] == reply.headers["x-request-id"]
    elif stream:
        check_stream(data, expect, route)
    else:
        assert "x-gateway-cost-usd" in reply.headers
        assert json.loads(data)["response" if route == "seed" else "choices"] is not None


def check_stream(data: bytes, expect: Expect, route: str) -> None:
    lines = [line[5:].strip() for line in data.decode("utf-8").split("\n") if line.startswith("data:")]
    errors = [line for line in lines if '"error":{' in line.replace(" ", "") and '"request_id"' in line]
    last = lines[-1]
    if expect.row_status == 200:
        assert errors == []
        assert last == "[DONE]" if route == "openai" else json.loads(last)["type"] == "done"
        assert lines.count("[DONE]") == (route == "openai")
    else:
        assert errors == [last]
        assert json.loads(last)["error"]["code"] == expect.code


def only_row(api: ApiService, request_id: str, marker: str) -> dict[str, Any]:
    """The row of the request joined to its final ledger row; there must be one, found by either name."""
    rows = api.rows(
        "SELECT r.*, l.estimated, l.error_code FROM requests r JOIN ledger l ON l.request_id = ? AND l.final = 1 "
        "WHERE r.id = ?",
        bytes.fromhex(request_id.replace("-", "")),
        request_id,
    )
    assert len(rows) == 1
    assert rows[0]["query"].startswith(marker)
    return rows[0]


def check_row(row: dict[str, Any], expect: Expect, call: dict[str, Any]) -> None:
    assert (row["http_status"], row["outcome"]) == (expect.row_status, expect.outcome)
    assert row["status"] == ("success" if expect.row_status == 200 else "error")
    assert bool(row["error_message"]) == (expect.row_status != 200)
    assert row["provider"] == "openai"
    if expect.usage == "exact":
        check_exact(row, call)
    elif expect.usage == "none":
        assert (row["total_tokens"], row["cost_nano_usd"], row["cost_source"]) == (0, 0, "none")
    elif expect.usage == "estimated":
        check_estimate(row, call, expect)


def check_exact(row: dict[str, Any], call: dict[str, Any]) -> None:
    stated = call["usage"]
    assert (row["prompt_tokens"], row["completion_tokens"]) == (stated["prompt_tokens"], stated["completion_tokens"])
    assert (row["estimated"], row["cost_source"]) == (0, "computed")
    cached = (stated.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    nano = (row["prompt_tokens"] - cached) * 2_500 + cached * 1_250 + row["completion_tokens"] * 10_000
    assert row["cost_nano_usd"] == nano


def check_estimate(row: dict[str, Any], call: dict[str, Any], expect: Expect) -> None:
    assert (row["estimated"], row["cost_source"]) == (1, "estimated")
    assert 0.75 * call["prompt_tokens"] <= row["prompt_tokens"] <= 1.6 * call["prompt_tokens"]
    streamed = expect.status == 200
    if streamed:
        assert abs(row["completion_tokens"] - call["tokens_sent"]) <= max(TOLERATED_TOKENS, 0.25 * call["tokens_sent"])


RETRY_AFTER = {
    "429-seconds": r"1",
    "429-date": r"[12]",
    "429-none": r"",
    "429-garbage": r"",
    "429-huge": r"\d{1,5}|",
    "429-negative": r"0|",
    "429-float": r"1",
    "429-twice": r"[17]|",
}


@pytest.mark.parametrize("fault", list(RETRY_AFTER))
async def test_retry_after_is_passed_on_where_it_makes_sense(api: ApiService, fault: str) -> None:
    text = prompt(new_marker(), fault=fault)
    reply, _ = await exchange(api.port, ROUTES["openai"], body("openai", text, stream=False))
    assert re.fullmatch(RETRY_AFTER[fault], reply.headers.get("retry-after", ""))


async def test_redirects_are_not_followed(mock: Mock) -> None:
    assert [event for event in mock.events() if event.get("path") == "/redirected"] == []


async def test_somebody_elses_answer_never_reaches_a_client(api: ApiService, mock: Mock) -> None:
    for stream in (False, True) * 5:
        text = prompt(new_marker(), fault="second-answer")
        reply, data = await exchange(api.port, ROUTES["openai"], body("openai", text, stream=stream))
        assert reply.status == 200
        assert b"somebody else" not in data


async def test_a_connection_closed_while_idle_costs_nobody_a_request(api: ApiService, mock: Mock) -> None:
    for _ in range(20):
        text = prompt(new_marker(), fault="close-after-end")
        reply, _ = await exchange(api.port, ROUTES["openai"], body("openai", text, stream=False))
        assert reply.status == 200


async def test_attempts_are_never_made_after_the_first_byte(api: ApiService, mock: Mock) -> None:
    marker = new_marker()
    text = prompt(marker, fault="reset-mid", tokens=TOKENS)
    await exchange(api.port, ROUTES["openai"], body("openai", text, stream=True))
    mock.ended_call(marker)
    assert len(mock.calls(marker)) == 1


async def test_each_upstream_call_has_a_ledger_row(api: ApiService, mock: Mock) -> None:
    wait_until(lambda: api.open_holds() == 0, what="the end of all holds")
    rows = api.rows("SELECT hex(request_id) AS id, count(*) AS attempts FROM ledger GROUP BY request_id")
    attempts = {row["id"].lower(): row["attempts"] for row in rows}
    seen: dict[str, int] = {}
    for call in mock.calls():
        name = call["ids"]["x-request-id"].replace("-", "")
        seen[name] = seen.get(name, 0) + 1
    # An attempt on a connection that the provider had just closed has a row too, though the provider never saw it.
    assert [name for name, calls in seen.items() if attempts.get(name, 0) < calls] == []


async def test_a_provider_that_refuses_connections_is_502(folder: Any, mock: Mock) -> None:
    with running_api(folder, "http://127.0.0.1:9/v1") as api:
        for stream in (False, True):
            reply, data = await exchange(api.port, ROUTES["openai"], body("openai", "hi", stream=stream))
            error = json.loads(data)["error"]
            assert (reply.status, error["code"]) == (502, "provider_unavailable")
            row = api.rows("SELECT * FROM requests WHERE id = ?", error["request_id"])[0]
            assert (row["total_tokens"], row["cost_nano_usd"], row["outcome"]) == (0, 0, "failed")


def test_nothing_leaks(api: ApiService, descriptors_at_start: int) -> None:
    """Last in this file: after all the faults, descriptors, memory and work in flight are back where they were."""
    idle_upstreams = 8
    wait_until(lambda: api.descriptors() <= descriptors_at_start + idle_upstreams, 8, "closing of descriptors")
    assert api.open_holds() == 0
    status, health = get_json(f"{api.url}/health")
    assert (status, health["status"]) == (200, "healthy")
    memory_mb = api.peak_memory_mb()
    assert memory_mb < 300
    record(
        "d faulty upstream",
        faults=len(EXPECTED),
        forms=len(FORMS),
        open_holds=api.open_holds(),
        descriptors_more_than_at_start=api.descriptors() - descriptors_at_start,
        peak_memory_mb=memory_mb,
    )
    assert "Task exception was never retrieved" not in api.log
    assert "Traceback" not in api.log
