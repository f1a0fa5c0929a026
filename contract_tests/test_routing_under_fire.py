"""Routing under fire: one of three deployments is broken, in every way; clients notice nothing, the ledger everything."""

import statistics
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from figures import record
from prompts import new_marker, prompt
from stack import ApiService, Mock, free_port, get_json, post_json, running_api, running_mock, wait_until

CLIENTS = 8
SLOW = {"UPSTREAM_FIRST_BYTE_TIMEOUT_S": "1", "UPSTREAM_SILENCE_TIMEOUT_S": "1"}
# Name of the broken deployment's model at the mock, which faults by its name; `dead`: nobody listens.
BROKEN = [
    "dead",
    "fault-500",
    "fault-429-none",
    "fault-429-seconds",
    "fault-close-in-head",
    "fault-stall-after-head",
    "slow-5000",
    "fault-404",
]


def configured(folder: Path, url: str, broken: str, *, all_broken: bool = False, more: str = "") -> dict[str, str]:
    """Three providers like OpenAI, of which the first is broken."""
    dead = f"http://127.0.0.1:{free_port()}/v1"
    model = "gpt-4o" if broken == "dead" else broken
    address = {True: dead if broken == "dead" else url, False: url}
    providers = [
        f'[providers.{name}]\nlike = "openai"\nbase_url = "{address[is_broken]}"\napi_key = "sk-{name}"\n'
        for name, is_broken in (("east", True), ("west", all_broken), ("south", all_broken))
    ]
    others = model if all_broken else "gpt-4o"
    route = f'[routes.three]\ndeployments = ["east/{model}", "west/{others}", "south/{others}"]\nstrategy = "weighted"\n{more}'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gateway.toml").write_text("\n".join([*providers, route]))
    return {"OPENAI_API_KEY": ""}


def asked(api: ApiService, *, stream: bool) -> tuple[int, float, str]:
    """Status, seconds, and the body."""
    body = {
        "model": "three",
        "messages": [{"role": "user", "content": prompt(new_marker(), tokens=5)}],
        "stream": stream,
    }
    request = urllib.request.Request(
        f"{api.url}/v1/chat/completions", msgspec.json.encode(body), {"content-type": "application/json"}
    )
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, time.monotonic() - began, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, time.monotonic() - began, error.read().decode()


