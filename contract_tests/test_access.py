"""Suite m: who gets in where. Every described route × role × own and other objects × carrier of the key."""

import dataclasses
import json
import re
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from administrator import ADMIN_KEY, Administrator, TestKey, bearer
from figures import record
from prompts import body
from spending import rows_of
from stack import ApiService, Mock, get_json, post_json, running_api, send_json

ADMIN_KEY_OF_OTHERS = ADMIN_KEY[:-1] + "x"
CARRIERS: dict[str, Callable[[str], dict[str, str]]] = {
    "authorization": lambda secret: {"Authorization": f"Bearer {secret}"},
    "x-api-key": lambda secret: {"x-api-key": secret},
    "x-goog-api-key": lambda secret: {"x-goog-api-key": secret},
}
STRANGERS = (
    {},
    {"Authorization": "Bearer wrong"},
    {"Authorization": ADMIN_KEY},
    {"x-api-key": ADMIN_KEY_OF_OTHERS},
    {"x-goog-api-key": ""},
    {"Cookie": f"key={ADMIN_KEY}"},
)

NOBODY = frozenset({"none", "member", "viewer", "admin", "owner"})
EVERYBODY = NOBODY - {"none"}
CALLERS = EVERYBODY - {"viewer"}
READERS = EVERYBODY - {"member"}
ADMINS = READERS - {"viewer"}
CALL = {"model": "demo/priced", "messages": [{"role": "user", "content": "x"}]}
RATES = {"input_usd_per_million": 1, "output_usd_per_million": 2}
FILE = {"media_type": "text/plain", "data": "aGVsbG8="}
OVERRIDE = {"model": "openai/gpt-3.5-turbo", "rates": RATES}


class World:
    """Two members with requests of their own, one without a user, a viewer, and the two kinds of administrator."""

    def __init__(self, api: ApiService) -> None:
        self.api = api
        self.admin = Administrator(api)
        self.keys = {
            "member": self.admin.key(user_id="alice", application_id="shop"),
            "viewer": self.admin.key(role="viewer", user_id="vera"),
            "admin": self.admin.key(role="admin", user_id="adam"),
        }
        self.secrets = {role: key.secret for role, key in self.keys.items()} | {"owner": ADMIN_KEY}
        self.other = self.admin.key("bobskey", user_id="bob", application_id="bank")
        self.nameless = self.admin.key("nameless")
        self.requests = {name: self._call(key, name) for name, key in self._callers().items()}

    def _callers(self) -> dict[str, TestKey]:
        return {"alice": self.keys["member"], "bob": self.other, "nameless": self.nameless}

    def _call(self, key: TestKey, name: str) -> str:
        """One request whose text names its owner; its id."""
        asked = {"model": "demo/priced", "query": f"the secret of {name}", "stream": False}
        status, answer = post_json(f"{self.api.url}/api/chat", asked, key.headers)
        assert status == 200, answer
        return str(answer["request_id"])

    def key_id(self, role: str, own: bool) -> str:
        """For members and viewers one that exists; administrators get one that they may spoil."""
        if role in ADMINS:
            return self.admin.key("to be changed").id
        return self.keys[role].id if own and role in self.keys else self.other.id

    def budget_id(self, role: str, own: bool) -> str:
        return self.admin.budget("key", self._whose(role, own), 10**12)

    def limit_id(self, role: str, own: bool) -> str:
        return self.admin.limit("key", self._whose(role, own), requests_per_minute=10**6)

    def _whose(self, role: str, own: bool) -> str:
        return self.keys[role].id if own and role in self.keys else self.other.id

    def user_id(self, role: str, own: bool) -> str:
        return "alice" if own else "bob"

    def request_id(self, role: str, own: bool) -> str:
        return self.requests["alice" if own else "bob"]

    def model(self, role: str, own: bool) -> str:
        return "demo/echo"

    def override_id(self, role: str, own: bool) -> str:
        return str(self.admin.send("POST", "/api/prices/overrides", OVERRIDE)["id"])

    def conversation_id(self, role: str, own: bool) -> str:
        """One that the role has kept itself, or somebody else."""
        name, headers = "of-bob", self.other.headers
        if role in CALLERS:
            mine = bearer(self.secrets[role])
            send_json("DELETE", f"{self.api.url}/api/conversations/{name}", None, mine)
            if own:
                name, headers = f"of-{role}", mine
        url = f"{self.api.url}/api/conversations/{name}"
        status, answer = send_json("PUT", url, {"title": f"the secret of {name}"}, headers)
        assert status == 200, answer
        send_json("PUT", f"{url}/files/picture", FILE, headers)
        return name

    def file_id(self, role: str, own: bool) -> str:
        return "picture"

    def response_id(self, role: str, own: bool) -> str:
        return "resp_of_nobody"

    def version(self, role: str, own: bool) -> str:
        return "no-such-map"


