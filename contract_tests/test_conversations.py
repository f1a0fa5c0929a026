"""What the console keeps of chats: whose they are, how they grow, what is found again, what they cost."""

import base64
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from administrator import ADMIN_KEY, Administrator, TestKey, bearer
from stack import ApiService, Mock, post_json, running_api, send_json

AT = "2026-11-23T12:00:00.000Z"
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n not a whole picture").decode()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[ApiService]:
    with running_api(tmp_path_factory.mktemp("conversations"), mock.url, GATEWAY_ADMIN_KEY=ADMIN_KEY) as running:
        yield running


@pytest.fixture(scope="module")
def admin(service: ApiService) -> Administrator:
    return Administrator(service)


class Person:
    """Somebody with a key."""

    def __init__(self, service: ApiService, key: TestKey) -> None:
        self._service = service
        self.headers = key.headers

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return send_json(method, f"{self._service.url}/api/conversations{path}", body, self.headers)

    def keep(self, name: str, *messages: dict[str, Any], **fields: Any) -> None:
        status, answer = self.ask("PUT", f"/{name}", {"messages": messages, **fields})
        assert status == 200, answer

    def list(self, query: str = "") -> list[dict[str, Any]]:
        status, answer = self.ask("GET", query)
        assert status == 200, answer
        found: list[dict[str, Any]] = answer["conversations"]
        return found

    def call(self, text: str) -> dict[str, Any]:
        body = {"model": "demo/priced", "query": text}
        status, answer = post_json(f"{self._service.url}/api/chat", body, self.headers)
        assert status == 200, answer
        found: dict[str, Any] = answer
        return found


@pytest.fixture
def alice(service: ApiService, admin: Administrator) -> Person:
    """A key without a user: what it keeps is its own."""
    return Person(service, admin.key())


def said(name: str, text: str, role: str = "user", **more: Any) -> dict[str, Any]:
    return {"id": name, "role": role, "text": text, "at": AT, **more}


def test_a_conversation_grows_by_messages_and_is_read_back_as_it_was(alice):
    settings = {"model": "demo/echo", "system": "Be brief.", "parameters": {"temperature": 0.5}, "leaf": "a1"}
    call = {"id": "c1", "name": "look_up", "arguments": '{"x": 1}'}
    answer = said("a1", "Hello", "assistant", parent="q1", model="demo/echo", reasoning="hm", tool_calls=[call])
    alice.keep(
        "talk", said("q1", "Hi\u0000 <b>there</b> 🙂", models=["a/b", "c/d"]), title="Greeting", settings=settings
    )
    alice.keep("talk", {**answer, "text": "Hel", "state": "live"})
    alice.keep("talk", answer)
    status, found = alice.ask("GET", "/talk")
    assert status == 200
    assert (found["title"], found["settings"], found["updated_at"]) == ("Greeting", settings, AT)
    assert found["messages"] == [said("q1", "Hi\u0000 <b>there</b> 🙂", models=["a/b", "c/d"]), answer]
    assert alice.ask("PATCH", "/talk", {"title": "Renamed"})[0] == 200
    assert [one["title"] for one in alice.list()] == ["Renamed"]
    assert alice.ask("DELETE", "/talk")[0] == 200
    assert alice.ask("GET", "/talk")[0] == 404
    assert alice.ask("PATCH", "/talk", {"title": "back?"})[0] == 404
    assert alice.list() == []


def test_a_conversation_costs_what_its_requests_cost_and_shows_their_figures(alice):
    asked = [alice.call("one"), alice.call("two two")]
    answers = [said(f"a{n}", "x", "assistant", parent="q", request_id=one["request_id"]) for n, one in enumerate(asked)]
    alice.keep("costly", said("q", "one"), *answers)
    (row,) = alice.list()
    assert row["requests"] == 2
    assert row["cost_nano_usd"] == sum(one["metadata"]["cost_nano_usd"] for one in asked) > 0
    shown = alice.ask("GET", "/costly")[1]["requests"]
    assert {id_: one["cost_nano_usd"] for id_, one in shown.items()} == {
        one["request_id"]: one["metadata"]["cost_nano_usd"] for one in asked
    }


def test_a_request_of_somebody_else_neither_shows_nor_counts(service, admin, alice):
    bob = Person(service, admin.key(user_id="bob"))
    foreign = bob.call("bob's own")["request_id"]
    alice.keep("curious", said("a", "x", "assistant", request_id=foreign))
    (row,) = alice.list()
    assert (row["requests"], row["cost_nano_usd"]) == (0, None)
    assert alice.ask("GET", "/curious")[1]["requests"] == {}


def test_all_keys_of_a_user_share_what_they_keep_and_others_do_not(service, admin, alice):
    laptop, phone = (Person(service, admin.key(user_id="carol")) for _ in range(2))
    laptop.keep("shared", said("q", "on the way"), title="From the laptop")
    assert [one["title"] for one in phone.list()] == ["From the laptop"]
    assert alice.list() == []
    assert alice.ask("GET", "/shared")[0] == 404
    owner = send_json("GET", f"{service.url}/api/conversations/shared", None, bearer(ADMIN_KEY))
    assert owner[0] == 404


