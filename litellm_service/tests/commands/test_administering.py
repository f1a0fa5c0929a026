"""The commands of administrators: the same whether a service runs or not."""

import json
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from money import ADMIN

from gateway.cli import main

SERVICE = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment(tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/u.db",
        "API_PORT": str(port),
        "GATEWAY_ADMIN_KEY": ADMIN,
        "LOG_LEVEL": "error",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield tmp_path
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def service(environment):
    """A service that runs on the same settings."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "serve"], cwd=SERVICE, env={**os.environ, "API_HOST": "127.0.0.1"},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert "API service on" in process.stderr.readline()
    yield process
    process.terminate()
    process.wait(20)
    process.stderr.close()


@pytest.fixture(params=["inside", "running"])
def either(request, environment):
    if request.param == "running":
        request.getfixturevalue("service")
    return environment


@pytest.fixture
def gateway(capsys):
    """Run a command: status, what it printed, what it complained of."""

    def run(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as ended:
            status = ended.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def asked(gateway):
    def run(*arguments):
        status, out, err = gateway(*arguments, "--json")
        assert (status, err) == (0, ""), err
        return json.loads(out)

    return run


def test_a_key_from_its_making_to_its_end(either, asked, gateway):
    made = asked(
        "keys", "create", "ci", "--user", "alice", "--model", "demo/*", "--budget", "0.1/day", "--budget", "5",
        "--requests-per-minute", 60, "--max-cost", "0.25", "--no-store-content", "--expires-at", "2100-01-01",
    )  # fmt: skip
    assert made["key"].startswith(f"sk-gw-{made['id']}-")
    assert {one["period"]: one["amount_nano_usd"] for one in made["budgets"]} == {
        "day": 100_000_000,
        "total": 5 * 10**9,
    }
    assert (made["limits"][0]["requests_per_minute"], made["store_content"], made["user_id"]) == (60, False, "alice")
    id_ = made["id"]
    changed = asked("keys", "patch", id_, "--clear", "models", "--clear", "expires_at", "--label-users", "--name", "cd")
    assert (changed["models"], changed["expires_at"], changed["may_label_users"], changed["name"]) == (
        [],
        None,
        True,
        "cd",
    )
    assert asked("keys", "block", id_)["state"] == "blocked"
    assert asked("keys", "unblock", id_)["state"] == "open"
    assert asked("keys", "rotate", id_, "--grace", 60)["key"] != made["key"]
    shown = asked("keys", "show", id_)
    assert "key" not in shown
    assert asked("keys", "list") == {"keys": [shown], "next_cursor": None}
    assert asked("keys", "delete", id_) == {"id": id_, "deleted": True}
    assert asked("budgets", "list")["budgets"] == []
    actions = [entry["action"] for entry in asked("audit", "--kind", "key", "--id", id_)["entries"]]
    assert actions == ["delete", "rotate", "unblock", "block", "change", "create"]
    assert {entry["actor"] for entry in asked("audit")["entries"]} == {"admin"}
    assert gateway("keys", "show", id_)[0] == 1


def test_budgets_and_limits_from_their_making_to_their_end(either, asked):
    budget = asked("budgets", "create", "--model", "demo/*", "--amount", "0.1", "--period", "month", "--tz", "Europe/Paris",
                   "--soft", "--threshold", 50, "--threshold", 90)  # fmt: skip
    assert (budget["scope"], budget["amount_nano_usd"]) == ({"kind": "model", "name": "demo/*"}, 100_000_000)
    assert (budget["tz"], budget["hard"], budget["thresholds"]) == ("Europe/Paris", False, [50, 90])
    raised = asked("budgets", "patch", budget["id"], "--raise-to", "7", "--raise-until", "2100-01-01")
    assert raised["limit_usd"] == 7
    assert (
        asked("budgets", "patch", budget["id"], "--no-raise", "--hard", "--everything")["scope"]["kind"] == "everything"
    )
    assert asked("budgets", "show", budget["id"])["limit_usd"] == 0.1
    limit = asked("limits", "create", "--user", "alice", "--tokens-per-minute", 1000, "--concurrency", 2)
    assert asked("limits", "patch", limit["id"], "--clear", "concurrency")["concurrency"] is None
    assert len(asked("limits", "list")["limits"]) == 1
    assert asked("budgets", "delete", budget["id"])["deleted"]
    assert asked("limits", "delete", limit["id"])["deleted"]


def test_what_people_read_has_the_secret_once_and_tables_of_the_rest(environment, gateway):
    status, out, _ = gateway("keys", "create", "ci", "--budget", "5/month")
    secret = out.strip().split("\n")[-1]
    assert (status, out.count(secret), secret[:6]) == (0, 1, "sk-gw-")
    assert "shown this once" in out
    _, listed, _ = gateway("keys", "list")
    assert "$0.00 of $5.00/month" in listed
    assert listed.endswith("1 key\n")
    assert secret not in listed + gateway("audit")[1] + gateway("budgets", "list")[1]
    assert gateway("limits", "list")[1] == "0 limits\n"
    assert secret.encode() not in b"".join(path.read_bytes() for path in environment.iterdir())


def test_a_status_says_what_kind_of_trouble_there_is(either, gateway):
    assert gateway("keys", "show", "nobody")[0] == 1
    status, out, err = gateway("keys", "create", "ci", "--budget", "x/month")
    assert (status, out) == (2, "")
    assert "budgets[0].amount_usd" in err
    assert gateway("keys", "create")[0] == 2
    assert gateway("budgets", "create", "--amount", 5, "--period", "day")[0] == 2
    assert gateway("budgets", "create", "--everything", "--user", "x", "--amount", 5, "--period", "day")[0] == 2


def test_every_command_explains_itself_with_examples(gateway):
    for noun in ("keys", "budgets", "limits", "audit"):
        status, out, _ = gateway(noun, "--help")
        assert status == 0
        assert f"examples:\n  gateway {noun}" in out


def test_lists_longer_than_a_page_are_whole(environment, asked):
    asked("keys", "create", "n")
    with sqlite3.connect(environment / "u.db") as connection:
        (value,) = connection.execute("SELECT value FROM objects WHERE kind = 'key'").fetchone()
        for number in range(250):
            key = {**json.loads(value), "id": f"{number:016x}", "created_at_ms": number}
            connection.execute("INSERT INTO objects VALUES ('key', ?, ?)", (key["id"], json.dumps(key)))
    connection.close()
    found = asked("keys", "list")
    assert (len(found["keys"]), found["next_cursor"]) == (251, None)


def test_a_service_that_is_elsewhere_is_named(service, gateway, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("API_PORT", str(port))
    status, _, err = gateway("keys", "list")
    assert status == 1
    assert f"process {service.pid}" in err
    assert "API_PORT" in err


def test_a_running_service_obeys_a_command_at_once(service, asked):
    made = asked("keys", "create", "ci")
    assert _call(made["key"]) == 200
    asked("keys", "block", made["id"])
    assert _call(made["key"]) == 401


def _call(key):
    body = b'{"model": "demo/echo", "query": "x"}'
    head = (
        f"POST /api/chat HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    until = time.monotonic() + 5
    with socket.create_connection(("127.0.0.1", int(os.environ["API_PORT"])), timeout=5) as connection:
        connection.sendall(head.encode() + body)
        answer = b""
        while time.monotonic() < until and (part := connection.recv(65536)):
            answer += part
    return int(answer.split()[1])