def fired(api: ApiService, requests: int) -> list[tuple[int, float, str]]:
    """So many requests by a few clients at once, every other one streamed."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda number: asked(api, stream=bool(number % 2)), range(requests)))


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_mock(tmp_path_factory.mktemp("upstream")) as running:
        yield running


@pytest.mark.parametrize("broken", BROKEN)
def test_one_broken_deployment_of_three_fails_no_request(tmp_path: Path, upstream: Mock, broken: str) -> None:
    settings = configured(tmp_path / "api", upstream.url, broken)
    with running_api(tmp_path / "api", upstream.url, None, **settings, **SLOW) as api:
        answers = fired(api, 60)
        assert Counter(status for status, _, _ in answers) == {200: 60}, answers[:3]
        assert all('"finish_reason":"stop"' in body.replace(" ", "") for _, _, body in answers)
        attempts = Counter(
            (row["final"], row["http_status"] < 400) for row in api.rows("SELECT final, http_status FROM ledger")
        )
        assert attempts[1, True] == 60
        assert attempts[1, False] == 0
        assert attempts[0, False] > 0
        summary = get_json(f"{api.url}/api/stats")[1]["summary"]
        assert (summary["total_requests"], summary["error_rate"]) == (60, 0)
        audited = api.gateway("doctor", "--audit")
        assert audited.returncode == 0, audited.stdout
        shown = {
            way["provider"]: way["health"]
            for way in get_json(f"{api.url}/api/routes?model=three")[1]["routes"][0]["deployments"]
        }
        assert shown["east"]["last_error"]
        assert shown["west"]["status"] == shown["south"]["status"] == "healthy"


def test_the_slowest_answers_are_hardly_slower_with_one_dead(tmp_path: Path, upstream: Mock, long_form: bool) -> None:
    figures = {}
    for name, broken in (("healthy", "gpt-4o"), ("dead", "dead")):
        settings = configured(tmp_path / name, upstream.url, broken)
        with running_api(tmp_path / name, upstream.url, None, **settings) as api:
            fired(api, 40)
            took = sorted(seconds for _, seconds, _ in fired(api, 400 if long_form else 120))
            figures[name] = (statistics.median(took), took[int(len(took) * 0.99)])
    record("r routing", healthy_p99_ms=round(figures["healthy"][1] * 1e3), dead_p99_ms=round(figures["dead"][1] * 1e3))
    assert figures["dead"][0] <= 2 * figures["healthy"][0] + 0.05
    assert figures["dead"][1] <= 2 * figures["healthy"][1] + 0.25


def test_when_all_are_dead_retries_stay_within_their_budget(tmp_path: Path, upstream: Mock) -> None:
    settings = configured(tmp_path / "api", upstream.url, "fault-500", all_broken=True)
    with running_api(tmp_path / "api", upstream.url, None, **settings) as api:
        fired(api, 20)
        before = api.rows("SELECT count(*) AS n FROM ledger")[0]["n"]
        answers = fired(api, 100)
        calls = api.rows("SELECT count(*) AS n FROM ledger")[0]["n"] - before
        assert {status for status, _, _ in answers} <= {502, 503}
        assert calls <= 100 * 1.1 + 15
        record("r routing, all dead", requests=100, upstream_calls=calls)


def test_recovery_is_noticed_within_ten_seconds(tmp_path: Path, upstream: Mock) -> None:
    with running_mock(tmp_path / "east") as east:
        settings = configured(tmp_path / "api", upstream.url, "gpt-4o")
        toml = tmp_path / "api" / "gateway.toml"
        toml.write_text(toml.read_text().replace(upstream.url, east.url, 1))
        with running_api(tmp_path / "api", upstream.url, None, **settings) as api:
            east.kill()
            assert {status for status, _, _ in fired(api, 40)} == {200}
            assert east_health(api) in {"ejected", "trying"}
            east.start()
            began = time.monotonic()
            wait_until(lambda: fired(api, 4) and east_health(api) == "healthy", 10, "the recovery")
            record("r recovery", noticed_after_s=round(time.monotonic() - began, 1))


def east_health(api: ApiService) -> str:
    ways = get_json(f"{api.url}/api/routes?model=three")[1]["routes"][0]["deployments"]
    return str(next(way["health"]["status"] for way in ways if way["provider"] == "east"))


def test_a_conversation_that_is_too_long_goes_to_a_model_that_takes_it(tmp_path: Path, upstream: Mock) -> None:
    settings = configured(
        tmp_path / "api", upstream.url, "fault-400-context", all_broken=True, more='on_context_length = ["demo/echo"]\n'
    )
    with running_api(tmp_path / "api", upstream.url, None, **settings) as api:
        status, _, body = asked(api, stream=False)
        assert status == 200, body
        assert "demo model" in body


def test_a_changed_file_holds_without_a_restart_and_a_bad_one_is_refused(tmp_path: Path, upstream: Mock) -> None:
    import os  # noqa: PLC0415
    import signal  # noqa: PLC0415

    toml = tmp_path / "api" / "gateway.toml"
    settings = configured(tmp_path / "api", upstream.url, "dead")
    with running_api(tmp_path / "api", upstream.url, None, **settings) as api:
        good = toml.read_text()
        toml.write_text(good + '[routes.new]\ndeployments = ["demo/echo"]\n')
        os.kill(api.pid, signal.SIGHUP)
        body = {"model": "new", "messages": [{"role": "user", "content": "x"}]}
        wait_until(lambda: post_json(f"{api.url}/v1/chat/completions", body)[0] == 200, what="the new route")
        toml.write_text(good.replace("weighted", "best"))
        os.kill(api.pid, signal.SIGHUP)
        wait_until(lambda: "are refused" in api.log, what="the refusal in the log")
        assert "strategy" in api.log
        assert post_json(f"{api.url}/v1/chat/completions", body)[0] == 200
        assert api.gateway("check").returncode == 2
        toml.write_text(good)
        explained = api.gateway("explain", "three")
        assert explained.returncode == 0, explained.stderr
        assert "strategy weighted" in explained.stdout
        assert "east/gpt-4o" in explained.stdout