def test_every_word_is_found_in_messages_and_titles_whatever_its_case_and_script(alice):
    alice.keep("rust", said("q", "How does the Borrow Checker think?"), title="Rust")
    alice.keep("tokyo", said("q", "明日の東京の天気は?"), title="Weather")
    alice.keep("strasse", said("q", "Die STRASSE am Fluß, 100% nass_"), title="Deutsch")
    expected = {
        "borrow": ["rust"],
        "CHECKER think": ["rust"],
        "rust borrow": ["rust"],
        "東京": ["tokyo"],
        "straße": ["strasse"],
        "100%": ["strasse"],
        "s_": ["strasse"],
        "%": ["strasse"],
        "weather": ["tokyo"],
        "absent": [],
    }
    assert {words: [one["id"] for one in alice.list(f"?q={quote(words)}")] for words in expected} == expected
    assert "Borrow Checker" in alice.list("?q=borrow")[0]["snippet"]


def test_pages_hold_every_conversation_once_the_newest_first(alice):
    for n in range(23):
        alice.keep(f"t{n}", said("q", "x") | {"at": f"2026-11-{1 + n % 5:02d}T12:00:00Z"}, title=str(n))
    seen, cursor = [], ""
    while cursor is not None:
        answer = alice.ask("GET", f"?limit=7{cursor and f'&cursor={cursor}'}")[1]
        seen += answer["conversations"]
        cursor = answer["next_cursor"]
    assert len(seen) == len({one["id"] for one in seen}) == 23
    times = [one["updated_at"] for one in seen]
    assert times == sorted(times, reverse=True)


def test_files_are_kept_beside_the_conversation_and_given_as_they_were(alice, service):
    alice.keep("pictures", said("q", "look", attachments=[{"id": "f1", "media_type": "image/png", "size": 29}]))
    assert alice.ask("PUT", "/pictures/files/f1", {"media_type": "image/png", "data": PIXEL})[0] == 200
    assert alice.ask("PUT", "/pictures/files/page", {"media_type": "text/html", "data": PIXEL})[0] == 200
    assert alice.ask("PUT", "/none/files/f1", {"media_type": "image/png", "data": PIXEL})[0] == 404
    assert alice.ask("PUT", "/pictures/files/f2", {"media_type": "image/png", "data": "not base64"})[0] == 400
    for name, kind, disposition in (("f1", "image/png", "inline"), ("page", "application/octet-stream", "attachment")):
        url = f"{service.url}/api/conversations/pictures/files/{name}"
        with urllib.request.urlopen(urllib.request.Request(url, headers=alice.headers)) as reply:
            assert reply.read() == base64.b64decode(PIXEL)
            assert (reply.headers["content-type"], reply.headers["content-disposition"]) == (kind, disposition)
    assert len(alice.ask("GET", "/pictures")[1]["messages"][0]["attachments"]) == 1
    alice.ask("DELETE", "/pictures")
    left = "SELECT count(*) AS n FROM conversation_files WHERE conversation_id NOT IN (SELECT id FROM conversations)"
    assert service.rows(left) == [{"n": 0}]


@pytest.mark.parametrize(
    ("name", "body", "word"),
    [
        ("a b", {}, "conversation_id"), ("x" * 65, {}, "conversation_id"), ("ok", {"colour": "red"}, "colour"),
        ("ok", {"title": "x" * 201}, "title"), ("ok", {"messages": [said("", "x")]}, "id"),
        ("ok", {"messages": [said("q", "x") | {"at": "yesterday"}]}, "at"), ("ok", {"messages": [{"id": "q"}]}, "role"),
        ("ok", {"messages": [said("q", "x", "system")]}, "role"), ("ok", {"messages": [said("q", "x", mood="good")]}, "mood"),
        ("ok", {"messages": [said("q", "x", request_id="'; DROP")]}, "request_id"), ("ok", [], "object"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_nothing_of_it_is_kept(alice, name, body, word):
    status, answer = alice.ask("PUT", f"/{quote(name)}", body)
    assert status == 400
    assert word in answer["error"]["message"]
    assert alice.list() == []


def test_no_more_messages_than_a_conversation_holds(alice):
    many = [said(f"m{n}", "x") for n in range(5_001)]
    assert alice.ask("PUT", "/long", {"messages": many})[0] == 400
    alice.keep("long", *many[:5_000])
    alice.keep("long", *many[:10])
    status, answer = alice.ask("PUT", "/long", {"messages": many[5_000:]})
    assert (status, "begin a new one" in answer["error"]["message"]) == (400, True)
    began = time.monotonic()
    assert len(alice.ask("GET", "/long")[1]["messages"]) == 5_000
    assert time.monotonic() - began < 2


def test_where_no_content_is_stored_none_of_it_is_kept(service, admin, mock, tmp_path):
    private = Person(service, admin.key(store_content=False))
    status, answer = private.ask("PUT", "/secret", {"title": "x", "messages": [said("q", "canary")]})
    assert (status, answer["error"]["code"]) == (403, "not_allowed")
    assert private.ask("GET", "")[1]["store_content"] is False
    with running_api(tmp_path, mock.url, STORE_CONTENT="false") as api:
        url = f"{api.url}/api/conversations"
        assert send_json("PUT", f"{url}/secret", {"messages": [said("q", "canary")]})[0] == 403
        assert send_json("GET", url)[1] == {"conversations": [], "next_cursor": None, "store_content": False}


def test_what_is_kept_is_there_after_a_kill(mock, tmp_path):
    with running_api(tmp_path, mock.url) as api:
        url = f"{api.url}/api/conversations"
        assert send_json("PUT", f"{url}/kept", {"title": "here", "messages": [said("q", "to stay")]})[0] == 200
        api.kill()
        api.start()
        assert [one["title"] for one in send_json("GET", f"{url}?q=stay")[1]["conversations"]] == ["here"]
