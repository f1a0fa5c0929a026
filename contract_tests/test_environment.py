"""Suite i: a full disk, damaged files, a second process: what the ledger promises of each."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prompts import ROUTES, body, new_marker, prompt
from rawhttp import connect, post, request_bytes
from stack import ApiService, Mock, get_json, post_json, wait_until

pytestmark = pytest.mark.anyio

DISK_MB = 40


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own; skipped (in CI: failed) where mounting is not allowed."""
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        assert os.environ.get("CI") != "true", f"a small disk must be mountable in CI: {mounted.stderr}"
        pytest.skip(f"NOT TESTED: the full disk needs the right to mount: {mounted.stderr}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@contextlib.contextmanager
def service(folder: Path, mock: Mock, database: Path | None = None, **environment: str) -> Iterator[ApiService]:
    """A service that is not started yet."""
    api = ApiService(folder, mock.url, database, **environment)
    try:
        yield api
    finally:
        api.kill()


def fill(disk: Path) -> Path:
    """Take all the space that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(512))
    assert shutil.disk_usage(disk).free < 4096
    return filler


def chat(api: ApiService, text: str = "hi") -> tuple[int, dict[str, object]]:
    status, reply = post_json(f"{api.url}/api/chat", {"query": text, "model": "gpt-4o"})
    return status, reply


async def test_on_a_full_disk_open_requests_settle_new_ones_wait_and_it_recovers(
    small_disk: Path, folder: Path, mock: Mock
) -> None:
    with service(folder, mock, small_disk / "usage.db") as api:
        api.start()
        assert chat(api)[0] == 200
        marker = new_marker()
        text = prompt(marker, tokens=120, delay_ms=25)
        client, reply = await post(api.port, ROUTES["openai"], body("openai", text, stream=True))
        assert reply.status == 200
        filler = fill(small_disk)
        refused = await asyncio.to_thread(refusal, api)
        assert refused["code"] == "store_unavailable"
        assert get_json(f"{api.url}/health/ready")[0] == 503
        assert get_json(f"{api.url}/health")[0] == 200
        assert (await client.read_all()).endswith(b"data: [DONE]\n\n")
        await client.leave("fin")
        row = api.rows("SELECT * FROM requests WHERE id = ?", reply.headers["x-request-id"])[0]
        assert (row["completion_tokens"], row["status"]) == (120, "success")
        filler.unlink()
        wait_until(lambda: chat(api)[0] == 200, 5, "recovery from the full disk")
        wait_until(api.ready, 5, "readiness")
        assert api.open_holds() == 0
        assert api.stop() == 0
        assert api.gateway("doctor", "--audit").returncode == 0


def refusal(api: ApiService) -> dict[str, object]:
    """New requests are taken until the file must grow; then they are refused, before anything is sent."""
    for _ in range(3000):
        status, reply = chat(api, "some words to fill the disk " * 40)
        if status != 200:
            assert status == 503, reply
            error = reply["error"]
            assert isinstance(error, dict)
            return error
    raise AssertionError("the full disk was never noticed")


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda data: b"this is no database, and it is longer than a header would be\n" * 200,
    "truncated": lambda data: data[: len(data) // 2],
    "first page overwritten": lambda data: data[:100] + bytes(3996) + data[4096:],
    "header overwritten": lambda data: bytes(100) + data[100:],
    "middle overwritten": lambda data: data[:8192] + b"\xff" * (len(data) - 16384) + data[-8192:],
}


@pytest.fixture
def used_database(folder: Path, mock: Mock) -> Path:
    """A file with some requests in it, closed in order."""
    with service(folder, mock) as api:
        api.start()
        for _ in range(30):
            assert chat(api, "words " * 200)[0] == 200
        assert api.stop() == 0
        return api.database


def refuses_to_start(api: ApiService) -> str:
    api.spawn()
    assert api.wait(15) not in {0, -9}
    assert "Traceback" not in api.log
    return api.log


@pytest.mark.parametrize("damage", list(DAMAGED))
def test_a_damaged_file_is_refused_and_left_as_it_is(used_database: Path, mock: Mock, damage: str) -> None:
    used_database.write_bytes(DAMAGED[damage](used_database.read_bytes()))
    before = used_database.read_bytes()
    with service(used_database.parent, mock, used_database) as api:
        said = refuses_to_start(api)
    assert str(used_database) in said
    assert "backup" in said.lower() or "restore" in said.lower()
    assert used_database.read_bytes() == before


def test_a_file_of_a_newer_version_is_refused(used_database: Path, mock: Mock) -> None:
    with contextlib.closing(sqlite3.connect(used_database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with service(used_database.parent, mock, used_database) as api:
        said = refuses_to_start(api)
    assert "newer" in said


def test_an_empty_or_missing_file_becomes_a_database(folder: Path, mock: Mock) -> None:
    (folder / "empty.db").touch()
    for database in (folder / "empty.db", folder / "new folder" / "missing.db"):
        with service(folder, mock, database) as api:
            api.start()
            assert chat(api)[0] == 200
            assert api.rows("SELECT count(*) AS n FROM requests") == [{"n": 1}]


def test_a_second_process_on_the_same_file_is_refused(folder: Path, mock: Mock) -> None:
    with service(folder / "one", mock, folder / "usage.db") as first:
        first.start()
        with service(folder / "two", mock, folder / "usage.db") as second:
            said = refuses_to_start(second)
        assert str(first.pid) in said
        assert "DATABASE_URL" in said
        assert chat(first)[0] == 200


def test_a_busy_port_is_named(folder: Path, mock: Mock) -> None:
    with service(folder / "one", mock) as first, service(folder / "two", mock) as second:
        first.start()
        second.environment["API_PORT"] = str(first.port)
        said = refuses_to_start(second)
        assert str(first.port) in said
        assert "API_PORT" in said


@pytest.fixture
def read_only_disk(small_disk: Path) -> Iterator[Path]:
    yield small_disk
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=False)


def test_a_read_only_disk_is_refused_at_start(read_only_disk: Path, folder: Path, mock: Mock) -> None:
    with service(folder, mock, read_only_disk / "usage.db") as api:
        api.start()
        api.stop()
        subprocess.run(["mount", "-o", "remount,ro", read_only_disk], check=True)
        said = refuses_to_start(api)
    assert "written" in said or "read-only" in said.lower()


async def test_a_file_that_turns_read_only_refuses_holds_and_recovers(folder: Path, mock: Mock) -> None:
    """Another connection that keeps the write lock looks the same to the service: it cannot write."""
    with service(folder, mock) as api:
        api.start()
        assert chat(api)[0] == 200
        text = prompt(new_marker(), tokens=40, delay_ms=25)
        client = await connect(api.port)
        await client.send(request_bytes(ROUTES["openai"], body("openai", text, stream=True)))
        reply = await client.head()
        with contextlib.closing(sqlite3.connect(api.database, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            status, answer = await asyncio.to_thread(chat, api)
            assert (status, answer["error"]["code"]) == (503, "store_unavailable")  # type: ignore[index]
            connection.execute("ROLLBACK")
        await client.read_all()
        await client.leave("fin")
        wait_until(lambda: chat(api)[0] == 200, 10, "recovery")
        rows = api.rows("SELECT outcome FROM requests WHERE id = ?", reply.headers["x-request-id"])
        assert [row["outcome"] for row in rows] == ["completed"]


def test_bad_settings_are_named_and_end_with_status_2(folder: Path, mock: Mock) -> None:
    bad = {"API_PORT": "70000", "GATEWAY_ADMIN_KEY": "short", "DATABASE_URL": "mysql://x", "CORS_ORIGINS": "*"}
    for name, value in bad.items():
        with service(folder, mock) as api:
            api.environment[name] = value
            said = refuses_to_start(api)
            assert api.wait() == 2
            assert name in said
