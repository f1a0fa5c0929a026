"""The table of statuses is total, and every error says what its wire form promises."""

import msgspec
import pytest

from gateway.domain import errors as e
from gateway.domain.errors import GatewayError
from gateway.http.errors import STATUS, body_of, headers_of, status_of

ABSTRACT = {e.RequestError, e.LimitError, e.ProviderError, e.ServiceError}


def concrete(kind=GatewayError):
    for child in kind.__subclasses__():
        if child.__module__ == e.__name__:
            yield child
            yield from concrete(child)


KINDS = [kind for kind in concrete() if kind not in ABSTRACT]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_status_and_a_body(kind):
    error = kind("what was wrong", retry_after_s=3)
    assert kind in STATUS
    body = body_of(error, "id")["error"]
    assert set(body) == {"message", "type", "code", "param", "request_id"}
    assert body["code"] == kind.code
    assert (b"retry-after", b"3") in headers_of(error)


def test_a_bug_is_a_500_without_its_details():
    body = body_of(ValueError("the secret"), "some-id")["error"]
    assert status_of(ValueError()) == 500
    assert "secret" not in body["message"]
    assert "some-id" in body["message"]


@pytest.mark.parametrize(
    ("upstream", "status"), [(400, 400), (404, 404), (422, 422), (500, 502), (503, 503), (529, 503)]
)
def test_a_providers_status_is_passed_on_where_it_is_about_the_request(upstream, status):
    kind = e.ProviderRejected if upstream < 500 else e.ProviderUnavailable
    assert status_of(kind("x", status=upstream)) == status


def test_what_a_provider_said_of_its_own_4xx_is_kept():
    said = msgspec.json.encode(
        {"type": "invalid_request_error", "code": "context_length_exceeded", "param": "messages"}
    )
    body = body_of(e.ProviderRejected("too long", status=400, body=said), "id")["error"]
    assert (body["code"], body["param"]) == ("context_length_exceeded", "messages")


def test_sdks_are_told_not_to_retry_what_only_a_setting_can_mend():
    assert (b"x-should-retry", b"false") in headers_of(e.ProviderNotConfigured("put a key"))
