"""Suite d through the LiteLLM worker: client and ledger must tell the same story, whatever LiteLLM makes of a fault."""

import json
import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from expectations import EXPECTED
from faultmock.faults import breaks, framing, statuses
from prompts import ROUTES, body, new_marker, prompt
from rawhttp import Reply, exchange
from stack import ApiService, Mock, get_json, post_json, running_api, wait_until

if find_spec("litellm") is None and os.environ.get("CI") != "true":
    pytest.skip("LiteLLM is not installed: pip install -r litellm_service/requirements.txt", allow_module_level=True)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LEAKED_KEY = "sk-upstream-secret-0123456789abcdef"
TOKENS = 12
WORKER_START_S = 60.0
PATIENT = {"header-bomb"}  # megabytes of headers take LiteLLM's client too long to be worth the wait
EXTRA: dict[str, dict[str, float]] = {
    "drip": {"delay_ms": 100},
    "endless": {"delay_ms": 10},
    "gzip-bomb": {"size": 20},
    "500-big": {"size": 0.05},
}
MODELS = {"openai": "openai/gpt-4o", "anthropic": "anthropic/claude-sonnet-4-5"}
ON_ANY_WIRE = (*breaks.FAULTS, *statuses.FAULTS, *framing.FAULTS)
CASES = [("openai", fault, stream) for fault in EXPECTED if fault not in PATIENT for stream in (False, True)]
CASES += [
    ("anthropic", fault, stream)
    for fault in ON_ANY_WIRE
    if fault in EXPECTED and fault not in PATIENT
    for stream in (False, True)
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[ApiService]:
    environment = {
        "OPENAI_API_KEY": LEAKED_KEY,
        "ANTHROPIC_API_KEY": LEAKED_KEY,
        "ANTHROPIC_BASE_URL": mock.url.removesuffix("/v1"),
        "PROVIDERS_VIA_LITELLM": "all",
        "UPSTREAM_FIRST_BYTE_TIMEOUT_S": "0.8",
        "UPSTREAM_SILENCE_TIMEOUT_S": "0.8",
        "UPSTREAM_TOTAL_TIMEOUT_S": "2.5",
    }
    with running_api(tmp_path_factory.mktemp("worker"), mock.url, None, **environment) as running:
        wait_until(lambda: warm(running), WORKER_START_S, "the worker")
        yield running


def warm(service: ApiService) -> bool:
    """The first call of each wire imports a good part of LiteLLM."""
    asked = [body("seed", prompt(new_marker()), stream=False, model=model) for model in MODELS.values()]
    return all(post_json(f"{service.url}/api/chat", one, deadline_s=WORKER_START_S)[0] == 200 for one in asked)


@pytest.mark.parametrize(("wire", "fault", "stream"), CASES, ids=[f"{w}-{f}-{'s' if s else 'p'}" for w, f, s in CASES])
async def test_client_and_ledger_agree(service: ApiService, mock: Mock, wire: str, fault: str, stream: bool) -> None:
    text = prompt(new_marker(), 10, fault=fault, tokens=TOKENS, **EXTRA.get(fault, {}))
    asked = body("openai", text, stream=stream, model=MODELS[wire])
    reply, data = await exchange(service.port, ROUTES["openai"], asked)
    row = only_row(service, reply.headers["x-request-id"])
    assert LEAKED_KEY not in data.decode("utf-8", "replace") + json.dumps(row)
    if reply.status != 200:
        check_refusal(reply, data, row)
    elif stream and not data.endswith(b"data: [DONE]\n\n"):
        assert row["outcome"] == "failed"
        assert b'"error"' in data.rsplit(b"data: ", 1)[1]
    else:
        check_success(row, mock, text.split()[0])


def check_refusal(reply: Reply, data: bytes, row: dict[str, Any]) -> None:
    error = json.loads(data)["error"]
    assert reply.status != 500, error
    assert error["code"]
    assert (row["outcome"], row["http_status"], row["error_message"]) == ("failed", reply.status, error["message"])


def check_success(row: dict[str, Any], mock: Mock, marker: str) -> None:
    """Stated usage is taken over exactly, all else is flagged; nothing is free because nobody counted it."""
    assert (row["outcome"], row["http_status"]) == ("completed", 200)
    call = mock.ended_call(marker)
    usage = call["usage"] if isinstance(call["usage"], dict) else {}
    stated = {str(usage.get(name)) for name in ("completion_tokens", "output_tokens") if name in usage}
    assert row["estimated"] or str(row["completion_tokens"]) in {text.removesuffix(".0") for text in stated}, (
        row,
        usage,
    )
    assert row["total_tokens"] > 0


def only_row(service: ApiService, request_id: str) -> dict[str, Any]:
    rows = service.rows(
        "SELECT r.*, l.estimated FROM requests r JOIN ledger l ON l.request_id = ? AND l.final = 1 WHERE r.id = ?",
        bytes.fromhex(request_id.replace("-", "")),
        request_id,
    )
    assert len(rows) == 1
    return rows[0]


@pytest.mark.parametrize("wire", list(MODELS))
@pytest.mark.parametrize("fault", ["400", "404", "429-seconds", "500", "503"])
async def test_a_providers_refusal_keeps_its_meaning(service: ApiService, wire: str, fault: str) -> None:
    asked = body("openai", prompt(new_marker(), fault=fault), stream=False, model=MODELS[wire])
    reply, _ = await exchange(service.port, ROUTES["openai"], asked)
    assert reply.status == EXPECTED[fault][0].status


def test_nothing_is_left_open(service: ApiService) -> None:
    """Last in this file."""
    wait_until(lambda: service.open_holds() == 0, what="the end of all holds")
    status, health = get_json(f"{service.url}/health")
    assert (status, health["status"]) == (200, "healthy")
    assert "Traceback" not in service.log