@dataclasses.dataclass(frozen=True)
class Rule:
    """Who may, with which body; `hides` from members what is not theirs; `found`: what those who may are answered.

    `private`: not even administrators reach what somebody else has. `is_endless`: a stream that the client ends.
    """

    allowed: frozenset[str]
    body: Any = None
    hides: bool = False
    found: int = 200
    private: bool = False
    is_endless: bool = False

    def status(self, role: str, own: bool) -> int:
        if role not in self.allowed:
            return 401 if role == "none" else 403
        if self.private and (role == "viewer" or not own):
            return 404
        return 404 if self.hides and role == "member" and not own else self.found


TABLE: dict[tuple[str, str], Rule] = {
    ("POST", "/api/chat"): Rule(CALLERS, {"model": "demo/priced", "query": "x"}),
    ("POST", "/v1/chat/completions"): Rule(CALLERS, CALL),
    ("POST", "/v1/responses"): Rule(CALLERS, {"model": "demo/priced", "input": "x"}),
    ("GET", "/v1/responses/{response_id}"): Rule(CALLERS, found=404),
    ("DELETE", "/v1/responses/{response_id}"): Rule(CALLERS, found=404),
    ("POST", "/v1/responses/{response_id}/cancel"): Rule(CALLERS, found=404),
    ("GET", "/v1/responses/{response_id}/input_items"): Rule(CALLERS, found=404),
    ("POST", "/v1/messages"): Rule(CALLERS, {**CALL, "max_tokens": 50}),
    ("POST", "/v1beta/models/{model}:generateContent"): Rule(CALLERS, {"contents": [{"parts": [{"text": "x"}]}]}),
    ("POST", "/v1/messages/count_tokens"): Rule(CALLERS, CALL),
    ("POST", "/v1/embeddings"): Rule(CALLERS, {"model": "demo/echo", "input": "x"}),
    ("POST", "/v1/completions"): Rule(CALLERS, {"model": "openai/gpt-3.5-turbo-instruct", "prompt": "x"}),
    ("POST", "/v1/images/generations"): Rule(CALLERS, {"model": "openai/gpt-image-1", "prompt": "x"}),
    ("POST", "/v1/audio/speech"): Rule(CALLERS, {"model": "openai/tts-1", "input": "x", "voice": "alloy"}),
    ("POST", "/v1/audio/transcriptions"): Rule(CALLERS, {}, found=415),
    ("POST", "/v1/audio/translations"): Rule(CALLERS, {}, found=415),
    ("POST", "/v1/moderations"): Rule(CALLERS, {"model": "openai/omni-moderation-latest", "input": "x"}),
    ("POST", "/v1/rerank"): Rule(CALLERS, {"model": "openai/rerank", "query": "x", "documents": ["x"]}),
    ("GET", "/v1beta/models"): Rule(EVERYBODY),
    ("GET", "/v1beta/models/{model}"): Rule(EVERYBODY),
    ("GET", "/api/models"): Rule(EVERYBODY),
    ("GET", "/v1/models"): Rule(EVERYBODY),
    ("GET", "/v1/models/{model}"): Rule(EVERYBODY),
    ("GET", "/api/usage"): Rule(EVERYBODY),
    ("GET", "/api/usage/export"): Rule(EVERYBODY),
    ("GET", "/api/stats"): Rule(EVERYBODY),
    ("GET", "/api/user/{user_id}/usage"): Rule(EVERYBODY, hides=True),
    ("GET", "/api/requests"): Rule(EVERYBODY),
    ("GET", "/api/requests/{request_id}"): Rule(EVERYBODY, hides=True),
    ("GET", "/api/conversations"): Rule(EVERYBODY),
    ("GET", "/api/conversations/{conversation_id}"): Rule(EVERYBODY, private=True),
    ("PUT", "/api/conversations/{conversation_id}"): Rule(CALLERS, {"title": "a title"}),
    ("PATCH", "/api/conversations/{conversation_id}"): Rule(CALLERS, {"title": "another"}, private=True),
    ("DELETE", "/api/conversations/{conversation_id}"): Rule(CALLERS),
    ("PUT", "/api/conversations/{conversation_id}/files/{file_id}"): Rule(CALLERS, FILE, private=True),
    ("GET", "/api/conversations/{conversation_id}/files/{file_id}"): Rule(EVERYBODY, private=True),
    ("GET", "/api/me"): Rule(EVERYBODY),
    ("GET", "/api/providers"): Rule(READERS),
    ("GET", "/api/routes"): Rule(READERS),
    ("GET", "/api/keys"): Rule(READERS),
    ("POST", "/api/keys"): Rule(ADMINS, {"name": "another"}),
    ("GET", "/api/keys/{key_id}"): Rule(READERS),
    ("PATCH", "/api/keys/{key_id}"): Rule(ADMINS, {"name": "renamed", "role": "admin"}),
    ("DELETE", "/api/keys/{key_id}"): Rule(ADMINS),
    ("POST", "/api/keys/{key_id}/block"): Rule(ADMINS),
    ("POST", "/api/keys/{key_id}/unblock"): Rule(ADMINS),
    ("POST", "/api/keys/{key_id}/rotate"): Rule(ADMINS, {"grace_s": 1}),
    ("GET", "/api/budgets"): Rule(READERS),
    ("POST", "/api/budgets"): Rule(
        ADMINS, {"scope": {"kind": "user", "name": "zoe"}, "amount_usd": 1, "period": "day"}
    ),
    ("GET", "/api/budgets/{budget_id}"): Rule(READERS),
    ("PATCH", "/api/budgets/{budget_id}"): Rule(ADMINS, {"amount_usd": 10_000}),
    ("DELETE", "/api/budgets/{budget_id}"): Rule(ADMINS),
    ("GET", "/api/limits"): Rule(READERS),
    ("POST", "/api/limits"): Rule(ADMINS, {"scope": {"kind": "user", "name": "zoe"}, "concurrency": 1}),
    ("GET", "/api/limits/{limit_id}"): Rule(READERS),
    ("PATCH", "/api/limits/{limit_id}"): Rule(ADMINS, {"concurrency": 10**6}),
    ("DELETE", "/api/limits/{limit_id}"): Rule(ADMINS),
    ("GET", "/api/prices"): Rule(READERS),
    ("POST", "/api/prices/overrides"): Rule(ADMINS, OVERRIDE),
    ("PUT", "/api/prices/overrides/{override_id}"): Rule(ADMINS, OVERRIDE),
    ("DELETE", "/api/prices/overrides/{override_id}"): Rule(ADMINS),
    ("POST", "/api/prices/import"): Rule(ADMINS, {"map": {}}, found=400),
    ("DELETE", "/api/prices/maps/{version}"): Rule(ADMINS, found=404),
    ("POST", "/api/prices/recompute"): Rule(ADMINS, {"from": "2020-01-01", "to": "2020-01-02"}),
    ("GET", "/api/audit"): Rule(READERS),
    ("GET", "/api/alerts"): Rule(READERS),
    ("GET", "/api/events"): Rule(EVERYBODY, is_endless=True),
    ("GET", "/api/what-if"): Rule(EVERYBODY),
    ("GET", "/metrics"): Rule(READERS),
    ("GET", "/health"): Rule(NOBODY),
    ("GET", "/health/live"): Rule(NOBODY),
    ("GET", "/health/ready"): Rule(NOBODY),
    ("GET", "/openapi.json"): Rule(NOBODY),
    ("GET", "/docs"): Rule(NOBODY),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[World]:
    with running_api(tmp_path_factory.mktemp("access"), mock.url, None, GATEWAY_ADMIN_KEY=ADMIN_KEY) as running:
        yield World(running)


def described(api: ApiService) -> list[tuple[str, str]]:
    paths = get_json(f"{api.url}/openapi.json")[1]["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods if method != "parameters"]


def asked(method: str, url: str, rule: Rule, headers: dict[str, str]) -> tuple[int, Any]:
    """Status and answer; of an endless one only its status."""
    if not rule.is_endless:
        return send_json(method, url, rule.body, headers)
    with httpx.stream(method, url, headers=headers) as reply:
        return reply.status_code, None


def filled(world: World, path: str, role: str, own: bool) -> str:
    """The path with an object in each place."""
    for name in re.findall(r"{(\w+)}", path):
        value = getattr(world, name)(role, own)
        path = path.replace("{" + name + "}", urllib.parse.quote(value, safe="/"))
    return path


def test_the_table_names_every_described_route_and_no_other(world):
    assert sorted(set(described(world.api)) - set(TABLE)) == [], "add who may use the new route to TABLE"
    assert sorted(set(TABLE) - set(described(world.api))) == [], "these are not described any more"


def test_every_route_serves_whom_it_is_for_and_nobody_else(world):
    checked, wrong = 0, []
    for method, path in described(world.api):
        rule = TABLE[method, path]
        for role in sorted(NOBODY):
            for own in (True, False) if "{" in path else (True,):
                for headers in carried(world, role):
                    url = world.api.url + filled(world, path, role, own)
                    status, answer = asked(method, url, rule, headers)
                    checked += 1
                    if status != rule.status(role, own):
                        wrong.append((method, path, role, own, list(headers), status, str(answer)[:200]))
    assert wrong == []
    record("m rights", routes=len(described(world.api)), combinations=checked, unexpected=len(wrong))


def carried(world: World, role: str) -> list[dict[str, str]]:
    if role == "none":
        return [dict(headers) for headers in STRANGERS]
    return [carry(world.secrets[role]) for carry in CARRIERS.values()]


def test_other_methods_open_nothing(world):
    """HEAD is GET without the body; everything else that is not described is refused."""
    known = set(described(world.api))
    for path in {path for _, path in known}:
        for method in ("HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "POST", "TRACE", "PROPFIND"):
            if (method, path) in known:
                continue
            url = world.api.url + filled(world, path, "none", own=True)
            for headers in ({}, world.keys["member"].headers):
                status, answer = send_json(method, url, None, headers)
                expected = TABLE.get(("GET", path), Rule(frozenset())) if method == "HEAD" else Rule(frozenset())
                role = "member" if headers else "none"
                assert status >= 400 or role in expected.allowed, (method, path, role, status, answer)


@pytest.mark.parametrize(
    "path",
    ["//api/stats", "/api//stats", "/api/stats/", "/API/STATS", "/api/stats%2f", "/health/../api/stats", "/docs/../api/stats",
     "/api/%73tats", "/health?/api/stats", "/api/stats;x=1", "/health/live/../../api/keys", "/openapi.json/../api/keys"],
)  # fmt: skip
def test_no_odd_spelling_of_a_path_opens_it(world, path):
    status, answer = get_json(world.api.url + path)
    assert status in {401, 404} or not {"summary", "keys"} & set(answer)


# What a member reads


def reads(world: World, key: TestKey) -> Iterator[tuple[str, int, str]]:
    """Everything that asks for somebody else's rows: path, status and the whole answer."""
    bob, foreign = world.requests["bob"], world.other.id
    span = "from=2020-01-01&to=2100-01-01"
    filters = (
        "",
        "user_id=bob",
        f"key_id={foreign}",
        "application_id=bank",
        "user_id=bob&user_id=alice",
        "model=demo/priced",
    )
    groups = ("user", "key_id", "application", "model,user_id", "provider,key_id", "status", "http_status")
    paths = [f"/api/{route}?{chosen}" for route in ("stats", "requests") for chosen in filters]
    paths += [f"/api/usage?{chosen}&group_by={group}&compare=previous" for chosen in filters[:4] for group in groups]
    paths += [f"/api/usage?{chosen}&group_by={group}" for chosen in filters for group in groups]
    paths += [f"/api/requests?id={bob[:8]}", f"/api/requests?id={bob}", f"/api/requests?cursor={bob}"]
    paths += [
        "/api/requests?cursor=ffffffff-ffff-7fff-bfff-ffffffffffff",
        f"/api/requests/{bob}",
        f"/api/requests/{bob.upper()}",
    ]
    paths += [f"/api/user/{name}/usage" for name in ("bob", "nameless", "anonymous", "%62ob", "BOB")]
    for form in ("csv", "jsonl"):
        paths += [f"/api/usage/export?format={form}&{span}&{chosen}" for chosen in filters]
        paths += [f"/api/usage/export?format={form}&{span}&rows=groups&group_by={group}" for group in groups]
    paths += [f"/api/what-if?{span}&instead=demo/priced&{chosen}" for chosen in filters]
    paths += ["/api/me", "/api/models", "/v1/models", "/api/conversations", "/api/conversations?q=secret"]
    paths += [f"/api/conversations/{name}" for name in ("of-bob", "of-admin", "of-owner")]
    for path in paths:
        status, answer = get_json(world.api.url + path, key.headers)
        yield path, status, json.dumps(answer) if not isinstance(answer, str) else answer


@pytest.mark.parametrize("reader", ["alice", "nameless"])
def test_a_member_never_reads_what_belongs_to_another(world, reader):
    """Neither names, ids, words nor keys of others, whatever is asked for."""
    key = {"alice": world.keys["member"], "nameless": world.nameless}[reader]
    others = {"alice", "bob", "nameless"} - {reader}
    canaries = [f"the secret of {name}" for name in others] + [world.requests[name] for name in others]
    canaries += ["bank", world.other.id, "vera", "adam"]
    seen = dict.fromkeys((200, 400, 403, 404), 0)
    for path, status, text in reads(world, key):
        seen[status] += 1
        asked_for = urllib.parse.unquote(path).lower()
        for canary in canaries:
            assert canary not in text or (status >= 400 and canary in asked_for), (path, status, canary, text[:500])
    assert seen[200] > 50
    assert seen[404] > 4


def test_a_member_s_totals_are_its_own(world):
    """Every figure is the one that its own rows add up to, whatever the grouping."""
    for name, key in (("alice", world.keys["member"]), ("nameless", world.nameless)):
        rows = rows_of(world.api, key.id)
        cost = sum(row["cost_nano_usd"] or 0 for row in rows)
        for path in (
            "/api/usage",
            "/api/usage?group_by=user_id",
            "/api/usage?group_by=key_id&bucket=hour&from=2026-01-01",
        ):
            status, answer = get_json(world.api.url + path, key.headers)
            if "bucket=hour" in path and status == 400:
                continue
            assert (answer["totals"]["requests"], answer["totals"]["cost_nano_usd"]) == (len(rows), cost), (name, path)
        status, answer = get_json(f"{world.api.url}/api/stats", key.headers)
        assert (answer["summary"]["total_requests"], answer["summary"]["cost_nano_usd"]) == (len(rows), cost)
        status, answer = get_json(f"{world.api.url}/api/requests?limit=200", key.headers)
        assert len(answer["requests"]) == min(200, len(rows))
        status, answer = get_json(f"{world.api.url}/api/requests/{world.requests[name]}", key.headers)
        assert (status, answer["query"]) == (200, f"the secret of {name}")


def test_a_viewer_reads_everything_and_changes_nothing(world):
    seen = get_json(f"{world.api.url}/api/requests/{world.requests['bob']}", world.keys["viewer"].headers)
    assert (seen[0], seen[1]["query"]) == (200, "the secret of bob")
    before = get_json(f"{world.api.url}/api/audit?limit=1", world.keys["viewer"].headers)[1]["entries"][0]["id"]
    for (method, path), rule in TABLE.items():
        if method != "GET" and (method, path) in described(world.api):
            known = path.replace("{key_id}", world.other.id).replace("{budget_id}", "x").replace("{limit_id}", "x")
            status, _ = send_json(method, world.api.url + known, rule.body, world.keys["viewer"].headers)
            assert status == 403, (method, path, status)
    after = get_json(f"{world.api.url}/api/audit?limit=1", world.keys["viewer"].headers)[1]["entries"][0]["id"]
    assert after == before


# Whom a member's requests are charged to


@pytest.mark.parametrize(
    ("path", "extra", "headers", "param"),
    [
        ("/api/chat", {"user_id": "bob"}, {}, "user_id"),
        ("/api/chat", {"application_id": "bank"}, {}, "application_id"),
        ("/v1/chat/completions", {}, {"x-user-id": "bob"}, "user_id"),
        ("/v1/chat/completions", {}, {"x-application-id": "bank"}, "application_id"),
    ],
)
def test_who_may_not_label_others_cannot_charge_them(world, path, extra, headers, param):
    asked = {
        "model": "demo/priced",
        **({"query": "x"} if path == "/api/chat" else {"messages": CALL["messages"]}),
        **extra,
    }
    url = f"{world.api.url}{path}"
    before = len(rows_of(world.api, world.keys["member"].id))
    status, answer = post_json(url, asked, {**world.keys["member"].headers, **headers})
    assert (status, answer["error"]["code"], answer["error"]["param"]) == (403, "not_allowed", param)
    assert len(rows_of(world.api, world.keys["member"].id)) == before
    may = world.admin.key(user_id="alice", application_id="shop", may_label_users=True, may_label_applications=True)
    status, answer = post_json(url, asked, {**may.headers, **headers})
    assert status == 200, answer
    charged = world.api.rows("SELECT user_id, application_id FROM requests WHERE key_id = ?", may.id)[0]
    assert charged == {"user_id": "alice", "application_id": "shop", param: "bob" if param == "user_id" else "bank"}


def test_a_hint_in_the_openai_body_does_not_charge_another(world):
    """SDKs fill `user` by themselves: it is no reason to refuse, nor to charge somebody else."""
    asked = {**CALL, "user": "bob"}
    status, _ = post_json(f"{world.api.url}/v1/chat/completions", asked, world.keys["member"].headers)
    assert status == 200
    newest = world.api.rows(
        "SELECT user_id FROM requests WHERE key_id = ? ORDER BY id DESC LIMIT 1", world.keys["member"].id
    )
    assert newest == [{"user_id": "alice"}]


def test_a_limited_key_is_limited_on_every_route_and_under_every_name_of_a_model(world):
    key = world.admin.key(models=["demo/echo"], routes=["/v1/chat/*", "/api/models"])
    url = f"{world.api.url}/v1/chat/completions"
    assert post_json(url, {**CALL, "model": "demo/echo"}, key.headers)[0] == 200
    for model in ("demo/priced", "gpt-4o", "openai/gpt-4o", "openai/demo/echo", "demo/ECHO", "demo//echo"):
        status, answer = post_json(url, {**CALL, "model": model}, key.headers)
        assert status in {403, 404}, (model, answer)
    for method, path in described(world.api):
        if "health" in path or path in {"/openapi.json", "/docs", "/api/models", "/v1/chat/completions"}:
            continue
        target = world.api.url + filled(world, path, "member", own=True)
        status, _ = asked(method, target, TABLE[method, path], key.headers)
        assert status == 403, (method, path, status)


def test_a_key_that_may_list_models_may_not_call_them_under_the_same_path(world):
    key = world.admin.key(routes=["/v1/models/*", "/v1beta/models"])
    asked = {"contents": [{"parts": [{"text": "x"}]}]}
    for version in ("v1", "v1beta", "v1alpha"):
        for method in ("generateContent", "streamGenerateContent"):
            url = f"{world.api.url}/{version}/models/demo/echo:{method}"
            assert post_json(url, asked, key.headers)[0] == 403
    caller = world.admin.key(routes=["/v1beta/*"])
    for version in ("v1", "v1beta"):
        assert post_json(f"{world.api.url}/{version}/models/demo/echo:generateContent", asked, caller.headers)[0] == 200


def test_no_right_is_gained_by_a_field_that_is_not_one(world):
    """Unknown fields, and those that only the service sets, are refused by name."""
    for field, value in (
        ("id", "0123456789abcdef"), ("digests", []), ("blocked", False), ("created_at_ms", 1), ("key", "sk-gw-x"), ("admin", True),
        ("max_cost_per_request_nano_usd", 1),
    ):  # fmt: skip
        for method, path in (("POST", "/api/keys"), ("PATCH", f"/api/keys/{world.other.id}")):
            asked = {"name": "x", field: value}
            headers = CARRIERS["x-api-key"](ADMIN_KEY)
            status, answer = send_json(method, world.api.url + path, asked, headers)
            assert (status, answer["error"]["code"]) == (400, "invalid_request"), (method, field, answer)
            assert field in answer["error"]["message"]


def test_open_mode_needs_no_key_but_holds_those_it_has(tmp_path, mock):
    """On loopback without an admin key: whoever sends none may everything; a virtual key keeps its limits."""
    with running_api(tmp_path, mock.url) as api:
        made = post_json(f"{api.url}/api/keys", {"name": "limited", "models": ["demo/echo"]})[1]
        headers = {"x-api-key": made["key"]}
        assert get_json(f"{api.url}/api/keys")[0] == 200
        assert get_json(f"{api.url}/api/keys", headers)[0] == 403
        assert post_json(f"{api.url}/v1/chat/completions", body("openai", "x", stream=False), headers)[0] == 403
        assert get_json(f"{api.url}/api/keys", {"x-api-key": made["key"][:-1] + "~"})[0] == 401
