"""Suite n: canaries in every credential and prompt; none may show where it has no business."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from administrator import Administrator, TestKey
from faultmock.faults import FAULTS
from prompts import ROUTES, body, new_marker, prompt
from rawhttp import Broken, connect, post, request_bytes
from stack import ApiService, Mock, get_json, running_api, wait_until

pytestmark = pytest.mark.anyio

PROVIDER_KEY = "sk-upstream-secret-0123456789abcdef"  # the very one that the mock's 401 repeats
ADMIN_KEY = "canary-admin-7f3a9c2e51d84b06"
WRONG_KEY = "canary-wrong-c41e8d0b7a6f4295"
PROMPT = "canary-prompt-93b5f1a8"
ANSWER_WORD = "people is way to water"
CREDENTIALS = (PROVIDER_KEY, ADMIN_KEY, WRONG_KEY)
PEPPER = "canary-pepper-5e0d83c1f6a94b27"
WEBHOOK_PATH = "canary-hook-4b92d07fe1a6c835?token=canary-token-90e1"  # as good as a password at many a receiver
WEBHOOK_SECRET = "canary-webhook-8c2f61d9e7b04a35"
API_ENVIRONMENT = {
    "OPENAI_API_KEY": PROVIDER_KEY,
    "ANTHROPIC_API_KEY": "canary-anthropic-2b7c",
    "GATEWAY_ADMIN_KEY": ADMIN_KEY,
    "LOG_LEVEL": "debug",
    "UPSTREAM_FIRST_BYTE_TIMEOUT_S": "0.5",
    "UPSTREAM_SILENCE_TIMEOUT_S": "0.5",
    "UPSTREAM_TOTAL_TIMEOUT_S": "1.5",
}
FAILURES = ("400", "401", "429-seconds", "500", "html-200", "invalid-json", "reset-mid", "error-event", "stall")
CARRIERS = ("authorization", "x-api-key", "x-goog-api-key")
BAD_BODIES = (
    b"",
    b"{",
    b"[]",
    f'"{PROMPT}"'.encode(),
    f'{{"model": "{PROMPT}", "query": "hi"}}'.encode(),
    f'{{"model": "gpt-4o", "query": ["{PROMPT}"]}}'.encode(),
    f'{{"model": "gpt-4o", "query": "hi", "{PROMPT}": 1, "user_id": 7}}'.encode(),
)


def carried(carrier: str, key: str) -> dict[str, str]:
    return {carrier: f"Bearer {key}" if carrier == "authorization" else key}


async def provoke(api: ApiService) -> list[str]:
    """Every success and failure path; all that clients were told, but for prompts and answers themselves."""
    told = []
    for route in ROUTES:
        for stream in (False, True):
            for fault in ("", *FAILURES):
                text = f"{prompt(new_marker(), fault=fault)} {PROMPT}"
                told.append(await ask(api, route, body(route, text, stream=stream), carried(CARRIERS[0], ADMIN_KEY)))
        for carrier in CARRIERS:
            asked = body(route, PROMPT, stream=False)
            told.append(await ask(api, route, asked, carried(carrier, WRONG_KEY)))
            told.append(await ask(api, route, body(route, "hi", stream=False), carried(carrier, ADMIN_KEY)))
        told += [await ask(api, route, bad, carried(CARRIERS[0], ADMIN_KEY)) for bad in BAD_BODIES]
    return told


async def ask(api: ApiService, route: str, asked: object, headers: dict[str, str]) -> str:
    client, reply = await post(api.port, ROUTES[route], asked, headers)
    try:
        data = await client.read_all()
    except Broken:
        data = b""
    await client.leave("fin")
    return f"{reply.headers} {data.decode('utf-8', 'replace')}"


async def leave_early(api: ApiService) -> None:
    text = f"{prompt(new_marker(), first_ms=2000)} {PROMPT}"
    client = await connect(api.port)
    headers = carried(CARRIERS[0], ADMIN_KEY)
    await client.send(request_bytes(ROUTES["openai"], body("openai", text, stream=True), headers))
    await client.leave("rst")


async def test_no_secret_shows_in_logs_or_answers(api: ApiService) -> None:
    assert set(FAILURES) <= set(FAULTS)
    told = await provoke(api)
    await leave_early(api)
    wait_until(lambda: api.open_holds() == 0, what="the end of all holds")
    assert "unauthenticated" in "".join(told)
    answers = "\n".join(told)
    for secret in CREDENTIALS:
        assert secret not in answers
        assert secret not in api.log
    assert PROMPT not in api.log
    assert ANSWER_WORD not in api.log
    assert api.log.count('"logger":"gateway.requests"') > 20


async def test_no_secret_shows_on_the_public_pages(api: ApiService) -> None:
    for path in ("/health", "/health/live", "/health/ready", "/docs", "/openapi.json", "/", "/nowhere"):
        shown = json.dumps(get_json(f"{api.url}{path}", carried(CARRIERS[0], ADMIN_KEY)))
        for secret in (*CREDENTIALS, PROMPT, API_ENVIRONMENT["ANTHROPIC_API_KEY"]):
            assert secret not in shown, path


async def test_models_and_requests_show_no_credential(api: ApiService) -> None:
    for path in ("/api/models", "/v1/models", "/api/requests", "/api/stats", "/api/usage"):
        status, shown = get_json(f"{api.url}{path}", carried(CARRIERS[1], ADMIN_KEY))
        assert status == 200, (path, shown)
        for secret in CREDENTIALS:
            assert secret not in json.dumps(shown), path


def test_the_database_holds_no_credential(api: ApiService) -> None:
    stored = b"".join(path.read_bytes() for path in files_of(api))
    for secret in CREDENTIALS:
        assert secret.encode() not in stored


def test_check_prints_settings_with_secrets_masked(api: ApiService) -> None:
    printed = api.gateway("check")
    assert printed.returncode == 0, printed.stderr
    for secret in (*CREDENTIALS, API_ENVIRONMENT["ANTHROPIC_API_KEY"]):
        assert secret not in printed.stdout + printed.stderr
    assert re.search(r"OPENAI_API_KEY|openai", printed.stdout)


def files_of(api: ApiService) -> list[Path]:
    return sorted(api.database.parent.glob(api.database.name + "*"))


@pytest.fixture
def forgetful(folder: Path, mock: Mock) -> Iterator[ApiService]:
    environment = {**API_ENVIRONMENT, "STORE_CONTENT": "false"}
    with running_api(folder, mock.url, None, **environment) as api:
        yield api


async def test_content_that_is_not_to_be_stored_is_nowhere(forgetful: ApiService) -> None:
    await provoke(forgetful)
    wait_until(lambda: forgetful.open_holds() == 0, what="the end of all holds")
    stored = b"".join(path.read_bytes() for path in files_of(forgetful))
    assert PROMPT.encode() not in stored
    assert ANSWER_WORD.encode() not in stored
    queries = forgetful.rows("SELECT DISTINCT query, response, messages FROM requests")
    assert all(row["query"] == "" and not row["response"] and not row["messages"] for row in queries)


def test_all_four_refusals_of_a_key_are_alike(api: ApiService) -> None:
    bodies = set()
    headers = [{}, *(carried(carrier, WRONG_KEY) for carrier in CARRIERS), {"authorization": "Basic abc"}]
    for given in headers:
        status, answer = get_json(f"{api.url}/api/models", given)
        assert status == 401
        answer["error"].pop("request_id")
        bodies.add(json.dumps(answer, sort_keys=True))
    assert len(bodies) == 1


# Virtual keys, the pepper and the webhook's secret


@pytest.fixture
def keyed(folder: Path, mock: Mock) -> Iterator[ApiService]:
    """With a pepper of its own, and a webhook that refuses everything."""
    environment = {
        **API_ENVIRONMENT,
        "GATEWAY_PEPPER": PEPPER,
        "GATEWAY_WEBHOOK_URL": mock.url.removesuffix("/v1") + "/" + WEBHOOK_PATH,
        "GATEWAY_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "GATEWAY_WEBHOOK_ALLOW_PRIVATE": "true",
    }
    with running_api(folder / "keyed", mock.url, None, **environment) as api:
        yield api


async def live_with_keys(api: ApiService) -> tuple[list[str], list[str]]:
    """Keys in every state, used well and badly with every carrier: their secrets, and all that was answered after them."""
    admin = Administrator(api, ADMIN_KEY)
    keys = [admin.key(f"number {number}", store_content=number % 2 == 0) for number in range(4)]
    budget = admin.budget("key", keys[0].id, 10**6, hard=False)
    keys.append(admin.rotate(keys[0], grace_s=60))
    told: list[str] = []
    for key in keys:
        for carrier in CARRIERS:
            for route in ROUTES:
                told.append(await ask(api, route, body(route, "hi", stream=False), carried(carrier, key.secret)))
                asked = body(route, f"{prompt(new_marker(), fault='401')} hi", stream=True)
                told.append(await ask(api, route, asked, carried(carrier, key.secret + "x")))
                told.append(await ask(api, route, asked, carried(carrier, key.secret)))
    told += [
        str(admin.change_key(keys[1], expires_at="2099-01-01")),
        str(admin.block(keys[2])),
        str(admin.delete_key(keys[3])),
    ]
    for path in misplaced(keys[0]):
        get_json(api.url + path, carried("x-api-key", ADMIN_KEY))
    for key in keys:
        told.append(await ask(api, "openai", body("openai", "hi", stream=False), carried("authorization", key.secret)))
    told += [
        json.dumps(get_json(api.url + path, carried("x-api-key", ADMIN_KEY)))
        for path in ("/api/keys", "/api/budgets", "/api/limits", "/api/audit?limit=200", "/api/me", "/api/requests", "/metrics",
                     "/api/providers", f"/api/keys/{keys[1].id}", f"/api/budgets/{budget}", "/api/usage/export?format=jsonl")
    ]  # fmt: skip
    return [key.secret for key in keys], told


def misplaced(key: TestKey) -> list[str]:
    """Where people put keys by mistake: they may be told what they asked for, but it is not logged."""
    return [f"/api/models?key={key.secret}", f"/nowhere/{key.secret}", f"/api/models?api_key={key.secret}&alt=sse"]


async def test_no_key_pepper_or_webhook_secret_shows_anywhere(keyed: ApiService) -> None:
    """Not in the database or its journals, the log at DEBUG, answers, errors, reports, metrics, nor the audit log."""
    shown_once, told = await live_with_keys(keyed)
    wait_until(lambda: "webhook failed" in keyed.log, what="a webhook that fails")
    digests = re.findall(r"\b[0-9a-f]{64}\b", str(keyed.rows("SELECT value FROM objects WHERE kind = 'key'")))
    assert len(digests) >= 4
    canaries = [PEPPER, WEBHOOK_SECRET, WEBHOOK_PATH, ADMIN_KEY, PROVIDER_KEY, *shown_once]
    canaries += [secret[-43:] for secret in shown_once]
    answers, log = "\n".join(told), keyed.log
    audited = str(keyed.rows("SELECT * FROM audit"))
    assert audited.count("create") >= 5
    for canary in (*canaries, *digests):
        assert canary not in answers, canary
        assert canary not in log, canary
        assert canary not in audited, canary
    keyed.kill()
    for path in sorted(keyed.database.parent.rglob("*")):
        stored = path.read_bytes() if path.is_file() else b""
        for canary in canaries:
            assert canary.encode() not in stored, (path, canary)


def test_the_generated_pepper_lies_beside_the_database_for_its_owner_only(folder: Path, mock: Mock) -> None:
    with running_api(folder / "own", mock.url, None, GATEWAY_ADMIN_KEY=ADMIN_KEY) as api:
        key = Administrator(api, ADMIN_KEY).key()
        pepper = next(api.database.parent.glob("gateway_pepper.key"))
        assert pepper.stat().st_mode & 0o777 == 0o600
        secret = pepper.read_text().strip()
        assert secret
        assert secret not in api.log
        assert all(secret.encode() not in path.read_bytes() for path in files_of(api))
        api.stop()
        api.start()
        assert get_json(f"{api.url}/api/me", key.headers)[0] == 200
        api.stop()
        pepper.write_text(secret[::-1])
        api.start()
        assert get_json(f"{api.url}/api/me", key.headers)[0] == 401


def test_check_masks_the_pepper_and_the_webhook_s_secret(keyed: ApiService) -> None:
    printed = keyed.gateway("check")
    assert printed.returncode == 0, printed.stderr
    for secret in (PEPPER, WEBHOOK_SECRET, WEBHOOK_PATH, ADMIN_KEY):
        assert secret not in printed.stdout + printed.stderr
    assert "pepper" in printed.stdout.lower()


def test_the_commands_show_a_secret_once(keyed: ApiService) -> None:
    made = keyed.gateway("keys", "create", "ci", "--user", "alice")
    assert made.returncode == 0, made.stderr
    (secret,) = re.findall(r"sk-gw-[0-9a-f]{16}-[A-Za-z0-9_-]{43}", made.stdout)
    assert get_json(f"{keyed.url}/api/me", carried("x-api-key", secret))[0] == 200
    for words in (("keys", "list"), ("audit",), ("budgets", "list")):
        printed = keyed.gateway(*words)
        assert printed.returncode == 0, printed.stderr
        assert secret not in printed.stdout + printed.stderr
    assert secret not in keyed.log
    assert all(secret.encode() not in path.read_bytes() for path in files_of(keyed))
