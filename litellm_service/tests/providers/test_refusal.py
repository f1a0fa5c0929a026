"""What a provider's error status and body mean, where Google says in the body what others say in status and headers."""

import json

import pytest

from gateway.domain.errors import ProviderError, ProviderLimited, ProviderRejected, ProviderUnavailable
from gateway.providers.catalog import Catalog
from gateway.providers.deployment import Endpoint
from gateway.providers.refusal import refusal
from gateway.providers.reply import Headers

pytestmark = pytest.mark.anyio

GOOGLE = Endpoint(Catalog.load().providers["google"], None, "", b"", (), via_litellm=False)
REASON = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
DELAY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}


class Canned:
    """An upstream's reply, its body in one piece."""

    def __init__(self, status: int, body: bytes, headers: Headers = ()) -> None:
        self.status = status
        self.headers = headers
        self._rest = body

    async def read(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest

    def abort(self, reason: Exception) -> None:
        self._rest = b""


def stated(message: str, details: object = None) -> bytes:
    return json.dumps({"error": {"message": message, "status": "ANY", "details": details}}).encode()


async def told(status: int, body: bytes, headers: Headers = ()) -> ProviderError:
    return await refusal(Canned(status, body, headers), GOOGLE)


async def test_googles_400_for_its_key_is_no_fault_of_the_client() -> None:
    error = await told(400, stated("API key not valid.", [DELAY, REASON]))
    assert isinstance(error, ProviderRejected)
    assert error.status == 502
    assert GOOGLE.provider.key_variable
    assert GOOGLE.provider.key_variable in error.message


async def test_a_wait_that_stands_in_the_body_is_passed_on() -> None:
    error = await told(429, stated("Quota", [REASON | {"reason": "RATE_LIMIT_EXCEEDED"}, DELAY]))
    assert isinstance(error, ProviderLimited)
    assert error.retry_after_s == 2


async def test_a_wait_in_the_headers_comes_first() -> None:
    error = await told(429, stated("Quota", [DELAY]), ((b"retry-after", b"7"),))
    assert error.retry_after_s == 7


async def test_an_error_in_an_array_is_read() -> None:
    error = await told(503, b"[" + stated("The model is overloaded.") + b"]")
    assert isinstance(error, ProviderUnavailable)
    assert error.message.endswith("failed (503): The model is overloaded.")


@pytest.mark.parametrize(
    ("code", "kept"), [(400, None), (400.0, None), (None, None), ("invalid_value", "invalid_value")]
)
async def test_a_code_is_a_word(code: object, kept: str | None) -> None:
    error = await told(400, json.dumps({"error": {"message": "Wrong", "code": code}}).encode())
    assert error.body is not None
    assert json.loads(error.body)["code"] == kept


@pytest.mark.parametrize("details", [None, 7, {}, "soon", [7], [{"retryDelay": 3}], [{"retryDelay": "soon"}], [{}], []])
async def test_odd_details_change_nothing(details: object) -> None:
    error = await told(429, stated("Quota", details))
    assert (type(error), error.status, error.retry_after_s) == (ProviderLimited, 429, None)


@pytest.mark.parametrize("body", [b"", b"[]", b"[7]", b"[[]]", b"null", b"\xff", b'{"error":[1]}', b"[" * 60_000])
async def test_garbage_is_an_error_all_the_same(body: bytes) -> None:
    assert isinstance(await told(400, body), ProviderRejected)
