"""Keys, budgets and rate limits of a service under test, made over its API."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from stack import ApiService, send_json

ADMIN_KEY = "test-admin-key-5d1c9a70b2e84f36"
NANO = 10**9
Json = dict[str, Any]


def bearer(secret: str) -> dict[str, str]:
    """The header that carries a key."""
    return {"authorization": f"Bearer {secret}"}


def usd(nano_usd: int) -> str:
    """An amount as its exact decimal text, which JSON carries as a number."""
    return f"{nano_usd // NANO}.{nano_usd % NANO:09d}"


@dataclasses.dataclass(frozen=True)
class TestKey:
    """A virtual key and its secret."""

    __test__ = False

    id: str
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        """What a client sends."""
        return bearer(self.secret)


class Administrator:
    """Speaks to the administering routes with the admin key; every method raises `AssertionError` on a refusal."""

    def __init__(self, api: ApiService, secret: str = ADMIN_KEY) -> None:
        self._api = api
        self._headers = bearer(secret)

    def send(self, method: str, path: str, body: Any = None) -> Json:
        """One request that must be answered with 200; decoded."""
        status, answer = send_json(method, self._api.url + path, body, self._headers)
        assert status == 200, (method, path, body, status, answer)
        found: Json = answer
        return found

    def key(self, name: str = "test", **fields: Any) -> TestKey:
        """A new key."""
        made = self.send("POST", "/api/keys", {"name": name, **fields})
        return TestKey(made["id"], made["key"])

    def change_key(self, key: TestKey, **fields: Any) -> Json:
        """Some fields of a key."""
        return self.send("PATCH", f"/api/keys/{key.id}", fields)

    def block(self, key: TestKey) -> Json:
        """It opens nothing from now on."""
        return self.send("POST", f"/api/keys/{key.id}/block")

    def unblock(self, key: TestKey) -> Json:
        """It opens again."""
        return self.send("POST", f"/api/keys/{key.id}/unblock")

    def rotate(self, key: TestKey, grace_s: int = 0) -> TestKey:
        """The same key with a new secret."""
        made = self.send("POST", f"/api/keys/{key.id}/rotate", {"grace_s": grace_s})
        return TestKey(made["id"], made["key"])

    def delete_key(self, key: TestKey) -> Json:
        """There is no such key from now on."""
        return self.send("DELETE", f"/api/keys/{key.id}")

    def budget(self, kind: str, name: str, nano_usd: int, **terms: Any) -> str:
        """The id of a new budget, hard and in total unless the terms say otherwise."""
        body = b'{"scope":{"kind":"%b","name":"%b"},"amount_usd":%b,"period":"%b","hard":%b}' % (
            kind.encode(),
            name.encode(),
            usd(nano_usd).encode(),
            str(terms.get("period", "total")).encode(),
            b"true" if terms.get("hard", True) else b"false",
        )
        made = self.send("POST", "/api/budgets", body)
        assert made["limit_nano_usd"] == nano_usd, made
        return str(made["id"])

    def standing(self, budget_id: str) -> Json:
        """How a budget stands: `limit_nano_usd`, `spent_nano_usd`, `held_nano_usd`, `remaining_nano_usd`."""
        return self.send("GET", f"/api/budgets/{budget_id}")

    def drop_budget(self, budget_id: str) -> Json:
        """It refuses nothing from now on."""
        return self.send("DELETE", f"/api/budgets/{budget_id}")

    def limit(self, kind: str, name: str, **most: int) -> str:
        """The id of a new rate limit: `requests_per_minute`, `tokens_per_minute`, `concurrency`."""
        return str(self.send("POST", "/api/limits", {"scope": {"kind": kind, "name": name}, **most})["id"])

    def drop_limit(self, limit_id: str) -> Json:
        """It limits nothing from now on."""
        return self.send("DELETE", f"/api/limits/{limit_id}")


def refused(api: ApiService, method: str, path: str, headers: Mapping[str, str], body: Any = None) -> tuple[int, Json]:
    """Status and error object of a request that must be refused."""
    status, answer = send_json(method, api.url + path, body, headers)
    assert status >= 400, (method, path, status, answer)
    error: Json = answer["error"]
    return status, error
