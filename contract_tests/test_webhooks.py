"""Events of budgets, from the settlement that crosses a threshold to the webhook, through kills of the service."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from administrator import ADMIN_KEY, Administrator, TestKey, bearer
from prompts import ROUTES, body, new_marker
from stack import ApiService, Mock, get_json, post_json, running_api, wait_until

SECRET_BYTES = b"of the tests, and of nothing else"
SECRET = "whsec_" + base64.b64encode(SECRET_BYTES).decode()


class Receiver:
    """A real HTTP server that keeps what it got; answers `status`."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.connections = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def do_POST(self) -> None:
                given = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, given))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def told(url: str) -> dict[str, str]:
    """The settings of a service that calls it."""
    return {
        "GATEWAY_ADMIN_KEY": ADMIN_KEY,
        "GATEWAY_WEBHOOK_URL": url,
        "GATEWAY_WEBHOOK_SECRET": SECRET,
        "GATEWAY_WEBHOOK_ALLOW_PRIVATE": "true",
    }


def verified(headers: dict[str, str], given: bytes) -> dict[str, object]:
    """What a receiver does: check the signature and that it is fresh, then read."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + given
    expected = base64.b64encode(hmac.new(SECRET_BYTES, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    found: dict[str, object] = json.loads(given)
    return found


def spend(api: ApiService, key: TestKey) -> None:
    """One call that costs something."""
    status, answer = post_json(api.url + ROUTES["openai"], body("openai", new_marker(), stream=False), key.headers)
    assert status == 200, answer


def overspend(api: ApiService) -> tuple[TestKey, str]:
    """A soft budget of next to nothing, and a call that goes past both of its thresholds."""
    admin = Administrator(api)
    key = admin.key()
    budget = admin.budget("key", key.id, 10, hard=False)
    spend(api, key)
    return key, budget


def test_what_a_settlement_crosses_is_told_once_and_signed(folder: Path, mock: Mock, receiver: Receiver) -> None:
    with running_api(folder / "api", mock.url, None, **told(receiver.url)) as api:
        key, budget = overspend(api)
        wait_until(lambda: len(receiver.got) == 2, what="both thresholds at the webhook")
        events = [verified(*call) for call in receiver.got]
        assert [event["data"]["threshold_percent"] for event in events] == [80, 100]
        assert {(event["type"], event["subject"], event["data"]["budget_id"]) for event in events} == {
            ("budget_threshold", f"key {key.id}", budget)
        }
        spend(api, key)
        metrics = get_json(f"{api.url}/metrics", bearer(ADMIN_KEY))[1]
        assert 'gateway_events_total{kind="budget_threshold"} 2' in metrics.splitlines()
        wait_until(lambda: not waiting(api), what="both noted as delivered")
        assert len(receiver.got) == 2


def test_what_the_receiver_refused_is_told_again_after_a_kill(folder: Path, mock: Mock, receiver: Receiver) -> None:
    receiver.status = 500
    with running_api(folder / "api", mock.url, None, **told(receiver.url)) as api:
        overspend(api)
        wait_until(lambda: len(receiver.got) >= 2, what="both calls")
        refused = set(receiver.ids())
        assert len(waiting(api)) == 2
        api.kill()
        receiver.status = 200
        receiver.got.clear()
        api.start()
        wait_until(lambda: len(receiver.got) == 2, what="both events after the restart")
        assert set(receiver.ids()) == refused
        assert all(verified(*call) for call in receiver.got)
        wait_until(lambda: not waiting(api), what="both noted as delivered")
        api.kill()
        api.start()
        assert api.ready()
        assert len(receiver.got) == 2


def test_without_leave_a_private_address_is_never_connected_to(folder: Path, mock: Mock, receiver: Receiver) -> None:
    settings = {**told(receiver.url), "GATEWAY_WEBHOOK_ALLOW_PRIVATE": "false"}
    with running_api(folder / "api", mock.url, None, **settings) as api:
        overspend(api)
        wait_until(lambda: api.log.count("no public address") == 2, what="two refusals in the log")
        assert receiver.connections == 0
        assert len(waiting(api)) == 2


def test_a_receiver_that_never_answers_holds_up_neither_calls_nor_the_end(folder: Path, mock: Mock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with running_api(folder / "api", mock.url, None, **told(url)) as api:
            key, _ = overspend(api)
            began = time.monotonic()
            for _ in range(5):
                spend(api, key)
            assert time.monotonic() - began < 5
            assert api.stop() == 0
            assert time.monotonic() - began < 8
        assert len(waiting(api)) == 2


def waiting(api: ApiService) -> list[str]:
    """The ids of events that are not delivered."""
    return [row["id"] for row in api.rows("SELECT id FROM events WHERE delivered_at_ms IS NULL")]
