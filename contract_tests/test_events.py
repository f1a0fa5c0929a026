"""`/api/events`: what runs is there while it runs, only for whom it concerns, and no watcher holds up a stop."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from stack import ApiService, Mock, post_json, running_api

ADMIN = "sk-admin-of-the-events-test-01"
SOON_S = 1.5


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[ApiService]:
    with running_api(tmp_path_factory.mktemp("events"), mock.url, None, GATEWAY_ADMIN_KEY=ADMIN) as running:
        yield running


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def events(api: ApiService, key: str) -> Iterator[dict]:
    """Until the caller stops; a status that does not come in time is an error."""
    with httpx.stream("GET", f"{api.url}/api/events", headers=bearer(key), timeout=8) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        for line in reply.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line[6:])


def key_of(api: ApiService, name: str) -> str:
    status, made = post_json(f"{api.url}/api/keys", {"name": name, "user_id": name}, bearer(ADMIN))
    assert status == 200
    return made["key"]


def asked(api: ApiService, key: str, query: str) -> threading.Thread:
    body = {"model": "openai/gpt-4o", "query": query, "application_id": "watched"}
    thread = threading.Thread(target=post_json, args=(f"{api.url}/api/chat", body, bearer(key)))
    thread.start()
    return thread


def test_what_runs_is_told_at_once_and_so_is_its_end(keyed: ApiService) -> None:
    alice, bob = key_of(keyed, "alice"), key_of(keyed, "bob")
    seen, own = events(keyed, ADMIN), events(keyed, bob)
    assert next(seen)["running_requests"] == 0
    assert next(own)["running"] == []
    began = time.monotonic()
    running = asked(keyed, alice, "{{tokens=20 delay_ms=100}}")
    status = next(status for status in seen if status["running"])
    assert time.monotonic() - began < SOON_S
    (one,) = status["running"]
    assert {
        "model": "openai/gpt-4o",
        "provider": "openai",
        "user_id": "alice",
        "application_id": "watched",
    }.items() <= one.items()
    running.join()
    ended = time.monotonic()
    after = next(status for status in seen if not status["running"])
    assert time.monotonic() - ended < SOON_S
    assert after["changes"] > status["changes"]
    # Bob is told that something has changed, and nothing of what, whose or how much.
    told = next(own)
    assert (told["running"], told["running_requests"], told["changes"]) == ([], 0, 2)
    for stream in (seen, own):
        stream.close()


def test_watchers_are_bounded_and_places_are_given_back(keyed: ApiService) -> None:
    watching = [events(keyed, ADMIN) for _ in range(64)]
    for stream in watching:
        next(stream)
    refused = httpx.get(f"{keyed.url}/api/events", headers=bearer(ADMIN))
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
    for stream in watching:
        stream.close()
    until = time.monotonic() + 5
    while time.monotonic() < until:
        with httpx.stream("GET", f"{keyed.url}/api/events", headers=bearer(ADMIN)) as reply:
            if reply.status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the places of those who left are still taken")


def test_a_watcher_does_not_hold_up_a_stop(tmp_path: Path, mock: Mock) -> None:
    with running_api(tmp_path, mock.url, None, GATEWAY_ADMIN_KEY=ADMIN) as api:
        stream = events(api, ADMIN)
        next(stream)
        began = time.monotonic()
        api.stop()
        assert time.monotonic() - began < 5
        assert list(stream) == []
